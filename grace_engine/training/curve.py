"""How does accuracy grow with the budget, and what does each step of it cost?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grace_engine.errors import InputError
from grace_engine.training.cells import AGAINST, WHOLE, Arm, CellResult
from grace_engine.training.comparing import Interval, mean_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPoint:
    """What all finished seeds of an arm found at one budget.

    Attributes:
        arm: Which one.
        budget: Share of the pool's traces, in percent; 0 for the model before.
        n_seeds: Finished seeds.
        n_tokens: Mean tokens of one pass.
        n_steps: Mean optimizer steps.
        accuracy: Over seeds and problems, with its interval; None without problems.
    """

    arm: Arm
    budget: float
    n_seeds: int
    n_tokens: float
    n_steps: float
    accuracy: Interval | None


def percents(text: str) -> tuple[float, ...]:
    """Budgets that stand between commas, such as ``5,10,20%``.

    Raises:
        InputError: One is no number.
    """
    try:
        return tuple(float(one.strip().removesuffix("%")) for one in text.split(",") if one.strip())
    except ValueError:
        raise InputError(
            f"Budgets {text!r} are no percents: use numbers with commas, such as 5,10,20,50,100."
        ) from None


def curve_of(results: Sequence[CellResult], n_pool: int) -> list[BudgetPoint]:
    """A point for each arm and budget, by arm and rising budget; none without budgets.

    The selection itself and the random one of its tokens stand at the share of the pool's traces
    that the selection has.

    Args:
        results: Finished cells.
        n_pool: Examples of the pool.
    """
    if not any(result.cell.budget for result in results):
        return []
    own = next(
        (one.n_examples for one in results if one.cell.arm == "subset" and not one.cell.budget), 0
    )
    groups: dict[tuple[Arm, float], list[CellResult]] = {}
    for result in results:
        budget = result.cell.budget or _own_budget(result.cell.arm, own, n_pool)
        groups.setdefault((result.cell.arm, budget), []).append(result)
    order = ("subset", *AGAINST)
    in_order = sorted(groups, key=lambda key: (order.index(key[0]), key[1]))
    return [_point(*key, groups[key]) for key in in_order]


def _own_budget(arm: Arm, n_own: int, n_pool: int) -> float:
    if arm == "untrained":
        return 0.0
    return WHOLE if arm == "full" or not n_pool else WHOLE * n_own / n_pool


def _point(arm: Arm, budget: float, group: Sequence[CellResult]) -> BudgetPoint:
    shares = [one.shares for one in group if one.shares]
    return BudgetPoint(
        arm=arm,
        budget=budget,
        n_seeds=len(group),
        n_tokens=float(np.mean([one.n_tokens for one in group])),
        n_steps=float(np.mean([one.n_steps for one in group])),
        accuracy=mean_interval(shares) if shares else None,
    )
