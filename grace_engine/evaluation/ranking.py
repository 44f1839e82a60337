"""How well does a number rank the bad before the good, under many resamplings at once?

Both measures take weights ``[B, n]``, one row a resampling, so that a bootstrap over traces is a
handful of array operations; equal scores are one group, whatever order they stand in.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def roc_auc(scores: Floats, positive: Bools, weights: Floats) -> Floats:
    """``[B]`` probability that a positive scores higher than a negative, ties counted half.

    Args:
        scores: ``[n]`` higher means positive.
        positive: ``[n]``.
        weights: ``[B, n]`` how often each item counts; NaN where a row lacks one of the classes.
    """
    groups = _groups(scores)
    up, down = _grouped(positive, weights, groups)
    below = np.cumsum(down, axis=1) - down
    wins = (up * (below + 0.5 * down)).sum(axis=1)
    pairs = up.sum(axis=1) * down.sum(axis=1)
    return _ratio(wins, pairs)


def average_precision(scores: Floats, positive: Bools, weights: Floats) -> Floats:
    """``[B]`` precision averaged over the recall that each score adds; arguments as ``roc_auc``."""
    groups = _groups(scores)
    up, down = (part[:, ::-1] for part in _grouped(positive, weights, groups))
    found, passed = np.cumsum(up, axis=1), np.cumsum(up + down, axis=1)
    precision = np.divide(found, passed, out=np.zeros_like(found), where=passed > 0)
    return _ratio((up * precision).sum(axis=1), up.sum(axis=1))


def bootstrap_weights(owners: npt.NDArray[np.int64], resamples: int, seed: int) -> Floats:
    """``[1 + resamples, n]`` weights: ones, then draws of whole owners with replacement.

    Args:
        owners: ``[n]`` which trace an item belongs to, counted from 0.
        resamples: Number of draws.
        seed: Of the draws.
    """
    if len(owners) == 0:
        return np.ones((1 + resamples, 0))
    n_owners = int(owners.max()) + 1
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(n_owners, np.full(n_owners, 1 / n_owners), resamples)
    return np.concatenate([np.ones((1, len(owners))), drawn[:, owners].astype(np.float64)])


def _groups(scores: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Order by rising score, and where each run of equal scores begins in it."""
    order = np.argsort(scores, kind="stable")
    fresh = np.diff(scores[order], prepend=-np.inf) > 0
    return order, np.flatnonzero(fresh)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    found: Floats = np.divide(
        numerator, denominator, out=np.full(len(numerator), np.nan), where=denominator > 0
    )
    return found


def _grouped(
    positive: Bools,
    weights: Floats,
    groups: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
) -> tuple[Floats, Floats]:
    """``[B, G]`` weight of positives and of negatives at each distinct score, rising."""
    order, starts = groups
    if len(starts) == 0:
        empty = np.zeros((weights.shape[0], 0))
        return empty, empty
    sorted_weights = weights[:, order]
    up = np.add.reduceat(sorted_weights * positive[order], starts, axis=1)
    return up, np.add.reduceat(sorted_weights, starts, axis=1) - up
