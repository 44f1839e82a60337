"""Which files does a run folder hold, and how are they written and read?

``spec.json``: what was asked for; written once. ``status.json``: how far it is; replaced as a
whole. ``events.jsonl``: what happened, a line each. ``log.txt``: the same for people, and what the
work printed. ``cancel``: its end was asked for. ``claim``: locked by whoever works on it.
``reserve``: bytes that are given up so that a last word fits on a full disk.
"""

import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import orjson

from grace_engine.disk import is_disk_full
from grace_engine.errors import DiskFullError
from grace_engine.jobs.processes import is_same

State: TypeAlias = Literal[
    "starting",
    "queued",
    "running",
    "no-progress",
    "finished",
    "cancelled",
    "failed",
    "died",
    "killed-for-memory",
    "disk-full",
]
ACTIVE: tuple[State, ...] = ("starting", "queued", "running", "no-progress")
"""States in which there is something to wait for."""

SPEC, STATUS, EVENTS, LOG, CANCEL, CLAIM, RESERVE = (
    "spec.json",
    "status.json",
    "events.jsonl",
    "log.txt",
    "cancel",
    "claim",
    "reserve",
)
# Room for a status, an event and their blocks.
_RESERVED = 32_768


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What a job does; enough to do it again.

    Attributes:
        kind: Such as ``score``.
        title: One line for people; may hold names that users gave.
        settings: What the work needs, as JSON values.
        device: The device that it takes for itself; "" for none.
        cwd: The folder that relative paths of the settings start from; "" for that of whoever
            starts it.
    """

    kind: str
    title: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    device: str = ""
    cwd: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How far a job is, as it last said itself, or as its keeper said when it could not.

    Times ``…_at`` are seconds since 1970, for people. Whatever is decided is decided by numbers and
    by ``…_clock``, seconds of the machine's own clock (``time.monotonic``), which nobody sets.

    Attributes:
        state: As was said; ``no-progress`` is found by whoever reads.
        phase: What it is doing: ``Scoring``.
        done: Units done of the phase.
        total: Units of the phase; 0 where it is not known.
        unit: Their name.
        failures: Units that failed alone, by reason code; of all phases.
        rate: Units a second of the phase.
        tokens_rate: Tokens a second of the phase; 0 where none are read.
        message: The last thing that it said; of a job that ended badly, why.
        waits: It waits for another process, as the message says.
        number: Its place in the order in which jobs of the workspace were started, from 1.
        attempt: 1, and one more each time that it was resumed.
        began_at: When this attempt began.
        ended_at: When it ended; 0 until then.
        heartbeat_at: When this was written.
        progress_at: When the last unit was done.
        seconds: Since the attempt began.
        began_clock: When the attempt began.
        heartbeat_clock: When this was written.
        progress_clock: When the last unit was done.
        boot: Which start of the machine clocks and processes belong to (``processes.boot``).
        pid: The process that works; before there is one, that which will start it.
        pid_born: When that process began (``processes.born``).
        keeper_pid: The process that started it and waits for its end.
        keeper_born: When that process began.
        result: What came out, as JSON values.
    """

    state: State = "starting"
    phase: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    failures: Mapping[str, int] = field(default_factory=dict)
    rate: float = 0.0
    tokens_rate: float = 0.0
    message: str = ""
    waits: bool = False
    number: int = 0
    attempt: int = 1
    began_at: float = 0.0
    ended_at: float = 0.0
    heartbeat_at: float = 0.0
    progress_at: float = 0.0
    seconds: float = 0.0
    began_clock: float = 0.0
    heartbeat_clock: float = 0.0
    progress_clock: float = 0.0
    boot: str = ""
    pid: int = 0
    pid_born: float = 0.0
    keeper_pid: int = 0
    keeper_born: float = 0.0
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the phase is done at its rate; None where that cannot be said."""
        if not (self.total and self.rate):
            return None
        return max(0, self.total - self.done) / self.rate

    @property
    def is_alive(self) -> bool:
        """Whether its process lives, or the one that will say how that ended."""
        return is_same(self.pid, self.pid_born, self.boot) or is_same(
            self.keeper_pid, self.keeper_born, self.boot
        )


def read_spec(folder: Path) -> JobSpec | None:
    """What was asked for; None where the folder holds no job."""
    document = _read(folder / SPEC)
    if document is None or not {"kind", "title"} <= document.keys():
        return None
    known = {each.name for each in fields(JobSpec)}
    return JobSpec(**{name: value for name, value in document.items() if name in known})


def read_status(folder: Path) -> Status | None:
    """The status that stands in a run folder; None where there is none."""
    document = _read(folder / STATUS)
    if document is None:
        return None
    known = {each.name for each in fields(Status)}
    return Status(**{name: value for name, value in document.items() if name in known})


def write_spec(folder: Path, spec: JobSpec) -> None:
    """Write what is asked for."""
    _replace(folder / SPEC, asdict(spec))


def write_status(folder: Path, status: Status) -> None:
    """Replace the status as a whole, marked with this moment: a reader sees the old or the new."""
    clock = time.monotonic()
    now = replace(
        status,
        heartbeat_at=time.time(),
        heartbeat_clock=clock,
        seconds=clock - status.began_clock,
    )
    _replace(folder / STATUS, asdict(now))


def write_last_status(folder: Path, status: Status) -> None:
    """As ``write_status``; on a full disk the bytes that were set aside make room."""
    try:
        write_status(folder, status)
    except OSError as fault:
        if not is_disk_full(fault):
            raise
        (folder / RESERVE).unlink(missing_ok=True)
        write_status(folder, status)


def set_aside(folder: Path) -> None:
    """Take the bytes that a last word will need, where room for the first ones is left besides.

    Raises:
        DiskFullError: There is none; nothing is taken then.
        OSError: The folder cannot be written.
    """
    reserve = folder / RESERVE
    try:
        reserve.write_bytes(os.urandom(_RESERVED))  # no file system makes these small
        has_room = shutil.disk_usage(folder).free >= _RESERVED
    except OSError as fault:
        reserve.unlink(missing_ok=True)
        if not is_disk_full(fault):
            raise
        has_room = False
    if not has_room:
        reserve.unlink(missing_ok=True)
        raise DiskFullError(
            f"The disk that holds {folder.parent} is full, so no run can begin there: it could not "
            "even say how far it is. Nothing was changed. Free some space and try again."
        )


def add_event(folder: Path, **event: object) -> None:
    """Append one event with its time."""
    line = orjson.dumps({"at": time.time(), **event}, option=orjson.OPT_APPEND_NEWLINE)
    with (folder / EVENTS).open("ab") as file:
        file.write(line)


def read_events(folder: Path) -> list[dict[str, Any]]:
    """What happened, in order; a line that was cut short is left out."""
    try:
        lines = (folder / EVENTS).read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with suppress(orjson.JSONDecodeError):
            found.append(orjson.loads(line))
    return found


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return document if isinstance(document, dict) else None


def _replace(path: Path, document: object) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.write_bytes(orjson.dumps(document))
        aside.replace(path)
    except OSError:
        with suppress(OSError):
            aside.unlink()
        raise
