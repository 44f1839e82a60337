"""Does a newcomer get from an empty folder to an export, by mouse and by keyboard, and safely?"""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    Locator,
    Page,
    TimeoutError as Late,
    expect,
    sync_playwright,
)

from grace_engine import api, store
from tests.pages.conftest import Studio, serve

pytestmark = pytest.mark.browser

CELLS = ".st-key-heatmap .mark-rect.role-mark path"
CURRENT = ".g-step[aria-current]"
OPEN_CELL = f'{CELLS}[stroke-width="2.5"][stroke="#14171c"]'
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
BUSY = 25_000
GUIDE_TRACE = "868b75a9"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page_of(browser: Browser) -> Iterator[Callable[[Studio], Page]]:
    """A page of the app; a script error on it fails the test."""
    contexts, errors = [], []

    def make(studio: Studio) -> Page:
        context = browser.new_context(
            viewport={"width": 1280, "height": 800}, color_scheme="light", base_url=studio.url
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(BUSY)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    expect.set_options(timeout=BUSY)
    yield make
    for context in contexts:
        context.close()
    assert not errors


@contextmanager
def empty_studio(folder: Path) -> Iterator[Studio]:
    with serve(folder / "try", folder / "log") as running:
        yield running


@pytest.fixture
def own_studio(scored_workspace: api.Workspace, tmp_path: Path) -> Iterator[Studio]:
    """The app over a copy, to say something in."""
    shutil.copytree(scored_workspace.root, tmp_path / "w")
    with serve(tmp_path / "w", tmp_path / "log") as running:
        yield running


def at_rest(page: Page) -> None:
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def go(page: Page, title: str) -> None:
    """Change the page by the sidebar."""
    page.get_by_test_id("stSidebarNav").get_by_text(title, exact=True).click()


def link_of(page: Page) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(page.url).query))


def expect_link(page: Page, **said: str) -> None:
    """The address says so."""
    page.wait_for_function(
        "said => { const link = new URLSearchParams(location.search);"
        "return Object.entries(said).every(([name, value]) => link.get(name) === value); }",
        arg=said,
    )
    at_rest(page)


def press_to_change(page: Page, key: str, name: str) -> None:
    """Press a key until the address says something else; one that meets a page as it is drawn anew
    is lost.
    """
    before = link_of(page).get(name)
    for _ in range(5):
        page.keyboard.press(key)
        try:
            page.wait_for_function(
                "([name, before]) => new URLSearchParams(location.search).get(name) !== before",
                arg=[name, before],
                timeout=8000,
            )
        except Late:
            continue
        at_rest(page)
        return
    raise AssertionError(f"{key} does not change {name}.")


def metric(page: Page, name: str) -> Locator:
    """The number of that name in the row of what is chosen."""
    box = page.locator(".st-key-numbers-chosen [data-testid=stMetric]").filter(has_text=name)
    return box.get_by_test_id("stMetricValue")


def opened(box: Locator) -> None:
    """Click a selectbox open; a list that opens while the page still scrolls closes again."""
    for _ in range(5):
        box.get_by_role("button", name="Open").click()
        try:
            box.page.get_by_role("option").first.wait_for(timeout=3000)
            return
        except Late:
            continue
    raise AssertionError("The list does not open.")


def section(page: Page, name: str) -> None:
    page.get_by_role("radio", name=name).click()
    expect_link(page, section=name)


