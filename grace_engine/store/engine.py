"""How is a database file opened, often and at little cost?

To make an instance of DuckDB takes some forty milliseconds of a core, to attach a file to one a
few. So a process keeps one instance, and a file is attached to it for the length of a unit of work:
in between nobody holds the file.
"""

import atexit
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from grace_engine.errors import InputError
from grace_engine.store import rollback

_NAME = "workspace"
# What an instance was made for, and the instance. Whoever uses it has the turn of all threads, or
# reads the same file as all others.
_kept: tuple[tuple[Path, bool], duckdb.DuckDBPyConnection] | None = None
# Readers of the attached file; the guard is held while one comes or goes.
_n_readers, _guard = 0, threading.Lock()
# The file that is attached to be written, and its descriptor (see ``rollback.keep``).
_written: tuple[Path, int] | None = None


@contextmanager
def attached(path: Path, *, is_read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """The open file at ``path``, let go at the end; for one thread of the process at a time.

    Raises:
        InputError: There is a question mark in the path.
        OSError: It is gone, or cannot be read.
        duckdb.Error: It cannot be opened.
    """
    global _written
    require_path(path)
    file = os.open(path, os.O_RDONLY)
    try:
        cursor = _instance(path, is_read_only).cursor()
        try:
            _attach(cursor, path, read_only=is_read_only)
            cursor.execute(f"USE {_NAME}")
            _written = None if is_read_only else (path, file)
            yield cursor
        finally:
            _end(cursor)
    finally:
        _written = None
        os.close(file)


def merge(cursor: duckdb.DuckDBPyConnection) -> None:
    """Merge the log of the file that is ``attached`` to be written, so that it can be killed.

    Raises:
        OSError: There is no room on the disk to do that safely.
        duckdb.Error: It cannot be merged.
    """
    if _written is None:
        raise RuntimeError("No file is attached to be written.")
    path, file = _written
    rollback.keep(cursor, _NAME, path, file)
    cursor.execute("CHECKPOINT")
    rollback.forget(path)


@contextmanager
def shared(path: Path, *, is_read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """The file at ``path`` opened to be read, by many threads at once; the last one lets it go.

    Raises:
        InputError: There is a question mark in the path.
        duckdb.Error: It cannot be opened.
    """
    global _n_readers
    require_path(path)
    with _guard:
        cursor = _instance(path, is_read_only).cursor()
        if _n_readers == 0:
            try:
                _attach(cursor, path, read_only=True)
            except BaseException:
                _let_go(cursor)
                raise
        _n_readers += 1
    try:
        cursor.execute(f"USE {_NAME}")
        yield cursor
    finally:
        with _guard:
            _n_readers -= 1
            if _n_readers == 0:
                _let_go(cursor)
            else:
                with suppress(duckdb.Error):
                    cursor.close()


def _attach(cursor: duckdb.DuckDBPyConnection, path: Path, *, read_only: bool) -> None:
    mode = " (READ_ONLY)" if read_only else ""
    cursor.execute(f"ATTACH ? AS {_NAME}{mode}", [str(path)])


def connect(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """The file at ``path`` in an instance of its own, which a damaged file may take down.

    Raises:
        InputError: There is a question mark in the path.
        duckdb.Error: It cannot be opened.
    """
    require_path(path)
    return _made(path, path, read_only=read_only)


def log_of(path: Path) -> Path:
    """The write-ahead log of a database file."""
    return path.with_name(f"{path.name}.wal")


def require_path(path: Path) -> None:
    """``InputError`` for a path that DuckDB takes apart: it looks for its log before a ``?``."""
    if "?" in str(path):
        raise InputError(
            f"{path} holds a question mark, which no path of a database may. Name another folder."
        )


def _instance(path: Path, is_read_only: bool) -> duckdb.DuckDBPyConnection:
    """The kept instance; another one where it was made for another file."""
    global _kept
    if _kept is not None and _kept[0] != (path, is_read_only):
        _drop()
    if _kept is None:
        _kept = (path, is_read_only), _made(":memory:", path, spill_aside=is_read_only)
    return _kept[1]


def _end(cursor: duckdb.DuckDBPyConnection) -> None:
    """Let the attached file go, its log merged; where that has no room to be safe, the log stays.

    Whoever may write next merges it; all that was committed is in it.
    """
    if _written is None or not log_of(_written[0]).exists():
        _let_go(cursor)
        return
    path, file = _written
    is_kept = False
    try:
        rollback.keep(cursor, _NAME, path, file)
        is_kept = True
    except (OSError, duckdb.Error):
        pass
    finally:
        if not is_kept:
            with suppress(duckdb.Error):
                cursor.execute("PRAGMA disable_checkpoint_on_shutdown")
        if _let_go(cursor) and is_kept:
            rollback.forget(path)
        if not is_kept:
            _drop()  # and the setting with it


def _let_go(cursor: duckdb.DuckDBPyConnection) -> bool:
    """Whether the file could be detached, its log merged; else the whole instance is gone."""
    try:
        cursor.execute("USE memory")
        cursor.execute(f"DETACH DATABASE IF EXISTS {_NAME}")
        # A unit of work may set them for itself.
        cursor.execute("RESET memory_limit")
        cursor.execute("RESET force_compression")
        cursor.close()
    except BaseException as error:
        with suppress(duckdb.Error):
            cursor.close()
        _drop()
        if not isinstance(error, duckdb.Error):
            raise
        return False
    return True


def _drop() -> None:
    global _kept
    if _kept is not None:
        with suppress(duckdb.Error):
            _kept[1].close()
        _kept = None


def _made(
    opened: Path | str, path: Path, *, read_only: bool = False, spill_aside: bool = False
) -> duckdb.DuckDBPyConnection:
    """The only way an instance is made: DuckDB wants one configuration per process."""
    beside = Path(tempfile.gettempdir(), path.name) if read_only or spill_aside else path
    return duckdb.connect(
        str(opened),
        read_only=read_only,
        config={
            "allow_community_extensions": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",  # SQL never reads Python variables
            # At a checkpoint DuckDB would join row groups that are not full, and so write most of
            # what an intake stored once more: at its end, or in the next small unit.
            "max_vacuum_tasks": "0",
            # It merges a log where it is told to, so that a kill can be undone (``rollback``), and
            # never of itself within a commit.
            "checkpoint_threshold": "1TB",
            "temp_directory": f"{beside}.tmp",
        },
    )


atexit.register(_drop)
