"""How do runs of one machine take a device in turn, whatever workspaces they belong to?

A device is a locked file: the lock ends with the processes that hold it open, however they end. Who
waits holds a numbered ticket, locked in the same way, and takes the device when no living ticket
has a lower number: first come, first served, by no clock.
"""

import fcntl
import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import orjson

from grace_engine.errors import StoreError

FOLDER_VARIABLE = "GRACE_DEVICES"
"""Names the folder of the locks, where several users share a device."""

TAKEN_VARIABLE = "GRACE_DEVICE_TAKEN"
"""Tells the process of a run which device its keeper has taken for it."""

_NAP = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who has a device.

    Attributes:
        what: ``run score-… of /data/workspace``; may hold names that users gave.
        pid: The process that took it.
    """

    what: str
    pid: int


def devices_folder() -> Path:
    """Where this user's locks are: ``$GRACE_DEVICES``, else in the cache folder."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "grace-studio" / "devices"


@contextmanager
def having_device(device: str, what: str, say: Callable[[str], None]) -> Iterator[bool]:
    """Have a device for the length of the block; whether it had to be waited for.

    In the process of a run whose keeper has taken it, nothing is to be done.

    Args:
        device: Such as ``cpu`` or ``cuda:1``.
        what: For whom, as others will read it.
        say: Told once whom this waits for, and again when that is another one.

    Raises:
        StoreError: The lock cannot be made.
    """
    if os.environ.get(TAKEN_VARIABLE) == device:
        yield False
        return
    said: list[str] = []

    def waiting(sentence: str) -> None:
        if sentence not in said[-1:]:
            said.append(sentence)
            say(sentence)

    with take_device(device, what, waiting):
        yield bool(said)


def take_device(device: str, what: str, waiting: Callable[[str], None]) -> IO[bytes]:
    """Wait until the device is free and take it; it is free again once the file is closed.

    Every process that inherits the open file holds the device, too.

    Args:
        device: Such as ``cpu`` or ``cuda:1``.
        what: For whom, as others will read it.
        waiting: Told a few times a second who has it; what it raises ends the wait.

    Raises:
        StoreError: The lock cannot be made.
    """
    # A home may be shared by machines.
    name = re.sub(r"[^A-Za-z0-9]+", "-", f"{platform.node()}-{device}")
    folder = devices_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f"{name}.lock").open("a+b")
    except OSError as fault:
        raise StoreError(
            f"The lock of the device {device} cannot be made in {folder} ({fault.strerror}). Make "
            f"that folder writable, or name another one in ${FOLDER_VARIABLE}."
        ) from fault
    try:
        with _ticket(folder / f"{name}.queue") as ahead:
            while True:
                before = ahead()
                if not before and _locked(lock):
                    break
                waiting(_sentence(device, _holder(lock), before))
                time.sleep(_NAP)
        lock.truncate(0)
        lock.write(orjson.dumps(asdict(Holder(what=what, pid=os.getpid()))))
        lock.flush()
    except BaseException:
        lock.close()
        raise
    return lock


def _sentence(device: str, holder: Holder | None, before: int) -> str:
    who = f"the {holder.what} (process {holder.pid})" if holder else "another run"
    others = {0: "", 1: "; one more waits before this one"}.get(
        before, f"; {before} more wait before this one"
    )
    return f"Waiting for the device {device}, which {who} has{others}."


def _holder(lock: IO[bytes]) -> Holder | None:
    lock.seek(0)
    with suppress(orjson.JSONDecodeError, TypeError):
        return Holder(**orjson.loads(lock.read()))
    return None


@contextmanager
def _ticket(queue: Path) -> Iterator[Callable[[], int]]:
    """Stand in the queue; how many living ones stand before."""
    queue.mkdir(exist_ok=True)
    with (queue / ".lock").open("a") as counter:
        fcntl.flock(counter, fcntl.LOCK_EX)
        number = 1 + max(_numbers(queue), default=0)
        path = queue / f"{number}"
        ticket = path.open("wb")
        fcntl.flock(ticket, fcntl.LOCK_EX)
    try:
        yield lambda: sum(_is_held(queue / f"{n}") for n in _numbers(queue) if n < number)
    finally:
        path.unlink(missing_ok=True)
        ticket.close()


def _numbers(queue: Path) -> list[int]:
    return [int(path.name) for path in queue.iterdir() if path.name.isdecimal()]


def _is_held(ticket: Path) -> bool:
    """Whether whoever drew a ticket lives; a ticket that nobody holds is thrown away."""
    try:
        with ticket.open("rb") as file:
            if not _locked(file):
                return True
            ticket.unlink(missing_ok=True)
    except FileNotFoundError:
        pass
    return False


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
