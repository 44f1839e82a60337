"""Do the measures of detection agree with definitions worked out by hand?"""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from grace_engine.config import History
from grace_engine.evaluation import (
    LabelledRun,
    average_precision,
    detect_steps,
    detect_traces,
    kinds_of,
    profiles,
    purity_of_top,
    roc_auc,
    step_ranks,
    step_suspicion,
)
from grace_engine.evaluation.ranking import bootstrap_weights
from grace_engine.signals import SignalTable

ONCE = 1


def once(n: int) -> np.ndarray:
    return np.ones((ONCE, n))


def test_area_and_precision_worked_by_hand() -> None:
    # Falling: .9+ .8- .7+ .7- .1-. Pairs: .9 beats 3; .7 beats .1, ties .7, loses to .8: 4.5 / 6.
    scores = np.array([0.9, 0.8, 0.7, 0.7, 0.1])
    positive = np.array([True, False, True, False, False])
    assert roc_auc(scores, positive, once(5))[0] == pytest.approx(4.5 / 6)
    # Precision 1 at the first half of the recall; at .7 two of four: 1/2 · 1 + 1/2 · 2/4.
    assert average_precision(scores, positive, once(5))[0] == pytest.approx(0.75)


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3)), min_size=1, max_size=12
    )
)
def test_the_area_is_the_share_of_won_pairs_whatever_the_ties_and_weights(
    items: list[tuple[int, bool, int]],
) -> None:
    scores = np.array([s for s, _, _ in items], dtype=float)
    positive = np.array([p for _, p, _ in items])
    weights = np.array([[w for _, _, w in items]], dtype=float)
    won = pairs = 0.0
    for (s, p, w), (t, q, v) in itertools.product(items, repeat=2):
        if p and not q:
            pairs += w * v
            won += w * v * (1.0 if s > t else 0.5 if s == t else 0.0)
    found = roc_auc(scores, positive, weights)[0]
    assert (np.isnan(found) and pairs == 0) or found == pytest.approx(won / pairs)


def test_one_class_alone_has_no_area() -> None:
    scores, all_good = np.array([1.0, 2.0]), np.array([False, False])
    assert np.isnan(roc_auc(scores, all_good, once(2))[0])
    assert np.isnan(average_precision(scores, all_good, once(2))[0])


def test_a_bootstrap_draws_whole_traces() -> None:
    owners = np.array([0, 0, 1, 2, 2, 2])
    weights = bootstrap_weights(owners, resamples=50, seed=0)
    assert weights.shape == (51, 6)
    assert (weights[0] == 1).all()
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[1:, [0, 2, 3]].sum(axis=1) == 3).all()


def labelled() -> LabelledRun:
    """Two clean traces and two with a bad step that has the lowest alignment, one not."""
    alignment = np.array([0.9, 0.8, 0.7, 0.9, 0.1, 0.8, 0.5, 0.4, 0.6])
    offsets = np.array([0, 2, 3, 6, 9])
    n = len(alignment)
    consistency = alignment.copy()
    consistency[offsets[:-1]] = np.nan
    signals = SignalTable(
        trace_ids=np.array(list("abcd"), dtype=object),
        offsets=offsets,
        alignment=alignment,
        consistency=consistency,
        norm=np.ones(n),
        nll=1.0 - alignment,
        fresh_loss=1.0 - alignment,
        n_tokens=np.ones(n, dtype=np.int64),
        zero=np.zeros(n, dtype=bool),
        answer_nll=np.array([0.1, 0.1, 0.2, 0.9]),
        answer_tokens=np.ones(4, dtype=np.int64),
        history=History(),
    )
    steps = np.array(["clean"] * n, dtype=object)
    steps[[4, 8]] = "wrong_result"
    kinds = np.array(["clean", "clean", "wrong_result", "wrong_result"], dtype=object)
    return LabelledRun(signals=signals, step_kinds=steps, trace_kinds={"kind": kinds})


def test_detection_within_is_the_mean_over_traces_and_across_pools_the_steps() -> None:
    found = {(d.signal, d.where): d for d in detect_steps(labelled(), resamples=20)}
    # Trace c: .1 below .9 and .8: area 1. Trace d: .6 above .5 and .4: area 0. Mean .5.
    within = found["alignment", "within"]
    assert (within.auc, within.n_bad, within.n_good) == (0.5, 2, 4)
    # Across: .1 is below all 7 others; .6 below .9 .8 .7 .9 .8, above .5 .4: 12 / 14.
    assert found["alignment", "across"].auc == pytest.approx(12 / 14)
    # Without first steps: .1 against .8, then .6 against .4; clean .8 is good too.
    assert found["consistency", "across"].n_good == 3
    assert found["norm", "within"].auc == 0.5
    assert found["loss", "across"].auc == pytest.approx(12 / 14)


