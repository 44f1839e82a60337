"""Is one training better than another, or could it be the draw of problems and seeds?"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grace_engine.errors import InputError
from grace_engine.quantities import percent, points

_DRAWS, _AT_ONCE = 10_000, 500
_ROUNDING = 1e-9  # of sums of shares
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
    def share(self) -> str:
        """As a share for people: ``61.3% (50.0% – 71.3%)``."""
        return f"{percent(self.mean)} ({self.range})"

    @property
    def range(self) -> str:
        """The ends of a share for people: ``50.0% – 71.3%``."""
        return f"{percent(self.low)} – {percent(self.high)}"

    @property
    def difference(self) -> str:
        """As a difference of shares for people: ``+10.0 points (−6.2 to +26.2)``."""
        if self.is_nowhere:
            return "the same on every problem"
        return f"{points(self.mean)} points ({points(self.low)} to {points(self.high)})"

    @property
    def is_nowhere(self) -> bool:
        """Whether, as a difference, it is 0 on each problem: no resampling has another value."""
        return max(abs(self.mean), abs(self.low), abs(self.high)) < _ROUNDING

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
    table, rng = _table(shares), np.random.default_rng(seed)
    means = [_drawn_means(table, weights, rng) for weights in _problem_weights(table.shape[1], rng)]
    return _interval(float(table.mean()), np.concatenate(means))


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
    means = np.concatenate(
        [
            _drawn_means(first, weights, rng) - _drawn_means(second, weights, rng)
            for weights in _problem_weights(first.shape[1], rng)
        ]
    )
    return _interval(float(first.mean() - second.mean()), means)


def _interval(mean: float, means: npt.NDArray[np.float64]) -> Interval:
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(mean=mean, low=float(low), high=float(high))


def _problem_weights(
    n_problems: int, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.float64]]:
    """How often each problem is drawn, as shares: ``[d, P]`` at a time, 10,000 rows in all."""
    alike = np.full(n_problems, 1 / n_problems)
    for _ in range(_DRAWS // _AT_ONCE):
        yield rng.multinomial(n_problems, alike, size=_AT_ONCE) / n_problems


def _drawn_means(
    table: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """``[d]`` means of an arm under drawn problems, its seeds drawn anew for each."""
    n_seeds = len(table)
    seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=len(weights)) / n_seeds
    means: npt.NDArray[np.float64] = ((seeds @ table) * weights).sum(axis=1)
    return means


def _table(shares: npt.ArrayLike) -> npt.NDArray[np.float64]:
    table = np.atleast_2d(np.asarray(shares, dtype=float))
    if not table.size:
        raise InputError("There is nothing to compare: no problem was answered.")
    return table
