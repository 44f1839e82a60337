"""Does the Dataset page measure, compare, rank and save, and show names as text?"""

import re
import time
from functools import partial
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from grace_engine import api
from tests.pages.conftest import HOSTILE_NAME, OpenPage
from tests.report.test_background import a_training

PATIENCE = 180.0
SECTIONS = ("Metrics", "Distributions", "Compared", "Ranking", "Duplicates", "Training", "Save")
BARE = re.compile(r"(?<!\\)(?:<img|<script|<b>|:red\[)")


@pytest.fixture
def open_dataset(open_page: OpenPage) -> OpenPage:
    return partial(open_page, "dataset")


@pytest.fixture(scope="module")
def measured(_scored: Path, tmp_path_factory: pytest.TempPathFactory) -> api.Workspace:
    """Forty solutions, all measured, with a selection of a hostile name."""
    import shutil

    root = tmp_path_factory.mktemp("dataset-page") / "workspace"
    shutil.copytree(_scored, root)
    workspace = api.open_workspace(root, create=False)
    chosen = api.curate(workspace, "25%", name=HOSTILE_NAME)
    api.dataset_report(workspace, "solutions")
    a_training(workspace, chosen.id, 6, pool=8)
    return workspace


def said(app: AppTest) -> str:
    kinds = (app.text, app.caption, app.info, app.warning, app.error, app.markdown)
    return "\n".join(str(each.value) for kind in kinds for each in kind).replace("\\", "")


def test_an_empty_workspace_says_what_to_do(open_dataset: OpenPage, tmp_path: Path) -> None:
    app = open_dataset(tmp_path / "none")
    assert not app.exception
    assert "There is nothing to report on yet" in said(app)


def test_one_click_measures_in_the_background_and_the_numbers_are_there(
    open_dataset: OpenPage, own_workspace: api.Workspace
) -> None:
    app = open_dataset(own_workspace.root)
    assert not app.exception
    assert "None of the 39 traces are measured by these models yet" in said(app)
    assert not app.dataframe
    app.button(key="measure").click().run()
    deadline = time.monotonic() + PATIENCE
    while any(job.is_active for job in api.list_jobs(own_workspace)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (job,) = (job for job in api.list_jobs(own_workspace) if job.spec.kind == "report")
    assert job.state == "finished", job.says
    app = open_dataset(own_workspace.root)
    assert not app.exception
    assert [len(each.value) > 0 for each in app.dataframe] == [True, True]
    metrics = app.dataframe[1].value
    assert "Redundancy" in set(metrics["metric"])
    found = api.dataset_report(own_workspace, "solutions")
    assert f"{found.spreads['redundancy']['solutions'].mean:.3f}" in str(metrics["solutions"])


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_opens_by_its_address(
    open_dataset: OpenPage, measured: api.Workspace, section: str
) -> None:
    app = open_dataset(measured.root, section=section, size="8B", of="solutions")
    assert not app.exception
    assert not app.error
    assert app.segmented_control(key="section").value == section


def test_datasets_are_compared_ranked_and_held_against_trainings(
    open_dataset: OpenPage, measured: api.Workspace
) -> None:
    (chosen,) = api.list_selections(measured)
    app = open_dataset(measured.root, size="8B")
    app.multiselect(key="of").set_value(["solutions", chosen.id]).run()
    for section, words in (
        ("Compared", "Traces that it shares: 10 with"),
        ("Ranking", "By the mean over the paper's six averaged benchmarks"),
        ("Training", "95% intervals over problems and seeds"),
    ):
        app.segmented_control(key="section").set_value(section).run()
        assert not app.exception
        assert words in said(app)
        assert ("Fewer than 30 traces, whose means may be chance" in said(app)) == (
            section == "Ranking"
        )
    assert app.selectbox(key="result").value == "small: accuracy on 10 of problems.jsonl"


def test_names_are_never_markup(open_dataset: OpenPage, measured: api.Workspace) -> None:
    (chosen,) = api.list_selections(measured)
    app = open_dataset(measured.root, size="8B")
    for section in SECTIONS:
        app.multiselect(key="of").set_value([chosen.id, "solutions"])
        app.segmented_control(key="section").set_value(section).run()
        assert not app.exception
        for kind in (app.markdown, app.caption, app.info, app.error, app.warning):
            assert not [each.value for each in kind if BARE.search(str(each.value))]


def test_what_cannot_be_is_a_sentence(open_dataset: OpenPage, measured: api.Workspace) -> None:
    app = open_dataset(measured.root, size="huge")
    assert not app.exception
    assert "Target size 'huge' is not known" in said(app)
    app = open_dataset(measured.root)
    app.multiselect(key="of").set_value([]).run()
    assert "Choose a dataset or a selection above." in said(app)
    app = open_dataset(measured.root, section="Ranking")
    assert "Say above which size" in said(app)


@pytest.mark.long
def test_duplicates_are_counted_within_and_between(
    open_dataset: OpenPage, own_workspace: api.Workspace
) -> None:
    api.dataset_report(own_workspace, "solutions")
    app = open_dataset(own_workspace.root, section="Duplicates")
    assert "were not looked for in all of these yet" in said(app)
    api.find_duplicates(own_workspace, "traces", threshold=0.5)
    app = open_dataset(own_workspace.root, section="Duplicates")
    assert not app.exception
    (table,) = app.dataframe
    assert list(table.value.columns) == ["dataset", "traces", "like one in solutions"]
