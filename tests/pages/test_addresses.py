"""Does every address that people type show its page, and a trace that it does not mean none?"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from grace_engine import api
from tests.pages.conftest import serve
from tests.pages.test_browser import ARGUMENTS

TYPED = {
    "inspect": ("alpha=0.3&dataset=a&dataset=b", "/"),
    "curate": ("budget=7", "/curate"),
    "data": ("view=Score", "/data"),
    "train": ("training=none", "/train"),
}
"""By page: what stands behind its name, and the path that the browser then shows."""


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.mark.browser
@pytest.mark.parametrize("name", TYPED)
def test_a_typed_address_opens_its_page_on_the_first_visit_and_later(
    scored_workspace: api.Workspace, browser: Browser, tmp_path: Path, name: str
) -> None:
    asked, path = TYPED[name]
    with serve(scored_workspace.root, tmp_path / "log") as studio:
        for _ in ("first", "later"):
            page = browser.new_page(base_url=studio.url)
            page.goto(f"/{name}?{asked}")

            here = page.get_by_test_id("stSidebarNavLink").filter(has_text=name.capitalize())
            expect(here).to_have_attribute("aria-current", "page", timeout=60_000)
            page.wait_for_function("path => location.pathname === path", arg=path)
            app = page.get_by_test_id("stApp")
            expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=60_000)
            expect(page.get_by_role("dialog")).to_have_count(0)
            expect(page.get_by_test_id("stException")).to_have_count(0)
            shown = parse_qs(urlsplit(page.url).query)
            assert {key: shown.get(key) for key in parse_qs(asked)} == parse_qs(asked)
            page.close()
