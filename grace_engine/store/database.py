"""How does one unit of work get the workspace database to itself?

DuckDB lets one process hold a file to write, and then no other can even read it; threads of one
process that open it side by side starve each other. So nobody holds it: a unit of work opens the
file, works in one transaction, commits and closes. Turns among threads and processes come before
DuckDB's own lock: units that only read take theirs together.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import duckdb

from grace_engine.disk import cannot_be_written
from grace_engine.errors import NotFoundError, StoreBusyError
from grace_engine.store import engine, faults, locks, migrations, rollback
from grace_engine.store.patience import Wait

BUSY_TIMEOUT = 30.0  # many people on a busy machine wait long, and none of them is stuck
_OPEN_NAP = 0.05  # seconds between two tries to open the file: that is dear
_OPEN_SECONDS = 2.0  # for which who waits long keeps others away meanwhile

T = TypeVar("T")

_threads = locks.Threads()


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

    def require_writable(self) -> None:
        """``StoreError`` where the file cannot be written, before work that would be in vain."""
        if self.is_read_only:
            raise cannot_be_written(self.path)

    def size(self) -> int:
        """Bytes of the file and of its write-ahead log."""
        return sum(
            file.stat().st_size for file in (self.path, engine.log_of(self.path)) if file.exists()
        )

    def stamp(self) -> str:
        """A text that is another one once something was committed; the file is not opened."""
        found = []
        for file in (self.path, engine.log_of(self.path)):
            with suppress(FileNotFoundError):  # the log goes when the file is closed
                known = file.stat()
                found.append(f"{known.st_ino}:{known.st_size}:{known.st_mtime_ns}")
        return " ".join(found)

    @contextmanager
    def unit(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One unit of work that may write: a transaction on an up-to-date schema.

        It is committed at the end; an exception inside rolls everything back.

        Raises:
            StoreBusyError: The file did not come free within ``busy_timeout``.
            StoreVersionError: A newer version of the studio wrote it.
            StoreError: The disk is full, the file is damaged, or it was to be changed and is
                read-only.
        """
        with self.exclusive() as connection, _transaction(connection):
            yield connection

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One unit of work that only reads, at the same time as others that do.

        What it sees was committed before it began, and stays so to its end. Raises as ``unit``.
        """
        self._require()
        wait = Wait(self.path, self.busy_timeout)
        with ExitStack() as stack:
            connection = _enter(stack, wait, partial(self._shared, wait))
            if connection is None:
                stack.close()
                connection = stack.enter_context(self.unit())
            yield connection

    @contextmanager
    def exclusive(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The open file without a transaction, for copies of the whole; else use ``unit``."""
        self._require()
        wait = Wait(self.path, self.busy_timeout)
        with ExitStack() as stack:
            yield _enter(stack, wait, partial(self._alone, wait))

    @contextmanager
    def _shared(self, wait: Wait) -> Iterator[duckdb.DuckDBPyConnection | None]:
        """A transaction beside others that read; None where the file has to be written first."""
        with self._turn(wait, alone=False):
            # What its writer left behind is seen to by the next one who may write.
            if self.is_read_only or not self._has_leftovers():
                with self._open(wait, alone=False) as connection:
                    if self.is_read_only or migrations.is_up_to_date(connection):
                        migrations.bring_up_to_date(connection, self.path, may_write=False)
                        with _transaction(connection):
                            yield connection
                        return
        yield None

    def _has_leftovers(self) -> bool:
        """Whether somebody was killed before all that was committed had come into the file."""
        beside = engine.log_of(self.path), rollback.journal_of(self.path)
        return any(file.exists() for file in beside)

    @contextmanager
    def _alone(self, wait: Wait) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._turn(wait, alone=True), self._open(wait, alone=True) as connection:
            migrations.bring_up_to_date(connection, self.path, may_write=not self.is_read_only)
            yield connection

    def _require(self) -> None:
        if not self.path.exists():
            raise NotFoundError(
                f"There is no workspace database at {self.path}. Name the right folder with "
                "--workspace, or make a workspace by ingesting a file into it."
            )

    def replace(self, fresh: Path, aside: str) -> Path:
        """Put the database file ``fresh`` in the place of this one, which nobody has open.

        The old file is kept beside under its name and ``aside``; its path then. Call it while the
        file is ``held``.
        """
        kept = self.path.with_name(f"{self.path.name}.{aside}")
        os.link(self.path, kept)  # a link, so that there is a database at every moment
        with suppress(FileNotFoundError):
            engine.log_of(self.path).rename(engine.log_of(kept))
        fresh.rename(self.path)
        return kept

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep all other threads and processes of the studio off the file, which is not opened."""
        wait = Wait(self.path, self.busy_timeout)
        with ExitStack() as stack:
            _enter(stack, wait, partial(self._turn, wait, alone=True))
            yield

    @contextmanager
    def _turn(self, wait: Wait, *, alone: bool) -> Iterator[None]:
        """The turn at the file; where not ``alone``, beside those that read."""
        with ExitStack() as stack:
            try:
                stack.enter_context(_threads.turn(self.path, wait.deadline, alone=alone))
            except TimeoutError:
                raise StoreBusyError(
                    f"The workspace database {self.path} is in use by another task of this process "
                    f"({os.getpid()}) and did not come free within {wait.seconds:g} s. "
                    "Wait until it is done and try again."
                ) from None
            stack.enter_context(faults.in_sentences(self.path))
            try:
                stack.enter_context(
                    locks.process_turn(self.path, wait.deadline, alone=alone, tell=wait.tell)
                )
            except TimeoutError as late:
                raise faults.busy(self.path, late.args[0], wait.seconds) from None
            if alone and not self.is_read_only:
                self._put_back(wait)
            yield

    def _put_back(self, wait: Wait) -> None:
        """See to what a process that was killed may have left half written."""
        for _ in locks.attempts(wait.deadline, _OPEN_NAP, _OPEN_NAP):
            if rollback.put_back(self.path):
                return
            wait.tell(None)
        raise faults.busy(self.path, None, wait.seconds)

    @contextmanager
    def _open(self, wait: Wait, *, alone: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file, again and again while a process that is not the studio's holds it.

        In a long wait not for long: those of the studio that only read may be let in.
        """
        attach = engine.attached if alone else engine.shared
        soon = time.monotonic() + _OPEN_SECONDS
        deadline = min(soon, wait.deadline) if wait.is_long else wait.deadline
        for _ in locks.attempts(deadline, _OPEN_NAP, _OPEN_NAP):
            with ExitStack() as stack:
                try:
                    opened = attach(self.path, is_read_only=self.is_read_only)
                    connection = stack.enter_context(opened)
                except duckdb.Error as error:
                    if not faults.is_busy(error):
                        raise
                    holder = faults.holder_named_by(error)
                    wait.tell(holder)
                    continue
                yield connection
                return
        raise faults.busy(self.path, holder, wait.seconds)


def _enter(stack: ExitStack, wait: Wait, enter: Callable[[], AbstractContextManager[T]]) -> T:
    """Enter what needs a turn, in as many rounds as the wait has."""
    while True:
        try:
            entered = stack.enter_context(enter())
        except StoreBusyError:
            if not wait.begins_again():
                raise
        else:
            wait.came()
            return entered
        time.sleep(_OPEN_NAP)


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit at the end, roll back after an exception."""
    connection.execute("BEGIN TRANSACTION")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):
            connection.execute("ROLLBACK")
        raise
