"""How do signals run through a trace before, at and after its first bad step?"""

from dataclasses import dataclass

import numpy as np

from grace_engine.config import Weights
from grace_engine.evaluation.labels import LabelledRun, error_kinds
from grace_engine.records import CLEAN
from grace_engine.signals import step_scores

REACH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilePoint:
    """Mean of a signal at a distance from the first bad step of traces.

    Attributes:
        kind: Kind of error.
        signal: Name of the signal.
        offset: Steps after the first bad step; negative before it.
        n_traces: Traces that have such a step with that signal.
        mean: Over those traces.
        error: Standard error of the mean; 0 for a single trace.
        clean: Mean over all steps of traces whose labelled steps are all clean; NaN without any.
    """

    kind: str
    signal: str
    offset: int
    n_traces: int
    mean: float
    error: float
    clean: float


def profiles(run: LabelledRun) -> list[ProfilePoint]:
    """The course of each signal around the first bad step, by kind of error."""
    signals = run.signals
    values = {
        "alignment": signals.alignment,
        "consistency": signals.consistency,
        "score α=0.7": step_scores(signals, Weights(alpha=0.7, history=signals.history)),
        "loss": signals.nll,
        "fresh loss": signals.fresh_loss,
        "norm": signals.norm,
    }
    step_is_bad = np.isin(run.step_kinds, error_kinds(run.step_kinds))
    owners, n_traces = run.owners, len(signals.trace_ids)
    spoilt = np.bincount(owners, step_is_bad, n_traces) > 0
    clean = (run.step_kinds == CLEAN) & ~spoilt[owners]
    found = []
    for kind in error_kinds(run.step_kinds):
        bad = np.flatnonzero(run.step_kinds == kind)
        owned, first = np.unique(owners[bad], return_index=True)
        for offset in range(-REACH, REACH + 1):
            place = bad[first] + offset
            inside = (place >= signals.offsets[owned]) & (place < signals.offsets[owned + 1])
            for signal, numbers in values.items():
                here = numbers[place[inside]]
                here = here[~np.isnan(here)]
                if len(here) == 0:
                    continue
                spread = float(here.std(ddof=1) / np.sqrt(len(here))) if len(here) > 1 else 0.0
                known = numbers[clean & ~np.isnan(numbers)]
                found.append(
                    ProfilePoint(
                        kind=kind,
                        signal=signal,
                        offset=offset,
                        n_traces=len(here),
                        mean=float(here.mean()),
                        error=spread,
                        clean=float(known.mean()) if len(known) else float("nan"),
                    )
                )
    return found
