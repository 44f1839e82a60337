"""Whose turn is it at a database file, among the threads and processes of the studio?

Readers go side by side; who writes is alone. Everyone waits in a queue, readers too, so that
neither many readers keep a writer out nor a writer without pause the readers.
"""

import fcntl
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Bytes of the lock file: the process id of who is alone, and blanks.
_SIGNED = 20
# Seconds between two tries for a lock file, growing from the first to the last: asking costs
# little, but many who ask all the time take the core from the one that they wait for.
_NAP, _LONGEST_NAP = 0.002, 0.02


class Threads:
    """The turns of the threads of one process, at any number of files: first come, first served."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._readers, self._read = 0, Path()
        self._is_held = False
        self._mine = threading.local()

    @contextmanager
    def turn(self, path: Path, deadline: float, *, alone: bool) -> Iterator[None]:
        """This thread's turn at ``path``: beside those that read the same file, or alone.

        Raises:
            TimeoutError: It had not come at ``deadline``, in seconds of ``time.monotonic``.
            RuntimeError: The thread has a turn already.
        """
        if getattr(self._mine, "has_turn", False):
            raise RuntimeError("Units of work do not nest: pass the open connection on.")
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                came = self._changed.wait_for(
                    lambda: self._waiting[0] is ticket and self._is_free(path, alone=alone),
                    timeout=max(0.0, deadline - time.monotonic()),
                )
                if not came:
                    raise TimeoutError
                self._enter(path, alone=alone)
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            self._leave(alone=alone)

    def _is_free(self, path: Path, *, alone: bool) -> bool:
        if self._is_held:
            return False
        return self._readers == 0 or (not alone and self._read == path)

    def _enter(self, path: Path, *, alone: bool) -> None:
        self._mine.has_turn = True
        if alone:
            self._is_held = True
        else:
            self._readers, self._read = self._readers + 1, path

    def _leave(self, *, alone: bool) -> None:
        self._mine.has_turn = False
        with self._changed:
            if alone:
                self._is_held = False
            else:
                self._readers -= 1
            self._changed.notify_all()


@contextmanager
def process_turn(
    path: Path, deadline: float, *, alone: bool, tell: Callable[[int | None], None]
) -> Iterator[None]:
    """The turn of this thread among those of all processes, by two lock files beside ``path``.

    ``NAME.queue`` is held while one waits for ``NAME.lock``, which is held during the turn and
    names the process that is alone. DuckDB's own lock is on the database file, which a compaction
    replaces: who opened the old file a moment before would lock what no longer counts. Where
    nobody has ever written, and nobody can, there are no lock files and no turns.

    ``tell`` is told again and again, while it waits, the process id of who is alone.

    Raises:
        TimeoutError: It had not come at ``deadline``; its argument is the process id of who is
            alone, or None where that is not known.
    """
    how = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    lock, queue = (_opened(path.with_name(f"{path.name}.{kind}")) for kind in ("lock", "queue"))
    try:
        for file in (queue, lock):
            if file is not None and not _locked(file, how, deadline, lambda: tell(_holder(lock))):
                raise TimeoutError(_holder(lock))
        if queue is not None:
            fcntl.flock(queue, fcntl.LOCK_UN)
        if alone:
            _sign(lock, str(os.getpid()))
        try:
            yield
        finally:
            if alone:
                _sign(lock, "")  # who cannot sign must not be taken for us
    finally:
        for file in (lock, queue):
            if file is not None:
                os.close(file)


def _opened(path: Path) -> int | None:
    """The open lock file, made if need be; None where there is none and none can be made."""
    if path.exists() and not os.access(path, os.W_OK):
        return os.open(path, os.O_RDONLY)
    if not path.exists() and not os.access(path.parent, os.W_OK):
        return None
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)


def _locked(file: int, how: int, deadline: float, tell: Callable[[], None]) -> bool:
    """Whether the lock was had before ``deadline``."""
    for _ in attempts(deadline, _NAP, _LONGEST_NAP):
        with suppress(BlockingIOError):
            fcntl.flock(file, how | fcntl.LOCK_NB)
            return True
        tell()
    return False


def attempts(deadline: float, nap: float, longest: float) -> Iterator[None]:
    """Now, then after naps from ``nap`` to ``longest`` seconds, at last after ``deadline``."""
    yield
    while time.monotonic() < deadline:
        time.sleep(nap * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
        nap = min(nap * 1.5, longest)
        yield


def _holder(file: int | None) -> int | None:
    signed = os.pread(file, _SIGNED, 0).strip() if file is not None else b""
    return int(signed) if signed.isdigit() else None


def _sign(file: int | None, name: str) -> None:
    """Say in the lock file who is alone, in place: a full or read-only disk keeps no one out."""
    if file is not None:
        with suppress(OSError):
            os.pwrite(file, name.ljust(_SIGNED).encode(), 0)
