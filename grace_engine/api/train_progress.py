"""How does a training of several cells say where it is, and how much of it is left?"""

import math
import time
from collections.abc import Callable
from pathlib import Path

from grace_engine.api.trained import training_time_left
from grace_engine.jobs.folder import CANCEL
from grace_engine.progress import Progress

# Seconds between two looks at what is left, and between two words on it; a word comes before that
# where the time is off by more than this share of what was said, and by a minute.
_LOOKED, _SAID, _OFF, _LEAST = 20.0, 120.0, 0.5, 60.0


class TimeTold:
    """Says now and then how much time is left of all cells of a training."""

    def __init__(
        self, progress: Progress, folder: Path, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say, self.folder, self._clock = progress.say, folder, clock
        self._looked_at = self._said_at = -math.inf
        self._said = 0.0

    def tell(self) -> None:
        """Say it, where something new can be said."""
        now = self._clock()
        if now - self._looked_at < _LOOKED:
            return
        self._looked_at = now
        left = training_time_left(self.folder)
        if left is None:
            return
        since = now - self._said_at
        expected = max(0.0, self._said - since)
        is_off = abs(left.seconds - expected) > max(_LEAST, _OFF * expected)
        if since >= _SAID or is_off:
            self._said_at, self._said = now, left.seconds
            self._say(str(left))


def heed(folder: Path) -> None:
    """End here where the end of a run was asked for, however the signal fared.

    Raises:
        KeyboardInterrupt: It was.
    """
    if (folder / CANCEL).exists():
        raise KeyboardInterrupt


class OfCell:
    """Progress whose phases say which cell they belong to, and how much time is left in all.

    No phase begins in a run that was asked to end.
    """

    def __init__(self, progress: Progress, of: str, told: TimeTold) -> None:
        self._progress, self._of, self._told = progress, of, told
        self.fail, self.say = progress.fail, progress.say

    def begin(self, what: str, total: int, unit: str, *, done: int = 0) -> None:
        """A phase of this cell begins."""
        heed(self._told.folder)
        self._progress.begin(f"{what} ({self._of})", total, unit, done=done)

    def advance(self, amount: int, *, tokens: int = 0) -> None:
        """Count units; every now and then say what is left of all cells."""
        self._progress.advance(amount, tokens=tokens)
        self._told.tell()

    def heeding(self) -> "OfCell":
        """The same, which also ends at once: for work that keeps nothing when it ends midway."""
        return _Heeding(self._progress, self._of, self._told)


class _Heeding(OfCell):
    def advance(self, amount: int, *, tokens: int = 0) -> None:
        super().advance(amount, tokens=tokens)
        heed(self._told.folder)
