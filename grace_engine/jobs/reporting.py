"""How does a job write down how far it is, and how it ended?"""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from grace_engine.disk import AGAIN, is_disk_full
from grace_engine.errors import GraceError, StoreBusyError
from grace_engine.jobs.folder import (
    CANCEL,
    State,
    Status,
    add_event,
    read_status,
    write_last_status,
    write_status,
)
from grace_engine.jobs.job import CANCELLED, KEPT
from grace_engine.jobs.processes import boot, born
from grace_engine.quantities import pace

EXIT_STATUS: dict[State, int] = {"finished": 0, "failed": 1, "disk-full": 28, "cancelled": 130}
"""What the process of a job ends with, for its keeper: the last word may not fit on the disk."""

# Seconds between two words of a job that is at work.
_HEARTBEAT = 0.5
# A rate is measured over the last times that progress was told: at least so many seconds and so
# many times, for a batch may take as long as all of the seconds.
_WINDOW = 20.0
_TOLD = 6
# Seconds between two lines of the log that say how far a phase is.
_LOGGED = 30.0


class Reporter:
    """The ``Progress`` of a job: what it is told stands in the run folder within half a second."""

    def __init__(self, folder: Path, pid: int, clock: Callable[[], float] = time.monotonic) -> None:
        now = time.time()
        self._clock = clock
        first = read_status(folder) or Status(began_at=now, began_clock=time.monotonic())
        self._logged = (time.monotonic(), 0)
        self._folder = folder
        self._lock = threading.Lock()
        self._marks: list[tuple[float, int, int]] = []
        self._tokens = 0
        self._over = threading.Event()
        self._status = replace(
            first,
            state="running",
            message="",
            waits=False,
            progress_at=now,
            progress_clock=time.monotonic(),
            boot=boot(),
            pid=pid,
            pid_born=born(pid) or 0.0,
        )
        self._write()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="heartbeat")
        self._thread.start()

    @property
    def status(self) -> Status:
        """What stands in the run folder within half a second."""
        return self._status

    def begin(self, what: str, total: int, unit: str, *, done: int = 0) -> None:
        """A phase begins; its rate counts from now, and what was said before it is over."""
        with self._lock:
            self._tokens = 0
            self._marks = [(self._clock(), done, 0)]
            self._status = replace(
                self._status,
                phase=what,
                message="",
                waits=False,
                done=done,
                total=total,
                unit=unit,
                rate=0.0,
                tokens_rate=0.0,
                progress_at=time.time(),
                progress_clock=time.monotonic(),
            )
            self._logged = (time.monotonic(), done)
        before = f", {done:,} of them done before" if done else ""
        log_line(f"{what}: {total:,} {unit}{before}" if total else what)
        self._event(event="phase", what=what, total=total, unit=unit)

    def advance(self, amount: int, *, tokens: int = 0) -> None:
        """Count units, and tokens with them."""
        with self._lock:
            self._tokens += tokens
            done = self._status.done + amount
            self._status = replace(
                self._status,
                done=done,
                progress_at=time.time(),
                progress_clock=time.monotonic(),
            )
            self._measure()

    def fail(self, reason: str, amount: int = 1) -> None:
        """Count units that failed alone."""
        with self._lock:
            counted = {**self._status.failures}
            counted[reason] = counted.get(reason, 0) + amount
            self._status = replace(self._status, failures=counted)

    def say(self, message: str) -> None:
        """Keep a sentence: the last one in the status, all in the events and the log."""
        self._tell(message, waits=False)

    def wait(self, message: str) -> None:
        """Say whom it waits for; until it says something else, it is not without progress."""
        self._tell(message, waits=True)

    def _tell(self, message: str, *, waits: bool) -> None:
        with self._lock:
            status = self._status
            # A wait is no standstill, neither while it lasts nor just after it.
            since = time.monotonic() if waits or status.waits else status.progress_clock
            self._status = replace(status, message=message, waits=waits, progress_clock=since)
        log_line(message)
        self._event(event="message", message=message)

    def end(self, state: State, message: str, result: Mapping[str, Any] | None = None) -> None:
        """The last word."""
        self._over.set()
        self._thread.join()
        with self._lock:
            self._status = replace(
                self._status,
                state=state,
                waits=False,
                rate=0.0,
                tokens_rate=0.0,
                message=message,
                ended_at=time.time(),
                result=dict(result or {}),
            )
        log_line(message)
        self._event(event=state, message=message)
        self._write(write_last_status)

    def _beat(self) -> None:
        while not self._over.wait(_HEARTBEAT):
            self._write()
            self._log_progress()

    def _measure(self) -> None:
        """Set the rates from the last times that progress was told; none once all is done."""
        marks, status = self._marks, self._status
        if len(marks) > 1 and marks[-1][0] - marks[-2][0] < _HEARTBEAT:
            marks.pop()  # what is told in a burst is one time
        marks.append((self._clock(), status.done, self._tokens))
        while len(marks) > _TOLD + 1 and marks[-1][0] - marks[1][0] >= _WINDOW:
            del marks[0]
        seconds = marks[-1][0] - marks[0][0]
        is_done = 0 < status.total <= status.done
        self._status = replace(
            status,
            rate=0.0 if is_done or not seconds else (marks[-1][1] - marks[0][1]) / seconds,
            tokens_rate=0.0 if is_done or not seconds else (marks[-1][2] - marks[0][2]) / seconds,
        )

    def _log_progress(self) -> None:
        """Now and then a line for the log, where something was done since the last one."""
        at, before = self._logged
        status = self._status
        if time.monotonic() - at < _LOGGED or status.done == before:
            return
        self._logged = (time.monotonic(), status.done)
        total = f" of {status.total:,}" if status.total else ""
        rate = f", {pace(status.rate, status.unit)}" if status.rate else ""
        log_line(f"{status.phase}: {status.done:,}{total} {status.unit}{rate}")

    def _write(self, write: Callable[[Path, Status], None] = write_status) -> None:
        with self._lock:
            status = self._status
        # A full disk or a folder that someone removed must not end the work itself.
        with suppress(OSError):
            write(self._folder, status)

    def _event(self, **event: object) -> None:
        with suppress(OSError):
            add_event(self._folder, **event)


