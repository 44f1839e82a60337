"""What are the alignment, consistency, norm and loss of every step of many traces?"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grace_engine.config import History
from grace_engine.signals.gram import (
    FloatArray,
    GramTable,
    IntArray,
    offsets_of,
    packed_size,
    unpack,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SignalTable:
    """Signals of the steps of N traces as flat arrays, S steps in all.

    Attributes:
        trace_ids: ``[N]`` ids.
        offsets: ``[N + 1]`` trace i holds the steps ``offsets[i]:offsets[i + 1]``.
        alignment: ``[S]`` a_k = cos(g_k, g_answer).
        consistency: ``[S]`` b_k = cos(g_k, Σ_j ω_kj g_j); NaN for step 1, which has no past.
        norm: ``[S]`` ‖g_k‖.
        nll: ``[S]`` mean negative log-likelihood per token, nats.
        fresh_loss: ``[S]`` nll_k − Σ_j ω_kj·nll_j, nats: the step's loss beyond what its past had;
            of step 1 its loss. Ours, not the paper's: after a mistake the next step surprises the
            model too, and this names the first.
        n_tokens: ``[S]`` tokens.
        zero: ``[S]`` True where a cosine was set to 0 because one of its vectors is zero.
        answer_nll: ``[N]`` the same of the answer.
        answer_tokens: ``[N]`` tokens of the answer.
        history: Weights of earlier steps that ``consistency`` was computed with.
    """

    trace_ids: npt.NDArray[np.object_]
    offsets: npt.NDArray[np.int64]
    alignment: npt.NDArray[np.float64]
    consistency: npt.NDArray[np.float64]
    norm: npt.NDArray[np.float64]
    nll: npt.NDArray[np.float64]
    fresh_loss: npt.NDArray[np.float64]
    n_tokens: npt.NDArray[np.int64]
    zero: npt.NDArray[np.bool_]
    answer_nll: npt.NDArray[np.float64]
    answer_tokens: npt.NDArray[np.int64]
    history: History

    @property
    def n_steps(self) -> npt.NDArray[np.int64]:
        """``[N]`` steps per trace."""
        return np.diff(self.offsets)

    def take(self, kept: npt.NDArray[np.bool_]) -> "SignalTable":
        """The traces for which ``kept`` ``[N]`` is true, in their order."""
        steps = np.repeat(kept, self.n_steps)
        return SignalTable(
            trace_ids=self.trace_ids[kept],
            offsets=offsets_of(self.n_steps[kept]),
            alignment=self.alignment[steps],
            consistency=self.consistency[steps],
            norm=self.norm[steps],
            nll=self.nll[steps],
            fresh_loss=self.fresh_loss[steps],
            n_tokens=self.n_tokens[steps],
            zero=self.zero[steps],
            answer_nll=self.answer_nll[kept],
            answer_tokens=self.answer_tokens[kept],
            history=self.history,
        )

    def steps_of(self, index: int) -> slice:
        """Where the steps of the trace at ``index`` stand in the flat arrays."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))


def signals_of(grams: GramTable, history: History) -> SignalTable:
    """Signals of every step, from Grams alone (GRACE, section 2.3).

    With r_k = Σ_j ω_kj g_j: ⟨g_k, r_k⟩ = Σ_j ω_kj G[k, j] and ‖r_k‖² = Σ_ij ω_ki ω_kj G[i, j].
    Traces of equal length are computed together.
    """
    n_steps = np.asarray(grams.n_segments, dtype=np.int64) - 1
    offsets = offsets_of(n_steps)
    total = int(offsets[-1])
    alignment, norm = np.zeros(total), np.zeros(total)
    consistency = np.full(total, np.nan)
    zero = np.zeros(total, dtype=bool)
    step_mask = _step_mask(grams, n_steps)
    nll = grams.nll[step_mask].astype(np.float64)
    fresh_loss = np.zeros(total)
    packed_offsets = grams.packed_offsets
    for k in np.unique(n_steps):
        members = np.flatnonzero(n_steps == k)
        size = packed_size(int(k) + 1)
        for block in _blocks(members, int(k)):
            gram = unpack(grams.packed[packed_offsets[block, None] + np.arange(size)], int(k) + 1)
            where = offsets[block, None] + np.arange(k)
            found = _signals_of_equal_length(gram, history)
            alignment[where], consistency[where], norm[where], zero[where] = found
            fresh_loss[where] = nll[where] - _past_mean(nll[where], history)
    answers = grams.segment_offsets[1:] - 1
    return SignalTable(
        trace_ids=grams.trace_ids,
        offsets=offsets,
        alignment=alignment,
        consistency=consistency,
        norm=norm,
        nll=nll,
        fresh_loss=fresh_loss,
        n_tokens=grams.n_tokens[step_mask].astype(np.int64),
        zero=zero,
        answer_nll=grams.nll[answers].astype(np.float64),
        answer_tokens=grams.n_tokens[answers].astype(np.int64),
        history=history,
    )


