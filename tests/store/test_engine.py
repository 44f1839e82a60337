"""Is the instance of DuckDB that a process keeps as good as a new one for every unit of work?"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from grace_engine.errors import StoreError
from grace_engine.records import Trace
from grace_engine.store import Source, Workspace, add_traces, count_traces, engine

OPEN = "import sys, duckdb; duckdb.connect(sys.argv[1]).close()"


def others_can_open(path: Path) -> bool:
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(path)], capture_output=True, text=True, check=False
    )
    return done.returncode == 0


def setting(workspace: Workspace, name: str) -> object:
    with workspace.database.unit() as connection:
        [(value,)] = connection.execute("SELECT current_setting(?)", [name]).fetchall()
    return value


def test_units_of_work_share_one_instance(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    plain = engine._made
    monkeypatch.setattr(engine, "_made", lambda *a, **k: made.append(a) or plain(*a, **k))
    engine._drop()
    for _ in range(5):
        count_traces(workspace)
    assert len(made) == 1


def test_nobody_holds_the_file_between_units_whatever_a_unit_left_unread(
    workspace: Workspace,
) -> None:
    left: list[object] = []
    with workspace.database.unit() as connection:
        left.append(connection.sql("SELECT * FROM datasets"))
        left.append(connection.sql("SELECT * FROM traces, range(1_000_000)"))
        assert not others_can_open(workspace.database.path)
    assert others_can_open(workspace.database.path)
    assert not workspace.database.path.with_name("grace.duckdb.wal").exists()
    assert left


def test_a_unit_that_breaks_off_amid_a_result_lets_the_file_go(workspace: Workspace) -> None:
    left: list[object] = []

    def break_off() -> None:
        with workspace.database.unit() as connection:
            connection.execute("INSERT INTO datasets VALUES ('a', '', 'lines')")
            left.append(connection.execute("SELECT * FROM datasets, range(1_000_000)"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert others_can_open(workspace.database.path)
    with workspace.database.unit() as connection:
        assert connection.execute("SELECT count(*) FROM datasets").fetchall() == [(0,)]
    assert left


def test_a_file_that_cannot_be_detached_goes_with_its_instance(workspace: Workspace) -> None:
    left: list[object] = []
    with workspace.database.exclusive() as connection:
        connection.execute("BEGIN TRANSACTION")
        connection.execute("INSERT INTO datasets VALUES ('a', '', 'lines')")
        left.append(connection.execute("SELECT * FROM range(10_000_000)"))
    assert others_can_open(workspace.database.path)
    assert count_traces(workspace) == 0
    assert left


def test_what_a_unit_sets_and_makes_for_itself_ends_with_it(
    workspace: Workspace, source: Source, make_trace: Callable[..., Trace]
) -> None:
    before = setting(workspace, "memory_limit"), setting(workspace, "force_compression")
    add_traces(workspace, "sums", source, [make_trace(0)])
    assert (setting(workspace, "memory_limit"), setting(workspace, "force_compression")) == before
    with workspace.database.unit() as connection, pytest.raises(duckdb.CatalogException):
        connection.execute("SELECT * FROM staged")


def test_an_instance_that_an_error_has_spoilt_is_not_used_again(workspace: Workspace) -> None:
    content = workspace.database.path.read_bytes()
    workspace.database.path.write_bytes(content[:12_288] + b"\x55" * (len(content) - 12_288))
    for _ in range(2):
        with pytest.raises(StoreError, match="is damaged"):
            count_traces(workspace)
    workspace.database.path.write_bytes(content)
    assert count_traces(workspace) == 0


def test_one_process_works_on_several_workspaces_in_turn(
    tmp_path: Path, source: Source, make_trace: Callable[..., Trace]
) -> None:
    first, second = Workspace(tmp_path / "first"), Workspace(tmp_path / "second")
    add_traces(first, "sums", source, [make_trace(0)])
    assert [count_traces(each) for each in (first, second, first)] == [1, 0, 1]
    assert setting(second, "temp_directory") == f"{second.database.path}.tmp"
    assert others_can_open(first.database.path)
