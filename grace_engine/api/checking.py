"""Which traces answer right, held against the references of the data?"""

import os
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from grace_engine import store
from grace_engine.answers import Checker, Limits
from grace_engine.progress import Progress, Silent
from grace_engine.records import OUTCOMES, AnswerPair
from grace_engine.store import CheckedTrace, Workspace

# Checks are stored after so many of them, or so many seconds: a run that is killed loses no more.
_BATCH = 1000
_SECONDS = 5.0
# Each process holds math-verify, about 100 MB.
_MOST_PROCESSES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a run of checks found.

    Attributes:
        n_traces: Traces of the datasets.
        n_with_reference: Those that have a reference.
        n_checked: Those that were checked now.
        checked_now: The same by outcome, each of ``OUTCOMES``.
        by_outcome: All that are checked, now or before, by outcome.
        seconds: How long it took.
    """

    n_traces: int
    n_with_reference: int
    n_checked: int
    checked_now: Mapping[str, int]
    by_outcome: Mapping[str, int]
    seconds: float


def check_answers(
    workspace: Workspace,
    datasets: Sequence[str] = (),
    *,
    timeout: float = 5.0,
    again: bool = False,
    progress: Progress | None = None,
) -> CheckReport:
    """Hold the answers of traces against their references and store what came out.

    What was checked before is not checked again, unless its answer or reference has changed, or it
    timed out under a shorter time. Who interrupts it keeps what is done.

    Args:
        workspace: Where the traces are.
        datasets: Their names; all when empty.
        timeout: Seconds of processor time that one answer may take.
        again: Check what was checked before, too.
        progress: Told how far it is.

    Raises:
        InputError: ``timeout`` is not above 0.
        NotFoundError: A dataset does not exist.
        ResourceError: The process that checks cannot be started.
        StoreError: The workspace cannot be written; that is found before anything is checked.
    """
    workspace.database.require_writable()
    told, began = progress or Silent(), time.monotonic()
    limits = Limits(seconds=timeout)
    positions = store.unchecked_positions(workspace, datasets, seconds=timeout, again=again)
    told.begin("Checking answers", len(positions), "answers")
    now: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
    processes = max(1, min(_MOST_PROCESSES, (os.cpu_count() or 1) - 1))
    with (
        Checker(limits, processes=processes) as checker,
        _Storing(workspace, timeout, told) as storing,
    ):
        asked: deque[tuple[str, AnswerPair]] = deque()
        for check in checker.check(_remembered(workspace, positions, asked), told):
            trace_id, pair = asked.popleft()
            storing.add(CheckedTrace(trace_id=trace_id, pair=pair, check=check))
            now[check.outcome] += 1
    counts = store.check_counts(workspace, datasets)
    return CheckReport(
        n_traces=sum(each.n_traces for each in counts),
        n_with_reference=sum(each.n_with_reference for each in counts),
        n_checked=now.total(),
        checked_now=dict(now),
        by_outcome={
            outcome: sum(each.by_outcome.get(outcome, 0) for each in counts) for outcome in OUTCOMES
        },
        seconds=time.monotonic() - began,
    )


def _remembered(
    workspace: Workspace, positions: Sequence[int], asked: deque[tuple[str, AnswerPair]]
) -> Iterator[AnswerPair]:
    """The pairs; ``asked`` holds those that were drawn, with their traces."""
    for trace_id, pair in store.iter_pairs(workspace, positions):
        asked.append((trace_id, pair))
        yield pair


class _Storing:
    """Checks on their way to the store, all of which have arrived at the end of the block."""

    def __init__(self, workspace: Workspace, seconds: float, told: Progress) -> None:
        self._workspace, self._seconds, self._told = workspace, seconds, told
        self._waiting: list[CheckedTrace] = []
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_fault: object) -> None:
        try:
            self._store()
        finally:
            if self._waiting:  # what could not be stored is not done
                self._told.advance(-len(self._waiting))

    def add(self, checked: CheckedTrace) -> None:
        """Keep one, and store all that wait where they are many or wait long."""
        self._waiting.append(checked)
        if len(self._waiting) >= _BATCH or time.monotonic() - self._since > _SECONDS:
            self._store()

    def _store(self) -> None:
        if self._waiting:
            store.add_checks(self._workspace, self._waiting, seconds=self._seconds)
        self._waiting, self._since = [], time.monotonic()