@pytest.mark.long
def test_a_newcomer_gets_from_nothing_to_an_export_by_mouse(
    page_of: Callable[[Studio], Page], tmp_path: Path
) -> None:
    with empty_studio(tmp_path) as studio:
        page = page_of(studio)
        _prepare(page)
        _read_and_judge(page, studio)
        _choose(page)
        lines, manifest = _save_and_export(page, tmp_path)

    workspace = api.open_workspace(studio.workspace, create=False)
    [saved] = api.list_selections(workspace)
    selection = api.get_selection(workspace, saved.id)
    chosen = {choice.trace_id: choice for choice in selection.choices if choice.selected}
    assert selection.name == "first tenth"
    assert len(lines) == len(chosen) == 80
    assert {line["grace"]["trace_id"] for line in lines} == set(chosen)
    traces = {
        trace.id: trace for batch in store.iter_traces(workspace, ids=chosen) for trace in batch
    }
    for line in lines:
        trace = traces[line["grace"]["trace_id"]]
        assert [turn["role"] for turn in line["messages"]] == ["user", "assistant"]
        assert line["messages"][0]["content"] == trace.prompt
        assert line["grace"]["rank"] == chosen[trace.id].rank
        assert len(line["grace"]["steps"]) == len(trace.steps)
    assert json.loads(manifest)


def _prepare(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_text("Nothing is stored here yet")).to_be_visible()
    go(page, "Data")
    page.get_by_role("button", name="Prepare the sample").click()
    expect(page.get_by_text("Finished", exact=True)).to_be_visible(timeout=300_000)
    expect(page.get_by_text("798 traces and 2 rejected records")).to_be_visible()
    at_rest(page)


def _read_and_judge(page: Page, studio: Studio) -> None:
    go(page, "Inspect")
    expect(page.locator(".st-key-filter-count")).to_have_text("400 of 798 traces")
    expect(page.locator(f'{CELLS}[stroke="#c8003c"]').first).to_be_visible()
    at_rest(page)
    page.locator(".st-key-signal").get_by_text("Fresh loss").click()
    expect_link(page, signal="Fresh loss")
    page.locator(f'{CELLS}[stroke="#c8003c"][aria-label*="{GUIDE_TRACE}"]').click()
    expect(page.locator(f'{OPEN_CELL}[aria-label*="{GUIDE_TRACE}"]')).to_be_visible()
    expect(page.locator(CURRENT)).to_contain_text("irrelevant")
    expect_link(page, step="3")

    page.locator(".st-key-verdict-wrong button").click()
    expect(page.locator(f"{CURRENT} .g-verdict")).to_contain_text("✗ wrong")
    at_rest(page)
    page.locator(".st-key-drop button").click()
    expect(page.locator(".g-head")).to_contain_text("⊖ dropped")
    at_rest(page)
    page.locator(".st-key-undo button:visible").click()
    expect(page.locator(".g-head")).not_to_contain_text("⊖ dropped")
    at_rest(page)
    said = api.annotations(api.open_workspace(studio.workspace, create=False))
    assert not said.overrides
    [(trace, verdicts)] = said.verdicts.items()
    assert trace.startswith(GUIDE_TRACE)
    assert [(step, entry.word) for step, entry in verdicts.items()] == [(3, "wrong")]


def _choose(page: Page) -> None:
    go(page, "Curate")
    expect(metric(page, "Traces")).to_have_text("160")
    at_rest(page)
    budget = page.get_by_role("textbox", name="Budget", exact=True)
    budget.fill("10%")
    budget.press("Enter")
    expect(metric(page, "Traces")).to_have_text("80")
    expect_link(page, budget="10%")
    right = metric(page, "Correct").inner_text()

    alpha = page.locator(".st-key-alpha").get_by_role("slider")
    track = page.locator(".st-key-alpha [role=group] > [data-orientation=horizontal]")
    width = track.evaluate("track => track.getBoundingClientRect().width")
    track.click(position={"x": width - 1, "y": 20})
    expect_link(page, alpha="1")
    expect(metric(page, "Correct")).not_to_have_text(right)
    alpha.focus()
    for _ in range(6):
        alpha.press("ArrowLeft")
    expect(metric(page, "Correct")).to_have_text(right)
    at_rest(page)

    section(page, "Why")
    expect(page.locator(".st-key-why-chart .main-svg").first).to_be_visible()
    expect(page.locator(".st-key-numbers-why")).to_contain_text("Enters at α")
    section(page, "Bias")
    expect(page.locator(".st-key-bias-chart .main-svg").first).to_be_visible()
    expect(page.get_by_test_id("stAlert").first).to_contain_text("planted")
    section(page, "Budget curve")
    expect(page.locator(".st-key-curve-chart .main-svg").first).to_be_visible()


