"""What does the folder of a training hold to be looked at: what was found, steps, answers?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from grace_engine import training
from grace_engine.errors import NotFoundError
from grace_engine.training import (
    METRICS,
    ArmResult,
    BudgetPoint,
    CellResult,
    EvalProblem,
    LabelGroup,
    TimeLeft,
)

CELLS, ANSWERS, PROBLEMS, REPORT = "cells", "answers.jsonl", "problems.jsonl", "report.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a training set out to do; it stands in its folder from the start.

    Attributes:
        selection: Id of the selection; "" for a file.
        n_problems: Problems that each arm is judged on.
        n_cells: Trainings that were asked for, evaluations of the model before included.
        n_pool: Examples of the pool; 0 where no arm needs it.
        asked: How the problems are put, for people.
        steps: Optimizer steps of each cell, by name.
    """

    selection: str
    n_problems: int
    n_cells: int
    n_pool: int = 0
    asked: str = "greedy answers"
    steps: Mapping[str, int] = field(default_factory=dict)

    def finished(self, n_finished: int) -> str:
        """How many are finished, for people: ``2 of 3 trainings and evaluations``."""
        cells = training.counted_cells(self.n_cells, evaluated=bool(self.n_problems))
        return f"{n_finished:,} of {cells}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """What the finished trainings of a request found.

    Attributes:
        folder: Where they are kept.
        planned: What was asked for.
        cells: The finished ones.
        arms: What they say, the subset first.
        curve: Accuracy by budget; empty where no budgets were asked for.
        groups: The same as ``arms`` for problems of each subject, level and other label.
    """

    folder: Path
    planned: Planned
    cells: tuple[CellResult, ...]
    arms: tuple[ArmResult, ...]
    curve: tuple[BudgetPoint, ...]
    groups: tuple[LabelGroup, ...]

    @property
    def measure(self) -> str:
        """``accuracy``, or ``pass@k``."""
        return self.cells[0].measure


def training_report(folder: Path) -> TrainReport:
    """What stands in the folder of a training.

    Raises:
        NotFoundError: No training has finished there.
    """
    found = finished_cells(folder)
    if not found:
        raise NotFoundError(f"No training has finished in {folder} yet.")
    planned = training_plan_of(folder)
    return TrainReport(
        folder=folder,
        planned=planned
        or Planned(selection="", n_problems=len(found[0].shares), n_cells=len(found)),
        cells=found,
        arms=tuple(training.arms_of(found)),
        curve=tuple(training.curve_of(found, planned.n_pool if planned else 0)),
        groups=tuple(training.label_groups(found, training_problems(folder))),
    )


def training_plan_of(folder: Path) -> Planned | None:
    """What the training of a folder set out to do; None before it has rendered its examples."""
    try:
        document = orjson.loads((folder / REPORT).read_bytes())
    except FileNotFoundError:
        return None
    return Planned(**document)


def finished_cells(folder: Path) -> tuple[CellResult, ...]:
    """The cells that are trained and evaluated, by name."""
    results = [training.read_result(each) for each in sorted((folder / CELLS).glob("*/"))]
    return tuple(result for result in results if result is not None)


def training_time_left(folder: Path) -> TimeLeft | None:
    """What is left of a training, told from its steps so far; None where nobody can say."""
    planned = training_plan_of(folder)
    if planned is None:
        return None
    steps = {cell: training_metrics(folder, cell) for cell in training_cells(folder)}
    return training.time_left(
        planned.steps, finished_cells(folder), steps, evaluates=bool(planned.n_problems)
    )


def training_cells(folder: Path) -> list[str]:
    """Cells that have made a step, the one that wrote last at the end."""
    written = (folder / CELLS).glob(f"*/{METRICS}")
    return [file.parent.name for file in sorted(written, key=lambda file: file.stat().st_mtime)]


def training_metrics(folder: Path, cell: str) -> list[dict[str, Any]]:
    """What a cell wrote down at each optimizer step; of a resumed one the last word on a step.

    To what stands in the file ``tokens_per_second`` is added, None where it cannot be said.
    """
    try:
        lines = (folder / CELLS / cell / METRICS).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    by_step = {found["step"]: found for line in lines if (found := _read_line(line))}
    in_order = [by_step[step] for step in sorted(by_step)]
    rates = training.tokens_per_second(in_order)
    return [line | {"tokens_per_second": rate} for line, rate in zip(in_order, rates, strict=True)]


def training_answers(folder: Path, cell: str) -> dict[str, tuple[str, str]]:
    """First answer to each problem, by its id, with what checking found."""
    try:
        lines = (folder / CELLS / cell / ANSWERS).read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    found = [orjson.loads(line) for line in lines]
    return {one["id"]: (one["completions"][0], one["outcomes"][0]) for one in found}


def training_problems(folder: Path) -> Sequence[EvalProblem]:
    """The problems that the models of a training are judged on."""
    try:
        lines = (folder / PROBLEMS).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [EvalProblem(**orjson.loads(line)) for line in lines]


def _read_line(line: bytes) -> dict[str, Any] | None:
    """A line of metrics; None for the last one of a process that was killed while it wrote."""
    try:
        found: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return found