def log_line(message: str) -> None:
    """A line of the log, with its time; what a job prints goes there."""
    with suppress(OSError):  # a full disk must not end the work itself
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} · {message}\n")
        sys.stdout.flush()


def carry_out(
    folder: Path, pid: int, work: Callable[[Reporter], tuple[str, Mapping[str, Any]]]
) -> State:
    """Do the work of a job in this process, and write down how it ended.

    Args:
        folder: The run folder.
        pid: This process.
        work: Told where to report; its sentence on what came out, and that as JSON values.
    """
    with _interruptible() as signals:
        reporter = Reporter(folder, pid)
        state: State = "failed"
        message, result = "", {}
        try:
            if (folder / CANCEL).exists():
                raise KeyboardInterrupt
            log_line(f"Process {pid} begins.")
            message, found = work(reporter)
            state, result = "finished", dict(found)
        except KeyboardInterrupt:
            state, message = "cancelled", CANCELLED
            if signals and not (folder / CANCEL).exists():
                name = signal.Signals(signals[0]).name
                message = f"Ended from outside, by {name}. {KEPT}"
        except Exception as fault:  # noqa: BLE001 - the run folder must say how it ended
            state, message = _fault(fault, folder)
            if signals and isinstance(fault, StoreBusyError):
                state, message = "cancelled", f"Cancelled; the last seconds are lost. {fault}"
        reporter.end(state, message, result)
    return state


def _fault(fault: Exception, folder: Path) -> tuple[State, str]:
    """What an exception means for a job, as a state and a sentence."""
    if is_disk_full(fault):
        known = isinstance(fault, GraceError)
        sentence = str(fault).replace(AGAIN, "") if known else _full(fault, folder)
        return "disk-full", f"{sentence} {KEPT}"
    if isinstance(fault, GraceError):
        return "failed", str(fault)
    if isinstance(fault, MemoryError):
        return "failed", (
            "The memory of this machine did not suffice: work on fewer traces at once. " + KEPT
        )
    traceback.print_exc()
    return "failed", (
        f"A fault that should not happen: {type(fault).__name__}: {fault}. "
        "The whole of it stands in log.txt of the run folder."
    )


def _full(fault: Exception, folder: Path) -> str:
    where = getattr(fault, "filename", None) or folder
    return f"The disk that holds {os.fspath(where)} is full. Free some space."


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Let the first SIGINT or SIGTERM interrupt the work, and no later one its cleaning up.

    Said outright, because a process that a shell started in the background ignores SIGINT. Gives
    the list into which that signal is put.
    """
    seen: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        seen.append(number)
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {name: signal.signal(name, interrupt) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield seen
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
