"""Who waits for a device, starts the work of a job, and says how it ended where the work cannot?

A small process of its own that lives as long as the job: ``python -m grace_engine.jobs.keeper
RUN_FOLDER CLAIM COMMAND…``, CLAIM the number of the open, locked file ``claim``. The work may be
killed; its exit status is then known here.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO

from grace_engine.errors import GraceError
from grace_engine.jobs.devices import TAKEN_VARIABLE, take_device
from grace_engine.jobs.folder import (
    ACTIVE,
    CANCEL,
    LOG,
    RESERVE,
    JobSpec,
    State,
    Status,
    add_event,
    read_spec,
    read_status,
    write_last_status,
    write_status,
)
from grace_engine.jobs.job import CANCELLED, KEPT, KILLED
from grace_engine.jobs.memory import MemoryKills, killed_for_memory, memory_kills
from grace_engine.jobs.processes import born
from grace_engine.jobs.reporting import EXIT_STATUS, log_line

STUBBORN_SECONDS = 60.0
"""Work that was asked to end and does not is killed after so long."""

_NAP = 0.1
_HEARTBEAT = 0.5


class Keeper:
    """Sees one attempt of a job from its start to its end."""

    def __init__(self, folder: Path, spec: JobSpec, command: list[str], claim: int) -> None:
        self._folder = folder
        self._claim = claim
        self._spec = spec
        self._command = command
        self._told = 0  # the signal that asked for the end
        self._spoke = 0.0
        me = os.getpid()
        self._status = replace(
            read_status(folder) or Status(began_at=time.time(), began_clock=time.monotonic()),
            pid=me,
            pid_born=born(me) or 0.0,
            keeper_pid=me,
            keeper_born=born(me) or 0.0,
        )

    def keep(self) -> int:
        """Wait for the device, have the work done, and see to it that the end is said."""
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, self._note)
        self._write(self._status)
        try:
            lock = self._device()
        except KeyboardInterrupt:
            self._end("cancelled", CANCELLED)
            return EXIT_STATUS["cancelled"]
        except GraceError as fault:
            self._end("failed", str(fault))
            return EXIT_STATUS["failed"]
        before = memory_kills()
        work = subprocess.Popen(
            [*self._command, str(self._folder)],
            stdin=subprocess.DEVNULL,
            # Threads that wait actively take the cores from the pages and from each other: beside
            # other work a training step took twice as long with them.
            env={"OMP_WAIT_POLICY": "PASSIVE"} | os.environ | {TAKEN_VARIABLE: self._spec.device},
            # Should we be killed, it has folder and device still.
            pass_fds=[self._claim, *([lock.fileno()] if lock else [])],
        )
        try:
            self._see_through(work)
        finally:
            self._account(work.returncode, before)
            (self._folder / RESERVE).unlink(missing_ok=True)
            if lock:
                lock.close()
        return work.returncode if work.returncode >= 0 else 128 - work.returncode

    def _note(self, number: int, _frame: object) -> None:
        self._told = self._told or number

    @property
    def _is_asked(self) -> bool:
        return bool(self._told) or (self._folder / CANCEL).exists()

    def _device(self) -> IO[bytes] | None:
        if self._is_asked:
            raise KeyboardInterrupt
        if not self._spec.device:
            return None
        # A run folder is WORKSPACE/runs/ID.
        what = f"run {self._folder.name} of {self._folder.parents[1]}"
        lock = take_device(self._spec.device, what, self._queue)
        if self._status.state == "queued":
            self._say("The device is free now.")
            self._status = replace(self._status, state="starting", message="")
            self._write(self._status)
        return lock

    def _queue(self, sentence: str) -> None:
        """Say whom this job waits for, until it is asked to end."""
        if self._is_asked or not self._folder.exists():
            raise KeyboardInterrupt
        if self._status.message != sentence:
            self._say(sentence)
        elif time.monotonic() - self._spoke < _HEARTBEAT:
            return
        self._status = replace(self._status, state="queued", message=sentence)
        self._write(self._status)

    def _see_through(self, work: "subprocess.Popen[bytes]") -> None:
        """Wait for the end of the work; pass on a signal once, and kill what does not heed it."""
        asked_at = None
        passed_on = False
        while work.poll() is None:
            if asked_at is None and self._is_asked:
                asked_at = time.monotonic()
            if self._told and not passed_on:
                work.send_signal(self._told)
                passed_on = True
            if asked_at is not None and time.monotonic() - asked_at > STUBBORN_SECONDS:
                work.kill()
                work.wait()
            time.sleep(_NAP)

    def _account(self, returncode: int, before: MemoryKills) -> None:
        """Say how the work ended, unless it has done so itself."""
        said = read_status(self._folder)
        if said is None or said.state not in ACTIVE:
            return
        self._status = said
        state, message = verdict(
            returncode, before, memory_kills(), asked=self._is_asked, log=self._folder / LOG
        )
        self._end(state, message)

    def _end(self, state: State, message: str) -> None:
        self._say(message, state)
        ended = replace(
            self._status,
            state=state,
            message=message,
            rate=0.0,
            tokens_rate=0.0,
            ended_at=time.time(),
        )
        with suppress(OSError):
            write_last_status(self._folder, ended)

    def _say(self, message: str, event: str = "message") -> None:
        log_line(message)
        with suppress(OSError):
            add_event(self._folder, event=event, message=message)

    def _write(self, status: Status) -> None:
        self._spoke = time.monotonic()
        with suppress(OSError):  # a folder that someone removed ends no work
            write_status(self._folder, status)


def verdict(
    returncode: int, before: MemoryKills, after: MemoryKills, *, asked: bool, log: Path
) -> tuple[State, str]:
    """What became of work that ended without a last word, and the sentence that says so.

    Args:
        returncode: Its exit status; below 0 the signal that ended it, negated.
        before: Kills for memory from before it began.
        after: The same after its end.
        asked: Its end was asked for.
        log: Where its output is.
    """
    if (memory := killed_for_memory(returncode, before, after)) != "no":
        perhaps = "" if memory == "yes" else "probably "
        return "killed-for-memory", (
            f"The system killed it, {perhaps}because memory ran out. {KILLED} Before that close "
            "other programs, or ask for fewer tokens a batch or fewer processes."
        )
    if asked:
        return "cancelled", CANCELLED
    if returncode < 0:
        try:
            name = signal.Signals(-returncode).name
        except ValueError:
            name = f"signal {-returncode}"
        return "died", f"Its process was ended from outside or by a crash ({name}). {KILLED}"
    known = {status: state for state, status in EXIT_STATUS.items()}
    state = known.get(returncode, "failed")
    if state == "disk-full":
        return state, f"The disk is full, so nothing more could be written. {KEPT}"
    if state == "finished":
        return state, "Finished, but its last word could not be written."
    return "failed", (
        f"Its process ended with status {returncode} before it could say why. What it printed "
        f"stands in {log}."
    )


def main(arguments: list[str]) -> int:
    """Keep the job whose folder and command these are; the exit status of its work."""
    folder = Path(arguments[0])
    spec = read_spec(folder)
    if spec is None:
        sys.stderr.write(f"error: {folder} holds no spec.json of a run.\n")
        return 2
    return Keeper(folder, spec, arguments[2:], int(arguments[1])).keep()


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit("Usage: python -m grace_engine.jobs.keeper RUN_FOLDER CLAIM COMMAND...")
    sys.exit(main(sys.argv[1:]))
