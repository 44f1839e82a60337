"""Does what is said of a training say what is so, where it stands and what it found?"""

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from grace_engine import api
from grace_engine.api import running, train_progress
from grace_engine.figures.training import budget_chart
from grace_engine.jobs import JobSpec, Reporter, Status, folder
from grace_engine.quantities import counted, pace, percent, points
from grace_engine.training import (
    BudgetPoint,
    Interval,
    counted_cells,
    paired_interval,
    write_result,
)
from grace_engine.training.launching import _see_through
from grace_engine.training.watching import METRICS, watcher_of
from tests.training.conftest import EARLY
from tests.training.test_budgets import request
from tests.training.test_comparing import result


def some_run(workspace: api.Workspace, number: int, state: str = "finished") -> Path:
    place = workspace.root / "runs" / f"train-20260101-00000{number}-0000"
    place.mkdir(parents=True)
    at = time.time() - 100 + number
    folder.write_status(place, Status(state=state, number=number, began_at=at, ended_at=at))
    settings = request().document()
    folder.write_spec(place, JobSpec(kind="train", title=f"Train {number}", settings=settings))
    return place


def judged(place: Path, shares: tuple[float, ...], seeds: int = 1) -> None:
    """The folder of a training of s-1, as it stands once all is done."""
    planned = {"selection": "s-1", "n_problems": len(shares), "n_cells": seeds}
    (place / "report.json").write_text(json.dumps(planned))
    for seed in range(seeds):
        cell = place / "cells" / f"subset-{seed}"
        cell.mkdir(parents=True)
        write_result(cell, result("subset", seed, shares))


def test_steps_of_an_earlier_attempt_count_as_done_and_in_no_rate(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path, os.getpid())
    try:
        state = SimpleNamespace(
            max_steps=75,
            global_step=60,
            num_input_tokens_seen=6000,
            is_world_process_zero=True,
        )
        watcher_of(tmp_path, reporter).on_train_begin(None, state, None)
        assert (reporter.status.done, reporter.status.total) == (60, 75)
        assert reporter._marks == [(reporter._marks[0][0], 60, 0)]

        lines = [{"step": step, "n_tokens": 100 * step} for step in range(1, 61)]
        (tmp_path / METRICS).write_text("".join(json.dumps(line) + "\n" for line in lines))
        over = SimpleNamespace(poll=lambda: 0)
        never = SimpleNamespace(is_set=lambda: False)
        _see_through(over, tmp_path, 75, never, reporter)
        assert (reporter.status.done, reporter.status.rate) == (60, 0.0)
        assert len(reporter._marks) == 1
    finally:
        reporter.end("finished", "")


def test_what_is_left_is_said_every_two_minutes_or_where_it_changed_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, left, said = 0.0, 1000.0, []
    monkeypatch.setattr(
        train_progress,
        "training_time_left",
        lambda _: SimpleNamespace(seconds=left, __str__=None),
    )
    progress = SimpleNamespace(say=lambda _: said.append(now))
    told = train_progress.TimeTold(progress, tmp_path, clock=lambda: now)
    for _ in range(30):
        told.tell()
        now, left = now + 10, left - 10
    assert said == [0, 120, 240]
    left = 5000.0
    now += 20
    told.tell()
    assert said[3:] == [now]


def test_shares_and_their_differences_are_rounded_alike_and_named_points() -> None:
    assert (percent(49 / 80), percent(41 / 80), percent(9 / 80)) == ("61.3%", "51.3%", "11.3%")
    assert [points(x) for x in (0.1, 5 / 80, -5 / 80, 0.0, -1e-12)] == [
        *("+10.0", "+6.3", "−6.3", "+0.0", "+0.0")
    ]
    some = Interval(mean=0.1, low=-0.0625, high=0.2625)
    assert some.difference == "+10.0 points (−6.3 to +26.3)"
    assert some.share == "10.0% (-6.2% – 26.3%)"
    alike = [[1.0, 0.0, 1.0]] * 3
    assert paired_interval(alike, alike).difference == "the same on every problem"


def test_a_slow_pace_is_the_time_of_one() -> None:
    assert pace(1.25, "steps") == "1.2 steps a second"
    assert pace(1 / 28, "steps") == "28 s a step"
    assert pace(0.4, "steps") == "2.5 s a step"
    assert pace(1 / 200, "answers") == "3 min an answer"


def test_one_of_something_is_not_several() -> None:
    assert counted_cells(1, evaluated=True) == "1 training and evaluation"
    assert counted_cells(3, evaluated=True) == "3 trainings and evaluations"
    assert counted_cells(1, evaluated=False) == counted(1, "training") == "1 training"


