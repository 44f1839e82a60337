"""How does a process that may hang, die or swell check a batch, without losing a pair?"""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from grace_engine.answers.worker import TOO_LARGE
from grace_engine.errors import InputError, ResourceError
from grace_engine.quantities import size
from grace_engine.records import AnswerCheck, AnswerPair

_WORKER = ("-m", "grace_engine.answers.worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a pair may take before it counts as timed out.

    Attributes:
        seconds: Of processor time: a busy machine moves no verdict.
        memory: Bytes by which the checking process may grow.
    """

    seconds: float = 5.0
    memory: int = 512 * 1024**2

    def __post_init__(self) -> None:
        if not 0 < self.seconds < 86_400:
            raise InputError(
                f"A pair cannot have {self.seconds:g} s to be checked: say more than 0, and less "
                "than a day."
            )


class Closed(Exception):  # noqa: N818 - not a fault: what it stops was asked to stop
    """The process was ended while it had work."""


class WorkerProcess:
    """The one process of one thread; started when it is first needed and again when it ended."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._closed = False

    def check(self, batch: Sequence[AnswerPair], found: Callable[[AnswerCheck], None]) -> None:
        """Check pairs in order and tell each verdict as it comes.

        Raises:
            ResourceError: The process cannot be started.
            Closed: ``kill`` was called meanwhile.
        """
        done, died_at = 0, -1
        while done < len(batch):
            process = self._running()
            for line in _exchange(process, batch[done:]):
                found(AnswerCheck(**line))
                done += 1
            if done == len(batch):
                break
            status = self.end()
            if self._closed:
                raise Closed
            reason = self._why(status)
            if status == 0 or (not reason and died_at != done):
                died_at = done if status else died_at
                continue  # it made room for a fresh one, or was killed from outside: once more
            found(
                AnswerCheck(
                    outcome="timed out",
                    detail=reason or f"it ended the process that checks it twice ({status})",
                )
            )
            done += 1

    def kill(self) -> None:
        """End the process, whatever it is doing, for good: a ``check`` under way ends too."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()

    def end(self) -> int:
        """Let the process end, for the thread that it works for; its exit status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        with suppress(BrokenPipeError):
            _pipe(process.stdin).close()
        _pipe(process.stdout).close()
        return process.wait()

    def _why(self, status: int) -> str:
        if status == -signal.SIGPROF:
            return f"no verdict in {self._limits.seconds:g} s of processor time"
        if status == TOO_LARGE:
            return f"it needs more than {size(self._limits.memory)} of memory"
        return ""

    def _running(self) -> subprocess.Popen[str]:
        with self._lock:
            if self._closed:
                raise Closed
            if self._process is not None:
                return self._process
            arguments = (str(self._limits.seconds), str(self._limits.memory))
            self._process = process = subprocess.Popen(
                [sys.executable, *_WORKER, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C is for the shell's command, which closes this
            )
        first = _pipe(process.stdout).readline()
        fault = json.loads(first)["ready"] if first else "it ended at once"
        if fault:
            status = self.end()
            if self._closed:
                raise Closed
            raise ResourceError(
                f"Answers cannot be checked: their process does not start ({fault}, status "
                f"{status}). Is math-verify installed, and is there memory for it?"
            )
        return process


def _exchange(
    process: subprocess.Popen[str], batch: Sequence[AnswerPair]
) -> Iterator[dict[str, Any]]:
    """Send a batch and yield what comes back; fewer where the process ends.

    Nobody waits for each other: it reads the whole batch before it writes, and writes little.
    """
    to, back = _pipe(process.stdin), _pipe(process.stdout)
    with suppress(BrokenPipeError):
        to.write(json.dumps([[pair.answer, pair.reference] for pair in batch]) + "\n")
        to.flush()
    for _ in batch:
        line = back.readline()
        if not line.endswith("\n"):
            return
        yield json.loads(line)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise AssertionError("pipes were asked for")
    return pipe
