"""What does a run folder say of its job?

``spec.json``: what was asked for; written once. ``status.json``: how far it is; replaced as a
whole. ``events.jsonl``: what happened, a line each. ``log.txt``: what it printed. ``cancel``: its
end was asked for. The folder is the truth: nobody keeps the state of a job anywhere else.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

import orjson

from grace_engine.jobs.processes import is_same

State: TypeAlias = Literal["starting", "running", "finished", "cancelled", "failed", "died"]
ACTIVE: tuple[State, ...] = ("starting", "running")
"""States in which there is something to wait for."""

SPEC, STATUS, EVENTS, LOG, CANCEL = (
    "spec.json",
    "status.json",
    "events.jsonl",
    "log.txt",
    "cancel",
)
CANCELLED = "Cancelled. What was finished is kept; the same run goes on from there."
_DIED = (
    "Its process ended without a word: it was killed, or the machine went down. What was finished "
    "is kept; run it again and it goes on from there."
)
# A folder whose starter was killed before it noted the process down is given up after that time.
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What a job does; enough to do it again.

    Attributes:
        kind: Such as ``score``.
        title: One line for people; may hold names that users gave.
        settings: What the work needs, as JSON values.
        device: The device that it takes for itself; "" for none.
    """

    kind: str
    title: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How far a job is, as it last said itself. Times are seconds since 1970.

    Attributes:
        state: As the job knows it; it cannot know that it died.
        phase: What it is doing: ``Scoring``.
        done: Units done of the phase.
        total: Units of the phase; 0 where it is not known.
        unit: Their name.
        rate: Units a second of the phase.
        tokens_rate: Tokens a second of the phase; 0 where none are read.
        message: The last thing that it said; of a failed job, why.
        began_at: When the job began.
        ended_at: When it ended; 0 until then.
        heartbeat_at: When this was written.
        progress_at: When the last unit was done.
        pid: Its process.
        pid_born: When that process began (``processes.born``).
        result: What came out, as JSON values.
    """

    state: State = "starting"
    phase: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    rate: float = 0.0
    tokens_rate: float = 0.0
    message: str = ""
    began_at: float = 0.0
    ended_at: float = 0.0
    heartbeat_at: float = 0.0
    progress_at: float = 0.0
    pid: int = 0
    pid_born: float = 0.0
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the phase is done at its rate; None where that cannot be said."""
        if not (self.total and self.rate):
            return None
        return max(0, self.total - self.done) / self.rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as its folder showed it at one moment.

    Attributes:
        id: Name of its folder: kind, time and four hex digits.
        folder: Where it lives.
        spec: What was asked for.
        status: What it said last.
        state: What it is: the status's state, or ``died`` or ``cancelled`` where its process went
            without a word.
        cancelling: Its end was asked for and has not come yet.
    """

    id: str
    folder: Path
    spec: JobSpec
    status: Status
    state: State
    cancelling: bool

    @property
    def is_active(self) -> bool:
        """Whether there is something to wait for."""
        return self.state in ACTIVE

    @property
    def says(self) -> str:
        """What it said last; of one that could not speak any more, what became of it."""
        if self.state == "died":
            return _DIED
        unheard = self.state == "cancelled" and self.status.state in ACTIVE
        return CANCELLED if unheard else self.status.message

    def log_tail(self, n_bytes: int = 4000) -> str:
        """The end of what it printed."""
        try:
            with (self.folder / LOG).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - n_bytes))
                return file.read().decode("utf-8", errors="replace")
        except OSError:
            return ""


def read_job(folder: Path) -> Job | None:
    """The job of a run folder; None where the folder holds none."""
    document = _read(folder / SPEC)
    if document is None:
        return None
    spec = JobSpec(**document)
    status = read_status(folder)
    asked = (folder / CANCEL).exists()
    state = _state(folder, status, asked=asked)
    return Job(
        id=folder.name,
        folder=folder,
        spec=spec,
        status=status or Status(),
        state=state,
        cancelling=asked and state in ACTIVE,
    )


def read_status(folder: Path) -> Status | None:
    """The status that stands in a run folder; None where there is none yet."""
    document = _read(folder / STATUS)
    known = {each.name for each in fields(Status)}
    if document is None:
        return None
    return Status(**{name: value for name, value in document.items() if name in known})


def write_spec(folder: Path, spec: JobSpec) -> None:
    """Write what is asked for."""
    _replace(folder / SPEC, asdict(spec))


def write_status(folder: Path, status: Status) -> None:
    """Replace the status as a whole: a reader sees the old one or the new one."""
    _replace(folder / STATUS, asdict(status))


def write_first_status(folder: Path, status: Status) -> None:
    """Write the status unless the job was faster and wrote its own."""
    aside = folder / f".{STATUS}.{os.getpid()}.first"
    aside.write_bytes(orjson.dumps(asdict(status)))
    try:
        os.link(aside, folder / STATUS)
    except FileExistsError:
        pass
    finally:
        aside.unlink()


def add_event(folder: Path, **event: object) -> None:
    """Append one event with its time."""
    line = orjson.dumps({"at": time.time(), **event}, option=orjson.OPT_APPEND_NEWLINE)
    with (folder / EVENTS).open("ab") as file:
        file.write(line)


def _state(folder: Path, status: Status | None, *, asked: bool) -> State:
    if status is None:
        # Between the folder and the first word; the starter may have been killed there.
        waited = time.time() - (folder / SPEC).stat().st_mtime
        return "starting" if waited < _PATIENCE else "died"
    if status.state in ACTIVE and not is_same(status.pid, status.pid_born):
        # It may have spoken its last word between the two looks.
        last = read_status(folder)
        if last is not None and last.state not in ACTIVE:
            return last.state
        return "cancelled" if asked else "died"
    return status.state


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = orjson.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, orjson.JSONDecodeError):
        return None
    return document if isinstance(document, dict) else None


def _replace(path: Path, document: object) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    aside.write_bytes(orjson.dumps(document))
    aside.replace(path)
