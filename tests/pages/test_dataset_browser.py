"""Does a person in a real browser see datasets beside each other, and stay safe?"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from grace_engine import api
from grace_engine.figures.frames import plain
from tests.pages.conftest import HOSTILE_NAME, Studio, serve
from tests.pages.looking import ARGUMENTS

pytestmark = pytest.mark.browser
LONG = 60_000
CHARTS = {"Distributions": "Share of traces", "Compared": "A line a dataset"}


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def hostile(hostile_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Hostile traces in a dataset and a selection of hostile names, all measured."""
    folder = tmp_path_factory.mktemp("hostile-datasets")
    shutil.copytree(hostile_workspace, folder / "workspace")
    workspace = api.open_workspace(folder / "workspace", create=False)
    api.curate(workspace, "1", name=HOSTILE_NAME)
    (dataset,) = api.datasets(workspace)
    api.dataset_report(workspace, dataset.name)
    with serve(workspace.root, folder / "log") as running:
        yield running


def both(root: Path) -> list[tuple[str, str]]:
    """The dataset, the selection and a size, as the address has them."""
    workspace = api.open_workspace(root, create=False)
    (dataset,), (chosen,) = api.datasets(workspace), api.list_selections(workspace)
    named = f"{plain(chosen.name, 40)} · {chosen.id}"
    return [("of", plain(dataset.name, 40)), ("of", named), ("size", "8B")]


def wait(page: Page) -> None:
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=LONG)


@pytest.mark.long
def test_hostile_names_and_texts_stay_text_in_every_section(
    browser: Browser, hostile: Studio
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{hostile.url}/dataset?{urlencode(both(hostile.workspace))}")
    expect(page.get_by_role("radio", name="Metrics", exact=True)).to_be_visible(timeout=LONG)
    wait(page)
    assert page.get_by_text("It is held against").count() == 1
    for section in ("Metrics", "Distributions", "Compared", "Ranking", "Duplicates", "Save"):
        page.get_by_role("radio", name=section, exact=True).click()
        expect(page).to_have_url(
            re.compile(f"section={section}" if section != "Metrics" else "size=8B"), timeout=LONG
        )
        wait(page)
        expect(page.get_by_test_id("stException")).to_have_count(0)
        expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)
        if section in CHARTS:
            chart = page.get_by_role("figure", name=re.compile(f"^{CHARTS[section]}"))
            expect(chart).to_be_visible(timeout=LONG)
    assert page.evaluate("window.pwned") is None
    own = (hostile.url, "ws:", "data:", "blob:")
    assert not [url for url in asked if not url.startswith(own)]
    assert not errors
    page.close()


def test_a_report_is_read_on_a_phone(
    browser: Browser, own_workspace: api.Workspace, tmp_path: Path
) -> None:
    api.curate(own_workspace, "25%", name="best")
    made = api.dataset_report(own_workspace, "solutions", against=["best"], target_size="8B")
    at = api.write_report(made, tmp_path / "report.html")
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(at.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    tables = page.locator(".scroll")
    assert tables.count() == 5  # at a glance, metrics, differences, and two rankings
    for table in tables.all():
        assert table.evaluate("one => one.scrollWidth - one.clientWidth") == 0
    page.close()
