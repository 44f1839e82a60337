"""How long will the rest of a comparison take, told from the steps that it has made?"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from grace_engine.quantities import counted, duration
from grace_engine.training.cells import CellResult
from grace_engine.training.watching import UNPADDED

# Steps that a pace is told from, and how many there have to be.
_LATEST, _FEWEST = 50, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLeft:
    """What is left of a comparison.

    Attributes:
        seconds: Until all cells are trained, and evaluated as far as that is known.
        n_steps: Optimizer steps that are left.
        n_evaluations: Evaluations that are left.
        step_seconds: Seconds of one step.
        evaluation_seconds: Seconds of one evaluation; None before one has finished.
    """

    seconds: float
    n_steps: int
    n_evaluations: int
    step_seconds: float
    evaluation_seconds: float | None

    def __str__(self) -> str:
        """A sentence for people."""
        steps = counted(self.n_steps, "optimizer step")
        text = (
            f"All of it: about {duration(self.seconds)} left, {steps} of {self.step_seconds:.2g} s"
        )
        if not self.n_evaluations:
            return f"{text}."
        left = counted(self.n_evaluations, "evaluation")
        if self.evaluation_seconds is None:
            return f"{text}; {left}, of which none has finished yet, not counted in."
        return f"{text} and {left} of {duration(self.evaluation_seconds)}."


def time_left(
    planned: Mapping[str, int],
    finished: Sequence[CellResult],
    steps: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    evaluates: bool,
) -> TimeLeft | None:
    """What is left; None before three steps have been made, and where nothing is left.

    Args:
        planned: Optimizer steps of each cell, by name.
        finished: Cells that are done.
        steps: What each cell wrote down at each step, the cell that wrote last at the end.
        evaluates: Whether each cell is evaluated, too.
    """
    done = {result.cell.name for result in finished}
    left = [name for name in planned if name not in done]
    pace = step_seconds([one for of in steps.values() for one in of])
    if pace is None or not left:
        return None
    n_steps = sum(max(0, planned[name] - len(steps.get(name, ()))) for name in left)
    measured = [one.evaluation_seconds for one in finished if one.evaluation_seconds]
    judging = statistics.mean(measured) if measured and evaluates else None
    n_evaluations = len(left) if evaluates else 0
    return TimeLeft(
        seconds=n_steps * pace + n_evaluations * (judging or 0.0),
        n_steps=n_steps,
        n_evaluations=n_evaluations,
        step_seconds=pace,
        evaluation_seconds=judging,
    )


def step_seconds(lines: Sequence[Mapping[str, Any]]) -> float | None:
    """The median time of the latest steps, so that a pause counts for nothing; None of too few."""
    latest = lines[-_LATEST:]
    times = [
        after["at"] - before["at"]
        for before, after in pairwise(latest)
        if after["step"] == before["step"] + 1
    ]
    return statistics.median(times) if len(times) >= _FEWEST - 1 else None


def tokens_per_second(lines: Sequence[Mapping[str, Any]]) -> list[float | None]:
    """Tokens a second of each step: None of the first, and of one after a pause or a resumption.

    None, too, of steps of runs from before padding was left out: their tokens are other ones.
    """
    rates: list[float | None] = [None] * min(1, len(lines))
    for before, after in pairwise(lines):
        seconds = after["at"] - before["at"]
        follows = after["step"] == before["step"] + 1 and not after.get("resumed")
        follows = follows and UNPADDED in before and UNPADDED in after
        rate = (after["n_tokens"] - before["n_tokens"]) / seconds if seconds > 0 else None
        rates.append(rate if follows else None)
    return rates
