"""For what reason is each trace in or out?"""

import math
from collections.abc import Sequence

import numpy as np

from grace_engine.config import Budget
from grace_engine.records import Choice
from grace_engine.selection.allowance import allowed_text
from grace_engine.selection.candidates import Candidates, Duplicates, Strata
from grace_engine.selection.grouped import Grouped
from grace_engine.selection.take import Taken, take


def choose(
    candidates: Candidates, budget: Budget, *, strata: Strata | None = None, cap: int = 0
) -> tuple[Choice, ...]:
    """What ``take`` takes, with the reason of every trace.

    Returns:
        One choice a trace, in rank order.
    """
    return choices_of(candidates, take(candidates, budget, strata=strata, cap=cap))


def choices_of(candidates: Candidates, taken: Taken) -> tuple[Choice, ...]:
    """One choice a trace, in rank order, with its reason."""
    order = taken.order
    rows = zip(
        candidates.trace_ids[order].tolist(),
        candidates.record_digests[order].tolist(),
        candidates.values[order].tolist(),
        taken.selected[order].tolist(),
        candidates.n_tokens[order].tolist(),
        reasons(candidates, taken, order.tolist()),
        strict=True,
    )
    return tuple(
        Choice(
            trace_id=str(trace_id),
            record_digest=str(record_digest),
            value=None if math.isnan(value) else value,
            rank=rank,
            selected=selected,
            reason=reason,
            n_tokens=n_tokens,
        )
        for rank, (trace_id, record_digest, value, selected, n_tokens, reason) in enumerate(
            rows, start=1
        )
    )


def reasons(candidates: Candidates, taken: Taken, indices: Sequence[int]) -> list[str]:
    """Why the candidates at these indices are in or out, for a person to read."""
    one = len(taken.strata.names) == 1
    wheres = ["" if one else f" of its stratum {name}" for name in taken.strata.names]
    allowed = _allowed(taken, candidates.what)
    limits = taken.allowed.tolist()
    counted = taken.budget.kind != "tokens"
    passed = _passed_over(taken)[indices].tolist()
    twins = _stand_ins(candidates, taken, indices)
    rows = zip(
        candidates.trace_ids[indices].tolist(),
        np.isnan(candidates.values[indices]).tolist(),
        taken.place[indices].tolist(),
        taken.strata.codes[indices].tolist(),
        taken.forced[indices].tolist(),
        taken.selected[indices].tolist(),
        taken.over_cap[indices].tolist(),
        twins,
        candidates.n_tokens[indices].tolist(),
        taken.left[indices].tolist(),
        passed,
        strict=True,
    )
    found = []
    for name, no_value, place, stratum, forced, selected, over, twin, cost, left, above in rows:
        rank = f"rank {place}{wheres[stratum]}, "
        if forced:
            plain = "kept by hand" if forced > 0 else "dropped by hand"
            reason = candidates.said.get(name, plain)
        elif no_value:
            reason = candidates.no_value_of.get(name, candidates.no_value)
        elif twin:
            reason = f"{rank}{twin}"
        elif over:
            reason = f"{rank}cap of {taken.cap} per prompt"
        elif not counted and not selected:
            reason = f"{rank}its {cost} tokens do not fit in the {left} left"
        else:
            reason = rank + allowed[stratum]
            if counted and place > limits[stratum] and selected:
                reason += f", {above} above it were passed over"
        found.append(reason)
    return found


def _stand_ins(candidates: Candidates, taken: Taken, indices: Sequence[int]) -> list[str]:
    """For each of these which trace stands for it: ``near-duplicate of 1a2b3c4d (0.93), …``."""
    found, twins = ["" for _ in indices], candidates.duplicates
    if twins is None:
        return found
    whose = "the prompt of " if twins.of == "prompts" else ""
    for place in np.flatnonzero(taken.stand_in[indices] >= 0).tolist():
        index, other = indices[place], int(taken.stand_in[indices[place]])
        before = taken.rank[other] < taken.rank[index]
        found[place] = (
            f"{_likeness(twins, index, other, f'{whose}{_short(candidates.trace_ids[other])}')}, "
            f"which {'ranks before it' if before else 'is kept by hand'}"
        )
    return found


def _likeness(twins: Duplicates, a: int, b: int, name: str) -> str:
    """How like b, of this name, a is.

    Similarities are known to the first trace of a group: where neither says what that one says,
    both of theirs to it are told.
    """
    if twins.exact[a] and twins.exact[b]:
        return f"exact duplicate of {name}"
    if twins.exact[a] or twins.exact[b]:
        return f"near-duplicate of {name} ({min(twins.similarity[a], twins.similarity[b]):.2f})"
    both = f"{twins.similarity[a]:.2f} and {twins.similarity[b]:.2f}"
    return f"near-duplicate of {name} ({both} to {_short(twins.firsts[a])})"


def _short(trace_id: object) -> str:
    return str(trace_id)[:8]


def _allowed(taken: Taken, what: str) -> list[str]:
    """For each stratum what it may take, and what of that went to kept traces."""
    n_strata = len(taken.strata.names)
    sizes = np.bincount(taken.strata.codes, minlength=n_strata).tolist()
    found = []
    for size, allowed, kept in zip(sizes, taken.allowed.tolist(), taken.kept.tolist(), strict=True):
        text = allowed_text(taken.budget, size, allowed, n_strata=n_strata, what=what)
        if kept:
            unit = "tokens " if taken.budget.kind == "tokens" else ""
            text += f", {kept} {unit}of them in {what} kept by hand"
        found.append(text)
    return found


def _passed_over(taken: Taken) -> np.ndarray:
    """``[N]`` traces of the same stratum that rank higher and are out."""
    out = (~taken.selected)[taken.order].astype(np.int64)
    groups = Grouped(taken.strata.codes[taken.order], len(taken.strata.names))
    found = np.empty_like(out)
    found[taken.order] = groups.running(out) - out
    return found
