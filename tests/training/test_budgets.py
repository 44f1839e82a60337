"""Is the selection's ranking trained at each budget, once, and does the workspace remember it?"""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from grace_engine import api
from grace_engine.errors import InputError
from grace_engine.jobs import JobSpec, Status, folder
from grace_engine.training import preset
from grace_engine.training.watching import UNPADDED
from tests.conftest import SAMPLE
from tests.training.conftest import EARLY


@pytest.fixture
def mine(own_workspace: api.Workspace) -> api.Workspace:
    api.curate(own_workspace, "25%", name="mine")
    api.curate(own_workspace, "10%", name="other")
    return own_workspace


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Four problems of two subjects and two levels, as MATH-500 has them."""
    lines = (SAMPLE / "planted" / "held_out.jsonl").read_bytes().splitlines()[:4]
    rows = [
        {
            "problem": row["prompt"],
            "solution": "\n".join(row["steps"]) + f"\nSo \\boxed{{{row['answer']}}}",
            "answer": row["reference"],
            "subject": ["buses", "sums"][i % 2],
            "level": 1 + i // 2,
        }
        for i, row in enumerate(map(json.loads, lines))
    ]
    file = tmp_path / "labelled.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def request(**given: object) -> api.TrainRequest:
    settings = preset("cpu", model=str(EARLY), batch_size=8, device="cpu")
    return api.TrainRequest(what="mine", settings=settings, **given)


def steps(n: int) -> list[dict[str, object]]:
    """Lines of metrics: 50 tokens a second."""
    return [
        {"step": step, "at": 2.0 * step, "n_tokens": 100 * step, UNPADDED: True}
        for step in range(1, n + 1)
    ]


def run_folder(workspace: api.Workspace, **given: object) -> Path:
    """The folder of a run that has finished."""
    place = workspace.root / "runs" / "train-20260101-000000-0000"
    place.mkdir(parents=True)
    now = time.time()
    folder.write_status(place, Status(state="finished", number=1, began_at=now, ended_at=now))
    settings = request(**given).document()
    folder.write_spec(place, JobSpec(kind="train", title="Train", settings=settings))
    return place


def test_a_budget_takes_the_first_of_the_ranking_and_none_is_trained_twice(
    mine: api.Workspace,
) -> None:
    judged = {"evaluate_on": str(SAMPLE / "planted" / "held_out.jsonl"), "n_problems": 1}
    asked = request(budgets=(10.0, 25.0, 50.0, 100.0), against=("random", "full"), **judged)
    plan = api.plan_training(mine, asked)
    choices = api.get_selection(mine, "mine").choices
    first = {choice.trace_id for choice in choices if choice.rank <= 4}
    assert len(choices) == 39
    assert {one.trace_id for one in plan.at[10.0]} == first
    assert [cell.name for cell in plan.cells] == [
        *("subset-0", "random-0", "full-0"),
        *("subset-10pct-0", "random-10pct-0", "subset-50pct-0", "random-50pct-0"),
    ]
    alone = api.plan_training(mine, request(budgets=(25.0, 100.0), **judged))
    assert [cell.name for cell in alone.cells] == [*("subset-0", "random-0", "subset-100pct-0")]
    close = api.plan_training(mine, request(budgets=(10.0, 10.1), against=("untrained",), **judged))
    assert [cell.name for cell in close.cells] == [
        *("untrained", "subset-0", "subset-10pct-0", "random-10pct-0")
    ]


def test_without_problems_the_cuts_alone_are_trained(mine: api.Workspace) -> None:
    plan = api.plan_training(mine, request(budgets=(10.0, 100.0), against=("full",)))
    assert [cell.name for cell in plan.cells] == ["subset-0", "subset-10pct-0", "subset-100pct-0"]
    assert plan.left_out == ("full", "random")


def test_a_file_has_no_ranking_to_cut(mine: api.Workspace, labelled: Path) -> None:
    given = request(budgets=(10.0,)).document() | {"what": str(labelled)}
    with pytest.raises(InputError, match="nothing to cut at budgets"):
        api.plan_training(mine, api.request_of(given))


@pytest.mark.slow
def test_budgets_and_labels_are_reported_and_the_selection_knows_how_it_trained(
    grace, mine: api.Workspace, labelled: Path
) -> None:
    asked = {
        "budgets": (10.0,),
        "against": ("random", "untrained"),
        "evaluate_on": str(labelled),
        "max_new_tokens": 40,
    }
    place = run_folder(mine, **asked)
    chosen = api.get_selection(mine, "mine").id
    assert api.how_trained(mine) == {}

    report = api.train(mine, request(**asked), place)

    points = {(point.arm, point.budget) for point in report.curve}
    own = 100 * 10 / 39
    assert points == {
        *(("subset", 10.0), ("random", 10.0), ("untrained", 0.0)),
        *(("subset", own), ("random", own)),
    }
    assert [(g.label, g.value, g.n_problems) for g in report.groups] == [
        *(("level", 1, 2), ("level", 2, 2), ("subject", "buses", 2), ("subject", "sums", 2))
    ]
    (said,) = api.how_trained(mine).values()
    assert list(api.how_trained(mine)) == [chosen]
    assert (said.run, said.n_finished, said.n_cells) == (place.name, 5, 5)
    assert (said.measure, said.against) == ("accuracy", "random")
    assert said.accuracy == report.arms[0].accuracy
    document = json.loads(grace("workspace", "-w", mine.root, "--json")[1])
    trained = {each["name"]: each["trained"] for each in document["selections"]}
    assert trained["mine"]["run"] == place.name
    assert trained["other"] is None
    assert api.NOT_TRAINED in grace("workspace", "-w", mine.root)[1]
    out = grace("trained", "-w", mine.root)[1]
    for title in ("By level: accuracy", "By subject: accuracy", "By budget: accuracy"):
        assert title in out

    # What is finished is kept, and what is missing is done.
    results = place / "cells"
    (results / "random-10pct-0" / "result.json").unlink()
    before = (results / "subset-10pct-0" / "result.json").stat().st_mtime_ns
    weights = (results / "random-10pct-0" / "model" / "model.safetensors").stat().st_mtime_ns
    assert len(api.training_report(place).cells) == 4
    again = api.train(mine, request(**asked), place)
    assert len(again.cells) == 5
    # Only its evaluation was missing.
    kept = (results / "random-10pct-0" / "model" / "model.safetensors").stat().st_mtime_ns
    assert kept == weights
    assert (results / "subset-10pct-0" / "result.json").stat().st_mtime_ns == before
    assert [cell.shares for cell in again.cells] == [cell.shares for cell in report.cells]


def test_the_time_is_expected_at_the_pace_of_an_earlier_run(
    mine: api.Workspace,
) -> None:
    plan = api.plan_training(mine, request())
    assert "told from the first steps" in str(api.expected_time(mine, plan))
    cell = run_folder(mine) / "cells" / "subset-0"
    cell.mkdir(parents=True)
    lines = steps(5)
    (cell / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    expected = api.expected_time(mine, plan)
    assert expected.rate == 50.0
    assert expected.seconds == pytest.approx(plan.subset.n_tokens / 50.0)
    other = api.plan_training(mine, api.request_of(request().document() | {"what": "other"}))
    assert api.expected_time(mine, other).run == expected.run
    padded = [{name: line[name] for name in ("step", "at", "n_tokens")} for line in lines]
    (cell / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in padded))
    assert api.expected_time(mine, plan).run == ""


def test_the_pace_of_a_model_is_found_by_whatever_name_it_has(mine: api.Workspace) -> None:
    """The shell leaves the shipped model's name out, and the page says its path."""
    cell = run_folder(mine) / "cells" / "subset-0"
    cell.mkdir(parents=True)
    lines = steps(5)
    (cell / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked = request()
    plan = api.plan_training(mine, asked)
    for name, is_found in (("", True), (str(EARLY.parent / "tiny-reasoner"), False)):
        settings = replace(plan.request.settings, model=name)
        named = replace(plan, request=replace(asked, settings=settings))
        assert bool(api.expected_time(mine, named).run) is is_found
