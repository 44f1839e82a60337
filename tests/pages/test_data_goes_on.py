"""Does the Data page keep what was chosen in its address, and go on with what ended?"""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from grace_engine import api
from grace_engine.config import IngestConfig
from tests.conftest import SAMPLE
from tests.pages.looking import address, button, shown, wait_for_the_end


def test_a_link_holds_how_a_file_is_added(
    open_data,
    tmp_path: Path,
    sample_file: Path,
) -> None:
    workspace, folder = tmp_path / "w", sample_file.parent
    app: AppTest = open_data(workspace, folder, tab="Add traces", file=sample_file.name)
    app.text_input(key="dataset-box").set_value("mine").run()
    assert address(app)["into"] == "mine"

    # What is bound is written into the address by the browser.
    bound = {"segment": "sentences", "segment-other": "regex:a+"}
    again = open_data(workspace, folder, **(address(app) | bound))

    assert not again.exception
    assert again.text_input(key="dataset-box").value == "mine"
    assert again.selectbox(key="segment").value == "sentences"
    assert again.selectbox(key="segment-other").value == "regex:a+"
    assert "traces for mine;" in shown(again)


def test_another_file_goes_into_the_dataset_of_its_own_name(
    open_data,
    tmp_path: Path,
    sample_file: Path,
) -> None:
    other = tmp_path / "other.jsonl"
    other.write_bytes(sample_file.read_bytes())
    app: AppTest = open_data(
        tmp_path / "w", tmp_path, tab="Add traces", file="other.jsonl", into="mine"
    )
    assert app.text_input(key="dataset-box").value == "mine"

    app.text_input(key="file").set_value(str(other)).run()

    assert app.text_input(key="dataset-box").value == "other"
    assert "into" not in app.query_params


def test_a_link_holds_the_model_and_the_datasets_to_score(
    open_data,
    own_workspace: api.Workspace,
) -> None:
    source = SAMPLE / "planted" / "traces.jsonl"
    api.ingest(own_workspace, [source], IngestConfig(dataset="planted"))
    early = str(SAMPLE / "tiny-reasoner-early")
    link = {"scorer": "tiny-reasoner-early (shipped)", "score-datasets": "solutions"}

    again = open_data(own_workspace.root, tab="Score", **link)

    assert again.selectbox(key="scorer").value == early
    assert again.multiselect(key="score-datasets").value == ["solutions"]
    assert button(again, "Score all 39")


@pytest.mark.long
def test_a_run_that_is_not_the_latest_is_resumed_from_the_table(
    open_data,
    tmp_path: Path,
    sample_file: Path,
) -> None:
    workspace, late = api.open_workspace(tmp_path / "w", create=True), tmp_path / "late.jsonl"
    for source in (late, sample_file):
        api.start_ingest(workspace, [source], IngestConfig(dataset="mine"))
        wait_for_the_end(workspace.root)
    late.write_bytes(sample_file.read_bytes())
    done, failed = api.list_jobs(workspace)
    assert (done.state, failed.state) == ("finished", "failed")

    app: AppTest = open_data(workspace.root)
    offered = app.selectbox(key="resume-which")
    assert len(offered.options) == 1
    assert offered.value == failed.id
    app.button(key="resume-it").click().run()

    assert not app.exception
    wait_for_the_end(workspace.root)
    again = api.get_job(workspace, failed.id)
    assert (again.state, again.status.attempt) == ("finished", 2)
    assert not [box for box in open_data(workspace.root).selectbox if box.key == "resume-which"]
