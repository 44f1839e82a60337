"""Do the strategies for problems rank as their papers say?"""

from dataclasses import replace

import numpy as np
import pytest

from grace_engine.config import Band, Budget
from grace_engine.errors import InputError
from grace_engine.selection import (
    Candidates,
    ProblemTable,
    choose,
    pairwise_alignment,
    problem_values,
)

BAND = Band(low=0.25, high=0.75)
NAN = float("nan")


def table(gradients, pass_rates, target=None, without=()) -> ProblemTable:
    """A table of gradients that are kept whole."""
    g = np.array(gradients, dtype=np.float64)
    gone = np.isin(np.arange(len(g)), without)
    mean = np.full(g.shape[1], NAN) if target is None else np.array(target, float)
    return ProblemTable(
        problem_ids=np.array([f"p{i}" for i in range(len(g))], dtype=object),
        pass_rates=np.array(pass_rates, dtype=np.float64),
        dots=np.where(gone, NAN, g @ mean),
        norms=np.where(gone, NAN, np.linalg.norm(g, axis=1)),
        sketches=np.where(gone[:, None], 0, g).astype(np.float32),
        target_norm=float(np.linalg.norm(mean)),
        equal=gone,
        reasons=np.where(gone, "all 4 rewards are 1: no policy gradient", "").astype(object),
    )


def test_gradalign_by_hand() -> None:
    """Target problems with g = (2, 0) and (0, 2): ḡ = (1, 1), ‖ḡ‖ = √2.

    Candidates (3, 3), (4, 0), (0.1, 0.1), (−1, 1) and (−2, −2) have cosines 1, 1/√2, 1, 0 and −1,
    inner products 6, 4, 0.2, 0 and −4: the cosine takes the third before the second, the inner
    product does not.
    """
    found = table([[3, 3], [4, 0], [0.1, 0.1], [-1, 1], [-2, -2]], [0.5] * 5, target=(1, 1))
    cosines = problem_values(found, "gradalign", band=BAND, seed=0)
    assert cosines == pytest.approx([1, 2**-0.5, 1, 0, -1])
    inner = problem_values(found, "gradalign-inner", band=BAND, seed=0)
    assert inner == pytest.approx([6, 4, 0.2, 0, -4])


def test_learnalign_equals_the_double_sum() -> None:
    rng = np.random.default_rng(0)
    g, p = rng.normal(size=(7, 5)), rng.uniform(size=7)
    found = table(g, p, without=(3,))
    for strategy, v in (("learnalign", p * (1 - p)), ("align", np.ones(7))):
        values = problem_values(found, strategy, band=BAND, seed=0)
        for x in range(7):
            if x == 3:
                assert np.isnan(values[x])
                continue
            total = 0.0
            for y in range(7):
                if y != 3:
                    cosine = g[x] @ g[y] / np.linalg.norm(g[x]) / np.linalg.norm(g[y])
                    total += v[x] * v[y] * cosine
            assert values[x] == pytest.approx(total / 7, rel=1e-5)


def test_accgreedy_band_and_random() -> None:
    found = table(np.ones((5, 2)), [0.0, 0.25, 0.5, 0.8, NAN])
    greedy = problem_values(found, "accgreedy", band=BAND, seed=0)
    assert greedy[:4] == pytest.approx([-0.5, -0.25, 0, -0.3])
    assert np.isnan(greedy[4])
    inside = problem_values(found, "band", band=BAND, seed=0)
    assert np.isnan(inside).tolist() == [True, False, False, True, True]
    drawn = [problem_values(found, "random", band=BAND, seed=seed) for seed in (0, 0, 1)]
    assert drawn[0].tolist() == drawn[1].tolist() != drawn[2].tolist()


def test_a_zero_gradient_has_a_cosine_of_zero_and_ranks_between() -> None:
    found = table([[0, 0], [1, 0], [-1, 0]], [0.5] * 3, target=(1, 0))
    assert problem_values(found, "gradalign", band=BAND, seed=0).tolist() == [0, 1, -1]


def test_what_a_strategy_lacks_is_said() -> None:
    without = table([[1.0, 0.0]], [0.5])
    with pytest.raises(InputError, match="--target ROLLOUTS"):
        problem_values(without, "gradalign", band=BAND, seed=0)
    bare = table(np.zeros((1, 0)), [0.5])
    with pytest.raises(InputError, match="--projection 8192"):
        pairwise_alignment(bare, None)
    for text in ("0.5", "0.9-0.1", "0-2", "a-b"):
        with pytest.raises(InputError, match=r"such as 0\.25-0\.75"):
            Band.parse(text)


def test_a_problem_without_variance_ranks_after_all_that_have_a_gradient() -> None:
    found = table([[-1.0, 0.0], [9.0, 9.0], [1.0, 0.0]], [0.5, 1.0, 0.5], (1, 0), without=(1,))
    values = problem_values(found, "gradalign", band=BAND, seed=0)
    names = [str(name) for name in found.problem_ids]
    choices = choose(
        Candidates(
            trace_ids=found.problem_ids,
            record_digests=np.array(["r"] * 3, dtype=object),
            values=values,
            n_tokens=np.array([1, 1, 1]),
            no_value_of=dict(zip(names, found.reasons.tolist(), strict=True)),
        ),
        Budget.parse("100%"),
    )
    assert [choice.trace_id for choice in choices] == ["p2", "p0", "p1"]
    assert [choice.selected for choice in choices] == [True, True, False]
    assert choices[-1].reason == "all 4 rewards are 1: no policy gradient"


def test_a_problem_without_variance_may_have_the_value_0_and_rank_between() -> None:
    found = table([[-1.0, 0.0], [9.0, 9.0], [1.0, 0.0]], [0.5, 1.0, 0.5], (1, 0), without=(1,))
    for strategy in ("gradalign", "gradalign-inner", "align"):
        values = problem_values(found, strategy, band=BAND, seed=0, zero_without_variance=True)
        assert values[1] == 0.0
        assert np.isnan(problem_values(found, strategy, band=BAND, seed=0)[1])
    kept = problem_values(found, "accgreedy", band=BAND, seed=0, zero_without_variance=True)
    assert kept.tolist() == [0.0, -0.5, 0.0]
    other = replace(found, equal=np.zeros(3, dtype=bool))  # no gradient for another reason
    values = problem_values(other, "gradalign", band=BAND, seed=0, zero_without_variance=True)
    assert np.isnan(values[1])
