"""Why is a trace in or out, and by how much?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from grace_engine import selection
from grace_engine.api.annotating import Annotations
from grace_engine.api.choosing import candidates_of, ranked
from grace_engine.api.views import RunView
from grace_engine.config import Budget, CurateConfig
from grace_engine.errors import InputError, NotFoundError
from grace_engine.selection import Taken

_STRIDE = 40  # thousandths of α
_RANKED_BY = {
    "grace": "the {aggregate} of its steps' scores",
    "random": "a number drawn from the seed and its id",
    "longest": "the tokens of its steps",
    "stepmax": "its number of steps",
    "perplexity": "its negated mean loss, nats a token",
    "peak-loss": "the negated highest mean loss of a step or the answer, nats a token",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Why:
    """What made a trace's value, and what would have to change for it to be in, or out.

    Attributes:
        trace_id: The trace.
        strategy: What traces were ranked by.
        ranked_by: The same for a person to read.
        value: Its value; None where it has none.
        rank: 1-based place among all traces.
        n_traces: How many those are.
        stratum: Its stratum; "" where the budget holds over all.
        place: 1-based place in its stratum.
        selected: Whether it is in.
        reason: Why, for a person to read.
        cut: Lowest value that was taken in its stratum, kept traces aside; None without one.
        margin: Value minus cut; None where either is missing.
        flip_alpha: The α nearest to the present one at which it would change sides, to three
            digits; None where none does, or where α plays no part.
        needed_budget: The smallest budget, as ``--budget`` reads it, at which it is in: one that is
            out enters there, one that is in leaves below. None where no budget takes it.
        steps: A row a step: the sum that made the value (``contributions``); without rows for
            strategies other than ``grace``.
    """

    trace_id: str
    strategy: str
    ranked_by: str
    value: float | None
    rank: int
    n_traces: int
    stratum: str
    place: int
    selected: bool
    reason: str
    cut: float | None
    margin: float | None
    flip_alpha: float | None
    needed_budget: str | None
    steps: pd.DataFrame = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """The document of ``grace why --json``; numbers that do not exist are null."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "steps"}
        return plain | {"steps": frame_records(self.steps)}


def why(
    view: RunView,
    config: CurateConfig,
    annotations: Annotations | None,
    trace_id: str,
    duplicates: selection.Duplicates | None = None,
) -> Why:
    """Explain what ``live_choice`` decides on one trace.

    Args:
        view: The run under its weights.
        config: The other settings.
        annotations: What curators keep and drop; None for nothing.
        trace_id: The trace, or a unique beginning of its id.
        duplicates: From ``duplicates_in``, where the settings leave duplicates out.

    Raises:
        InputError: Several traces begin so; or as ``live_choice``.
        NotFoundError: The run has scored no such trace.
    """
    candidates = candidates_of(view, config, annotations, duplicates)
    in_order = ranked(view, config, candidates)
    taken = in_order.take(Budget.parse(config.budget))
    index = _index_of(view, trace_id)
    stratum = int(taken.strata.codes[index])
    value, cut = (_known(x) for x in (taken.values[index], taken.cuts[stratum]))
    forced = bool(taken.forced[index])
    grace = config.strategy == "grace"
    tunable = grace and not view.weights.history_only and not forced and value is not None
    return Why(
        trace_id=str(taken.trace_ids[index]),
        strategy=config.strategy,
        ranked_by=_RANKED_BY[config.strategy].format(aggregate=view.weights.aggregate),
        value=value,
        rank=int(taken.rank[index]),
        n_traces=len(taken.order),
        stratum=taken.strata.names[stratum],
        place=int(taken.place[index]),
        selected=bool(taken.selected[index]),
        reason=selection.reasons(candidates, taken, [index])[0],
        cut=cut,
        margin=None if value is None or cut is None else value - cut,
        flip_alpha=_flip_alpha(view, candidates, taken, index) if tunable else None,
        needed_budget=smallest_budget(in_order, taken, index),
        steps=selection.contributions(view.signals, index, view.weights).iloc[
            : None if grace else 0
        ],
    )


def frame_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain values, None for what is missing: as JSON has it."""
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def _flip_alpha(
    view: RunView, candidates: selection.Candidates, taken: Taken, index: int
) -> float | None:
    """The α nearest to the view's at which the trace changes sides.

    Without a cap, duplicates and a token budget it is enough to count who ranks above the trace in
    its stratum, and every thousandth is tried; else, and for ``min``, whose values are dear, every
    twenty-fifth, and the change between two of those is found by bisection.
    """
    weights = view.weights
    linear = weights.aggregate != "min"
    if taken.cap or candidates.duplicates or taken.budget.kind == "tokens":
        at = selection.values_at(view.signals, weights)

        def inside(alpha: float) -> bool:
            moved = replace(candidates, values=at(alpha))
            again = selection.take(moved, taken.budget, strata=taken.strata, cap=taken.cap)
            return bool(again.selected[index])

        return selection.nearest_alpha(inside, weights.alpha, stride=_STRIDE)
    stratum = taken.strata.codes[index]
    rivals = (taken.strata.codes == stratum) & (taken.forced == 0) & ~np.isnan(taken.values)
    at = selection.values_at(view.signals.take(rivals), weights)
    here = int(np.count_nonzero(rivals[:index]))
    first_of_equals = taken.trace_ids[rivals] < taken.trace_ids[index]
    room = int(taken.allowed[stratum] - taken.kept[stratum])

    def counted(alpha: float) -> bool:
        values = at(alpha)
        equal = (values == values[here]) & first_of_equals
        return int(np.count_nonzero(values > values[here]) + np.count_nonzero(equal)) < room

    return selection.nearest_alpha(counted, weights.alpha, stride=1 if linear else _STRIDE)


def smallest_budget(in_order: selection.Ranked, taken: Taken, index: int) -> str | None:
    """The smallest budget that takes a candidate; None where none does, or a curator decides.

    Of token budgets, which can take a candidate, lose it and take it again, the nearest; with
    strata or limits one that takes it while one token less does not.
    """
    if taken.forced[index] or math.isnan(taken.values[index]):
        return None
    if taken.budget.kind == "tokens":
        tokens = in_order.nearest_tokens(index, taken.budget)
        if tokens is not None:
            return f"{tokens}tok"
    most = int(taken.n_tokens.sum()) if taken.budget.kind == "tokens" else len(taken.order)
    needed = selection.needed_budget(
        lambda other: bool(in_order.take(other).selected[index]), taken.budget, most
    )
    return selection.budget_text(needed) if needed else None


def index_of(ids: Sequence[str], wanted: str, kind: str, missing: str) -> int:
    """Where an id, or a unique beginning of one, stands.

    Raises:
        InputError: Several ids of this kind begin so.
        NotFoundError: None does; ``missing`` says so.
    """
    found = [index for index, name in enumerate(ids) if wanted and name.startswith(wanted)]
    exact = [index for index in found if ids[index] == wanted]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        raise InputError(
            f"{wanted!r} is the beginning of {len(found)} {kind} ids: type more characters."
        )
    raise NotFoundError(missing)


def _index_of(view: RunView, trace_id: str) -> int:
    return index_of(
        view.signals.trace_ids.tolist(),
        trace_id,
        "trace",
        f"Run {view.run.id} has scored no trace {trace_id!r}. grace traces lists what it scored.",
    )


def _known(number: float) -> float | None:
    return None if math.isnan(number) else float(number)
