"""Do the competitors compute what ours computes, so that the race is fair?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.competitors import (
    Scored,
    all_trainable,
    as_scored,
    backward_per_step,
    grace,
    one_at_a_time,
)
from benchmarks.workloads import Workload
from grace_engine.scoring.exact import parameter_blocks

GRAM_TOLERANCE = 1e-4  # of a trace's largest entry
# Where the model is sure of an answer, p_y − 1 as people write it is left over from a cancellation:
# against float64 the loop's cosines with such an answer are off by up to 4e-3, its Grams by 1e-5.
COSINE_TOLERANCE = 1e-2
BACKWARD_TOLERANCE = 1e-2  # one float32 sum over millions of entries is no better than that
GRADIENT_MEMORY = 1 << 30
TRACES_BY_BACKWARD = 2


class UnfairRaceError(RuntimeError):
    """A competitor found other numbers than ours, so comparing times would mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Largest differences from ours.

    Attributes:
        loop_gram: One at a time against ``upstream``, relative to each trace's largest entry.
        loop_cosine: The same of alignments and consistencies, absolute.
        backward_gram: Backward per step on all parameters against ``exact``, relative.
    """

    loop_gram: float
    loop_cosine: float
    backward_gram: float


def check(workload: Workload) -> Agreement:
    """Compare the numbers of a workload.

    Raises:
        UnfairRaceError: They differ by more than the tolerances of this module.
    """
    loaded, traces = workload.loaded, workload.traces
    ours = as_scored(grace(loaded, traces, "upstream"))
    loop = one_at_a_time(loaded.model, traces)
    few = traces[:TRACES_BY_BACKWARD]
    most = max(len(trace.segments) for trace in few)
    blocks = parameter_blocks(loaded.model, (), n_segments=most, memory=GRADIENT_MEMORY)
    exact = as_scored(grace(loaded, few, "exact", blocks))
    backward = backward_per_step(all_trainable(loaded.model), few)
    found = Agreement(
        loop_gram=_relative(loop.grams, ours.grams),
        loop_cosine=_absolute(loop, ours),
        backward_gram=_relative(backward, exact.grams),
    )
    if (
        found.loop_gram > GRAM_TOLERANCE
        or found.loop_cosine > COSINE_TOLERANCE
        or found.backward_gram > BACKWARD_TOLERANCE
    ):
        raise UnfairRaceError(f"{workload.name}: numbers differ from ours: {found}")
    return found


def _relative(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    return max(
        float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, expected, strict=True)
    )


def _absolute(found: Scored, expected: Scored) -> float:
    alignment = np.abs(found.alignment - expected.alignment).max()
    consistency = np.nanmax(np.abs(found.consistency - expected.consistency))
    return float(max(alignment, consistency))
