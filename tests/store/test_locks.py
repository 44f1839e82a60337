"""Do readers go side by side, does who writes stand alone, and does nobody wait for ever?"""

import fcntl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from grace_engine.errors import StoreError
from grace_engine.store import Workspace, database, faults, migrations, open_workspace
from grace_engine.store.engine import log_of
from grace_engine.store.locks import Threads

StartPython = Callable[..., "subprocess.Popen[str]"]

# Holds the database as told, says so, and lets go when a line comes.
HOLD = """
import sys
from pathlib import Path
from grace_engine.store import Workspace
with getattr(Workspace(Path(sys.argv[1])).database, sys.argv[2])() as connection:
    if sys.argv[2] == "unit":
        connection.execute("INSERT INTO datasets VALUES ('late', '', 'lines')")
    rows = connection.execute("SELECT count(*) FROM datasets").fetchall()
    print(f"held {rows[0][0]}", flush=True)
    sys.stdin.readline()
"""
# Readers that take turns so that one of them always reads.
READ_ON = """
import sys, threading, time
from pathlib import Path
from grace_engine.store import Workspace
database, inside = Workspace(Path(sys.argv[1])).database, threading.Semaphore(0)
def read(first):
    while True:
        if not first:
            inside.acquire()
        first = False
        with database.reading():
            inside.release()
            time.sleep(0.3)
for first in (True, False):
    threading.Thread(target=read, args=(first,), daemon=True).start()
time.sleep(0.5)
print("reading", flush=True)
sys.stdin.readline()
"""
WRITE_ON = """
import sys
from pathlib import Path
from grace_engine.store import Workspace
database = Workspace(Path(sys.argv[1])).database
with database.unit():
    print("writing", flush=True)
while True:
    with database.unit():
        pass
"""


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@contextmanager
def held(workspace: Workspace) -> Iterator[threading.Event]:
    """Another thread of this process reads until the event is set, and has begun to."""
    begun, done = threading.Event(), threading.Event()

    def read() -> None:
        with workspace.database.reading():
            begun.set()
            assert done.wait(30)

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        try:
            assert begun.wait(30)
            yield done
        finally:
            done.set()
            reading.result()


def datasets(workspace: Workspace) -> int:
    with workspace.database.reading() as connection:
        return int(connection.execute("SELECT count(*) FROM datasets").fetchall()[0][0])


def is_queued(workspace: Workspace) -> bool:
    """Whether someone waits to be alone."""
    path = workspace.database.path
    with path.with_name(f"{path.name}.queue").open("rb") as queue:
        try:
            fcntl.flock(queue, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def wait_until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def add_dataset(workspace: Workspace) -> None:
    with workspace.database.unit() as connection:
        connection.execute("INSERT INTO datasets VALUES ('late', '', 'lines')")


def test_threads_and_processes_read_side_by_side(
    workspace: Workspace, start_python: StartPython
) -> None:
    hasty = open_workspace(workspace.root, create=False, busy_timeout=0.2)
    with held(workspace):
        assert datasets(hasty) == 0
        other = start_python(HOLD, workspace.root, "reading")
        assert said(other) == "held 0"
        assert datasets(hasty) == 0
    assert datasets(hasty) == 0  # the other process reads still
    other.communicate("\n")


def test_a_reader_keeps_its_instance_when_others_have_left(workspace: Workspace) -> None:
    with workspace.database.reading() as connection:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(datasets, [workspace] * 8)) == [0] * 8
        assert connection.execute("SELECT count(*) FROM datasets").fetchall() == [(0,)]


def test_what_only_reads_cannot_write(workspace: Workspace) -> None:
    with (
        pytest.raises(StoreError, match="cannot be written"),
        workspace.database.reading() as connection,
    ):
        connection.execute("INSERT INTO datasets VALUES ('late', '', 'lines')")
    assert datasets(workspace) == 0


