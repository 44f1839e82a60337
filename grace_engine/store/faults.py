"""What does an error of the database mean to the user?"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psutil

from grace_engine.disk import disk_fault
from grace_engine.errors import (
    GraceError,
    ResourceError,
    StoreBusyError,
    StoreError,
    StoreVersionError,
)

_BUSY = re.compile(r"Could not set lock on file|Conflicting lock|used by another process", re.I)
_HOLDER = re.compile(r"PID (\d+)")
_COMMAND_LENGTH = 120

# What DuckDB says, the fault it is, and what the user reads; {path} and {said} are filled in.
_MEANINGS: tuple[tuple[re.Pattern[str], type[GraceError], str], ...] = (
    (
        re.compile(r"Trying to read a database file with version number", re.I),
        StoreVersionError,
        f"The workspace file {{path}} was written by a newer DuckDB than {duckdb.__version__}, "
        "which is installed here ({said}). Upgrade duckdb, or open another workspace.",
    ),
    (
        re.compile(
            r"Corrupt database file|not a valid DuckDB database|Could not read enough bytes"
            r"|Failure while replaying WAL",
            re.I,
        ),
        StoreError,
        "The workspace file {path} is damaged ({said}). Run `grace workspace rebuild`: it sets the "
        "file aside and brings back what it, backups, the journal and the source files hold; or "
        "take a backup whole with `grace workspace restore FILE`.",
    ),
    (
        re.compile(r"Out of Memory Error|max_temp_directory_size", re.I),
        ResourceError,
        "The database of the workspace {path} ran out of memory or of temporary disk ({said}). "
        "Close other programs, or work on fewer traces at once.",
    ),
)


def is_busy(error: duckdb.Error) -> bool:
    """Whether another process holds the file."""
    return bool(_BUSY.search(str(error)))


def holder_named_by(error: duckdb.Error) -> int | None:
    """The process that holds the file, as far as DuckDB says."""
    match = _HOLDER.search(str(error))
    return int(match[1]) if match else None


def busy(path: Path, holder: int | None, waited: float) -> StoreBusyError:
    """The fault that names who holds ``path``, after ``waited`` seconds."""
    who = "another process" if holder is None else describe_process(holder)
    return StoreBusyError(
        f"The workspace database {path} is held by {who} and did not come free within "
        f"{waited:g} s. Wait until that process is done, or end it, and try again."
    )


def describe_process(pid: int) -> str:
    """``process 123 (python -m …)``: a process as a user can recognise it."""
    try:
        command = " ".join(" ".join(psutil.Process(pid).cmdline()).split())
    except psutil.Error:
        command = ""
    if len(command) > _COMMAND_LENGTH:
        command = command[: _COMMAND_LENGTH - 1] + "…"
    return f"process {pid} ({command})" if command else f"process {pid}"


def meaning(error: duckdb.Error | OSError, path: Path) -> GraceError | None:
    """The fault behind an error of the database or file system; None for a mistake in our SQL."""
    text = str(error)
    said = text.partition("\n")[0]
    of_disk = disk_fault(error, path)
    if of_disk:
        return of_disk
    for pattern, fault, sentence in _MEANINGS:
        if pattern.search(text):
            return fault(sentence.format(path=path, said=said))
    if isinstance(error, duckdb.IOException):
        return StoreError(f"The workspace file {path} cannot be used ({said}).")
    return None


def _is_interrupt(error: Exception) -> bool:
    """Whether a signal's ``KeyboardInterrupt`` is behind it: in a query, or in a table's reader."""
    if isinstance(error, duckdb.Error):
        return isinstance(error, duckdb.InterruptException) or "KeyboardInterrupt" in str(error)
    return type(error) is RuntimeError and str(error) == "Query interrupted"


@contextmanager
def in_sentences(path: Path) -> Iterator[None]:
    """Raise faults in place of what DuckDB and the file system say of the database at ``path``.

    A ``KeyboardInterrupt`` that came while DuckDB was at work is one again: DuckDB makes an error
    of its own of it, without a cause.
    """
    try:
        yield
    except (duckdb.Error, OSError, RuntimeError) as error:
        if _is_interrupt(error):
            raise KeyboardInterrupt from error
        if not isinstance(error, (duckdb.Error, OSError)):
            raise
        fault = meaning(error, path)
        if fault is None:
            raise
        raise fault from error