def _save_and_export(page: Page, folder: Path) -> tuple[list[dict[str, object]], str]:
    """What the browser downloads: the lines and the manifest's text."""
    section(page, "Selections")
    name = page.get_by_role("textbox", name="Save this choice as")
    name.fill("first tenth")
    name.press("Tab")
    at_rest(page)
    page.locator(".st-key-save-choice button").click()
    expect(page.locator(".st-key-against")).to_contain_text("0 enter, 0 leave, 80 stay")
    at_rest(page)
    opened(page.locator(".st-key-export-format"))
    page.get_by_role("option", name="messages: chat messages").click()
    expect(page.locator("code").filter(has_text="--as messages")).to_be_visible()
    at_rest(page)
    page.locator(".st-key-export-annotate").get_by_text("With annotations").click()
    expect(page.locator("code").filter(has_text="--annotate")).to_be_visible()
    at_rest(page)
    page.locator(".st-key-export-it button").click()
    expect(page.get_by_text("80 traces in 80 lines")).to_be_visible()
    at_rest(page)
    files = []
    for button in ("Save the traces", "Save the manifest"):
        with page.expect_download() as download:
            page.get_by_role("button", name=button).click()
        files.append(folder / download.value.suggested_filename)
        download.value.save_as(files[-1])
    lines = [json.loads(line) for line in files[0].read_text(encoding="utf-8").splitlines()]
    return lines, files[1].read_text(encoding="utf-8")


@pytest.mark.long
def test_inspect_and_curate_are_walked_by_keyboard_alone(
    own_studio: Studio, page_of: Callable[[Studio], Page]
) -> None:
    page = page_of(own_studio)
    page.goto("/?rows=50&sort=Steps")
    expect(page.locator(OPEN_CELL)).to_be_visible()
    at_rest(page)
    first = link_of(page)["trace"]

    page.keyboard.press("l")
    expect(page.locator(CURRENT)).to_have_attribute("aria-label", _beginning("step 2, "))
    at_rest(page)
    page.keyboard.press("w")
    expect(page.locator(f"{CURRENT} .g-verdict")).to_contain_text("✗ wrong")
    at_rest(page)
    page.keyboard.press("u")
    expect(page.locator(".g-verdict")).to_have_count(0)
    at_rest(page)
    page.keyboard.press("j")
    page.wait_for_function(
        "first => new URLSearchParams(location.search).get('trace') !== first", arg=first
    )
    at_rest(page)
    page.keyboard.press("x")
    expect(page.locator(".g-head")).to_contain_text("⊖ dropped")
    at_rest(page)

    _tab_to(page, '[data-testid=stSidebarNav] a[href$="/curate"]', back=True)
    page.keyboard.press("Enter")
    expect(metric(page, "By hand")).to_have_text("0 kept")
    before = metric(page, "Traces").inner_text()
    at_rest(page)
    _tab_to(page, ".st-key-budget-slider [role=slider], .st-key-budget-slider input")
    for _ in range(3):
        press_to_change(page, "ArrowRight", "budget")
    expect_link(page, budget="23%")
    expect(metric(page, "Traces")).not_to_have_text(before)
    traces = int(metric(page, "Traces").inner_text())

    _tab_to(page, ".st-key-section-box [role=radio]")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect_link(page, section="Selections")
    _tab_to(page, ".st-key-save-name input")
    page.keyboard.type("by keys")
    page.keyboard.press("Tab")
    at_rest(page)
    _tab_to(page, ".st-key-save-choice button")
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-against")).to_contain_text(f"0 enter, 0 leave, {traces} stay")
    at_rest(page)
    _tab_to(page, ".st-key-export-it button")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Save the traces")).to_be_visible()

    [saved] = api.list_selections(api.open_workspace(own_studio.workspace, create=False))
    assert (saved.name, saved.budget, saved.n_dropped) == ("by keys", "23%", 1)
    written = own_studio.workspace / "exports" / "by keys" / "original.jsonl"
    assert written.is_file()


