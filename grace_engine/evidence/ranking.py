"""How alike do two series rank the same few things, and how often would chance do as well?

Sums of products of doubled ranks are whole numbers, so that nothing here is decided by rounding.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

MOST_EXACT = 12
"""Points up to which all orders are counted; above, 100,000 are drawn."""

_DRAWS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PValue:
    """How often random orders of one series correlate at least as strongly, in either direction.

    Attributes:
        p: Two-sided, 0 to 1.
        is_exact: Whether all orders were counted; else they were drawn, and p is
            (b + 1) / (m + 1) of m draws.
    """

    p: float
    is_exact: bool


def average_ranks(values: Sequence[float]) -> npt.NDArray[np.float64]:
    """``[n]`` ranks from 1; those that are equal share the mean of their places."""
    array = np.asarray(values, dtype=np.float64)
    below = (array[:, None] > array[None, :]).sum(axis=1)
    equal = (array[:, None] == array[None, :]).sum(axis=1)
    ranks: npt.NDArray[np.float64] = below + (equal + 1) / 2
    return ranks


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's ρ, the Pearson correlation of average ranks; NaN where a series is constant."""
    a, b = _doubled(x), _doubled(y)
    n = len(a)
    varied = _varied(a) * _varied(b)
    if not varied:
        return math.nan
    return (n * _product(a, b) - sum(a) * sum(b)) / math.sqrt(varied)


def permutation_p(x: Sequence[float], y: Sequence[float], *, seed: int = 0) -> PValue:
    """Share of the orders of ``y`` whose |ρ| with ``x`` is at least the one that is there.

    All n! orders count, those that ties make equal as often as they occur. A constant series
    correlates with nothing in every order: p is 1.

    Args:
        x: ``[n]`` one series.
        y: ``[n]`` the other.
        seed: Of the draws, for more than ``MOST_EXACT`` points.
    """
    a, b = _doubled(x), _doubled(y)
    n, centre = len(a), sum(a) * sum(b)
    seen = abs(n * _product(a, b) - centre)
    if n > MOST_EXACT:
        rng = np.random.default_rng(seed)
        rows = np.tile(np.asarray(b), (_DRAWS, 1))
        sums = rng.permuted(rows, axis=1) @ np.asarray(a)
        hits = int((np.abs(n * sums - centre) >= seen).sum())
        return PValue(p=(hits + 1) / (_DRAWS + 1), is_exact=False)
    counts = _orders_by_sum(tuple(sorted(a)), tuple(sorted(b)))
    sums = np.arange(len(counts), dtype=np.int64)
    hits = int(counts[np.abs(n * sums - centre) >= seen].sum())
    return PValue(p=hits / math.factorial(n), is_exact=True)


def smallest_p(n: int) -> float:
    """The smallest two-sided p that n points without ties can have: 2 of n! orders."""
    return min(1.0, 2 / math.factorial(n))


@lru_cache(maxsize=256)
def _orders_by_sum(a: tuple[int, ...], b: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Number of orders π of ``b`` by the sum Σ a_i b_π(i), which is the index.

    Every order is counted, though not walked: the orders that use the same elements of ``b`` for
    the first elements of ``a`` go on alike, so they are counted together, 2^n groups in all.
    """
    n = len(a)
    top = sum(x * y for x, y in zip(a, b, strict=True))  # both ascend: the largest sum
    counts = {0: np.eye(1, top + 1, dtype=np.int64)[0]}
    for x in a:
        longer: dict[int, npt.NDArray[np.int64]] = {}
        for used, known in counts.items():
            for place in range(n):
                if not used >> place & 1:
                    shifted = longer.setdefault(used | 1 << place, np.zeros(top + 1, np.int64))
                    step = x * b[place]
                    shifted[step:] += known[: top + 1 - step]
        counts = longer
    every: npt.NDArray[np.int64] = counts[(1 << n) - 1]
    return every


def _doubled(values: Sequence[float]) -> list[int]:
    return [round(2 * rank) for rank in average_ranks(values)]


def _product(a: list[int], b: list[int]) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _varied(a: list[int]) -> int:
    """n²·variance; 0 for a constant series."""
    return len(a) * _product(a, a) - sum(a) ** 2
