"""Does a person in a real browser see the heatmap, reach a step by a click, and stay safe?"""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import psutil
import pytest
from playwright.sync_api import (
    Browser,
    Locator,
    Page,
    TimeoutError as Late,
    expect,
    sync_playwright,
)

from grace_engine import api
from tests.pages.conftest import HOSTILE_NAME, HOSTILE_PROMPT, HOSTILE_STEPS, Studio, serve
from tests.pages.looking import ARGUMENTS

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)

CELLS = ".st-key-heatmap .mark-rect.role-mark path"
CURRENT = ".g-step[aria-current]"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open the app at a link; a script error on the page fails the test."""
    opened, errors = [], []

    def open_at(studio: Studio, scheme: str = "light", **link: object) -> Page:
        context = browser.new_context(
            viewport={"width": 1280, "height": 800}, color_scheme=scheme, base_url=studio.url
        )
        opened.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"/?{urlencode(link)}")
        wait_until_drawn(page)
        return page

    yield open_at
    for context in opened:
        context.close()
    assert not errors


def wait_until_drawn(page: Page) -> None:
    """The first draw is over; it takes a while on a busy machine."""
    expect(page.locator(CURRENT)).to_be_visible(timeout=60_000)
    expect(page.locator(CELLS).first).to_be_visible(timeout=60_000)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def link_of(page: Page) -> dict[str, str]:
    """The address's parameters, as the page has them."""
    return dict(parse_qsl(page.evaluate("location.search.slice(1)")))


def cell(page: Page, row: str, step: int) -> Locator:
    return page.locator(f'{CELLS}[aria-label*="Step: {step};"][aria-label*="row: {row};"]')


_OPENED = (
    "([trace, step]) => { const link = new URLSearchParams(location.search);"
    "return link.get('trace') === trace && link.get('step') === String(step); }"
)


def open_cell(page: Page, row: str, step: int, trace: str) -> None:
    """Click a cell until it opens: a click while the chart is being drawn anew can be lost."""
    for _ in range(5):
        cell(page, row, step).click()
        try:
            page.wait_for_function(_OPENED, arg=[trace, step], timeout=5000)
            break
        except Late:
            continue
    expect_open(page, trace, step)


def expect_open(page: Page, trace: str, step: int) -> None:
    """Address, outlined text and outlined cell agree."""
    expect(page.locator(CURRENT)).to_have_attribute("aria-label", _starts(f"step {step}, "))
    page.wait_for_function(_OPENED, arg=[trace, step])
    # What is done while the page is still being drawn can overtake it: act on a page at rest.
    wait_until_drawn(page)
    outlined = page.locator(f'{CELLS}[stroke-width="2.5"]')
    expect(outlined).to_have_attribute("aria-label", _starts(f"Step: {step}; "))


def _starts(text: str) -> re.Pattern[str]:
    return re.compile("^" + re.escape(text))


def row_names(workspace: Path) -> dict[str, tuple[str, int]]:
    """Row label without its mark → trace id and number of steps."""
    view = api.run_view(api.open_workspace(workspace, create=False))
    return {
        f"{'✓' if row.correct else '✗'} {row.variant} · {row.line}": (row.trace_id, row.n_steps)
        for row in view.traces.rename(columns={"label.is_correct": "correct"}).itertuples()
    }


def test_the_heatmap_shows_every_step_of_the_page(studio: Studio, visit) -> None:
    page = visit(studio, rows=50)

    names = row_names(studio.workspace)
    expect(page.locator(CELLS)).to_have_count(sum(steps for _, steps in names.values()))


def test_a_click_on_a_cell_opens_the_trace_at_that_step(studio: Studio, visit) -> None:
    page = visit(studio, rows=50)
    names = row_names(studio.workspace)
    row, (trace, steps) = max(names.items(), key=lambda item: item[1][1])

    open_cell(page, row, steps - 1, trace)

    opened = api.trace_view(api.open_workspace(studio.workspace, create=False), trace).trace
    step = opened.steps[steps - 2]
    expect(page.locator(f"{CURRENT} .g-text")).to_contain_text(opened.text[step.start : step.end])
    expect(page.locator(".g-head")).to_contain_text(opened.prompt)
    expect(page.locator(CURRENT)).to_be_in_viewport()