def _beginning(text: str) -> re.Pattern[str]:
    return re.compile("^" + re.escape(text))


def _tab_to(page: Page, selector: str, *, back: bool = False) -> None:
    """Press Tab until the focus is there, as someone without a mouse does."""
    for _ in range(120):
        if page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"Tab never reaches {selector}.")


@pytest.mark.long
def test_hostile_names_run_nothing_on_any_page(
    hostile_workspace: Path, tmp_path: Path, page_of: Callable[[Studio], Page]
) -> None:
    folder = tmp_path / "w"
    shutil.copytree(hostile_workspace, folder)
    workspace = api.open_workspace(folder, create=False)
    name = "<img src=x onerror=window.pwned=7>:red[s]$z$"
    api.curate(workspace, "50%", name=name)
    source = str(
        next(v for v in api.run_view(workspace).traces["label.source"] if "onerror" in str(v))
    )
    reached: list[str] = []
    with serve(folder, tmp_path / "log") as studio:
        page = page_of(studio)
        page.on("request", lambda request: reached.append(request.url))
        page.on("dialog", lambda dialog: reached.append(f"http://{dialog.message}.dialog"))
        for look in (_look_at_data, _look_at_filters, _look_at_curate):
            page.goto("/")
            look(page, source)
            at_rest(page)
            assert page.evaluate("window.pwned") is None, look.__name__
            bad = page.locator(".katex, iframe[src^=javascript], img[src='x'], a[href^=javascript]")
            assert bad.count() == 0, look.__name__
    web = [url for url in reached if urlsplit(url).scheme in ("http", "https", "ws")]
    assert {urlsplit(url).hostname for url in web} == {"127.0.0.1"}


def _look_at_data(page: Page, source: str) -> None:
    for tab in ("Contents", "Rejected", "Score"):
        page.goto(f"/data?{urlencode({'tab': tab})}")
        expect(page.get_by_role("tab", name=tab, selected=True)).to_be_visible()
        at_rest(page)
        harmless(page)
    page.goto("/data")
    page.get_by_text("Delete a dataset or a run").click()
    opened(page.get_by_test_id("stSelectbox").filter(has_text="What to delete"))
    expect(page.get_by_role("option").first).to_contain_text("Dataset <b>:red[d]$z$")


def _look_at_filters(page: Page, source: str) -> None:
    page.goto("/?sort=Steps")
    expect(page.locator(OPEN_CELL)).to_be_visible()
    at_rest(page)
    page.locator(".st-key-filters button").first.click()
    page.get_by_role("combobox", name="Label source").press("ArrowDown")
    option = page.get_by_role("option").filter(has_text="onerror")
    expect(option).to_be_visible()
    harmless(page)
    option.click()
    chip = page.locator('[class*="st-key-chip-"]').filter(has_text="onerror")
    expect(chip).to_contain_text("source: <img src=x onerror=window")


def _look_at_curate(page: Page, source: str) -> None:
    workspace_link = {"per": "label.source", "budget": "50%"}
    for name in ("Nearest the cut", "Why", "Bias", "Budget curve", "Selections"):
        page.goto(f"/curate?{urlencode(workspace_link | {'section': name})}")
        expect(metric(page, "Traces")).to_be_visible()
        at_rest(page)
        harmless(page)
    page.goto(f"/curate?{urlencode(workspace_link | {'section': 'Bias'})}")
    expect(page.locator(".st-key-bias-chart .main-svg").first).to_be_visible()
    opened(page.locator(".st-key-against"))
    expect(page.get_by_role("option").filter(has_text="onerror").first).to_be_visible()


def harmless(page: Page) -> None:
    assert page.evaluate("window.pwned") is None
    assert page.locator(".katex, iframe[src^=javascript], img[src='x']").count() == 0
