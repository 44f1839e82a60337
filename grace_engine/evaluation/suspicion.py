"""By what numbers can a step or a trace be suspected, without looking at any label?"""

import numpy as np
import numpy.typing as npt

from grace_engine.config import Weights
from grace_engine.evaluation.ranking import Floats
from grace_engine.signals import SignalTable, peak_losses, step_scores, trace_values

ALPHAS = (0.0, 0.3, 0.5, 0.7, 1.0)
_DEFAULT = 0.7
_LENGTH_CLASSES = 10


def step_suspicion(signals: SignalTable) -> dict[str, Floats]:
    """``[S]`` by signal, higher is more suspicious; NaN where a signal does not exist.

    Beside the signals themselves: the score of alignment and consistency that are each made
    comparable among the steps of one position, or of one length, over the run.
    """
    found: dict[str, Floats] = {
        "alignment": -signals.alignment,
        "consistency": -signals.consistency,
    }
    for alpha in ALPHAS:
        weights = Weights(alpha=alpha, history=signals.history)
        found[f"score α={alpha:g}"] = -step_scores(signals, weights)
    position = np.arange(len(signals.nll)) - np.repeat(signals.offsets[:-1], signals.n_steps)
    found["score by position"] = -_score_among(signals, position)
    found["score by length"] = -_score_among(signals, _length_class(signals.n_tokens))
    return found | {
        "loss": signals.nll,
        "fresh loss": signals.fresh_loss,
        "norm": signals.norm,
    }


def trace_suspicion(signals: SignalTable) -> dict[str, Floats]:
    """``[N]`` by signal, higher is more suspicious."""
    found: dict[str, Floats] = {}
    for alpha in ALPHAS:
        weights = Weights(alpha=alpha, history=signals.history)
        found[f"value α={alpha:g}"] = -trace_values(step_scores(signals, weights), signals, weights)
    lowest = Weights(alpha=_DEFAULT, history=signals.history, aggregate="min")
    found["min α=0.7"] = -trace_values(step_scores(signals, lowest), signals, lowest)
    counts = np.add.reduceat(signals.n_tokens, signals.offsets[:-1]) + signals.answer_tokens
    losses = np.add.reduceat(signals.nll * signals.n_tokens, signals.offsets[:-1])
    found["loss"] = (losses + signals.answer_nll * signals.answer_tokens) / counts
    found["peak loss"] = peak_losses(signals)
    found["answer loss"] = signals.answer_nll
    return found


def _score_among(signals: SignalTable, groups: npt.NDArray[np.int64]) -> Floats:
    """Scores at α = 0.7 of alignment and consistency in standard deviations of their group."""
    alignment = _standardised(signals.alignment, groups)
    consistency = _standardised(signals.consistency, groups)
    mixed = _DEFAULT * alignment + (1 - _DEFAULT) * consistency
    return np.where(np.isnan(consistency), alignment, mixed)


def _standardised(values: Floats, groups: npt.NDArray[np.int64]) -> Floats:
    """Values less their group's mean over its deviation; 0 where a group does not vary."""
    known = ~np.isnan(values)
    _, own = np.unique(groups, return_inverse=True)
    count = np.maximum(np.bincount(own, known), 1)
    mean = np.bincount(own, np.where(known, values, 0.0)) / count
    centred = values - mean[own]
    spread = np.sqrt(np.bincount(own, np.where(known, centred, 0.0) ** 2) / count)[own]
    scaled = np.divide(centred, spread, out=np.zeros(len(values)), where=spread > 0)
    return np.where(known, scaled, np.nan)


def _length_class(n_tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Tenths of the steps by their tokens; steps of equal length share one."""
    edges = np.quantile(n_tokens, np.linspace(0, 1, _LENGTH_CLASSES + 1)[1:-1])
    return np.searchsorted(edges, n_tokens, side="right")