def test_the_heatmap_follows_the_open_trace(studio: Studio, visit) -> None:
    page = visit(studio, rows=50)
    names = row_names(studio.workspace)
    expect(cell(page, row_of(page, names), 1)).to_be_in_viewport()
    for place in (len(names), 1):
        before = link_of(page)["trace"]
        box = page.get_by_label("Go to place, id or name")
        if not box.is_visible():
            page.locator(".st-key-jump button").click()
        box.fill(str(place))
        box.press("Enter")
        page.wait_for_function(
            "before => new URLSearchParams(location.search).get('trace') !== before", arg=before
        )
        wait_until_drawn(page)
        expect(cell(page, row_of(page, names), 1)).to_be_in_viewport()


def row_of(page: Page, names: dict[str, tuple[str, int]]) -> str:
    """The label of the open trace's row."""
    opened = link_of(page)["trace"]
    return next(name for name, (trace, _) in names.items() if trace == opened)


def test_what_is_looked_at_stays_when_other_pages_are_opened_by_the_sidebar(
    studio: Studio, visit
) -> None:
    page = visit(studio, rows=50)
    page.goto(f"/curate?{urlencode({'alpha': 0.5, 'history': 'window:2', 'budget': '10%'})}")
    expect(page.get_by_text("Lowest value taken")).to_be_visible(timeout=60_000)

    go_to(page, "Inspect")
    wait_until_drawn(page)
    expect(page.locator(".st-key-alpha input")).to_have_value("0.5")
    assert link_of(page)["alpha"] == "0.5"
    assert link_of(page)["history"] == "window:2"
    page.keyboard.press("j")
    page.wait_for_function("new URLSearchParams(location.search).get('steps') === '1'")
    wait_until_drawn(page)
    page.keyboard.press("l")
    page.wait_for_function("new URLSearchParams(location.search).get('step') === '2'")
    wait_until_drawn(page)
    left = link_of(page)

    go_to(page, "Data")
    expect(page.get_by_role("tab", name="Contents")).to_be_visible(timeout=60_000)
    go_to(page, "Inspect")
    wait_until_drawn(page)
    assert link_of(page) == left
    expect_open(page, left["trace"], 2)


def go_to(page: Page, title: str) -> None:
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=title, exact=True).click()


def test_the_colours_of_the_legend_stay_when_the_address_changes(studio: Studio, visit) -> None:
    page = visit(studio, rows=50)
    row, (trace, _) = max(row_names(studio.workspace).items(), key=lambda item: item[1][1])

    open_cell(page, row, 2, trace)

    stops = page.locator(".st-key-heatmap .role-legend-symbol path")
    expect(stops).to_have_count(7)
    fills = stops.evaluate_all("all => all.map(one => one.getAttribute('fill'))")
    assert len(set(fills)) == 7
    assert all(fill.startswith(("#", "rgb(")) for fill in fills)
    assert page.locator(".st-key-heatmap [fill^=url]").count() == 0


