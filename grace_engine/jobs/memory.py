"""Did the kernel kill a process because memory ran out?

Nobody is told whose process the kernel chose, but it counts: for the control group of a process,
and for the whole machine. A count that rose while a process was killed by SIGKILL tells.
"""

import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["yes", "probably", "no"]

_COUNTER = "oom_kill"
_GROUPS = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")
_MACHINE = Path("/proc/vmstat")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryKills:
    """How many processes the kernel has killed for memory so far; None where it does not say.

    Attributes:
        group: Of the control group of this process, in which its children are, too.
        machine: Of the machine.
    """

    group: int | None
    machine: int | None


def memory_kills() -> MemoryKills:
    """The counts at this moment."""
    found = (_counted(file) for file in _group_files())
    return MemoryKills(
        group=next((count for count in found if count is not None), None),
        machine=_counted(_MACHINE),
    )


def killed_for_memory(returncode: int, before: MemoryKills, after: MemoryKills) -> Verdict:
    """Whether a process was killed for memory.

    Args:
        returncode: How it ended: below 0 the signal that ended it, negated.
        before: Counts from before it began.
        after: Counts from after its end.
    """
    if returncode != -signal.SIGKILL:
        return "no"
    if before.group is not None and after.group is not None:
        return "yes" if after.group > before.group else "no"
    if before.machine is not None and after.machine is not None:
        return "probably" if after.machine > before.machine else "no"
    return "no"


def _group_files() -> Iterator[Path]:
    """Where the control group of this process may be counted: version 2, then version 1."""
    with suppress(OSError):
        for line in _GROUPS.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                yield _MOUNT / path.lstrip("/") / "memory.events"
            elif "memory" in controllers.split(","):
                yield _MOUNT / "memory" / path.lstrip("/") / "memory.oom_control"


def _counted(file: Path) -> int | None:
    with suppress(OSError, ValueError):
        for line in file.read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == _COUNTER:
                return int(count)
    return None
