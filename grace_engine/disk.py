"""What does a fault of the disk mean to the user?"""

import errno
import re
from pathlib import Path

from grace_engine.errors import DiskFullError, StoreError

# How the sentence on a full disk ends; a background run, which is no command, has its own ending.
AGAIN = " and run the command again"
_FULL = re.compile(
    r"No space left on device|File too large|quota exceeded|not enough space", re.IGNORECASE
)
_CLOSED = re.compile(r"Read-only file system|Permission denied|in read-only mode", re.IGNORECASE)
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


def is_full(error: Exception) -> bool:
    """Whether an error's words say that the disk has no room."""
    return bool(_FULL.search(str(error)))


def disk_fault(error: Exception, path: Path) -> StoreError | None:
    """The fault behind an error with the workspace file at ``path``; None if it is another's."""
    said = (isinstance(error, OSError) and error.strerror) or str(error).partition("\n")[0]
    if is_full(error):
        return DiskFullError(
            f"The disk that holds {path} is full, so this step was not stored; what was stored "
            f"before is safe. Free some space{AGAIN}."
        )
    if _CLOSED.search(str(error)):
        return cannot_be_written(path, (isinstance(error, OSError) and error.strerror) or "")
    return (
        StoreError(f"The {_named(path)} cannot be used ({said}).")
        if isinstance(error, OSError)
        else None
    )


def cannot_be_written(path: Path, why: str = "") -> StoreError:
    """The fault of a workspace that is to be changed at ``path`` and is closed to that."""
    because = f" ({why})" if why else ""
    return StoreError(
        f"The {_named(path)} cannot be written{because}. Make it writable, or name another "
        "workspace."
    )


def _named(path: Path) -> str:
    return f"workspace {'folder' if path.is_dir() else 'file'} {path}"


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or one that it came from, says that a disk or a quota is full."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        if isinstance(found, DiskFullError):
            return True
        if isinstance(found, OSError) and found.errno in _NO_ROOM:
            return True
        found = found.__cause__ or found.__context__
    return False
