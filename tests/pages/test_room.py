"""Has what a page shows room in a window of 1280 by 800?"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.pages.conftest import Studio
from tests.pages.looking import ARGUMENTS
from tests.pages.test_browser import CELLS

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


def visit(browser: Browser, studio: Studio, address: str) -> Page:
    page = browser.new_page(base_url=studio.url, viewport={"width": 1280, "height": 800})
    page.goto(address)
    expect(page.locator(CELLS).first).to_be_visible(timeout=90_000)
    return page


def test_side_by_side_leaves_the_list_its_words(studio: Studio, browser: Browser) -> None:
    page = visit(browser, studio, "/?view=Same+prompt&correct=wrong")
    signals = page.locator(".st-key-signal button")
    expect(signals).to_have_count(6)

    tops = signals.evaluate_all("all => all.map(one => one.getBoundingClientRect().top)")
    assert len(set(tops)) == 1
    for name in ("sort", "order", "rows"):
        cut = page.locator(f".st-key-{name} input").evaluate(
            "one => { const c = document.createElement('canvas').getContext('2d');"
            "c.font = getComputedStyle(one).font;"
            "const style = getComputedStyle(one);"
            "const room = one.clientWidth - parseFloat(style.paddingLeft)"
            " - parseFloat(style.paddingRight);"
            "return c.measureText(one.value).width - room; }"
        )
        assert cut <= 0, name
    count = page.locator(".st-key-filter-count p, .st-key-filter-count [data-testid=stText]").first
    line = float(count.evaluate("one => parseFloat(getComputedStyle(one).lineHeight)"))
    assert count.bounding_box()["height"] < 1.6 * line
    page.close()


def test_the_numbers_of_a_trace_fill_the_pane(studio: Studio, browser: Browser) -> None:
    page = visit(browser, studio, "/?view=Numbers&sort=Steps")

    table = page.locator(".st-key-trace-pane").get_by_test_id("stDataFrame")
    expect(table).to_be_visible(timeout=60_000)
    assert table.bounding_box()["height"] >= 250
    expect(page.get_by_role("button", name="Numbers as CSV")).to_be_in_viewport()
    page.close()


def test_every_filter_is_whole_and_the_ends_of_a_range_are_in_sight(
    studio: Studio, browser: Browser
) -> None:
    page = visit(browser, studio, "/")
    page.locator(".st-key-filters button").first.click()
    popover = page.get_by_test_id("stPopoverBody")
    expect(popover.get_by_text("Unlabelled")).to_be_visible()

    group = popover.locator(".st-key-filter-correct [role=radiogroup]").first
    assert group.evaluate(
        "one => [...one.querySelectorAll('button')].every(b =>"
        "b.getBoundingClientRect().right <= one.getBoundingClientRect().right + 1)"
    )
    popover.locator(".st-key-filter-add-range input").click()
    page.keyboard.type("Mean loss")
    page.keyboard.press("Enter")
    expect(popover.get_by_label("Mean loss, at least")).to_be_in_viewport(ratio=1)
    page.close()
