"""Does an older workspace open after a backup, and is a newer one refused?"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from grace_engine.errors import StoreVersionError
from grace_engine.records import ScoringRun, Trace
from grace_engine.store import (
    Database,
    Source,
    Workspace,
    add_traces,
    count_traces,
    get_run,
    migrations,
    upsert_run,
)
from grace_engine.store.migrations import MIGRATIONS, Migration, schema_version

NEXT = len(MIGRATIONS) + 1


def add_migration(monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    added = Migration(version=NEXT, name="test", sql=sql)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, added))


def test_migrations_are_numbered_from_one_without_gaps() -> None:
    assert [migration.version for migration in MIGRATIONS] == list(range(1, NEXT))


def test_a_new_workspace_has_every_migration_and_no_backup(workspace: Workspace) -> None:
    with workspace.database.unit() as connection:
        assert schema_version(connection) == len(MIGRATIONS)
        rows = connection.execute("SELECT version, name FROM schema_migrations").fetchall()
    assert rows == [(migration.version, migration.name) for migration in MIGRATIONS]
    assert list(workspace.root.glob("*.bak")) == []


def test_an_empty_database_is_migrated_without_a_backup(tmp_path: Path) -> None:
    path = tmp_path / "grace.duckdb"
    duckdb.connect(str(path)).close()
    with Database(path).unit() as connection:
        assert schema_version(connection) == len(MIGRATIONS)
    assert list(tmp_path.glob("*.bak")) == []


def test_an_older_workspace_is_backed_up_and_migrated(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with workspace.database.unit() as connection:
        connection.execute("INSERT INTO datasets VALUES ('old', 'then', 'lines')")
    add_migration(monkeypatch, "ALTER TABLE datasets ADD COLUMN note VARCHAR; SELECT 1;")
    with workspace.database.unit() as connection:
        assert schema_version(connection) == NEXT
        rows = connection.execute("SELECT * FROM datasets").fetchall()
    assert rows == [("old", "then", "lines", None)]
    (backup,) = workspace.root.glob("*.bak")
    assert backup.name == f"grace.duckdb.v{NEXT - 1}.bak"
    with duckdb.connect(str(backup)) as connection:
        assert connection.execute("SELECT * FROM datasets").fetchall() == [("old", "then", "lines")]
        with pytest.raises(duckdb.ConstraintException):  # keys are in the backup too
            connection.execute("INSERT INTO datasets VALUES ('old', '', '')")


def test_runs_from_before_there_was_a_discount_have_none(
    workspace: Workspace, run: ScoringRun, aged: Callable[[Workspace, int], None]
) -> None:
    old = workspace
    upsert_run(old, run)
    aged(old, 1)
    connection = duckdb.connect(str(old.database.path))
    (spec,) = connection.execute("SELECT spec FROM runs").fetchone()
    connection.close()
    assert "entropy_discount" not in json.loads(spec)
    found = get_run(old)
    with old.database.unit() as connection:
        (spec,) = connection.execute("SELECT spec FROM runs").fetchone()
    assert json.loads(spec)["entropy_discount"] == 0.0
    assert replace(found, created_at="", updated_at="") == run
    assert (old.root / "grace.duckdb.v1.bak").exists()


def test_runs_from_before_datasets_could_be_cut_anew_remember_how_they_were_cut(
    workspace: Workspace,
    run: ScoringRun,
    source: Source,
    make_trace: Callable[..., Trace],
    aged: Callable[[Workspace, int], None],
) -> None:
    add_traces(workspace, "more", replace(source, segmenter="auto"), [make_trace(0, "more")])
    add_traces(workspace, "sums", source, [make_trace(0)])
    upsert_run(workspace, replace(run, datasets=("more", "sums"), segmenters=("x", "y")))
    aged(workspace, 4)
    assert get_run(workspace).segmenters == ("auto", "lines")


def test_a_migration_that_fails_changes_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        add_migration(patch, "CREATE TABLE half (a INT); SELECT * FROM missing;")
        with pytest.raises(duckdb.CatalogException):
            count_traces(workspace)
    with workspace.database.unit() as connection:
        assert schema_version(connection) == NEXT - 1
        with pytest.raises(duckdb.CatalogException):
            connection.execute("SELECT * FROM half")


def test_a_newer_workspace_is_refused_with_both_versions(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        add_migration(patch, "CREATE TABLE future (a INT)")
        count_traces(workspace)
    with pytest.raises(
        StoreVersionError, match=rf"schema is number {NEXT}.*knows schemas up to {NEXT - 1}"
    ):
        count_traces(workspace)


def test_a_newer_workspace_names_the_version_to_install(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        add_migration(patch, "CREATE TABLE future (a INT)")
        patch.setattr(migrations, "version_of", lambda _name: "7.3.1")
        count_traces(workspace)
    with pytest.raises(StoreVersionError, match=r"version 7\.3\.1 or newer \(pip install 'grace-"):
        count_traces(workspace)


def test_a_newer_workspace_of_this_very_version_does_not_name_it_as_what_to_install(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        add_migration(patch, "CREATE TABLE future (a INT)")
        count_traces(workspace)
    with pytest.raises(StoreVersionError, match=r"a newer state of version \S+ than this one, or"):
        count_traces(workspace)


def test_a_newer_workspace_without_a_version_asks_for_the_newest(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with workspace.database.unit() as connection:
        connection.execute("ALTER TABLE schema_migrations DROP COLUMN studio")
        connection.execute("INSERT INTO schema_migrations VALUES (?, 'then', 'then')", [NEXT])
    with pytest.raises(StoreVersionError, match=r"newest version \(pip install --upgrade grace-"):
        count_traces(workspace)
