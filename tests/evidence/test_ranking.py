"""Are ρ and p what all orders, walked one by one, say?"""

import math
from itertools import permutations

import pytest
from hypothesis import given, settings, strategies as st

from grace_engine.evidence import average_ranks, permutation_p, smallest_p, spearman

TOLERANCE = 1e-12


def walked(x: list[float], y: list[float]) -> float:
    """The slow reference: ρ of each of the n! orders of y."""
    seen = abs(spearman(x, y))
    found = [abs(spearman(x, list(order))) for order in permutations(y)]
    return sum(rho >= seen - TOLERANCE for rho in found) / len(found)


def test_ties_share_the_mean_of_their_places() -> None:
    assert average_ranks([3.0, 1.0, 3.0, 2.0]).tolist() == [3.5, 1.0, 3.5, 2.0]


def test_rho_by_hand() -> None:
    # Rank differences 0, -1, 1, 0: 1 - 6·2 / (4·15) = .8.
    assert spearman([1, 2, 3, 4], [10, 30, 20, 40]) == pytest.approx(0.8, abs=TOLERANCE)
    # Ranks 1, 2, 3, 4 and 1.5, 1.5, 3, 4: Σab = 29.5, (4·29.5 − 100) / √(20·18) = 18 / √360.
    assert spearman([1, 2, 3, 4], [5, 5, 6, 7]) == pytest.approx(18 / math.sqrt(360))
    assert math.isnan(spearman([1, 2, 3], [5, 5, 5]))


def test_p_by_hand() -> None:
    # ρ of four points is 1 or -1 in two of 24 orders, and at least .8 in size in eight.
    assert permutation_p([1, 2, 3, 4], [1, 2, 3, 4]).p == 2 / 24 == smallest_p(4)
    assert permutation_p([1, 2, 3, 4], [10, 30, 20, 40]).p == 8 / 24
    assert permutation_p([1, 2, 3], [5, 5, 5]).p == 1.0


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=5))
def test_p_counts_what_walking_all_orders_counts_ties_included(rows: list) -> None:
    x, y = (list(map(float, column)) for column in zip(*rows, strict=True))
    if math.isnan(spearman(x, y)):
        return
    found = permutation_p(x, y)
    assert found.is_exact
    assert found.p == pytest.approx(walked(x, y), abs=TOLERANCE)


def test_rho_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    x, y = [3.0, 1, 4, 1, 5, 9, 2, 6], [2.0, 7, 1, 8, 2, 8, 1, 8]
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=TOLERANCE)


def test_p_of_twelve_points_in_perfect_order_is_two_of_all_orders() -> None:
    x = [float(k) for k in range(12)]
    found = permutation_p(x, x[::-1])
    assert found.is_exact
    assert found.p == smallest_p(12)


def test_many_points_are_drawn_and_say_so_and_draw_alike_again() -> None:
    x = [float(k) for k in range(14)]
    y = [*x[1:], 0.0]
    found = permutation_p(x, y)
    assert not found.is_exact
    assert found == permutation_p(x, y)
    assert 0 < found.p < 0.05
