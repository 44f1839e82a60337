"""Do signals and values follow GRACE's formulas to the last digit?"""

from dataclasses import replace

import numpy as np
import pytest

from grace_engine.config import History, Weights
from grace_engine.signals import (
    GramTable,
    cosine_matrix,
    history_weights,
    pack,
    signals_of,
    step_scores,
    trace_values,
    unpack,
)

HISTORIES = ["uniform", "window:1", "window:2", "window:3", "ema:0", "ema:0.5", "ema:0.9"]


def table_of(*gradients: np.ndarray, n_tokens: list[list[int]] | None = None) -> GramTable:
    """Gradients ``[K + 1, d]`` of each trace → their Grams; one token a segment unless given."""
    counts = n_tokens or [[1] * len(g) for g in gradients]
    return GramTable(
        trace_ids=np.array([f"t{i}" for i in range(len(gradients))], dtype=object),
        n_segments=np.array([len(g) for g in gradients], dtype=np.int64),
        packed=np.concatenate([pack(g @ g.T) for g in gradients]),
        n_tokens=np.concatenate([np.array(c) for c in counts]),
        nll=np.concatenate([np.arange(len(g), dtype=np.float64) for g in gradients]),
    )


def by_hand(gradients: np.ndarray, history: History) -> tuple[np.ndarray, np.ndarray]:
    """Alignment and consistency from the vectors themselves, one step at a time."""
    steps, answer = gradients[:-1], gradients[-1]
    weights = history_weights(history, len(steps))

    def cosine(u: np.ndarray, v: np.ndarray) -> float:
        scale = np.linalg.norm(u) * np.linalg.norm(v)
        return float(u @ v / scale) if scale > 0 else 0.0

    alignment = np.array([cosine(g, answer) for g in steps])
    consistency = np.array(
        [np.nan] + [cosine(steps[k], weights[k] @ steps) for k in range(1, len(steps))]
    )
    return alignment, consistency


def test_one_step_has_its_alignment_as_value_whatever_alpha_and_aggregate() -> None:
    # g_1 = (3, 4), g_a = (1, 0): cos = 3/5.
    signals = signals_of(table_of(np.array([[3.0, 4.0], [1.0, 0.0]])), History())
    assert signals.alignment.tolist() == [0.6]
    assert np.isnan(signals.consistency).tolist() == [True]
    assert signals.norm.tolist() == [5.0]
    for aggregate in ("mean", "min", "last-weighted", "length-weighted"):
        weights = Weights(alpha=0.3, aggregate=aggregate)
        assert trace_values(step_scores(signals, weights), signals, weights).tolist() == [0.6]


# g_1 = (1, 0), g_2 = (0, 2), g_3 = (3, 4), g_a = (0, 1); tokens 1, 2, 5 and 1.
THREE = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0], [0.0, 1.0]])
ALIGNMENT = [0.0, 1.0, 0.8]
# uniform: r_3 ∝ (1, 2), cos = 11 / (5·√5); window:1: r_3 = (0, 2), cos = 8/10;
# ema:0.5: r_3 ∝ 0.5·(1, 0) + (0, 2) = (0.5, 2), cos = 9.5 / (5·√4.25). r_2 = g_1 in all: cos 0.
CONSISTENCY_3 = {"uniform": 11 / (5 * 5**0.5), "window:1": 0.8, "ema:0.5": 9.5 / (5 * 4.25**0.5)}


@pytest.mark.parametrize("history", CONSISTENCY_3)
def test_three_steps_worked_by_hand(history: str) -> None:
    signals = signals_of(table_of(THREE, n_tokens=[[1, 2, 5, 1]]), History.parse(history))
    b3 = CONSISTENCY_3[history]
    np.testing.assert_allclose(signals.alignment, ALIGNMENT, rtol=0, atol=1e-15)
    np.testing.assert_allclose(signals.consistency[1:], [0.0, b3], rtol=0, atol=1e-15)
    # α = 0.7: S = 0, 0.7·1 + 0.3·0, 0.7·0.8 + 0.3·b_3.
    s3 = 0.56 + 0.3 * b3
    expected = {
        "mean": (0.7 + s3) / 3,
        "min": 0.0,
        "length-weighted": (2 * 0.7 + 5 * s3) / 8,
        "last-weighted": (2 * 0.7 + 3 * s3) / 6,
    }
    for aggregate, value in expected.items():
        weights = Weights(alpha=0.7, aggregate=aggregate)
        scores = step_scores(signals, weights)
        np.testing.assert_allclose(scores, [0.0, 0.7, s3], rtol=0, atol=1e-15)
        found = trace_values(scores, signals, weights)
        np.testing.assert_allclose(found, [value], rtol=0, atol=1e-15)


