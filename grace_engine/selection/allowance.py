"""How much of a budget may each stratum take?"""

import math

import numpy as np

from grace_engine.config import Budget
from grace_engine.errors import InputError
from grace_engine.selection.candidates import Ints


def allowances(budget: Budget, traces: Ints, tokens: Ints) -> Ints:
    """``[S]`` traces (or tokens, where the budget counts those) that each stratum may take.

    Args:
        budget: The budget.
        traces: ``[S]`` candidates of each stratum.
        tokens: ``[S]`` their tokens.
    """
    if budget.kind == "fraction":
        return np.array([math.ceil(budget.amount * n) for n in traces.tolist()], dtype=np.int64)
    sizes = traces if budget.kind == "traces" else tokens
    return np.array(_split(int(budget.amount), sizes.tolist()), dtype=np.int64)


def rounded_up_text(budget: Budget, n_selected: int, n: int, what: str = "traces") -> str:
    """That strata take more than a share of the whole, for each rounds it up; "" where none does.

    Args:
        budget: The budget, which holds within strata.
        n_selected: What they took.
        n: All candidates.
        what: What these are.
    """
    if budget.kind != "fraction" or n_selected <= math.ceil(budget.amount * n):
        return ""
    share = f"{float(100 * budget.amount):.4g}%"
    return (
        f"Each stratum's share is rounded up: {n_selected:,} {what} are in, where {share} of all "
        f"{n:,} is {math.ceil(budget.amount * n):,}."
    )


def allowed_text(
    budget: Budget, n_traces: int, allowed: int, *, n_strata: int, what: str = "traces"
) -> str:
    """An allowance for a person to read: ``20% of 400 traces is 80``; ``what`` names those."""
    if budget.kind == "fraction":
        return f"{float(100 * budget.amount):.4g}% of {n_traces} {what} is {allowed}"
    unit = what if budget.kind == "traces" else budget.kind
    if n_strata == 1:
        return f"the budget is {allowed} {unit}"
    return f"its part of {int(budget.amount)} {unit} is {allowed}"


def require_room(
    budget: Budget, names: tuple[str, ...], traces: Ints, allowed: Ints, kept: Ints
) -> None:
    """``InputError`` where kept traces alone exceed what a stratum may take."""
    for stratum in np.flatnonzero(kept > allowed):
        allowance = allowed_text(
            budget, int(traces[stratum]), int(allowed[stratum]), n_strata=len(names)
        )
        what = "traces are kept by hand"
        if budget.kind == "tokens":
            what = "tokens are in traces that are kept by hand"
        where = f" in {names[stratum]}" if len(names) > 1 else ""
        raise InputError(
            f"{int(kept[stratum])} {what}{where}, but {allowance}: raise the budget, withdraw some "
            "of the keeps, or choose without overrides."
        )


def _split(amount: int, sizes: list[int]) -> list[int]:
    """An amount in proportion to sizes, by largest remainder; the first of equal ones gets it."""
    total = sum(sizes)
    if not total:
        return [0 for _ in sizes]
    parts = [divmod(amount * size, total) for size in sizes]
    found = [whole for whole, _ in parts]
    by_remainder = sorted(range(len(parts)), key=lambda index: -parts[index][1])
    for index in by_remainder[: amount - sum(found)]:
        found[index] += 1
    return found
