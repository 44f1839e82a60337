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
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import duckdb

from grace_engine.errors import NotFoundError, StoreBusyError
from grace_engine.store import engine, faults, migrations

BUSY_TIMEOUT = 30.0  # many people on a busy machine wait long, and none of them is stuck
# Seconds between two tries. Asking for the lock file costs next to nothing, and asking often keeps
# a process that works without a pause from starving the others; opening the database is dear.
_LOCK_NAP, _OPEN_NAP = 0.003, 0.05
# Bytes of the lock file: the holder's process id and blanks.
_SIGNED = 20

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
            with engine.connect(aside) as connection:
                migrations.bring_up_to_date(connection, aside)
            with suppress(FileExistsError):  # another process was first: its database is as good
                os.link(aside, self.path)

    @property
    def is_read_only(self) -> bool:
        """Whether the file, or the folder that its log and its lock go to, cannot be written.

        Then it is opened to be read alone.
        """
        return not (os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK))

    def size(self) -> int:
        """Bytes of the file and of its write-ahead log."""
        return sum(file.stat().st_size for file in (self.path, log_of(self.path)) if file.exists())

    def stamp(self) -> str:
        """A text that is another one once something was committed; the file is not opened."""
        found = []
        for file in (self.path, log_of(self.path)):
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
            StoreError: The disk is full, the file is damaged, or it was to be changed and is
                read-only.
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
        if not self.path.exists():
            raise NotFoundError(
                f"There is no workspace database at {self.path}. Name the right folder with "
                "--workspace, or make a workspace by ingesting a file into it."
            )
        with self.held(deadline), self._open(deadline) as connection:
            migrations.bring_up_to_date(connection, self.path, may_write=not self.is_read_only)
            yield connection

    def replace(self, fresh: Path, aside: str) -> Path:
        """Put the database file ``fresh`` in the place of this one, which nobody has open.

        The old file is kept beside under its name and ``aside``; its path then. Call it while the
        file is ``held``.
        """
        kept = self.path.with_name(f"{self.path.name}.{aside}")
        os.link(self.path, kept)  # a link, so that there is a database at every moment
        with suppress(FileNotFoundError):
            log_of(self.path).rename(log_of(kept))
        fresh.rename(self.path)
        return kept

    @contextmanager
    def held(self, deadline: float | None = None) -> Iterator[None]:
        """Keep all other threads and processes of the studio off the file, which is not opened."""
        deadline = deadline or time.monotonic() + self.busy_timeout
        with (
            self._only_thread(deadline),
            faults.in_sentences(self.path),
            self._only_process(deadline),
        ):
            yield

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
        path = self.path.with_name(f"{self.path.name}.lock")
        read_only = not os.access(path if path.exists() else path.parent, os.W_OK)
        if read_only and not path.exists():  # nobody has ever written here, and nobody can
            yield
            return
        file = os.open(path, os.O_RDONLY if read_only else os.O_RDWR | os.O_CREAT, 0o666)
        try:
            for _ in _attempts(deadline, _LOCK_NAP):
                with suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
            else:
                holder = os.pread(file, _SIGNED, 0).strip()
                raise faults.busy(
                    self.path, int(holder) if holder.isdigit() else None, self.busy_timeout
                )
            _sign(file, str(os.getpid()))
            yield
            _sign(file, "")  # who cannot sign must not be taken for us
        finally:
            os.close(file)

    @contextmanager
    def _open(self, deadline: float) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file, again and again while a process that is not the studio's holds it."""
        for _ in _attempts(deadline, _OPEN_NAP):
            with ExitStack() as stack:
                try:
                    opened = engine.attached(self.path, read_only=self.is_read_only)
                    connection = stack.enter_context(opened)
                except duckdb.Error as error:
                    if not faults.is_busy(error):
                        raise
                    holder = faults.holder_named_by(error)
                    continue
                yield connection
                return
        raise faults.busy(self.path, holder, self.busy_timeout)


def log_of(path: Path) -> Path:
    """The write-ahead log of a database file."""
    return path.with_name(f"{path.name}.wal")


def _sign(file: int, name: str) -> None:
    """Say in the lock file who holds it, in place: a full or read-only disk keeps no one out."""
    with suppress(OSError):
        os.pwrite(file, name.ljust(_SIGNED).encode(), 0)


def _attempts(deadline: float, nap: float) -> Iterator[None]:
    """Now, then after naps of about ``nap`` seconds, the last time when ``deadline`` has passed."""
    yield
    while time.monotonic() < deadline:
        time.sleep(nap * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
        yield
