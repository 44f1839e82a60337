"""Which traces does a budget take?"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from grace_engine.config import Budget
from grace_engine.errors import InputError
from grace_engine.selection.allowance import allowances, require_room
from grace_engine.selection.candidates import Bools, Candidates, Floats, Ints, Strata
from grace_engine.selection.grouped import Grouped

Number = TypeVar("Number", bound=np.generic)
_CAP, _DUPLICATES = "cap", "duplicates"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Limit:
    """Of each group at most ``most`` traces are taken; ``groups`` is in rank order."""

    groups: Ints
    n_groups: int
    most: int

    @classmethod
    def of(cls, groups: Ints, most: int) -> "_Limit":
        return cls(
            groups=groups.astype(np.int64), n_groups=int(groups.max(initial=-1)) + 1, most=most
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taken:
    """What a budget took of N candidates in S strata (one, where nothing was stratified).

    Attributes:
        trace_ids: ``[N]`` ids, as the candidates stood.
        values: ``[N]`` what they were ranked by; NaN where there is none.
        n_tokens: ``[N]`` their tokens.
        order: ``[N]`` indices in rank order: falling value, ties by id, without a value last.
        rank: ``[N]`` 1-based place in ``order``.
        place: ``[N]`` 1-based place among those of its stratum.
        selected: ``[N]`` whether it is in.
        forced: ``[N]`` 1 where a curator keeps it, −1 where one drops it, else 0.
        over_cap: ``[N]`` passed over because its prompt had its cap of traces already.
        stand_in: ``[N]`` index of the trace that is in, as whose duplicate it was passed over; −1
            for none.
        left: ``[N]`` traces or tokens that its stratum's budget had left when its turn came.
        strata: Which stratum each belongs to.
        allowed: ``[S]`` traces or tokens that each stratum may take.
        kept: ``[S]`` how much of that went to kept traces.
        cuts: ``[S]`` lowest value taken in each stratum, kept traces aside; NaN without one.
        budget: The budget.
        cap: Most traces of one prompt; 0 for any number.
    """

    trace_ids: npt.NDArray[np.object_]
    values: Floats
    n_tokens: Ints
    order: Ints
    rank: Ints
    place: Ints
    selected: Bools
    forced: npt.NDArray[np.int8]
    over_cap: Bools
    stand_in: Ints
    left: Ints
    strata: Strata
    allowed: Ints
    kept: Ints
    cuts: Floats
    budget: Budget
    cap: int

    @property
    def passed_over(self) -> Bools:
        """``[N]`` whether it is out for the cap or as a duplicate, whatever its value."""
        return self.over_cap | (self.stand_in >= 0)

    @property
    def n_selected(self) -> int:
        """Traces that are in."""
        return int(np.count_nonzero(self.selected))

    @property
    def tokens(self) -> int:
        """Their tokens."""
        return int(self.n_tokens[self.selected].sum())

    @property
    def cut(self) -> float:
        """The lowest value that was taken, kept traces aside; NaN without one."""
        known = self.cuts[~np.isnan(self.cuts)]
        return float(known.min()) if len(known) else float("nan")

    @property
    def n_kept(self) -> int:
        """Traces that a curator keeps."""
        return int(np.count_nonzero(self.forced == 1))

    @property
    def n_dropped(self) -> int:
        """Traces that a curator drops."""
        return int(np.count_nonzero(self.forced == -1))


def take(
    candidates: Candidates, budget: Budget, *, strata: Strata | None = None, cap: int = 0
) -> Taken:
    """Rank by value, ties by trace id, and take what the budget allows (GRACE, section 2.4).

    A share takes ⌈ρN⌉ of all N candidates. A token budget takes traces in rank order; one that
    does not fit is passed over and later ones are tried. Traces without a value rank last and are
    never taken.

    Kept traces are taken first, whatever their value, and are charged to the budget; dropped ones
    never are. Of one prompt at most ``cap`` are taken: when the turn of a further one comes it is
    passed over. Kept traces count towards the cap and are not held back by it. In the same way one
    of each group of ``candidates.duplicates`` is taken, and none where one is kept.

    With ``strata`` each has a budget of its own: ⌈ρ·n_s⌉ of its n_s traces, or its part of a
    number of traces (in proportion to its traces) or of tokens (to its tokens), split by largest
    remainder, ties in order of name. What a stratum cannot use is not handed to others.

    Raises:
        InputError: More is kept than the budget allows.
    """
    return Ranked(candidates, strata=strata, cap=cap).take(budget)


_MOST_WORK = 50_000_000
"""Looks at a candidate for one ``nearest_tokens``: about a second."""


class Ranked:
    """Candidates in rank order: all of a choice that does not depend on the budget.

    Every ``[N]`` array with a name of its own here is in rank order, not in that of candidates.
    """

    def __init__(
        self, candidates: Candidates, *, strata: Strata | None = None, cap: int = 0
    ) -> None:
        self.candidates, self.cap = candidates, cap
        n = len(candidates.values)
        self.strata = strata or Strata.one(n)
        self.order = _ranking(candidates.trace_ids, candidates.values)
        self._stratum = self.strata.codes[self.order]
        self._in_stratum = Grouped(self._stratum, len(self.strata.names))
        self._cost = candidates.n_tokens[self.order].astype(np.int64)
        self._keep = self._flags(candidates.keep)
        self._drop = self._flags(candidates.drop) & ~self._keep
        self._open = ~(self._keep | self._drop | np.isnan(candidates.values[self.order]))
        self._place = self._in_stratum.running(np.ones(n, dtype=np.int64))
        self._limits: dict[str, _Limit] = {}
        if candidates.duplicates is not None:
            self._limits[_DUPLICATES] = _Limit.of(candidates.duplicates.groups[self.order], 1)
        if cap:
            if candidates.groups is None:
                raise InputError("A cap per prompt needs the prompt of every candidate.")
            self._limits[_CAP] = _Limit.of(candidates.groups[self.order], cap)

    def take(self, budget: Budget) -> Taken:
        """What the budget takes; see ``take``."""
        n_strata = len(self.strata.names)
        traces = np.bincount(self._stratum, minlength=n_strata)
        tokens = _sums(self._stratum, self._cost, n_strata)
        allowed = allowances(budget, traces, tokens)
        cost = self._cost if budget.kind == "tokens" else np.ones_like(self._cost)
        kept = _sums(self._stratum[self._keep], cost[self._keep], n_strata)
        require_room(budget, self.strata.names, traces, allowed, kept)
        room = allowed - kept
        over: dict[str, Bools] = {}
        if self._limits:
            taken, over = self._one_by_one(cost, room)
        elif budget.kind == "tokens":
            taken = self._by_tokens(room)
        else:
            taken = self._by_count(room)
        nobody = np.zeros(len(self.order), dtype=bool)
        spent = np.where(taken, cost, 0)
        left = room[self._stratum] - (self._in_stratum.running(spent) - spent)
        cuts = np.full(n_strata, np.inf)
        np.minimum.at(cuts, self._stratum[taken], self.candidates.values[self.order][taken])
        return Taken(
            trace_ids=self.candidates.trace_ids,
            values=self.candidates.values,
            n_tokens=self.candidates.n_tokens,
            order=self.order,
            rank=self._as_given(np.arange(1, len(self.order) + 1)),
            place=self._as_given(self._place),
            selected=self._as_given(taken | self._keep),
            forced=self._as_given(self._keep.astype(np.int8) - self._drop.astype(np.int8)),
            over_cap=self._as_given(over.get(_CAP, nobody)),
            stand_in=self._as_given(
                self._stand_ins(over.get(_DUPLICATES, nobody), taken | self._keep)
            ),
            left=self._as_given(left),
            strata=self.strata,
            allowed=allowed,
            kept=kept,
            cuts=np.where(np.isinf(cuts), np.nan, cuts),
            budget=budget,
            cap=self.cap,
        )

    def nearest_tokens(self, index: int, budget: Budget) -> int | None:
        """The token budget nearest to this one at which a candidate changes sides, exactly.

        A larger token budget can lose a candidate to a longer one before it, and one between two
        that leave it out can take it, so a bisection may pass the nearest by.

        Returns:
            Of one that is in: the least of the budgets below from which on it stays in. Of one that
            is out: the least above that takes it. None where strata or limits decide, too, where it
            is not open, or where the way there is too long.
        """
        place = int(np.flatnonzero(self.order == index)[0])
        if len(self.strata.names) > 1 or self._limits or not self._open[place]:
            return None
        before, own = self._cost[:place][self._open[:place]], int(self._cost[place])
        kept = int(self._cost[self._keep].sum())
        room = int(budget.amount) - kept
        for _ in range(_MOST_WORK // max(len(before), 5000)):
            taken = _fitting(before, room)
            used = np.cumsum(np.where(taken, before, 0))
            spent = int(used[-1]) if place and len(used) else 0
            if spent + own <= room:
                if int(budget.amount) - kept == room:  # it is in: it leaves when it fits no more
                    return kept + spent + own
                return kept + room
            # Until the next one that is out fits, the same are in.
            waits = (used + before)[~taken] - room
            room += min([spent + own - room, *([int(waits.min())] if len(waits) else [])])
        return None

    def _by_count(self, room: Ints) -> Bools:
        used = self._in_stratum.running(self._open.astype(np.int64))
        taken: Bools = self._open & (used <= room[self._stratum])
        return taken

    def _by_tokens(self, room: Ints) -> Bools:
        taken = np.zeros(len(self.order), dtype=bool)
        for members, tokens in zip(self._in_stratum.members(), room.tolist(), strict=True):
            waiting = members[self._open[members]]
            taken[waiting[_fitting(self._cost[waiting], tokens)]] = True
        return taken

    def _one_by_one(self, costs: Ints, room: Ints) -> tuple[Bools, dict[str, Bools]]:
        """Taken, and passed over for each limit.

        Whether a trace fits depends on which were passed over for a limit and the other way
        round, so each is asked in turn: some 30 ms for 100,000.
        """
        n = len(self.order)
        taken, left = np.zeros(n, dtype=bool), room.tolist()
        over = {name: np.zeros(n, dtype=bool) for name in self._limits}
        waiting = np.flatnonzero(self._open)
        limits = [
            (
                limit.groups[waiting].tolist(),
                limit.most,
                np.bincount(limit.groups[self._keep], minlength=limit.n_groups).tolist(),
                over[name],
            )
            for name, limit in self._limits.items()
        ]
        columns = [part.tolist() for part in (waiting, costs[waiting], self._stratum[waiting])]
        for place, (index, cost, stratum) in enumerate(zip(*columns, strict=True)):
            if cost > left[stratum]:
                continue
            for groups, most, used, passed in limits:
                if used[groups[place]] >= most:
                    passed[index] = True
                    break
            else:
                taken[index] = True
                left[stratum] -= cost
                for groups, _, used, _ in limits:
                    used[groups[place]] += 1
        return taken, over

    def _stand_ins(self, over: Bools, inside: Bools) -> Ints:
        """Index of the best-ranked trace that is in of the group of each that was passed over."""
        found = np.full(len(self.order), -1, dtype=np.int64)
        if over.any():
            limit = self._limits[_DUPLICATES]
            best = np.full(limit.n_groups, -1, dtype=np.int64)
            ranked = np.flatnonzero(inside)[::-1]  # of several the last one written stays
            best[limit.groups[ranked]] = self.order[ranked]
            found[over] = best[limit.groups[over]]
        return found

    def _flags(self, flags: Bools | None) -> Bools:
        """In rank order; all false where there are none."""
        return np.zeros(len(self.order), dtype=bool) if flags is None else flags[self.order]

    def _as_given(self, ranked: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """From rank order to the order of the candidates."""
        given = np.empty_like(ranked)
        given[self.order] = ranked
        return given


def _ranking(trace_ids: npt.NDArray[np.object_], values: Floats) -> Ints:
    """Indices by falling value, ties by id, those without a value last."""
    if bool(np.all(trace_ids[1:] >= trace_ids[:-1])):  # as runs are read; sorting texts is slow
        return np.argsort(-values, kind="stable")
    by_id = np.argsort(trace_ids.astype(str), kind="stable")
    return by_id[np.argsort(-values[by_id], kind="stable")]  # NaN sorts last


def _sums(codes: Ints, amounts: Ints, n_codes: int) -> Ints:
    """``[n_codes]`` sum of the amounts of each code, exact."""
    sums = np.zeros(n_codes, dtype=np.int64)
    np.add.at(sums, codes, amounts)
    return sums


def _fitting(costs: Ints, room: int) -> Bools:
    """``[n]`` which of these, asked in turn, fit in the room that the ones before have left."""
    taken = np.zeros(len(costs), dtype=bool)
    waiting = np.arange(len(costs))
    while True:
        waiting = waiting[costs[waiting] <= room]  # what does not fit now never will
        if not len(waiting):
            return taken
        sums = np.cumsum(costs[waiting])
        n_fit = int(np.searchsorted(sums, room, side="right"))
        taken[waiting[:n_fit]] = True
        room -= int(sums[n_fit - 1])
        waiting = waiting[n_fit + 1 :]
