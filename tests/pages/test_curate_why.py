"""Does Why stay with its trace while a curator tries what would turn it?"""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from grace_engine import api
from grace_engine.api import Why
from grace_engine.config import CurateConfig, IngestConfig, ScoreConfig, Weights
from grace_engine.ui import curate_frames
from tests.conftest import SAMPLE
from tests.pages.looking import address, numbers


@pytest.mark.parametrize("what", ["alpha", "budget"])
@pytest.mark.parametrize("selected", [True, False])
def test_what_turns_a_trace_is_applied_by_a_button_and_turns_the_trace_that_is_shown(
    open_curate,
    scored_workspace: api.Workspace,
    what: str,
    selected: bool,
) -> None:
    view = api.run_view(scored_workspace, "latest", Weights())
    near = curate_frames.near_cut(view, api.live_choice(view, CurateConfig()))
    link = {"trace": near.loc[near["selected"], "trace_id"].iloc[-1]} if selected else {}
    app: AppTest = open_curate(scored_workspace.root, section="Why", **link)
    shown = address(app)["trace"]
    # A saved picture has no web font: it would be wider there than it was measured here.
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert figure["layout"]["font"]["family"] == "Helvetica, Arial, sans-serif"
    assert numbers(app)["In or out"] == ("In" if selected else "Out")

    app.button(key=f"apply-{what}").click().run()

    assert not app.exception
    assert address(app)["trace"] == shown
    assert numbers(app)["In or out"] == ("Out" if selected else "In")


def test_a_trace_that_the_page_named_goes_with_its_run(
    open_curate,
    own_workspace: api.Workspace,
    tmp_path: Path,
) -> None:
    (whole,) = api.list_runs(own_workspace)
    few = tmp_path / "few.jsonl"
    few.write_bytes(b"\n".join((SAMPLE / "planted" / "traces.jsonl").read_bytes().splitlines()[:3]))
    api.ingest(own_workspace, [few], IngestConfig(dataset="few"))
    run = api.score(own_workspace, ScoreConfig(datasets=("few",))).run.id
    app: AppTest = open_curate(own_workspace.root, section="Why", run=whole.id)
    of_whole = address(app)["trace"]

    app.query_params["run"] = run
    app.run()

    assert not app.error
    assert address(app)["trace"] != of_whole


@pytest.mark.parametrize(
    ("selected", "needed", "turning"),
    [
        (False, "10.026%", "10.026%"),
        (True, "10.026%", "10.025%"),
        (True, "20%", "19.999%"),
        (True, "5", "4"),
        (True, "1", ""),
        (True, "812tok", "811tok"),
        (False, None, ""),
    ],
)
def test_a_trace_that_is_in_leaves_one_step_below_the_budget_that_it_needs(
    selected: bool, needed: str | None, turning: str
) -> None:
    found = object.__new__(Why)
    for name, value in (("selected", selected), ("needed_budget", needed)):
        object.__setattr__(found, name, value)

    assert curate_frames.turning_budget(found) == turning
