"""How long does a unit of work wait for the database, and who is told of it meanwhile?

A short command waits half a minute and then says who is in front of it; a long run, which would
lose what it holds in memory, waits much longer. Both say so after some seconds.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from grace_engine.errors import StoreBusyError
from grace_engine.quantities import duration
from grace_engine.store import faults

LONG_SECONDS = 1800.0
"""So long a run waits that has begun its work."""

TOLD_SECONDS = 2.0
"""After so long a wait is told."""

# Two who wait in turns for each other are not told of at every turn.
_TOLD_AGAIN = 30.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patience:
    """How units of work wait: at least that many seconds, and whom they tell of it."""

    seconds: float
    waits: Say
    goes_on: Say


_of_process: _Patience | None = None
_of_thread: ContextVar[_Patience | None] = ContextVar("patience", default=None)


@contextmanager
def patient(waits: Say, goes_on: Say | None = None, *, seconds: float = 0.0) -> Iterator[None]:
    """Have the units of work of this process tell of their waiting, for the length of the block.

    Those of a thread that tells by itself (``patient_thread``) do not.

    Args:
        waits: Told whom a unit waits for, once it has for ``TOLD_SECONDS``, and again when that is
            another one.
        goes_on: Told that the database came free after that; ``waits`` where there is none.
        seconds: They wait so long, where that is longer than their own time. Who is being
            interrupted or has waited in vain already waits no longer than usual.
    """
    global _of_process
    before = _of_process
    _of_process = _Patience(seconds=seconds, waits=waits, goes_on=goes_on or waits)
    try:
        yield
    finally:
        _of_process = before


@contextmanager
def patient_thread(waits: Say, goes_on: Say) -> Iterator[None]:
    """As ``patient``, for the units of work of this thread alone: one of many that serve pages."""
    token = _of_thread.set(_Patience(seconds=0.0, waits=waits, goes_on=goes_on))
    try:
        yield
    finally:
        _of_thread.reset(token)


class Wait:
    """The waiting of one unit of work for its turn.

    Attributes:
        deadline: When it is over, or the round of it, in seconds of ``time.monotonic``.
    """

    def __init__(self, path: Path, usual: float) -> None:
        """``usual``: seconds that a unit waits for which nobody has more patience."""
        self._path, self._usual = path, usual
        self._patience = _of_thread.get() or _of_process
        self._began, self._at = time.monotonic(), time.strftime("%H:%M:%S")
        self._told, self._told_at = "", 0.0
        longest = usual
        if self._patience and not isinstance(
            sys.exc_info()[1], (KeyboardInterrupt, StoreBusyError)
        ):
            longest = max(usual, self._patience.seconds)
        self._end = self._began + longest
        self.deadline = self._began + usual

    @property
    def is_long(self) -> bool:
        """Whether it goes on after a round."""
        return self._end > self._began + self._usual

    @property
    def seconds(self) -> float:
        """How long it lasts at most."""
        return self._end - self._began

    def begins_again(self) -> bool:
        """Begin another round, after which it lets others pass; False where its time is over."""
        if not self.is_long or time.monotonic() >= self._end:
            return False
        self.deadline = min(self._end, time.monotonic() + self._usual)
        return True

    def tell(self, holder: int | None) -> None:
        """Say whom it waits for, if that has lasted and is news."""
        now = time.monotonic()
        if self._patience is None or now - self._began < TOLD_SECONDS:
            return
        # Between two looks a holder may have gone or not signed yet: no news of whom it is.
        if self._told and (holder is None or now - self._told_at < _TOLD_AGAIN):
            return
        who = "another process" if holder is None else faults.describe_process(holder)
        sentence = f"Waiting since {self._at} for {who}, which holds the workspace {self._path}."
        if sentence != self._told:
            self._told, self._told_at = sentence, now
            self._patience.waits(sentence)

    def came(self) -> None:
        """Its turn came: say so where the waiting was told."""
        if self._told and self._patience:
            waited = duration(time.monotonic() - self._began)
            self._patience.goes_on(f"The workspace is free again after {waited}.")
