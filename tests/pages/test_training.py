"""Does a person train on a selection in a real browser, stop it, go on, and read what came out?"""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from grace_engine import api
from grace_engine.config import IngestConfig, ScoreConfig
from grace_engine.jobs import Job, read_job
from tests.conftest import SAMPLE
from tests.jobs.conftest import ended, stop, until
from tests.pages.conftest import serve
from tests.pages.looking import ARGUMENTS

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LONG = 120_000
N_TRACES, N_STEPS = 48, 180


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> api.Workspace:
    """Some of the sample's traces, scored, and a quarter of them chosen."""
    root = tmp_path_factory.mktemp("train") / "workspace"
    workspace = api.open_workspace(root, create=True)
    source = SAMPLE / "planted" / "traces.jsonl"
    api.ingest(workspace, [source], IngestConfig(dataset="planted"))
    api.score(workspace, ScoreConfig(model=str(SAMPLE / "tiny-reasoner"), sample=N_TRACES))
    api.curate(workspace, "25%", name="mine")
    return workspace


def visit(browser: Browser, url: str) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(LONG)
    page.goto(url)
    rested(page)
    return page


def rested(page: Page) -> None:
    expect(page.get_by_test_id("stApp")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=LONG
    )


def fill(page: Page, label: str, value: int) -> None:
    box = page.get_by_label(label, exact=True)
    box.fill(str(value))
    box.press("Enter")
    rested(page)


def test_a_selection_trains_is_cancelled_resumed_and_judged_from_the_page(
    chosen: api.Workspace, tmp_path: Path, chromium: str
) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        with serve(chosen.root, tmp_path / "first") as studio:
            page = visit(browser, f"{studio.url}/train")
            fill(page, "Problems", 4)
            fill(page, "Epochs", 15)
            page.get_by_text("More settings").click()
            fill(page, "Batch size", 1)
            page.get_by_role("button", name="Preview").click()
            expect(page.get_by_text("None of the 4 evaluation prompts")).to_be_visible(timeout=LONG)
            size = page.get_by_text(re.compile(r"12 examples, .* 180 optimizer steps"))
            expect(size.first).to_be_visible()
            assert "train-epochs-cpu=15" in page.url
            page.get_by_role("button", name="Train", exact=True).click()
            expect(page.get_by_role("button", name="Cancel")).to_be_visible(timeout=LONG)
            (job,) = api.list_jobs(chosen)
            page.wait_for_url(re.compile(f"training={job.id}"), timeout=LONG)
            os.kill(studio.pid, signal.SIGKILL)

        done = steps(until(job, lambda now: steps(now) > 0))
        until(job, lambda now: steps(now) > done)

        with serve(chosen.root, tmp_path / "second") as studio:
            page = visit(browser, f"{studio.url}/train")
            page.get_by_role("button", name="Cancel").click()
            assert ended(job).state == "cancelled"
            assert 0 < steps(job) <= N_STEPS
            assert len(list(job.folder.glob("cells/*/result.json"))) < 3
            expect(
                page.get_by_role("figure", name=re.compile("^Loss, learning rate"))
            ).to_be_visible(timeout=LONG)
            page.get_by_role("button", name="Resume").click()
            over = ended(until(job, lambda now: now.is_active))
            assert over.state == "finished", over
            assert steps(over) == N_STEPS
            done = "3 of 3 trainings and evaluations are finished, judged on 4 problems."
            expect(page.get_by_text(done)).to_be_visible(timeout=LONG)
            expect(page.get_by_role("figure", name=re.compile("^Share of right"))).to_be_visible()
            expect(page.get_by_role("region", name="What each arm found")).to_be_attached()
            said = "subset: accuracy .* random: accuracy .* untrained: accuracy"
            expect(page.get_by_text(re.compile(said)).first).to_be_visible()
            expect(page.get_by_text("Reference: 13")).to_be_visible()
            mine = api.get_selection(chosen, "mine").id
            page.goto(f"{studio.url}/curate?selection={mine}&section=Selections")
            trained = page.get_by_text(re.compile("How it trained: accuracy .* against random"))
            expect(trained).to_be_visible(timeout=LONG)
            page.get_by_role("link", name="See the run").click()
            page.wait_for_url(re.compile(f"training={job.id}"), timeout=LONG)
            assert f"selection={mine}" in page.url
            expect(page.get_by_text(done)).to_be_visible(timeout=LONG)
        browser.close()


@pytest.fixture(autouse=True)
def _nothing_left(chosen: api.Workspace) -> Iterator[None]:
    """A failed test leaves no training behind."""
    yield
    for job in api.list_jobs(chosen):
        stop(job)


def steps(job: Job) -> int:
    """Optimizer steps of the subset's training so far."""
    now = read_job(job.folder)
    return len(api.training_metrics(now.folder, "subset-0"))