def test_ranks_say_how_often_the_bad_step_is_the_most_suspicious() -> None:
    found = {r.signal: r for r in step_ranks(labelled())}
    assert (found["alignment"].mean_rank, found["alignment"].first) == (2.0, 0.5)
    assert found["alignment"].chance == pytest.approx(1 / 3)
    # Three ties share rank 2, and one of the three is first.
    assert found["norm"].mean_rank == 2.0
    assert found["norm"].first == pytest.approx(1 / 3)


def test_steps_without_a_label_are_neither_found_nor_told_from() -> None:
    run = labelled()
    steps = run.step_kinds.copy()
    steps[3] = ""
    found = {
        d.signal: d
        for d in detect_steps(replace(run, step_kinds=steps), resamples=5)
        if d.where == "within"
    }
    # Trace c keeps .1 and .8, trace d its three.
    assert (found["alignment"].n_bad, found["alignment"].n_good) == (2, 3)


def test_a_step_that_is_bad_in_another_way_does_not_count_as_good() -> None:
    run = labelled()
    steps = run.step_kinds.copy()
    steps[6] = "irrelevant"
    found = {
        (d.kind, d.where): d
        for d in detect_steps(replace(run, step_kinds=steps), resamples=5)
        if d.signal == "alignment"
    }
    # Trace d: .6 is told from .4 alone as a wrong result, .5 from .4 as irrelevant.
    assert found["wrong_result", "within"].n_good == 3
    assert found["irrelevant", "within"].n_good == 1
    # Across: clean steps of the clean traces a and b and of d, not of c.
    assert found["irrelevant", "across"].n_good == 2 + 1 + 1 + 0


@pytest.mark.parametrize(
    ("labels", "kinds"),
    [
        ([True, False, None], ["clean", "bad", ""]),
        ([-1, 0, 1, None], ["bad", "clean", "clean", ""]),
        ([0, 1, 0.4, 0.6], ["bad", "clean", "bad", "clean"]),
        (["1", "0", "odd", "-0.5"], ["clean", "clean", "odd", "bad"]),
        (["+", "-", "Good", " wrong ", float("nan")], ["clean", "bad", "clean", "wrong", ""]),
    ],
)
def test_labels_read_as_good_bad_or_a_kind_of_error(labels: list, kinds: list[str]) -> None:
    assert kinds_of(labels).tolist() == kinds


def test_normalised_scores_compare_a_step_with_those_at_its_position_only() -> None:
    run = labelled()
    found = step_suspicion(run.signals)["score by position"]
    # First steps .9, .7, .9, .5: mean .75, deviation √.0275; they have no consistency.
    assert found[0] == pytest.approx(-(0.9 - 0.75) / np.sqrt(0.0275))
    by_length = step_suspicion(run.signals)["score by length"]
    # All steps have one token: one class, the scores shifted and scaled alike.
    first_steps = run.signals.alignment[run.signals.offsets[:-1]]
    assert (
        np.argsort(-by_length[run.signals.offsets[:-1]], kind="stable").tolist()
        == np.argsort(first_steps, kind="stable").tolist()
    )


def test_profiles_follow_the_signals_around_the_first_bad_step() -> None:
    points = {(p.signal, p.offset): p for p in profiles(labelled())}
    # Bad steps: the second of trace c (.1) and the last of d (.6).
    assert points["alignment", 0].mean == pytest.approx(0.35)
    assert points["alignment", 0].error == pytest.approx(0.25)
    assert points["alignment", -1].mean == pytest.approx((0.9 + 0.4) / 2)
    assert (points["alignment", 1].mean, points["alignment", 1].n_traces) == (0.8, 1)
    assert points["alignment", 0].clean == pytest.approx((0.9 + 0.8 + 0.7) / 3)
    assert ("alignment", 3) not in points


def test_traces_are_told_apart_by_value_and_by_the_answers_loss() -> None:
    correct = np.array(["clean", "clean", "clean", "bad"], dtype=object)
    run = replace(labelled(), trace_kinds={"is_correct": correct})
    found = {d.signal: d for d in detect_traces(run, resamples=20)}
    assert found["answer loss"].kind == "incorrect answer"
    assert found["answer loss"].auc == 1.0
    assert found["answer loss"].n_bad == 1
    # Mean alignment: .85, .6, .6, .5: the bad trace is lowest.
    assert found["value α=1"].auc == 1.0
    # Highest loss of a step or the answer: .2, .9, .6, .9: the bad one wins 2 of 3 and ties one.
    assert found["peak loss"].auc == pytest.approx(2.5 / 3)


def test_purity_counts_the_good_at_the_top() -> None:
    good = np.array([True, False, True, False])
    found = purity_of_top("kind", "value", np.array([0.1, 0.2, 0.3, np.nan]), good)
    assert found.pool == 0.5
    assert found.tops == {0.05: 1.0, 0.1: 1.0, 0.2: 1.0, 0.5: 0.5}