def test_a_title_tells_one_training_from_another() -> None:
    asked = request(
        budgets=(10.0, 40.0),
        against=("untrained",),
        n_seeds=2,
        evaluate_on="/some/where/held_out.jsonl",
        n_problems=40,
    )
    assert running._title_of(asked, "mine") == (
        "Train tiny-reasoner-early on mine, at 10%, 40%, against untrained, 2 seeds, judged on "
        "40 problems of held_out.jsonl"
    )


def test_a_training_is_titled_alike_from_page_and_shell(own_workspace: api.Workspace) -> None:
    chosen = api.curate(own_workspace, "25%", name="mine").id
    for what, model in (("mine", ""), (chosen, str(EARLY))):
        asked = replace(request(), what=what)
        asked = replace(asked, settings=replace(asked.settings, model=model))
        name = running._name_in(own_workspace, asked.what)
        assert running._title_of(asked, name) == "Train tiny-reasoner-early on mine"


def test_a_finished_training_says_how_a_selection_trained_before_a_larger_that_was_cancelled(
    tmp_path: Path,
) -> None:
    workspace = api.open_workspace(tmp_path / "workspace", create=True)
    place = some_run(workspace, 1, "cancelled")
    judged(place, (1.0, 0.0) * 20, seeds=2)
    planned = {"selection": "s-1", "n_problems": 40, "n_cells": 5}
    (place / "report.json").write_text(json.dumps(planned))
    (said,) = api.how_trained(workspace).values()
    stands = "cancelled at 2 of 5 trainings and evaluations"
    assert said.found == f"accuracy 50.0% ({stands})"
    judged(some_run(workspace, 2), (0.0,) * 12)
    (said,) = api.how_trained(workspace).values()
    assert str(said) == "accuracy 0.0%, 12 problems × 1 seed"


def test_of_a_run_at_rest_it_is_said_that_nothing_runs(grace, tmp_path: Path) -> None:
    workspace = api.open_workspace(tmp_path / "workspace", create=True)
    place = some_run(workspace, 1, "cancelled")
    judged(place, (1.0, 0.0))
    steps = {"subset-0": 4, "random-0": 10}
    planned = {"selection": "s-1", "n_problems": 2, "n_cells": 2, "steps": steps}
    (place / "report.json").write_text(json.dumps(planned))
    lines = [{"step": step, "at": 2.0 * step, "n_tokens": step} for step in (1, 2, 3, 4)]
    (place / "cells" / "subset-0" / METRICS).write_text("\n".join(map(json.dumps, lines)))
    status, _, err = grace("trained", place.name, "-w", workspace.root)
    said = " ".join(err.split())
    assert status == 0
    assert "Nothing runs: it is cancelled with 10 optimizer steps and 1 evaluation left" in said
    assert f"grace resume {place.name} goes on." in said
    assert "All of it" not in said


def test_a_selection_trained_as_the_run_with_most_answers_says(tmp_path: Path) -> None:
    workspace = api.open_workspace(tmp_path / "workspace", create=True)
    judged(some_run(workspace, 1), (1.0, 0.0) * 20, seeds=2)
    judged(some_run(workspace, 2), (0.0,) * 12)
    (said,) = api.how_trained(workspace).values()
    assert (said.run[-6:], said.n_problems, said.n_seeds) == ("1-0000", 40, 2)
    assert str(said) == "accuracy 50.0%, 40 problems × 2 seeds"
    judged(some_run(workspace, 3), (1.0,) * 40, seeds=2)  # of equals the newest
    (said,) = api.how_trained(workspace).values()
    assert said.found == "accuracy 100.0%"


def test_the_latest_training_is_the_latest_that_found_something(grace, tmp_path: Path) -> None:
    workspace = api.open_workspace(tmp_path / "workspace", create=True)
    at = ("trained", "latest", "-w", workspace.root)
    assert "No training of this workspace has finished yet" in grace(*at)[2]
    judged(some_run(workspace, 1), (1.0, 0.0))
    some_run(workspace, 2, "failed")
    status, out, err = grace(*at)
    assert status == 0
    assert "1 of 1 training and evaluation" in out
    assert "tokens a pass" in " ".join(out.split())
    assert "Run train-20260101-000002-0000 is failed and has found nothing yet" in err


def test_labels_of_budgets_lie_level_and_apart_and_the_model_before_is_in_the_legend() -> None:
    some = BudgetPoint(
        arm="subset",
        budget=10.0,
        n_seeds=1,
        n_tokens=1.0,
        n_steps=1.0,
        accuracy=Interval(mean=0.5, low=0.4, high=0.6),
    )
    curve = [replace(some, budget=at) for at in (9.87, 10.0, 40.0)]
    curve.append(replace(some, arm="untrained", budget=0.0))
    figure = budget_chart(curve, "accuracy", dark=False)
    axis = figure.layout.xaxis
    assert axis.ticktext == ("10", "40")
    assert axis.tickangle == 0
    assert [trace.name for trace in figure.data] == ["subset", "random", "model before"]
    assert not figure.layout.annotations
