"""Are a judge's labels step labels beside the data's own: in evaluations, lists, and one trace?"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grace_engine import api
from grace_engine.errors import InputError, NotFoundError
from tests.judging.played import asked_for, blocks, no, reply
from tests.served import Served


def doubting(body: dict[str, Any]) -> Any:
    """A judge to whom first steps are no use, and of whose last steps nothing is found out."""
    found = blocks(body)
    if asked_for(body) == "atoms":
        return reply(json.dumps({"claims": [{"text": found["step"], "type": "meta"}]}))
    if asked_for(body) == "utility" and found["earlier-steps"].startswith("(none"):
        return reply(json.dumps(no("Said before.")))
    return reply('{"label": "positive", "claims": []}')


@pytest.fixture(scope="module")
def judged(_scored: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[api.Workspace]:
    root = tmp_path_factory.mktemp("labels") / "workspace"
    shutil.copytree(_scored, root)
    workspace, served = api.open_workspace(root, create=False), Served(doubting)
    settings = api.JudgeSettings(
        endpoint=served.url, model="played", metrics=("validity", "utility"), sample=6
    )
    api.judge(workspace, "solutions", settings)
    yield workspace
    served.close()


def test_a_selection_is_judged_by_its_name(judged: api.Workspace) -> None:
    api.curate(judged, "3", name="few")
    settings = api.JudgeSettings(endpoint="http://localhost:9/v1", model="nobody")
    assert len(api.plan_judging(judged, "few", settings).trace_ids) == 3
    with pytest.raises(NotFoundError, match="neither a dataset nor a selection 'none'"):
        api.plan_judging(judged, "none", settings)


def test_labels_stand_beside_the_signals_of_the_same_steps(judged: api.Workspace) -> None:
    view = api.run_view(judged)
    found = api.step_judge(judged, view)
    assert found is not None
    offsets = view.signals.offsets
    read = [k for k in range(len(view.values)) if not np.isnan(found.values["judge"][offsets[k]])]
    assert len(read) == 6
    for k in range(len(view.values)):
        where = view.signals.steps_of(k)
        utility = found.values["utility"][where]
        if k in read:
            assert utility.tolist() == [0.0, *[1.0] * (len(utility) - 1)]
            assert found.texts[where][0] == "not useful"
            assert set(found.texts[where][1:]) <= {"all positive"}
        else:
            assert np.isnan(utility).all()
    assert np.isnan(found.values["factuality"]).all()
    means, lowest = found.by_trace(view.signals)
    assert np.flatnonzero(~np.isnan(lowest)).tolist() == read
    assert set(lowest[read]) == {0.5}
    assert means[read[0]] == pytest.approx(
        np.mean(found.values["judge"][view.signals.steps_of(read[0])])
    )


def test_signals_are_evaluated_against_a_judge(judged: api.Workspace, grace: Any) -> None:
    judge = api.get_judge(judged).id
    for name in ("judge", f"judge:{judge}", f"judge:{judge}:utility"):
        (found,) = api.evaluate(judged, labels=[name], resamples=0)
        assert {d.kind for d in found.steps} == {"utility"}
        assert {d.n_bad for d in found.steps if d.where == "across"} == {6}
    # The data's own labels are not touched by it.
    (own,) = api.evaluate(judged, resamples=0)
    assert own.n_labelled_steps == 0
    status, out, _ = grace(
        "evaluate", "--labels", "judge", "--resamples", "0", "-w", judged.root, "--json"
    )
    assert status == 0
    assert json.loads(out)["evaluations"][0]["n_labelled_steps"] > 6
    with pytest.raises(NotFoundError, match="names an error"):
        api.evaluate(judged, labels=["judge:latest:validity"], resamples=0)
    with pytest.raises(InputError, match="no metric of a judge"):
        api.evaluate(judged, labels=["judge:latest:beauty"])
    with pytest.raises(NotFoundError, match="no judge 'j-none'"):
        api.evaluate(judged, labels=["judge:j-none"])
    with pytest.raises(NotFoundError, match="no such label"):
        api.evaluate(judged, labels=["judge:latest:coherence"])


@pytest.mark.long
def test_the_judge_that_read_most_is_meant_wherever_none_is_named(
    judged: api.Workspace, grace: Any, tmp_path: Path
) -> None:
    shutil.copytree(judged.root, tmp_path / "two")
    workspace, served = api.open_workspace(tmp_path / "two", create=False), Served(doubting)
    most = api.get_judge(workspace)
    try:
        settings = api.JudgeSettings(
            endpoint=served.url, model="later", metrics=("utility",), sample=2
        )
        later = api.judge(workspace, "solutions", settings).judge
        view = api.run_view(workspace)
        assert api.get_judge(workspace).id == later.id
        assert api.judge_reads(workspace) == {most.id: 6, later.id: 2}
        assert api.judge_reads(workspace, run=view.run.id) == {most.id: 6, later.id: 2}
        found = api.step_judge(workspace, view)
        assert found is not None
        assert found.judge.id == most.id
        who = f"played (judge {most.id}), which has read 6 of {len(view.values)} traces"
        assert who in found.said(view.signals)
        (evaluation,) = api.evaluate(workspace, labels=["judge"], resamples=0)
        assert any(who in note for note in evaluation.notes)
        assert api.dataset_report(workspace, "solutions").judged["solutions"].judge.id == most.id
        assert len(api.worst_steps(workspace)) == 6
        assert most.id in grace("judges", "--worst", "1", "-w", workspace.root)[1]
        assert api.step_judge(workspace, view, "latest").judge.id == later.id
        # Of two that read as much it is the latest.
        api.judge(workspace, "solutions", replace(settings, sample=6))
        assert list(api.judge_reads(workspace)) == [later.id, most.id]
        assert api.step_judge(workspace, view).judge.id == later.id
    finally:
        served.close()


def test_the_shell_shows_what_a_judge_says(judged: api.Workspace, grace: Any) -> None:
    worst = api.worst_steps(judged, limit=1)[0]
    status, out, err = grace("show", worst.trace_id, "-w", judged.root)
    assert status == 0
    assert "not useful" in out
    assert " judge " in out
    assert "Step 1, not useful: Said before." in err
    document = json.loads(grace("show", worst.trace_id, "-w", judged.root, "--json")[1])
    first = document["steps"][0]["judge"]
    assert (first["labels"], first["score"]) == ({"validity": True, "utility": False}, 0.5)
    assert document["steps"][0]["label"] is None  # the data's own, which says nothing
    listed = json.loads(grace("traces", "-w", judged.root, "--json")[1])["traces"]
    read = [row for row in listed if row["judge"]["worst"] is not None]
    assert len(read) == 6
    assert {row["judge"]["worst"] for row in read} == {0.5}
    _, out, err = grace("traces", "-w", judged.root)
    assert "worst" in out
    assert "labels by played" in err


def test_without_a_judge_nothing_is_said_of_one(
    scored_workspace: api.Workspace, grace: Any
) -> None:
    view = api.run_view(scored_workspace)
    assert api.step_judge(scored_workspace, view) is None
    name = str(view.traces["trace_id"][0])
    assert " judge " not in grace("traces", "-w", scored_workspace.root)[1]
    assert " judge " not in grace("show", name, "-w", scored_workspace.root)[1]
    with pytest.raises(NotFoundError, match="No judge has read anything"):
        api.evaluate(scored_workspace, labels=["judge"])