def test_every_open_step_is_wholly_in_view(studio: Studio, visit) -> None:
    trace, steps = max(row_names(studio.workspace).values(), key=lambda item: item[1])
    page = visit(studio, trace=trace)

    def wholly_in_view() -> None:
        page.wait_for_function(
            "() => { const pane = document.querySelector('.st-key-trace-pane');"
            "const [out, own] = [pane, pane.querySelector('[aria-current]')]"
            ".map(one => one.getBoundingClientRect());"
            "return own.top >= out.top - 1 && own.bottom <= out.bottom + 1; }",
            timeout=5000,
        )

    for step in range(1, steps + 1):
        expect_open(page, trace, step)
        wholly_in_view()
        if step < steps:
            page.keyboard.press("l")
    page.keyboard.press("x")  # a line more above it, and one below it
    expect(page.locator(".g-head")).to_contain_text("⊖ dropped")
    wait_until_drawn(page)
    page.keyboard.press("w")
    expect(page.locator(f"{CURRENT} .g-verdict")).to_contain_text("✗ wrong")
    wait_until_drawn(page)
    wholly_in_view()
    page.keyboard.press("u")
    expect(page.locator(".g-verdict")).to_have_count(0)
    wait_until_drawn(page)
    page.keyboard.press("u")
    expect(page.locator(".g-head")).not_to_contain_text("dropped")


def test_a_click_and_a_key_leave_no_frame_around_the_page(studio: Studio, visit) -> None:
    page = visit(studio)

    page.locator(".g-head").click()
    page.keyboard.press("l")
    page.keyboard.press("Tab")
    page.get_by_test_id("stMain").focus()

    styles = page.get_by_test_id("stMain").evaluate(
        "one => [getComputedStyle(one).outlineStyle, getComputedStyle(one).boxShadow]"
    )
    assert styles == ["none", "none"]


def test_the_sidebar_is_as_wide_on_every_way_in(studio: Studio, browser: Browser) -> None:
    for address in ("/", "/data", "/curate"):
        page = browser.new_page(base_url=studio.url)
        page.goto(address)
        expect(page.get_by_test_id("stSidebarNav")).to_be_visible(timeout=60_000)
        assert page.get_by_test_id("stSidebar").bounding_box()["width"] == 300
        page.close()


def test_the_cell_that_was_clicked_last_can_be_clicked_again(studio: Studio, visit) -> None:
    page = visit(studio, rows=50)
    row, (trace, _) = max(row_names(studio.workspace).items(), key=lambda item: item[1][1])
    open_cell(page, row, 1, trace)

    page.locator(".st-key-next-step button").click()
    expect_open(page, trace, 2)

    open_cell(page, row, 1, trace)


def test_a_slider_keeps_the_open_trace(studio: Studio, visit) -> None:
    page = visit(studio, rows=50)
    row, (trace, _) = max(row_names(studio.workspace).items(), key=lambda item: item[1][1])
    open_cell(page, row, 2, trace)
    before = page.locator(f"{CURRENT} b").inner_text()

    slider = page.locator(".st-key-alpha").get_by_role("slider")
    slider.focus()
    slider.press("Home")

    expect(page.locator(f"{CURRENT} b")).not_to_have_text(before)
    expect_open(page, trace, 2)
    assert link_of(page)["alpha"] in ("0", "0.0")


def test_a_link_reopens_the_state_in_another_browser(studio: Studio, visit) -> None:
    page = visit(studio, rows=50, signal="Alignment", sort="Steps", alpha=0.3)
    row, (trace, steps) = max(row_names(studio.workspace).items(), key=lambda item: item[1][1])
    open_cell(page, row, steps, trace)

    again = visit(studio, **link_of(page))

    expect_open(again, trace, steps)
    for one, other in zip(
        *(p.locator(".g-side").all_inner_texts() for p in (page, again)), strict=True
    ):
        assert one == other
    assert link_of(again) == link_of(page)