@pytest.mark.parametrize("where", ["thread", "process"])
def test_who_writes_waits_for_readers_and_later_readers_wait_for_it(
    workspace: Workspace, start_python: StartPython, where: str
) -> None:
    with ThreadPoolExecutor(2) as pool, held(workspace) as done:
        if where == "thread":
            pool.submit(add_dataset, workspace)
            wait_until(lambda: len(database._threads._waiting) == 1)
        else:
            writer = start_python(HOLD, workspace.root, "unit")
            wait_until(lambda: is_queued(workspace))
        later = pool.submit(datasets, workspace)
        time.sleep(0.3)
        assert not later.done()
        done.set()
        if where == "process":
            assert said(writer) == "held 1"
            writer.communicate("\n")
        assert later.result(30) == 1


def test_readers_without_pause_keep_no_writer_out(
    workspace: Workspace, start_python: StartPython
) -> None:
    readers = start_python(READ_ON, workspace.root)
    assert said(readers) == "reading"
    add_dataset(open_workspace(workspace.root, create=False, busy_timeout=10))
    assert readers.poll() is None
    assert datasets(workspace) == 1


def test_a_writer_without_pause_keeps_no_reader_out(
    workspace: Workspace, start_python: StartPython
) -> None:
    writer = start_python(WRITE_ON, workspace.root)
    assert said(writer) == "writing"
    patient = open_workspace(workspace.root, create=False, busy_timeout=10)
    assert [datasets(patient) for _ in range(5)] == [0] * 5
    assert writer.poll() is None


def test_a_log_that_a_killed_writer_left_is_read_too(
    workspace: Workspace, start_python: StartPython
) -> None:
    code = HOLD.replace("print(", "connection.execute('COMMIT'); print(")
    writer = start_python(code, workspace.root, "unit")
    assert said(writer) == "held 1"
    writer.kill()
    writer.wait()
    assert log_of(workspace.database.path).exists()
    assert datasets(workspace) == 1
    assert not log_of(workspace.database.path).exists()


def test_readers_of_two_files_take_turns(workspace: Workspace, tmp_path: Path) -> None:
    other = open_workspace(tmp_path / "other", create=True)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(datasets, [workspace, other] * 10)) == [0] * 20
    with held(workspace), pytest.raises(StoreError, match="another task of this process"):
        datasets(open_workspace(other.root, create=False, busy_timeout=0.1))


def test_who_gives_up_waiting_is_in_nobodys_way(workspace: Workspace) -> None:
    threads, path = Threads(), workspace.database.path
    with threads.turn(path, 0, alone=False):
        with (
            ThreadPoolExecutor(1) as pool,
            pytest.raises(TimeoutError),
        ):
            pool.submit(lambda: threads.turn(path, 0, alone=True).__enter__()).result()
        with ThreadPoolExecutor(1) as pool:  # would wait behind it
            pool.submit(lambda: threads.turn(path, 0, alone=False).__enter__()).result()


def test_a_reader_brings_an_older_schema_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:-1])
        workspace = open_workspace(tmp_path / "older", create=True)
    with workspace.database.reading() as connection:
        assert migrations.is_up_to_date(connection)


INTERRUPTED = """
import os, signal, sys, threading
from grace_engine import store
workspace = store.open_workspace(sys.argv[1], create=False)
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with workspace.database.unit() as connection:
        connection.execute("INSERT INTO datasets VALUES ('late', '', 'lines')")
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        while True:
            connection.execute("SELECT sum(number) FROM range(9000000) AS of(number)").fetchall()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_an_interrupt_in_a_query_is_one_and_leaves_nothing(
    workspace: Workspace, start_python: StartPython
) -> None:
    assert start_python(INTERRUPTED, workspace.root).communicate()[0] == "interrupted\n"
    assert datasets(workspace) == 0


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (RuntimeError("Query interrupted"), KeyboardInterrupt),
        (duckdb.InterruptException("INTERRUPT Error: Interrupted!"), KeyboardInterrupt),
        (duckdb.InvalidInputException("'incoming' failed: KeyboardInterrupt: "), KeyboardInterrupt),
        (RuntimeError("another"), RuntimeError),
    ],
    ids=["query", "duckdb", "reader of a table", "none"],
)
def test_an_interrupt_that_duckdb_renames_is_one_again(
    error: Exception, raised: type[BaseException], tmp_path: Path
) -> None:
    with pytest.raises(raised), faults.in_sentences(tmp_path / "grace.duckdb"):
        raise error
