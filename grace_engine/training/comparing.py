"""Is one training better than another, or could it be the draw of problems and seeds?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grace_engine.errors import InputError

_DRAWS = 10_000
LEVEL = 0.95
"""Share of resampled means that an interval holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean with the interval that holds 95% of its resampled values.

    Attributes:
        mean: The mean.
        low: The 2.5th percentile.
        high: The 97.5th percentile.
    """

    mean: float
    low: float
    high: float

    @property
    def is_null(self) -> bool:
        """Whether 0 is inside: then no difference has been shown."""
        return self.low <= 0.0 <= self.high


def mean_interval(shares: npt.ArrayLike, *, seed: int = 0) -> Interval:
    """The mean of an arm's accuracy with a bootstrap interval over seeds and problems.

    Args:
        shares: ``[S, P]`` share of right answers of each training seed and problem, 0 to 1.
        seed: Of the resampling.

    Raises:
        InputError: It is empty.
    """
    return _interval(_table(shares), seed)


def paired_interval(ours: npt.ArrayLike, theirs: npt.ArrayLike, *, seed: int = 0) -> Interval:
    """Mean of ``ours`` less mean of ``theirs``, paired by problem.

    In each of 10,000 draws problems are drawn with replacement, the same for both arms, and seeds
    with replacement within each arm (percentile bootstrap; Efron and Tibshirani, 1993, chapter 13).
    With one seed an interval speaks of problems only.

    Args:
        ours: ``[S, P]`` share of right answers of each seed and problem, 0 to 1.
        theirs: ``[T, P]`` the same of the other arm, on the same problems in the same order.
        seed: Of the resampling.

    Raises:
        InputError: One is empty, or they have other numbers of problems.
    """
    first, second = _table(ours), _table(theirs)
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"Only trainings with the same problems can be compared: one was evaluated on "
            f"{first.shape[1]:,}, the other on {second.shape[1]:,}."
        )
    rng = np.random.default_rng(seed)
    means = np.empty(_DRAWS)
    n_problems = first.shape[1]
    for draw in range(_DRAWS):
        problems = _drawn(n_problems, rng)
        means[draw] = _drawn_mean(first, problems, rng) - _drawn_mean(second, problems, rng)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(mean=float(first.mean() - second.mean()), low=float(low), high=float(high))


def against_all(
    arms: Mapping[str, Sequence[Sequence[float]]], reference: str
) -> dict[str, Interval]:
    """The reference arm less each other arm; arms by name, shares as ``paired_interval`` takes."""
    ours = np.asarray(arms[reference], dtype=float)
    return {
        name: paired_interval(ours, np.asarray(shares, dtype=float))
        for name, shares in arms.items()
        if name != reference
    }


def _interval(table: npt.NDArray[np.float64], seed: int) -> Interval:
    rng = np.random.default_rng(seed)
    n_problems = table.shape[1]
    means = np.array([_drawn_mean(table, _drawn(n_problems, rng), rng) for _ in range(_DRAWS)])
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(mean=float(table.mean()), low=float(low), high=float(high))


def _drawn_mean(
    table: npt.NDArray[np.float64], problems: npt.NDArray[np.int64], rng: np.random.Generator
) -> float:
    seeds = _drawn(len(table), rng)
    return float(table[np.ix_(seeds, problems)].mean())


def _drawn(n: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    return rng.integers(n, size=(n,), dtype=np.int64)


def _table(shares: npt.ArrayLike) -> npt.NDArray[np.float64]:
    table = np.atleast_2d(np.asarray(shares, dtype=float))
    if not table.size:
        raise InputError("There is nothing to compare: no problem was answered.")
    return table