def test_hostile_text_is_shown_and_runs_nothing(hostile_studio: Studio, visit) -> None:
    names = row_names(hostile_studio.workspace)
    trace = next(trace for row, (trace, _) in names.items() if "onerror" in row)
    reached: list[str] = []
    page = visit(hostile_studio, signal="Loss", sort="Label source")
    page.on("request", lambda request: reached.append(request.url))
    page.on("dialog", lambda dialog: reached.append(dialog.message))
    page.goto(f"/?{urlencode({'trace': trace, 'sort': 'Steps', 'step': 6})}")
    wait_until_drawn(page)
    page.locator(CELLS).last.hover()

    shown = page.evaluate("[...document.querySelectorAll('.g-text')].map(e => e.textContent)")
    for step, text in zip(HOSTILE_STEPS, shown, strict=False):
        assert text.startswith(step)
    facts = page.evaluate("document.querySelector('.g-head').textContent")
    assert HOSTILE_PROMPT in facts
    assert HOSTILE_NAME in facts
    assert page.evaluate("window.pwned") is None
    assert page.locator(".katex, iframe[src^=javascript], img[src='x']").count() == 0
    assert page.evaluate("getComputedStyle(document.body).display") == "block"
    assert {urlsplit(url).hostname for url in reached if not url.startswith("data:")} <= {
        "127.0.0.1"
    }


def test_500_steps_stay_readable(hostile_studio: Studio, visit) -> None:
    view = api.run_view(api.open_workspace(hostile_studio.workspace, create=False))
    trace = view.traces.loc[view.traces["n_steps"].idxmax(), "trace_id"]

    page = visit(hostile_studio, trace=trace, step=333, sort="Steps")

    expect_open(page, trace, 333)
    expect(page.get_by_text("Steps 321 to 360 of 500")).to_be_visible()
    expect(page.locator(CURRENT)).to_be_in_viewport()
    assert page.locator(".g-step").count() == 101


def test_a_hostile_fault_stays_a_sentence(studio: Studio, browser: Browser) -> None:
    page = browser.new_page(base_url=studio.url)
    hostile = ":red[x] $y$ <img src=x onerror=window.pwned=1> ![p](http://pwned.invalid/p.png)"

    page.goto(f"/?{urlencode({'history': hostile})}")

    expect(page.get_by_test_id("stAlert")).to_contain_text(f"History '{hostile}' is not known")
    assert page.evaluate("window.pwned") is None
    assert page.locator(".katex").count() == 0
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_of_the_browser_is_followed(studio: Studio, visit, scheme: str) -> None:
    page = visit(studio, scheme=scheme)

    background, ink = page.evaluate(
        "['backgroundColor', 'color'].map(name =>"
        " getComputedStyle(document.querySelector('[data-testid=stApp]'))[name])"
    )
    assert (background, ink) == {
        "light": ("rgb(255, 255, 255)", "rgb(31, 35, 41)"),
        "dark": ("rgb(20, 23, 28)", "rgb(232, 234, 237)"),
    }[scheme]
    outline = page.locator(f'{CELLS}[stroke-width="2.5"]')
    expect(outline).to_have_attribute("stroke", "#ffffff" if scheme == "dark" else "#14171c")


def test_the_server_listens_on_loopback_only(studio: Studio) -> None:
    listening = {
        connection.laddr.ip
        for connection in psutil.Process(studio.pid).net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }

    assert listening == {"127.0.0.1"}


def test_the_page_asks_no_other_host(studio: Studio, browser: Browser) -> None:
    page = browser.new_page(base_url=studio.url)
    hosts = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))

    page.goto("/")
    wait_until_drawn(page)

    assert hosts - {None} == {"127.0.0.1"}
    page.close()


@pytest.fixture
def own_studio(scored_workspace: api.Workspace, tmp_path: Path) -> Iterator[Studio]:
    """The app over a copy, to say something in."""
    shutil.copytree(scored_workspace.root, tmp_path / "w")
    with serve(tmp_path / "w", tmp_path / "log") as running:
        yield running


def signs(page: Page) -> Locator:
    return page.locator(".st-key-heatmap .mark-text.role-mark").last.locator("text")


_COVERED = (
    "one => { const t = one.getBoundingClientRect();"
    "const buttons = [...document.querySelectorAll('.stMain button')];"
    "return buttons.filter(b => { const r = b.getBoundingClientRect();"
    "return !one.contains(b) && r.width && r.left < t.right && r.right > t.left"
    " && r.top < t.bottom && r.bottom > t.top; }).length; }"
)
"""How many buttons of the page lie below an element."""


