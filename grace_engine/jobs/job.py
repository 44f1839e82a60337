"""What has become of a job, told from its folder at one moment by whoever looks?"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from grace_engine.jobs.folder import (
    ACTIVE,
    CANCEL,
    LOG,
    JobSpec,
    State,
    Status,
    read_spec,
    read_status,
)
from grace_engine.quantities import duration

QUIET_SECONDS = 120.0
"""A running job that has done nothing for so long is said to make no progress."""

# A job that lives speaks every half second; after so long it stands still.
_SILENT_SECONDS = 20.0

WORDS: dict[State, str] = {
    "starting": "starting",
    "queued": "queued",
    "running": "running",
    "no-progress": "no progress",
    "finished": "finished",
    "cancelled": "cancelled",
    "failed": "failed",
    "died": "died",
    "killed-for-memory": "killed for memory",
    "disk-full": "disk full",
}
"""Each state as people read it."""

KEPT = "What was finished is kept; resume it and it goes on from there."
KILLED = (
    f"{KEPT} Of the last seconds more may be told as done than was stored; resumed, it counts what "
    "is stored."
)
CANCELLED = f"Cancelled. {KEPT}"
_DIED = f"Its processes ended without a word: they were killed, or the machine went down. {KILLED}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as its folder showed it at one moment.

    Attributes:
        id: Name of its folder: kind, time and four hex digits.
        folder: Where it lives.
        spec: What was asked for.
        status: What was said last.
        state: What it is: the status's state, or what became of it where nobody could say.
        cancelling: Its end was asked for and has not come yet.
        quiet: Seconds since the last unit was done, of one that works; else 0.
        silent: Seconds since it spoke last, of one that works; else 0.
    """

    id: str
    folder: Path
    spec: JobSpec
    status: Status
    state: State
    cancelling: bool
    quiet: float = 0.0
    silent: float = 0.0

    @property
    def is_active(self) -> bool:
        """Whether there is something to wait for."""
        return self.state in ACTIVE

    @property
    def is_resumable(self) -> bool:
        """Whether it ended before its work was done."""
        return not self.is_active and self.state != "finished"

    @property
    def word(self) -> str:
        """Its state as people read it."""
        return "cancelling" if self.cancelling else WORDS[self.state]

    @property
    def says(self) -> str:
        """What it said last; of one that could not speak any more, what became of it."""
        if self.state == "no-progress":
            return self._quiet_sentence()
        if self.status.state not in ACTIVE or self.is_active:
            return self.status.message
        return CANCELLED if self.state == "cancelled" else _DIED

    @property
    def failures(self) -> str:
        """Units that failed alone, by reason: ``3 (2 not-finite, 1 too-long)``; "" for none."""
        found = self.status.failures
        if not found:
            return ""
        reasons = ", ".join(
            f"{n:,} {reason}" for reason, n in sorted(found.items(), key=lambda f: (-f[1], f[0]))
        )
        return f"{sum(found.values()):,} ({reasons})"

    def log_tail(self, n_bytes: int = 4000) -> str:
        """The end of its log."""
        try:
            with (self.folder / LOG).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - n_bytes))
                return file.read().decode("utf-8", errors="replace")
        except OSError:
            return ""

    def _quiet_sentence(self) -> str:
        if self.silent > _SILENT_SECONDS:
            return (
                f"Its process is there and stands still: not a word for {duration(self.silent)}. "
                "Continue it where it was stopped, or cancel it and resume it."
            )
        return (
            f"Its process lives and has done nothing for {duration(self.quiet)}. Loading a model "
            "or a long trace takes its time; else look at its log, or cancel it and resume it."
        )


def read_job(folder: Path) -> Job | None:
    """The job of a run folder; None where the folder holds none."""
    spec = read_spec(folder)
    status = read_status(folder)
    if spec is None or status is None:
        return None
    asked = (folder / CANCEL).exists()
    state = status.state
    if state in ACTIVE and not status.is_alive:
        # It may have spoken its last word between the two looks.
        status = read_status(folder) or status
        state = status.state
        if state in ACTIVE:
            state = "cancelled" if asked else "died"
    now = time.monotonic()
    works = state == "running" and not status.waits
    quiet = max(0.0, now - status.progress_clock) if works else 0.0
    return Job(
        id=folder.name,
        folder=folder,
        spec=spec,
        status=status,
        state="no-progress" if quiet > QUIET_SECONDS else state,
        cancelling=asked and state in ACTIVE,
        quiet=quiet,
        silent=max(0.0, now - status.heartbeat_clock) if works else 0.0,
    )
