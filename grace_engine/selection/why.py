"""What made a trace's value, and what would have to change for it to be in, or out?"""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pandas as pd

from grace_engine.config import Budget, Weights
from grace_engine.errors import InputError
from grace_engine.selection.candidates import Floats
from grace_engine.signals import SignalTable, step_scores, trace_values

THOUSAND = 1000
SHARES = 100_000
"""A share is searched in thousandths of a percent: this many make the whole."""


def contributions(signals: SignalTable, index: int, weights: Weights) -> pd.DataFrame:
    """The sum that made the ``grace`` value of the trace at ``index``, a row a step.

    Columns: step (from 1), alignment, consistency, score, weight (of the step in the value; they
    sum to 1), from_alignment and from_consistency (the parts of weight · score that come from
    either), part (weight · score: the parts sum to the value). Step 1 has no past: its score is
    its alignment. Of ``min`` the first lowest step has all the weight.
    """
    where = signals.steps_of(index)
    scores = step_scores(signals, weights)[where]
    alignment, consistency = signals.alignment[where], signals.consistency[where]
    share = _step_weights(scores, signals.n_tokens[where], weights)
    first = np.isnan(consistency)
    if weights.history_only:
        aligned = np.zeros(len(scores))
    else:
        aligned = np.where(first, alignment, weights.alpha * alignment)
    part = share * np.where(share > 0, scores, 0.0)
    from_alignment = share * aligned
    return pd.DataFrame(
        {
            "step": np.arange(1, len(scores) + 1),
            "alignment": alignment,
            "consistency": consistency,
            "score": scores,
            "weight": share,
            "from_alignment": from_alignment,
            "from_consistency": np.where(first, 0.0, part - from_alignment),
            "part": part,
        }
    )


def values_at(signals: SignalTable, weights: Weights) -> Callable[[float], Floats]:
    """The ``[N]`` ``grace`` values as a function of α; linear in α but for ``min``."""

    def at(alpha: float) -> Floats:
        changed = Weights(
            alpha=alpha,
            history=weights.history,
            aggregate=weights.aggregate,
            history_only=weights.history_only,
        )
        return trace_values(step_scores(signals, changed), signals, changed)

    if weights.aggregate == "min":
        return at
    without, whole = at(0.0), at(1.0)
    return lambda alpha: alpha * whole + (1.0 - alpha) * without


def nearest_alpha(inside: Callable[[float], bool], now: float, *, stride: int = 1) -> float | None:
    """The α nearest to ``now`` at which ``inside`` is otherwise, in thousandths; None without one.

    Args:
        inside: Whether the trace is in at an α.
        now: The present α.
        stride: Thousandths between the points that are tried outwards; where two neighbours
            differ, the change between them is found by bisection. Two changes between neighbours
            are not seen.
    """
    state, here = inside(now), round(now * THOUSAND)
    if inside(here / THOUSAND) != state:
        return here / THOUSAND
    for distance in range(stride, THOUSAND + stride, stride):
        flips = []
        for side in (-1, 1):
            near, far = (
                min(max(here + side * reach, 0), THOUSAND)
                for reach in (distance - stride, distance)
            )
            if near != far and inside(far / THOUSAND) != state:
                while abs(far - near) > 1:
                    middle = (near + far) // 2
                    if inside(middle / THOUSAND) == state:
                        near = middle
                    else:
                        far = middle
                flips.append(far / THOUSAND)
        if flips:
            return min(flips, key=lambda alpha: abs(alpha - now))
    return None


def needed_budget(inside: Callable[[Budget], bool], budget: Budget, most: int) -> Budget | None:
    """The smallest budget of the same kind at which a trace is in; None where none takes it.

    Shares are found to a thousandth of a percent, traces and tokens to one. A larger token budget
    can lose a trace to a longer one before it; what is found then lies between the present budget
    and the nearest bound (all, or nothing), and one less leaves the trace out.

    Args:
        inside: Whether the trace is in under a budget.
        budget: The present budget.
        most: All traces, or all tokens.
    """
    unit = SHARES if budget.kind == "fraction" else 1
    top = SHARES if budget.kind == "fraction" else most

    def of(amount: int) -> Budget:
        return Budget(kind=budget.kind, amount=Fraction(amount, unit))

    def takes(amount: int) -> bool:
        try:
            return amount > 0 and inside(of(amount))
        except InputError:  # less than what is kept by hand
            return False

    now = int(budget.amount * unit)
    if inside(budget):
        low, high = 0, now if takes(now) else now + 1
    else:
        low, high = min(now, top), top
        if not takes(high):
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if takes(middle) else (middle, high)
    return of(high)


def budget_text(budget: Budget) -> str:
    """The form that ``Budget.parse`` reads."""
    if budget.kind == "fraction":
        return f"{float(100 * budget.amount):.6g}%"
    return f"{int(budget.amount)}" + ("tok" if budget.kind == "tokens" else "")


def _step_weights(scores: Floats, n_tokens: np.ndarray, weights: Weights) -> Floats:
    """``[K]`` how much each step counts in the trace's value; all zero where none does."""
    counted = ~np.isnan(scores)
    if weights.aggregate == "min":
        lowest = np.zeros(len(scores))
        if counted.any():
            lowest[np.nanargmin(scores)] = 1.0
        return lowest
    if weights.aggregate == "length-weighted":
        raw = n_tokens.astype(np.float64)
    elif weights.aggregate == "last-weighted":
        raw = np.arange(1.0, len(scores) + 1.0)
    else:
        raw = np.ones(len(scores))
    raw = np.where(counted, raw, 0.0)
    total = raw.sum()
    return raw / total if total else raw