def trace_tokens(signals: SignalTable) -> npt.NDArray[np.int64]:
    """``[N]`` the scoring model's tokens of steps and answer."""
    if len(signals.trace_ids) == 0:
        return np.zeros(0, dtype=np.int64)
    return np.add.reduceat(signals.n_tokens, signals.offsets[:-1]) + signals.answer_tokens


def _blocks(members: IntArray, k: int) -> list[IntArray]:
    """Split traces of k steps so that a block of their Grams stays near 128 MB."""
    per_block = max(1, (1 << 24) // ((k + 1) ** 2))
    return [members[i : i + per_block] for i in range(0, len(members), per_block)]


def _step_mask(grams: GramTable, n_steps: IntArray) -> npt.NDArray[np.bool_]:
    mask = np.ones(int(np.sum(n_steps)) + len(n_steps), dtype=bool)
    mask[grams.segment_offsets[1:] - 1] = False
    return mask


def _signals_of_equal_length(
    gram: npt.NDArray[np.float64], history: History
) -> tuple[FloatArray, FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """``[n, K+1, K+1]`` Grams → alignment, consistency, norm and zero flag, each ``[n, K]``."""
    k = gram.shape[-1] - 1
    squares = np.maximum(np.diagonal(gram, axis1=1, axis2=2), 0.0)
    step_squares, answer_square = squares[:, :k], squares[:, k:]
    alignment, zero = _cosine(gram[:, :k, k], step_squares, answer_square)
    inner, past_squares = _with_past(gram[:, :k, :k], history)
    consistency, zero_past = _cosine(inner, step_squares, past_squares)
    consistency[:, 0] = np.nan
    zero_past[:, 0] = False
    return alignment, consistency, np.sqrt(step_squares), zero | zero_past


def _with_past(
    steps: npt.NDArray[np.float64], history: History
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """``[n, K, K]`` step Grams → ⟨g_k, r_k⟩ and ‖r_k‖² up to one positive factor, each ``[n, K]``.

    A cosine does not see the factor, so the weights stay unnormalised. For ``uniform`` (β = 1) and
    ``ema`` the history is a recurrence, r_k = β·r_(k−1) + g_(k−1): O(K) per step. A window's sums
    are taken afresh, because adding and removing would leave rounding where a zero should stand.
    """
    n, k = steps.shape[:2]
    inner, squares = np.zeros((n, k)), np.zeros((n, k))
    if history.kind == "window":
        for step in range(1, k):
            past = slice(max(0, step - history.window), step)
            inner[:, step] = steps[:, past, step].sum(axis=1)
            squares[:, step] = steps[:, past, past].sum(axis=(1, 2))
        return inner, np.maximum(squares, 0.0)
    beta = history.beta if history.kind == "ema" else 1.0
    with_past = np.zeros((n, k))
    for step in range(1, k):
        last = step - 1
        squares[:, step] = (
            beta**2 * squares[:, last] + 2 * beta * with_past[:, last] + steps[:, last, last]
        )
        with_past = beta * with_past + steps[:, last]
        inner[:, step] = with_past[:, step]
    return inner, np.maximum(squares, 0.0)


def _past_mean(values: FloatArray, history: History) -> FloatArray:
    """``[n, K]`` → Σ_j ω_kj·values_j over the steps before k; 0 for step 1, which has no past."""
    means = np.zeros(values.shape)
    beta = history.beta if history.kind == "ema" else 1.0
    total, weight = np.zeros(len(values)), 0.0
    for step in range(1, values.shape[1]):
        if history.kind == "window":
            means[:, step] = values[:, max(0, step - history.window) : step].mean(axis=1)
        else:
            total, weight = beta * total + values[:, step - 1], beta * weight + 1.0
            means[:, step] = total / weight
    return means


def _cosine(
    inner: FloatArray, square: FloatArray, other_square: FloatArray
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Cosine from an inner product and two squared norms; 0 and a flag where a vector is zero."""
    scale = np.sqrt(square) * np.sqrt(other_square)
    cosine = np.divide(inner, scale, out=np.zeros(np.shape(inner)), where=scale > 0)
    return np.clip(cosine, -1.0, 1.0), scale == 0
