"""How does one unit of work get the workspace database to itself?

DuckDB lets one process hold a file, and then no other can even read it; threads of one process that
open it side by side starve each other. So nobody holds it: a unit of work opens the file, works in
one transaction, commits and closes. A lock between threads and a lock file between processes (with
the holder's process id in it) come before DuckDB's own lock.
"""

import fcntl
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from grace_engine.errors import NotFoundError, StoreBusyError
from grace_engine.store import faults, migrations

BUSY_TIMEOUT = 10.0
# Seconds between two tries. Asking for the lock file costs next to nothing, and asking often keeps
# a process that works without a pause from starving the others; opening the database is dear.
_LOCK_NAP, _OPEN_NAP = 0.003, 0.05

_process_lock = threading.Lock()
_owner: int | None = None


class Database:
    """One DuckDB file that many processes and threads use in turn.

    Attributes:
        path: The file.
        busy_timeout: Seconds that a unit waits for other threads and processes.
    """

    def __init__(self, path: Path, *, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self.path = path
        self.busy_timeout = busy_timeout

    def create(self, folder: Path) -> None:
        """Make the file, with all tables, if it does not exist.

        It is built in ``folder`` and linked to its name, so that no one sees half a database.
        """
        if self.path.exists():
            return
        aside = folder / self.path.name
        with faults.in_sentences(self.path):
            with self._connect(aside) as connection:
                migrations.bring_up_to_date(connection, aside)
            with suppress(FileExistsError):  # another process was first: its database is as good
                os.link(aside, self.path)

    def size(self) -> int:
        """Bytes of the file and of its write-ahead log."""
        log = self.path.with_name(f"{self.path.name}.wal")
        return sum(file.stat().st_size for file in (self.path, log) if file.exists())

    def stamp(self) -> str:
        """A text that is another one once something was committed; the file is not opened."""
        log = self.path.with_name(f"{self.path.name}.wal")
        found = []
        for file in (self.path, log):
            with suppress(FileNotFoundError):  # the log goes when the file is closed
                known = file.stat()
                found.append(f"{known.st_ino}:{known.st_size}:{known.st_mtime_ns}")
        return " ".join(found)

    @contextmanager
    def unit(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One unit of work: a transaction on an up-to-date schema, committed at the end.

        An exception inside rolls everything back.

        Raises:
            StoreBusyError: The file did not come free within ``busy_timeout``.
            StoreVersionError: A newer version of the studio wrote it.
            StoreError: The disk is full, or the file is read-only or damaged.
        """
        with self.exclusive() as connection:
            connection.execute("BEGIN TRANSACTION")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(duckdb.Error):
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def exclusive(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The open file without a transaction, for copies of the whole; else use ``unit``."""
        deadline = time.monotonic() + self.busy_timeout
        with (
            self._only_thread(deadline),
            faults.in_sentences(self.path),
            self._only_process(deadline),
            self._open(deadline) as connection,
        ):
            migrations.bring_up_to_date(connection, self.path)
            yield connection

    @contextmanager
    def _only_thread(self, deadline: float) -> Iterator[None]:
        """Hold the lock that keeps all other threads of this process off any database."""
        global _owner
        if _owner == threading.get_ident():
            raise RuntimeError("Units of work do not nest: pass the open connection on.")
        if not _process_lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise StoreBusyError(
                f"The workspace database {self.path} is in use by another task of this process "
                f"({os.getpid()}) and did not come free within {self.busy_timeout:g} s. "
                "Wait until it is done and try again."
            )
        _owner = threading.get_ident()
        try:
            yield
        finally:
            _owner = None
            _process_lock.release()

    @contextmanager
    def _only_process(self, deadline: float) -> Iterator[None]:
        """Hold the lock file that keeps all other processes of the studio off this database.

        DuckDB's own lock is on the database file, which a compaction replaces: who opened the old
        file a moment before would lock what no longer counts.
        """
        if not self.path.exists():
            raise NotFoundError(
                f"There is no workspace database at {self.path}. Name the right folder with "
                "--workspace, or make a workspace by ingesting a file into it."
            )
        with self.path.with_name(f"{self.path.name}.lock").open("a+") as file:
            for _ in _attempts(deadline, _LOCK_NAP):
                with suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
            else:
                file.seek(0)
                holder = file.read()
                raise faults.busy(
                    self.path, int(holder) if holder.isdecimal() else None, self.busy_timeout
                )
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def _open(self, deadline: float) -> duckdb.DuckDBPyConnection:
        """Open the file, again and again while a process that is not the studio's holds it."""
        for _ in _attempts(deadline, _OPEN_NAP):
            try:
                return self._connect(self.path)
            except duckdb.Error as error:
                if not faults.is_busy(error):
                    raise
                holder = faults.holder_named_by(error)
        raise faults.busy(self.path, holder, self.busy_timeout)

    @staticmethod
    def _connect(path: Path) -> duckdb.DuckDBPyConnection:
        """The only way a connection is made: DuckDB wants one configuration per process."""
        return duckdb.connect(
            str(path),
            config={
                "allow_community_extensions": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "python_enable_replacements": "false",  # SQL never reads Python variables
                # At a checkpoint DuckDB would join row groups that are not full, and so write most
                # of what an intake stored once more: at its end, or in the next small unit.
                "max_vacuum_tasks": "0",
                "temp_directory": f"{path}.tmp",
            },
        )


def _attempts(deadline: float, nap: float) -> Iterator[None]:
    """Now, then after naps of about ``nap`` seconds, the last time when ``deadline`` has passed."""
    yield
    while time.monotonic() < deadline:
        time.sleep(nap * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
        yield
