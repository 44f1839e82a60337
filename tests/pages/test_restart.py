"""Does a run go on when the browser is closed and the app is killed, and is it found again?"""

import os
import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from grace_engine import api
from grace_engine.config import IngestConfig
from tests.conftest import SAMPLE
from tests.jobs.conftest import ended, until
from tests.pages.conftest import serve
from tests.pages.looking import ARGUMENTS

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LONG = 120_000


def visit(browser: Browser, url: str) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(url)
    expect(page.get_by_test_id("stApp")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=LONG
    )
    return page


def test_a_run_outlives_browser_and_app(tmp_path: Path, chromium: str) -> None:
    workspace = api.open_workspace(tmp_path / "w", create=True)
    source = SAMPLE / "planted" / "traces.jsonl"
    api.ingest(workspace, [source], IngestConfig(dataset="planted"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        with serve(workspace.root, tmp_path / "first") as studio:
            page = visit(browser, f"{studio.url}/data?tab=Score&proxy=exact")
            page.get_by_role("button", name="Score all 400").click()
            expect(page.get_by_role("button", name="Cancel")).to_be_visible(timeout=LONG)
            (job,) = api.list_jobs(workspace)
            browser.close()
            os.kill(studio.pid, signal.SIGKILL)

        job = until(job, lambda now: now.status.phase == "Scoring" and now.status.done > 0)
        done = job.status.done
        job = until(job, lambda now: now.status.done > done)
        assert job.state == "running"
        os.kill(job.status.pid, signal.SIGSTOP)  # else it may be done before a slow machine looks

        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        with serve(workspace.root, tmp_path / "second") as studio:
            page = visit(browser, f"{studio.url}/data")
            expect(page.get_by_text(re.compile(r"^Scoring: \d+ of 400 traces"))).to_be_visible(
                timeout=LONG
            )
            os.kill(job.status.pid, signal.SIGCONT)
            page.get_by_role("button", name="Cancel").click()
            assert ended(job).state == "cancelled"
            again = page.get_by_role("button", name="Resume", exact=True)  # "Resume it" is below
            expect(again).to_be_visible(timeout=LONG)
        browser.close()
    (run,) = api.list_runs(workspace)
    assert 0 < run.n_scored < 400
