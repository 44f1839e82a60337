"""How is a database file opened, often and at little cost?

To make an instance of DuckDB takes some forty milliseconds of a core, to attach a file to one a
few. So a process keeps one instance, and a file is attached to it for the length of a unit of work:
in between nobody holds the file.
"""

import atexit
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from grace_engine.errors import InputError

_NAME = "workspace"
# What an instance was made for, and the instance. Whoever uses it has the turn of all threads, or
# reads the same file as all others.
_kept: tuple[tuple[Path, bool], duckdb.DuckDBPyConnection] | None = None
# Readers of the attached file; the guard is held while one comes or goes.
_n_readers, _guard = 0, threading.Lock()


@contextmanager
def attached(path: Path, *, is_read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """The open file at ``path``, let go at the end; for one thread of the process at a time.

    Raises:
        InputError: There is a question mark in the path.
        duckdb.Error: It cannot be opened.
    """
    require_path(path)
    cursor = _instance(path, is_read_only).cursor()
    try:
        _attach(cursor, path, read_only=is_read_only)
        cursor.execute(f"USE {_NAME}")
        yield cursor
    finally:
        _let_go(cursor)


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


def _let_go(cursor: duckdb.DuckDBPyConnection) -> None:
    """Detach the file, which merges its log; where that fails, the whole instance goes."""
    try:
        cursor.execute("USE memory")
        cursor.execute(f"DETACH DATABASE IF EXISTS {_NAME}")
        # A unit of work may set them for itself.
        cursor.execute("RESET memory_limit")
        cursor.execute("RESET force_compression")
        cursor.close()
    except duckdb.Error:
        with suppress(duckdb.Error):
            cursor.close()
        _drop()


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
            "temp_directory": f"{beside}.tmp",
        },
    )


atexit.register(_drop)
