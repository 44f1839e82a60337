"""Is a process still the one that was noted down, or has its number gone to another?"""

import os
from functools import cache
from pathlib import Path

import psutil

# Clock ticks and psutil's floats of one process differ by less than that, in seconds.
_SAME = 0.5
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@cache
def boot() -> str:
    """Which start of the machine this is: another text after each; "" where it does not tell."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def born(pid: int) -> float | None:
    """When a living process began, in seconds; None where there is none, or only its zombie.

    Counted from the machine's start where the system tells, so that a clock that is set moves
    nothing; else from 1970.
    """
    try:
        process = psutil.Process(pid)
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return None
        ticks = _ticks(pid)
        return process.create_time() if ticks is None else ticks / os.sysconf("SC_CLK_TCK")
    except psutil.AccessDenied:
        return None  # another user's: not one that we started
    except (psutil.Error, OSError):
        return None


def is_same(pid: int, began: float, during: str = "") -> bool:
    """Whether process ``pid`` lives and is the one that began then.

    Args:
        pid: Its number.
        began: ``born`` of it, when it was noted down.
        during: ``boot`` at that time; "" where nobody knows.
    """
    if during and during != boot():
        return False  # numbers and times begin anew with each start of the machine
    found = born(pid) if pid > 0 else None
    return found is not None and abs(found - began) < _SAME


def _ticks(pid: int) -> int | None:
    """Clock ticks between the machine's start and the process's; None on other systems."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return None
    # The name, in parentheses, may hold blanks and parentheses; what follows it does not.
    return int(stat.read_text(errors="replace").rpartition(")")[2].split()[19])
