"""What is each answer worth: by its reference, or by a function of the user's?

Both ask a process that may be killed, so that an answer that hangs it costs its own reward alone.
"""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, Protocol

from grace_engine.answers import Checker, Limits
from grace_engine.errors import InputError
from grace_engine.policy.settings import CHECK
from grace_engine.records import AnswerPair, RolloutGroup

_WORKER = ("-m", "grace_engine.policy.reward_worker")
# To import the user's module, and whatever that imports.
_READY_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """What an answer is worth.

    Attributes:
        reward: From 0 to 1; None where there is none.
        outcome: As ``Rollout.outcome``.
        detail: The same for a person to read.
    """

    reward: float | None
    outcome: str
    detail: str = ""


class Rewarder(Protocol):
    """Gives rewards to the answers of a problem."""

    def rewards(self, problem: RolloutGroup, answers: Sequence[str]) -> list[Reward]:
        """One reward an answer, in order."""


@contextmanager
def rewarder(named: str, timeout: float) -> Iterator[Rewarder]:
    """What gives rewards as ``RolloutSettings.reward`` says; its process ends with the block.

    Raises:
        InputError: The function cannot be loaded.
        ResourceError: The process that checks cannot be started.
    """
    if named == CHECK:
        with Checker(Limits(seconds=timeout)) as checker:
            yield _ByReference(checker)
    else:
        process = _FunctionProcess(named, timeout)
        try:
            process.start()
            yield _ByFunction(process)
        finally:
            process.end()


class _ByReference:
    """1 for a right answer, else 0; a reference that cannot be read gives no reward."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker

    def rewards(self, problem: RolloutGroup, answers: Sequence[str]) -> list[Reward]:
        if not (problem.reference or "").strip():
            none = Reward(reward=None, outcome="no reference", detail="nothing to check against")
            return [none for _ in answers]
        reference = problem.reference or ""
        pairs: Iterable[AnswerPair] = (
            AnswerPair(answer=answer, reference=reference) for answer in answers
        )
        found = []
        for check in self._checker.check(pairs):
            unread = check.outcome == "not parsed" and check.side == "reference"
            found.append(
                Reward(
                    reward=None if unread else float(check.outcome == "right"),
                    outcome=check.outcome,
                    detail=check.detail,
                )
            )
        return found


class _ByFunction:
    """What ``function(prompt=, answer=, reference=, labels=)`` returns."""

    def __init__(self, process: "_FunctionProcess") -> None:
        self._process = process

    def rewards(self, problem: RolloutGroup, answers: Sequence[str]) -> list[Reward]:
        return [
            self._process.call(
                {
                    "prompt": problem.prompt,
                    "answer": answer,
                    "reference": problem.reference,
                    "labels": dict(problem.labels),
                }
            )
            for answer in answers
        ]


class _FunctionProcess:
    """The process that calls the function; started again where it was killed or ended."""

    def __init__(self, named: str, timeout: float) -> None:
        self._named, self._timeout = named, timeout
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def start(self) -> None:
        """Start it; ``InputError`` where the function cannot be loaded."""
        self._process = process = subprocess.Popen(
            [sys.executable, *_WORKER, self._named],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the shell's command, which ends this
        )
        self._lines = queue.SimpleQueue()
        threading.Thread(
            target=_read, args=(process.stdout, self._lines), daemon=True, name="rewards"
        ).start()
        first = self._line(_READY_SECONDS)
        fault = json.loads(first)["ready"] if first else "it does not come to its end"
        if fault:
            self.end()
            raise InputError(
                f"The reward function {self._named} cannot be loaded ({fault}). Name it as "
                "module:function, and run where Python finds the module."
            )

    def call(self, asked: dict[str, Any]) -> Reward:
        """What the function gave, or why there is no reward."""
        if self._process is None:
            self.start()
        process = self._process
        if process is None or process.stdin is None:
            raise AssertionError("it was just started")
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
        line = self._line(self._timeout)
        if line:
            return Reward(**json.loads(line))
        self.end()
        if line is None:
            return Reward(
                reward=None, outcome="timed out", detail=f"no reward in {self._timeout:g} s"
            )
        return Reward(reward=None, outcome="raised", detail="it ended the process that calls it")

    def end(self) -> None:
        """End it, whatever it is doing."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            with suppress(OSError):
                if process.stdin is not None:
                    process.stdin.close()

    def _line(self, seconds: float) -> str | None:
        """The next line; "" where the process ended, None where it said nothing in time."""
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            return None


def _read(pipe: IO[str] | None, lines: "queue.SimpleQueue[str]") -> None:
    """Hand on what a process writes, and "" at its end."""
    if pipe is not None:
        with pipe:
            for line in pipe:
                lines.put(line)
    lines.put("")
