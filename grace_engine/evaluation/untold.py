"""Which errors that labels name cannot be told from what is good, and why?"""

from dataclasses import dataclass

import numpy as np

from grace_engine.evaluation.detection import STEPS, question
from grace_engine.evaluation.labels import LabelledRun, error_kinds
from grace_engine.quantities import counted
from grace_engine.records import CLEAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """An error that no signal is held against.

    Attributes:
        kind: Kind of error, as ``Detection`` names it.
        where: ``steps`` for no step at all, ``within`` a trace alone, or ``trace``.
        n_bad: Steps, or traces, that are labelled so.
        reason: A sentence that says what is missing.
    """

    kind: str
    where: str
    n_bad: int
    reason: str


def untold(run: LabelledRun) -> list[Untold]:
    """Errors of steps, then of traces, that have nothing good to be told from.

    The good are those of ``detect_steps`` and ``detect_traces``; what is told has no place here.
    """
    return [*_steps(run), *_traces(run)]


def _steps(run: LabelledRun) -> list[Untold]:
    owners, kinds = run.owners, error_kinds(run.step_kinds)
    n_traces, is_clean = len(run.signals.trace_ids), run.step_kinds == CLEAN
    has_clean = np.bincount(owners, is_clean, n_traces) > 0
    spoilt = np.bincount(owners, np.isin(run.step_kinds, kinds), n_traces) > 0
    found = []
    for kind in kinds:
        bad = run.step_kinds == kind
        holds, n_bad = np.bincount(owners, bad, n_traces) > 0, int(bad.sum())
        if (holds & has_clean).any():
            continue
        begun = f"“{kind}” ({counted(n_bad, 'step')})"
        if (~spoilt & has_clean).any():
            where = "within"
            reason = (
                f"{begun} is told across traces alone: no trace that holds such a step has a step "
                "that is called good."
            )
        else:
            where = STEPS
            reason = (
                f"{begun} is not evaluated: no step is called good in a trace that holds such a "
                "step, nor in a trace of this dataset without a bad one."
            )
        found.append(Untold(kind=kind, where=where, n_bad=n_bad, reason=reason))
    return found


def _traces(run: LabelledRun) -> list[Untold]:
    found = []
    for name, kinds in run.trace_kinds.items():
        if (kinds == CLEAN).any():
            continue
        good = "has only steps that are called good" if name == STEPS else f"has a good {name!r}"
        for kind in error_kinds(kinds):
            n_bad = int((kinds == kind).sum())
            asked = question(name, kind)
            reason = (
                f"“{asked}” ({counted(n_bad, 'trace')}) is not evaluated: no trace of this dataset "
                f"{good}."
            )
            found.append(Untold(kind=asked, where="trace", n_bad=n_bad, reason=reason))
    return found
