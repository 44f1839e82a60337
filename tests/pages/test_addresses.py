"""Does every address that people type show its page, and a trace that it does not mean none?"""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from streamlit.testing.v1 import AppTest

from grace_engine import api
from tests.pages.conftest import OpenPage, serve
from tests.pages.looking import ARGUMENTS

TYPED = {
    "inspect": ("alpha=0.3&dataset=a&dataset=b", "/"),
    "curate": ("budget=7", "/curate"),
    "data": ("tab=Score", "/data"),
    "dataset": ("size=8B&section=Ranking", "/dataset"),
    "train": ("training=none", "/train"),
    "problems": ("method=band", "/problems"),
}
"""By page: what stands behind its name, and the path that the browser then shows."""


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.mark.long
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

            links = page.get_by_test_id("stSidebarNavLink")
            here = links.filter(has_text=re.compile(f"{name.capitalize()}$"))
            expect(here).to_have_attribute("aria-current", "page", timeout=60_000)
            page.wait_for_function("path => location.pathname === path", arg=path)
            app = page.get_by_test_id("stApp")
            expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=60_000)
            expect(page.get_by_role("dialog")).to_have_count(0)
            expect(page.get_by_test_id("stException")).to_have_count(0)
            shown = parse_qs(urlsplit(page.url).query)
            assert {key: shown.get(key) for key in parse_qs(asked)} == parse_qs(asked)
            page.close()


@pytest.fixture
def open_at(scored_workspace: api.Workspace, open_app: OpenPage) -> OpenPage:
    """Open the page that opens first with a trace in its address."""

    def opened(trace: str) -> AppTest:
        app = open_app(scored_workspace.root, trace=trace)
        assert not app.exception
        return app

    return opened


def shows_a_trace(app: AppTest) -> bool:
    return any('class="g-trace"' in html.value for html in app.html)


def test_the_beginning_of_one_id_opens_its_trace(open_at, scored_workspace: api.Workspace) -> None:
    whole = str(api.run_view(scored_workspace).traces["trace_id"].iloc[-1])

    app = open_at(whole[:8].upper())

    assert app.query_params["trace"] == whole
    assert not app.warning


def test_an_id_that_is_not_there_is_a_sentence_and_opens_none(
    open_at, scored_workspace: api.Workspace
) -> None:
    first = str(api.run_view(scored_workspace).traces["trace_id"].iloc[0])
    unknown = first[:8] + "zz"

    app = open_at(unknown)

    assert f"No trace with a score in this run has an id that is {unknown}" in app.warning[0].value
    assert app.query_params["trace"] == unknown
    assert not shows_a_trace(app)
    app.button(key="open-first").click().run()
    assert not app.warning
    assert shows_a_trace(app)


def test_a_beginning_of_several_ids_names_them_and_opens_none(
    open_at, scored_workspace: api.Workspace
) -> None:
    ids = sorted(api.run_view(scored_workspace).traces["trace_id"].astype(str))
    begin = next(
        one[0] for one in ids if len([each for each in ids if each[0] == one[0]]) in (2, 3, 4, 5)
    )
    meant = [one for one in ids if one.startswith(begin)]

    app = open_at(begin)

    said = app.warning[0].value
    assert f"{begin} is the beginning of {len(meant)} trace ids" in said
    assert all(one in said for one in meant)
    assert not shows_a_trace(app)
