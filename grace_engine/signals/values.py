"""What is each step's score, and the trace's value (GRACE, sections 2.3 and 2.4)?"""

import numpy as np
import numpy.typing as npt

from grace_engine.config import Weights
from grace_engine.signals.table import SignalTable


def step_scores(signals: SignalTable, weights: Weights) -> npt.NDArray[np.float64]:
    """``[S]`` scores: S_1 = a_1 and S_k = α·a_k + (1 − α)·b_k.

    With ``history_only`` (the paper's "no answer" ablation) S_k = b_k and step 1 is NaN: left out.
    """
    if weights.history_only:
        return signals.consistency.copy()
    mixed = weights.alpha * signals.alignment + (1.0 - weights.alpha) * signals.consistency
    return np.where(np.isnan(signals.consistency), signals.alignment, mixed)


def peak_losses(signals: SignalTable) -> npt.NDArray[np.float64]:
    """``[N]`` the highest mean loss of a trace's steps and answer, nats a token."""
    if len(signals.trace_ids) == 0:
        return np.zeros(0)
    return np.maximum(np.maximum.reduceat(signals.nll, signals.offsets[:-1]), signals.answer_nll)


def trace_values(
    scores: npt.NDArray[np.float64], signals: SignalTable, weights: Weights
) -> npt.NDArray[np.float64]:
    """``[S]`` scores → ``[N]`` values; NaN where a trace has no step that counts.

    ``mean`` is the paper's; ``min`` the lowest score; ``length-weighted`` Σ n_k S_k / Σ n_k over
    tokens n_k; ``last-weighted`` Σ k S_k / Σ k with k counted from 1.
    """
    counted = ~np.isnan(scores)
    starts = signals.offsets[:-1]
    if len(starts) == 0:
        return np.zeros(0)
    if weights.aggregate == "min":
        lowest = np.minimum.reduceat(np.where(counted, scores, np.inf), starts)
        return np.where(np.isinf(lowest), np.nan, lowest)
    if weights.aggregate == "length-weighted":
        shares = signals.n_tokens.astype(np.float64)
    elif weights.aggregate == "last-weighted":
        shares = np.arange(len(scores), dtype=np.float64) + 1.0
        shares -= np.repeat(starts, signals.n_steps)
    else:
        shares = np.ones(len(scores))
    shares = np.where(counted, shares, 0.0)
    sums = np.add.reduceat(np.where(counted, scores, 0.0) * shares, starts)
    totals = np.add.reduceat(shares, starts)
    values: npt.NDArray[np.float64] = np.divide(
        sums, totals, out=np.full(len(starts), np.nan), where=totals > 0
    )
    return values
