"""What does the folder of a training hold to be looked at: steps, answers, problems?"""

from pathlib import Path
from typing import Any

import orjson

from grace_engine.api.training import ANSWERS, CELLS, PROBLEMS
from grace_engine.training import METRICS, EvalProblem


def training_metrics(folder: Path, cell: str) -> list[dict[str, Any]]:
    """What a cell wrote down at each optimizer step; of a resumed one the last word on a step."""
    try:
        lines = (folder / CELLS / cell / METRICS).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    by_step = {found["step"]: found for line in lines if (found := _read_line(line))}
    return [by_step[step] for step in sorted(by_step)]


def training_answers(folder: Path, cell: str) -> dict[str, tuple[str, str]]:
    """First answer to each problem, by its id, with what checking found."""
    try:
        lines = (folder / CELLS / cell / ANSWERS).read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    found = [orjson.loads(line) for line in lines]
    return {one["id"]: (one["completions"][0], one["outcomes"][0]) for one in found}


def training_problems(folder: Path) -> list[EvalProblem]:
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
