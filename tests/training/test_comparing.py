"""Does an interval say no more than the answers do?"""

from dataclasses import replace

import numpy as np
import pytest

from grace_engine.errors import InputError
from grace_engine.training import (
    Cell,
    CellResult,
    EvalProblem,
    arms_of,
    cells_of,
    curve_of,
    label_groups,
    paired_interval,
    percents,
    time_left,
    tokens_per_second,
)
from grace_engine.training.comparing import mean_interval
from grace_engine.training.watching import UNPADDED


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


def test_budgets_add_a_subset_and_a_random_cell_each() -> None:
    found = cells_of(("random", "untrained"), 1, (100, 5, 12.5))
    assert [cell.name for cell in found] == [
        *("untrained", "subset-0", "random-0"),
        *("subset-5pct-0", "random-5pct-0", "subset-12.5pct-0", "random-12.5pct-0"),
        "subset-100pct-0",
    ]
    for wrong in (0, 101):
        with pytest.raises(InputError, match="above 0, up to 100"):
            cells_of((), 1, (wrong,))
    assert percents(" 5, 10% ,50") == (5.0, 10.0, 50.0)
    with pytest.raises(InputError, match="5,10,20,50,100"):
        percents("5,a")


def test_the_curve_holds_each_arm_at_each_budget_and_the_selection_at_its_own() -> None:
    some, all_right = (1.0, 0.0) * 20, (1.0,) * 40
    results = [
        replace(result("subset", 0, some), n_examples=3),
        replace(result("random", 0, some), n_examples=4),
        result("untrained", 0, some),
        at(50, result("subset", 0, all_right)),
        at(50, result("subset", 1, some)),
        at(50, result("random", 0, some)),
        at(100, result("subset", 0, some)),
    ]
    points = {(one.arm, one.budget): one for one in curve_of(results, 12)}
    assert set(points) == {
        *(("subset", 25.0), ("random", 25.0), ("untrained", 0.0)),
        *(("subset", 50.0), ("random", 50.0), ("subset", 100.0)),
    }
    assert points["subset", 50.0].accuracy.mean == pytest.approx(0.75)
    assert points["subset", 50.0].n_seeds == 2
    assert curve_of(results[:3], 12) == []
    own = {arm.arm: arm for arm in arms_of(results)}
    assert own["subset"].accuracy.mean == pytest.approx(0.5)
    assert own["subset"].n_seeds == 1


def test_arms_are_told_apart_by_the_labels_of_problems() -> None:
    problems = [
        EvalProblem(
            id=str(i),
            prompt="",
            reference="",
            labels={"subject": "ab"[i % 2], "level": i % 4 + 1, "id": i, "is_correct": i % 3 == 0},
        )
        for i in range(40)
    ]
    found = label_groups(
        [result("subset", 0, (1.0, 0.0) * 20), result("random", 0, (0.0,) * 40)], problems
    )
    assert [(one.label, one.value, one.n_problems) for one in found] == [
        *(("level", level, 10) for level in (1, 2, 3, 4)),
        *(("subject", "a", 20), ("subject", "b", 20)),
    ]
    a = {arm.arm: arm for arm in found[4].arms}
    assert a["subset"].accuracy.mean == 1.0
    assert a["random"].verdict == "the subset is better"
    assert found[5].arms[1].verdict == "no difference shown"


def test_a_label_that_is_a_problems_own_is_no_kind() -> None:
    kinds = ["a", "a", "b", "b", "b"]
    problems = [
        EvalProblem(
            id=str(i),
            prompt="",
            reference="",
            labels={"id": i, "source": max(0, i - 1), "subject": kind},
        )
        for i, kind in enumerate(kinds)
    ]
    found = label_groups([result("subset", 0, (1.0,) * 5)], problems)
    assert {one.label for one in found} == {"subject"}


def test_what_is_left_is_told_from_the_pace_of_the_steps() -> None:
    lines = [
        {"step": step, "at": 10.0 + 2 * step, "n_tokens": 100 * step, UNPADDED: True}
        for step in (1, 2, 3, 4)
    ]
    lines.append({"step": 5, "at": 900.0, "n_tokens": 500, "resumed": True, UNPADDED: True})
    done = replace(result("untrained", 0, (1.0,)), evaluation_seconds=30.0)
    planned = {"untrained": 0, "subset-0": 10, "random-0": 10}
    found = time_left(planned, [done], {"subset-0": lines}, evaluates=True)
    assert (found.n_steps, found.n_evaluations, found.step_seconds) == (15, 2, 2.0)
    assert found.seconds == pytest.approx(15 * 2.0 + 2 * 30.0)
    assert (
        "All of it: about 2 min left, 15 optimizer steps of 2 s and 2 evaluations of 30 s."
        in str(found)
    )
    assert time_left(planned, [], {"subset-0": lines[:2]}, evaluates=True) is None
    unknown = time_left(planned, [], {"subset-0": lines}, evaluates=True)
    assert unknown.seconds == pytest.approx(30.0)
    assert "not counted in" in str(unknown)
    assert tokens_per_second(lines) == [None, 50.0, 50.0, 50.0, None]


def at(budget: float, found: CellResult) -> CellResult:
    return replace(found, cell=replace(found.cell, budget=budget))


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
