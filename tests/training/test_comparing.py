"""Does an interval say no more than the answers do?"""

import numpy as np
import pytest

from grace_engine.errors import InputError
from grace_engine.training import Cell, CellResult, arms_of, cells_of, paired_interval
from grace_engine.training.comparing import mean_interval


def test_an_arm_against_itself_differs_by_nothing() -> None:
    shares = np.random.default_rng(0).integers(0, 2, (1, 50)).astype(float)
    found = paired_interval(shares, shares)
    assert (found.mean, found.low, found.high) == (0.0, 0.0, 0.0)
    assert found.is_null


def test_pairing_by_problem_makes_a_small_difference_visible() -> None:
    """Nine problems in a hundred are won and none lost: exact sign test p = 2/512."""
    theirs = np.zeros((1, 100))
    theirs[0, :50] = 1
    ours = theirs.copy()
    ours[0, 50:59] = 1
    found = paired_interval(ours, theirs)
    assert found.mean == pytest.approx(0.09)
    assert not found.is_null
    # Unpaired the standard error would be some 0.07, and nothing would have been shown.
    assert found.high - found.low < 0.13
    back = paired_interval(theirs, ours)
    assert back.mean == pytest.approx(-0.09)


def test_the_interval_is_that_of_a_bootstrap_written_out() -> None:
    rng = np.random.default_rng(1)
    ours, theirs = ((rng.random((3, 60)) < share).astype(float) for share in (0.7, 0.5))
    draws = []
    for _ in range(4000):
        problems, first, second = (rng.integers(n, size=n) for n in (60, 3, 3))
        mean = ours[np.ix_(first, problems)].mean() - theirs[np.ix_(second, problems)].mean()
        draws.append(mean)
    low, high = np.quantile(draws, [0.025, 0.975])
    found = paired_interval(ours, theirs)
    assert found.mean == pytest.approx(ours.mean() - theirs.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.02)


def test_seeds_that_disagree_widen_the_interval() -> None:
    problems = np.tile([0.0, 1.0], 50)
    steady = np.tile(problems, (3, 1))
    moody = np.stack([np.zeros(100), problems, np.ones(100)])
    narrow, wide = mean_interval(steady), mean_interval(moody)
    assert narrow.mean == wide.mean == pytest.approx(0.5)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_other_problems_are_not_compared() -> None:
    with pytest.raises(InputError, match="the same problems"):
        paired_interval(np.ones((1, 3)), np.ones((1, 4)))
    with pytest.raises(InputError, match="nothing to compare"):
        mean_interval(np.empty((0, 0)))


def test_cells_come_seed_by_seed_and_the_model_before_once() -> None:
    found = cells_of(("untrained", "random"), 2)
    assert [cell.name for cell in found] == [
        "untrained", "subset-0", "random-0", "subset-1", "random-1"
    ]  # fmt: skip
    with pytest.raises(InputError, match="bestcase"):
        cells_of(("bestcase",), 1)
    with pytest.raises(InputError, match="use 1 or more"):
        cells_of((), 0)


def result(arm: str, seed: int, shares: tuple[float, ...]) -> CellResult:
    right = int(sum(shares))
    return CellResult(
        cell=Cell(arm=arm, seed=seed),
        n_examples=1,
        n_tokens=10,
        n_steps=2,
        training_loss=1.0,
        held_out_loss=None,
        shares=shares,
        by_outcome={"right": right, "wrong": len(shares) - right},
        seconds=0.0,
    )


def test_a_null_result_is_called_one() -> None:
    some = (1.0, 0.0) * 20
    arms = {arm.arm: arm for arm in arms_of([result("subset", 0, some), result("random", 0, some)])}
    assert arms["subset"].less is None
    assert arms["random"].verdict == "no difference shown"
    better = arms_of([result("subset", 0, (1.0,) * 40), result("random", 0, some)])
    assert better[1].verdict == "the subset is better"
    worse = arms_of([result("subset", 0, (0.0,) * 40), result("random", 0, some)])
    assert worse[1].verdict == "the subset is worse"
    assert worse[1].by_outcome == {"right": 20, "wrong": 20, "not parsed": 0, "timed out": 0}
