"""How sure are the means of traces that come in groups, and the differences of such means?

Standard errors are cluster-robust with C / (C − 1) for C prompts, and reach as far as Student's t
with C − 1 degrees of freedom says.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from grace_engine.report.subjects import FEWEST, Bounds, Difference, Share, Spread, Subject

MANY_SAME = 30
"""Prompts from which on a side that never varies may be told apart from another: a value that one
prompt in ten had would have been missed by these once in twenty times (0.9³⁰ = .04)."""

_Z = 1.959963984540054  # of the normal distribution, two-sided 95%
_ALIKE = 1e-12  # of a mean: what rounding leaves of nothing


def spread_of(
    values: npt.NDArray[np.float64],
    prompts: npt.NDArray[np.object_],
    bounds: Bounds = (None, None),
) -> Spread | None:
    """Distribution of ``[n]`` values; NaN is left out. None where nothing is left.

    The interval is that of a mean whose traces come in groups of one prompt: traces of a prompt
    are alike, and count less than as many prompts would. It ends at the bounds of the number, and
    there is none where the number is the same for every prompt.
    """
    there = ~np.isnan(values)
    known = values[there]
    if not len(known):
        return None
    mean = float(known.mean())
    pulls = _pulls(known, prompts[there])
    low, high = _interval(mean, pulls, bounds)
    five = np.quantile(known, [0.05, 0.25, 0.5, 0.75, 0.95])
    return Spread(
        n=len(known),
        n_prompts=len(pulls),
        mean=mean,
        low=low,
        high=high,
        quantiles=tuple(five.tolist()),
        is_whole=bool((known == np.round(known)).all()),
        is_same=_is_nothing(pulls, mean),
    )


def share_of(
    part: npt.NDArray[np.float64],
    whole: npt.NDArray[np.float64],
    prompts: npt.NDArray[np.object_],
) -> Share | None:
    """Σ part / Σ whole over ``[n]`` traces, with groups as in ``spread_of``; None of nothing."""
    total = float(whole.sum())
    if not total:
        return None
    mean = float(part.sum()) / total
    there = whole > 0
    pulls = pd.Series((part - mean * whole)[there] / total).groupby(prompts[there]).sum()
    low, high = _interval(mean, pulls, (0.0, 1.0))
    return Share(
        n_prompts=len(pulls), mean=mean, low=low, high=high, is_same=_is_nothing(pulls, mean)
    )


def difference_of(
    a: Subject, b: Subject, column: str, bounds: Bounds = (None, None)
) -> Difference | None:
    """Mean of ``a`` less mean of ``b``; None where one has no values.

    Prompts and traces that are in both count as such: variants of the same prompts, and a
    selection beside its pool, are compared as pairs as far as they are ones. Where they share
    nothing the standard error is Welch's. The degrees of freedom are those of the smaller side,
    which is exact for pairs and never too many otherwise.
    """
    pulls, means, spreads = [], [], []
    for subject in (a, b):
        if column not in subject.numbers:
            return None
        values = subject.numbers[column].to_numpy(dtype=np.float64)
        there = ~np.isnan(values)
        if not there.any():
            return None
        means.append(float(values[there].mean()))
        spreads.append(float(values[there].var()))
        pulls.append(_pulls(values[there], subject.prompts[there]))
    mean = means[0] - means[1]
    least = min(map(len, pulls))
    own, other = (pull * np.sqrt(len(pull) / max(len(pull) - 1, 1)) for pull in pulls)
    apart = own.sub(other, fill_value=0.0)
    reason = _no_interval((a.name, b.name), pulls, means)
    if not reason and _is_nothing(apart, *means) and least < MANY_SAME:
        reason = f"the same for every prompt, n = {least:,}"
    low, high = None, None
    if not reason:
        widest = None if None in bounds else bounds[1] - bounds[0]  # type: ignore[operator]
        ends = (None, None) if widest is None else (-widest, widest)
        low, high = _within(mean, _reach(apart, least - 1), ends)
    return Difference(
        mean=mean,
        low=low,
        high=high,
        deviation=float(np.sqrt(np.mean(spreads))),
        reason=reason,
    )


def t_of(degrees: int) -> float:
    """Student's t for a two-sided 95%: Abramowitz and Stegun 26.7.5, within .001 from 4 on."""
    z, n = _Z, float(degrees)
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * n**4)
    )


def _pulls(values: npt.NDArray[np.float64], prompts: npt.NDArray[np.object_]) -> pd.Series:
    """How far each prompt pulls the mean from where it is: Σ (x − mean) / n over its traces."""
    return pd.Series((values - values.mean()) / len(values)).groupby(prompts).sum()


def _is_nothing(pulls: pd.Series, *means: float) -> bool:
    """Whether no prompt pulls anywhere, but for rounding."""
    size = max(abs(mean) for mean in means)
    return bool(np.abs(pulls.to_numpy()).max() <= _ALIKE * size)


def _no_interval(names: tuple[str, str], pulls: list[pd.Series], means: list[float]) -> str:
    """Why two sides that were measured have no interval; "" where they have one."""
    if min(map(len, pulls)) < FEWEST:
        return "too few for an interval"
    for name, own, mean in zip(names, pulls, means, strict=True):
        if len(own) < MANY_SAME and _is_nothing(own, mean):
            return f"all the same in {name}, n = {len(own):,}"
    return ""


def _interval(mean: float, pulls: pd.Series, bounds: Bounds) -> tuple[float | None, float | None]:
    """A 95% interval from the pulls of C prompts."""
    n = len(pulls)
    if n < FEWEST or _is_nothing(pulls, mean):
        return None, None
    return _within(mean, _reach(pulls * np.sqrt(n / (n - 1)), n - 1), bounds)


def _reach(pulls: pd.Series, degrees: int) -> float:
    return float(t_of(degrees) * np.sqrt(np.square(pulls.to_numpy()).sum()))


def _within(mean: float, reach: float, bounds: Bounds) -> tuple[float, float]:
    least, most = bounds
    low, high = mean - reach, mean + reach
    return (
        low if least is None else max(low, least),
        high if most is None else min(high, most),
    )
