"""By what number does each strategy rank traces?"""

import hashlib

import numpy as np
import numpy.typing as npt

from grace_engine.config import Strategy, Weights
from grace_engine.signals import SignalTable, peak_losses, step_scores, trace_values


def strategy_values(
    signals: SignalTable, strategy: Strategy, weights: Weights, seed: int
) -> npt.NDArray[np.float64]:
    """``[N]`` values, higher is better; NaN where a trace has none (GRACE, section 2.4, app. E).

    ``grace`` is the aggregated step score, ``longest`` the tokens of all steps, ``stepmax`` the
    number of steps, ``perplexity`` the negated mean loss over step and answer tokens in nats,
    ``peak-loss`` (ours) the negated highest mean loss of a step or the answer, and ``random`` a
    number in [0, 1) drawn from the seed and the trace's id, so that it does not depend on which
    other traces there are.
    """
    if strategy == "grace":
        return trace_values(step_scores(signals, weights), signals, weights)
    if strategy == "random":
        return np.array([uniform(seed, str(name)) for name in signals.trace_ids])
    if strategy == "stepmax":
        return signals.n_steps.astype(np.float64)
    if strategy == "peak-loss":
        return -peak_losses(signals)
    if len(signals.trace_ids) == 0:
        return np.zeros(0)
    tokens = np.add.reduceat(signals.n_tokens, signals.offsets[:-1]).astype(np.float64)
    if strategy == "longest":
        return tokens
    losses = np.add.reduceat(signals.nll * signals.n_tokens, signals.offsets[:-1])
    losses += signals.answer_nll * signals.answer_tokens
    return np.asarray(-losses / (tokens + signals.answer_tokens))


def uniform(seed: int, name: str) -> float:
    """A number in [0, 1) that the seed and a name decide."""
    digest = hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
    # 53 bits fill a double's mantissa.
    return float((int.from_bytes(digest, "big") >> 11) / (1 << 53))
