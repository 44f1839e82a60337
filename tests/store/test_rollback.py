"""Does a database outlive a process that is killed in the midst of writing its catalogue?"""

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from grace_engine.errors import StoreBusyError, StoreError
from grace_engine.records import Trace
from grace_engine.store import (
    Source,
    Workspace,
    add_traces,
    compact,
    count_traces,
    engine,
    open_workspace,
    rollback,
)

MakeTrace = Callable[..., Trace]
StartPython = Callable[..., "subprocess.Popen[str]"]

PAGE = 4096
FIRST_BLOCK = 3 * PAGE

# The limit on a file's size ends the write of the catalogue's block after so many of its bytes,
# and the kernel ends the process. Nothing but the catalogue changes: data would be written before.
DIE_WITHIN_THE_BLOCK = """
import resource, signal, sys
from pathlib import Path
from grace_engine.store import Workspace, engine
workspace, limit = Workspace(Path(sys.argv[1])), int(sys.argv[2])
plain = engine._let_go
def limited(cursor):
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return plain(cursor)
engine._let_go = limited
with workspace.database.unit() as connection:
    connection.execute("CREATE TABLE told (i INTEGER)")
"""

# As DuckDB holds a file, which it would not open half written.
HOLD = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.readline()
"""


def die_within_the_block(workspace: Workspace, start_python: StartPython, pages: int) -> None:
    limit = FIRST_BLOCK + pages * PAGE
    killed = start_python(DIE_WITHIN_THE_BLOCK, workspace.root, str(limit))
    assert killed.wait() == -signal.SIGXFSZ


@pytest.fixture
def filled(workspace: Workspace, source: Source, make_trace: MakeTrace) -> Workspace:
    add_traces(workspace, "sums", source, (make_trace(i) for i in range(20)))
    return workspace


@pytest.mark.parametrize("pages", [1, 3, 9])
def test_a_kill_within_the_write_of_the_catalogue_loses_nothing(
    filled: Workspace, start_python: StartPython, tmp_path: Path, pages: int
) -> None:
    die_within_the_block(filled, start_python, pages)
    bare = tmp_path / "bare"
    shutil.copytree(filled.root, bare)
    rollback.journal_of(bare / "grace.duckdb").unlink()
    with pytest.raises(StoreError, match="is damaged"):
        count_traces(Workspace(bare))
    assert count_traces(filled) == 20  # a unit that only reads sees to it
    with filled.database.unit() as connection:
        assert connection.execute("SELECT count(*) FROM told").fetchall() == [(0,)]
    assert not rollback.journal_of(filled.database.path).exists()
    assert not engine.log_of(filled.database.path).exists()


def test_a_kill_while_it_is_put_back_is_put_back_again(
    filled: Workspace, start_python: StartPython, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_within_the_block(filled, start_python, 1)

    def die(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rollback, "forget", die)
        with pytest.raises(KeyboardInterrupt):
            count_traces(filled)
    assert count_traces(filled) == 20


def test_what_was_kept_of_another_state_is_dropped(filled: Workspace) -> None:
    journal = rollback.journal_of(filled.database.path)
    kept: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        forget = rollback.forget
        patch.setattr(
            rollback, "forget", lambda path: (kept.append(journal.read_bytes()), forget(path))
        )
        with filled.database.unit() as connection:
            connection.execute("CREATE TABLE told (i INTEGER)")
    before = filled.database.path.read_bytes()
    for content in (kept[0], kept[0][:-1], b"", b"\0" * 100):
        journal.write_bytes(content)
        assert rollback.put_back(filled.database.path)
        assert filled.database.path.read_bytes() == before
        assert not journal.exists()


def test_nothing_is_put_back_under_a_process_that_is_not_the_studios(
    filled: Workspace, start_python: StartPython
) -> None:
    die_within_the_block(filled, start_python, 1)
    journal = rollback.journal_of(filled.database.path)
    before = filled.database.path.read_bytes()
    holder = start_python(HOLD, filled.database.path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    hasty = open_workspace(filled.root, create=False, busy_timeout=0.2)
    with pytest.raises(StoreBusyError, match="held by another process"):
        count_traces(hasty)
    assert journal.exists()
    assert filled.database.path.read_bytes() == before
    holder.communicate("\n")
    assert count_traces(filled) == 20


def test_a_disk_without_room_for_it_leaves_the_log_until_there_is(
    filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    log = engine.log_of(filled.database.path)
    with monkeypatch.context() as patch:
        patch.setattr(rollback, "keep", fail)
        before = filled.database.path.read_bytes()
        with filled.database.unit() as connection:
            connection.execute("CREATE TABLE told (i INTEGER)")
        for _ in range(2):
            assert count_traces(filled) == 20
            assert log.exists()
        assert filled.database.path.read_bytes() == before
    with filled.database.unit() as connection:
        assert connection.execute("SELECT count(*) FROM told").fetchall() == [(0,)]
    assert not log.exists()


def test_an_interrupt_while_it_is_kept_leaves_the_log_and_lets_the_file_go(
    filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def tell() -> None:
        with filled.database.unit() as connection:
            connection.execute("CREATE TABLE told (i INTEGER)")

    with monkeypatch.context() as patch:
        patch.setattr(rollback, "keep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            tell()
    assert engine.log_of(filled.database.path).exists()
    with filled.database.unit() as connection:
        assert connection.execute("SELECT count(*) FROM told").fetchall() == [(0,)]


def test_a_block_that_is_not_in_the_file_yet_is_not_kept(tmp_path: Path) -> None:
    connection = Mock()
    connection.execute.return_value.fetchall.return_value = [(PAGE, [0, 7, 1])]
    path = tmp_path / "a.duckdb"
    before = bytes(FIRST_BLOCK) + b"a" * PAGE + b"b" * PAGE
    path.write_bytes(before)
    with path.open("rb") as file:
        rollback.keep(connection, "a", path, file.fileno())
    path.write_bytes(before[:FIRST_BLOCK] + b"x" * 2 * PAGE)
    assert rollback.put_back(path)
    assert path.read_bytes() == before


def test_what_cannot_be_kept_whole_leaves_nothing(
    filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with filled.database.unit() as connection:
            connection.execute("CREATE TABLE told (i INTEGER)")
        assert not rollback.journal_of(filled.database.path).exists()
        assert engine.log_of(filled.database.path).exists()


def test_a_compaction_merges_no_log_without_it(
    filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []
    plain = rollback.forget

    def spy(path: Path) -> None:
        held.append(rollback.journal_of(path).exists())
        plain(path)

    monkeypatch.setattr(rollback, "forget", spy)
    compact(filled)
    assert held == [True]
    assert count_traces(filled) == 20


def test_large_commits_merge_nothing_of_themselves(filled: Workspace) -> None:
    before = filled.database.path.read_bytes()[:FIRST_BLOCK]
    with filled.database.exclusive() as connection:
        connection.execute("CREATE TABLE noise (noise VARCHAR)")
        for _ in range(3):
            connection.execute(
                "INSERT INTO noise SELECT repeat(md5(i::TEXT), 20) FROM range(40_000) t(i)"
            )
        assert engine.log_of(filled.database.path).stat().st_size > 60_000_000
        assert filled.database.path.read_bytes()[:FIRST_BLOCK] == before
    assert filled.database.path.read_bytes()[:FIRST_BLOCK] != before
