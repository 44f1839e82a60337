"""Which traces does a budget take, in rank order, and for what reason is each in or out?"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grace_engine.config import Budget
from grace_engine.records import Choice


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """What a choice is made from, N traces.

    Attributes:
        trace_ids: ``[N]`` ids.
        record_digests: ``[N]`` digests of their source records.
        values: ``[N]`` higher is better; NaN where a trace has none.
        n_tokens: ``[N]`` the scoring model's tokens of steps and answer.
        no_value: Why a NaN value is one, for a person to read.
    """

    trace_ids: npt.NDArray[np.object_]
    record_digests: npt.NDArray[np.object_]
    values: npt.NDArray[np.float64]
    n_tokens: npt.NDArray[np.int64]
    no_value: str = "has no value"


def choose(candidates: Candidates, budget: Budget) -> tuple[Choice, ...]:
    """Rank by value, ties by trace id, and take what the budget allows (GRACE, section 2.4).

    A share takes ⌈ρN⌉ of all N scored traces. A token budget takes traces in rank order; one that
    does not fit is passed over and later ones are tried. Traces without a value rank last and are
    never taken.

    Returns:
        One choice a trace, in rank order.
    """
    order = _ranking(candidates)
    total = len(order)
    limit = total
    tokens_left = math.inf
    if budget.kind == "fraction":
        limit = math.ceil(budget.amount * total)
        allowed = f"{float(100 * budget.amount):.4g}% of {total} traces is {limit}"
    elif budget.kind == "traces":
        limit = int(budget.amount)
        allowed = f"the budget is {limit} traces"
    else:
        tokens_left = int(budget.amount)
        allowed = f"the budget is {tokens_left} tokens"
    choices = []
    taken = 0
    for rank, index in enumerate(order, start=1):
        value = float(candidates.values[index])
        cost = int(candidates.n_tokens[index])
        selected = False
        if math.isnan(value):
            reason = candidates.no_value
        elif taken >= limit:
            reason = f"rank {rank}, {allowed}"
        elif cost > tokens_left:
            reason = f"rank {rank}, its {cost} tokens do not fit in the {tokens_left:.0f} left"
        else:
            selected = True
            taken += 1
            tokens_left -= cost
            reason = f"rank {rank}, {allowed}"
        choices.append(
            Choice(
                trace_id=str(candidates.trace_ids[index]),
                record_digest=str(candidates.record_digests[index]),
                value=None if math.isnan(value) else value,
                rank=rank,
                selected=selected,
                reason=reason,
                n_tokens=cost,
            )
        )
    return tuple(choices)


def _ranking(candidates: Candidates) -> list[int]:
    """Indices by falling value, ties by id, those without a value last."""
    by_id = np.argsort(candidates.trace_ids.astype(str), kind="stable")
    falling = np.argsort(-candidates.values[by_id], kind="stable")  # NaN sorts last
    return [int(index) for index in by_id[falling]]