def test_history_only_leaves_the_first_step_out_and_a_one_step_trace_has_no_value() -> None:
    signals = signals_of(table_of(THREE, THREE[[0, 3]]), History())
    for aggregate in ("mean", "min", "last-weighted", "length-weighted"):
        weights = Weights(history_only=True, aggregate=aggregate)
        values = trace_values(step_scores(signals, weights), signals, weights)
        assert np.isnan(values).tolist() == [False, True]
    weights = Weights(history_only=True)
    value = trace_values(step_scores(signals, weights), signals, weights)[0]
    assert value == pytest.approx(CONSISTENCY_3["uniform"] / 2, abs=1e-15)


@pytest.mark.parametrize("history", HISTORIES)
def test_the_recurrence_equals_the_weighted_sum_of_the_vectors(history: str) -> None:
    rng = np.random.default_rng(0)
    gradients = [rng.normal(size=(k + 1, 6)) for k in (1, 2, 7, 7, 30)]
    signals = signals_of(table_of(*gradients), History.parse(history))
    for index, vectors in enumerate(gradients):
        alignment, consistency = by_hand(vectors, History.parse(history))
        where = signals.steps_of(index)
        np.testing.assert_allclose(signals.alignment[where], alignment, rtol=0, atol=1e-12)
        np.testing.assert_allclose(signals.consistency[where], consistency, rtol=0, atol=1e-12)


@pytest.mark.parametrize("history", HISTORIES)
def test_fresh_loss_is_the_loss_beyond_the_weighted_mean_of_earlier_losses(history: str) -> None:
    rng = np.random.default_rng(1)
    grams = table_of(*(rng.normal(size=(k + 1, 3)) for k in (1, 2, 6, 6, 20)))
    signals = signals_of(
        replace(grams, nll=rng.exponential(size=len(grams.nll))), History.parse(history)
    )
    for index, k in enumerate((1, 2, 6, 6, 20)):
        losses = signals.nll[signals.steps_of(index)]
        expected = losses - history_weights(History.parse(history), k) @ losses
        found = signals.fresh_loss[signals.steps_of(index)]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("history", HISTORIES)
def test_history_weights_sum_to_one_and_never_look_ahead(history: str) -> None:
    weights = history_weights(History.parse(history), 6)
    np.testing.assert_allclose(weights.sum(axis=1), [0, 1, 1, 1, 1, 1])
    assert np.all(np.triu(weights) == 0)


def test_a_zero_gradient_scores_zero_and_is_flagged() -> None:
    vectors = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
    signals = signals_of(table_of(vectors), History.parse("window:1"))
    assert signals.alignment[0] == 0.0
    assert signals.consistency[1] == 0.0
    # Step 1 is zero, step 2 has a zero past, step 3 is in order.
    assert signals.zero.tolist() == [True, True, False]


def test_packing_and_unpacking_keeps_a_symmetric_matrix() -> None:
    matrix = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 5.0], [3.0, 5.0, 6.0]])
    assert pack(matrix).tolist() == [1, 2, 4, 3, 5, 6]
    assert unpack(pack(matrix), 3).tolist() == matrix.tolist()


def test_the_cosine_matrix_has_ones_on_its_diagonal_and_zero_for_a_zero_gradient() -> None:
    cosines = cosine_matrix(np.array([[4.0, 2.0, 0.0], [2.0, 4.0, 0.0], [0.0, 0.0, 0.0]]))
    assert cosines.tolist() == [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 0.0]]


def test_no_traces_have_no_signals() -> None:
    empty = GramTable(
        trace_ids=np.array([], dtype=object),
        n_segments=np.array([], dtype=np.int64),
        packed=np.array([]),
        n_tokens=np.array([], dtype=np.int64),
        nll=np.array([]),
    )
    signals = signals_of(empty, History())
    assert trace_values(step_scores(signals, Weights()), signals, Weights()).tolist() == []