def test_a_click_on_the_overview_lists_a_tenth_and_opens_the_clicked_step(
    studio: Studio, visit
) -> None:
    page = visit(studio)
    page.locator(".st-key-strip button").first.click()
    strip = page.locator(".st-key-overview .mark-rect.role-mark path")
    strip.locator("xpath=self::*[contains(@aria-label, 'Step: 2;')]").first.click()

    page.wait_for_function("new URLSearchParams(location.search).get('step') === '2'")
    assert link_of(page)["decile"].isdecimal()


def test_a_verdict_by_mouse_is_marked_in_heatmap_and_text_and_undone(
    own_studio: Studio, visit
) -> None:
    page = visit(own_studio, rows=50)
    row, (trace, _) = max(row_names(own_studio.workspace).items(), key=lambda item: item[1][1])
    open_cell(page, row, 2, trace)

    page.locator(".st-key-verdict-irrelevant button").click()
    expect(signs(page)).to_have_text(["○"])
    expect(page.locator(f"{CURRENT} .g-verdict")).to_contain_text("○ irrelevant")
    open_cell(page, row, 1, trace)

    page.locator(".st-key-undo button:visible").click()
    toast = page.get_by_test_id("stToast")
    expect(toast).to_contain_text("Undone")
    assert toast.evaluate(_COVERED) == 0
    assert toast.evaluate("one => getComputedStyle(one).pointerEvents") == "none"
    expect(signs(page)).to_have_count(0)
    expect(page.locator(".g-verdict")).to_have_count(0)


def test_the_keyboard_walks_judges_keeps_undoes_and_searches(own_studio: Studio, visit) -> None:
    page = visit(own_studio, rows=50, sort="Steps")
    _, (first, _) = max(
        row_names(own_studio.workspace).items(), key=lambda item: (item[1][1], item[1][0])
    )
    page.goto(f"/?{urlencode({'rows': 50, 'sort': 'Steps', 'trace': first})}")
    wait_until_drawn(page)

    page.keyboard.press("l")
    expect_open(page, first, 2)
    page.keyboard.press("w")
    expect(page.locator(f"{CURRENT} .g-verdict")).to_contain_text("✗ wrong")
    page.keyboard.press("y")
    expect(page.locator(".g-head")).to_contain_text("⊕ kept")
    page.keyboard.press("u")
    expect(page.locator(".g-head")).not_to_contain_text("⊕ kept")
    page.keyboard.press("h")
    expect_open(page, first, 1)

    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("next / previous trace")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)

    page.keyboard.press("/")
    expect(page.locator(".st-key-filter-q input")).to_be_focused()
    page.keyboard.type("jug w")
    assert page.locator(".st-key-filter-q input").input_value() == "jug w"
    said = api.annotations(api.open_workspace(own_studio.workspace, create=False))
    assert [entry.word for entry in said.verdicts[first].values()] == ["wrong"]


@pytest.mark.long
def test_a_link_with_filters_lists_the_same_traces_in_another_browser(
    studio: Studio, visit
) -> None:
    page = visit(studio, rows=50)

    page.locator(".st-key-filters button").click()
    page.locator(".st-key-filter-correct").get_by_text("Wrong").click()
    expect(page.locator(".st-key-filter-count")).to_contain_text(" of ")
    page.keyboard.press("Escape")
    wait_until_drawn(page)
    count = page.locator(".st-key-filter-count").inner_text()
    again = visit(studio, **link_of(page))

    expect(again.locator(".st-key-filter-count")).to_have_text(count)
    expect(again.locator(".st-key-chip-correct")).to_contain_text("Wrong")
    names = row_names(studio.workspace)
    wrong = sum(steps for row, (_, steps) in names.items() if row.startswith("✗"))
    expect(again.locator(CELLS)).to_have_count(wrong)
    assert link_of(again)["correct"] == "wrong"
