"""What of a damaged database can be saved, and what does its journal give back?

A damaged file is never changed: it is renamed, and a fresh database takes its place.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from grace_engine.disk import is_full
from grace_engine.errors import GraceError
from grace_engine.store import faults, migrations
from grace_engine.store.backups import list_backups, stamp
from grace_engine.store.engine import connect
from grace_engine.store.journal import Journal, Row, choices_of, read_journal
from grace_engine.store.verification import GROUPS, damaged_tables
from grace_engine.store.workspace import Workspace

_JOURNALED = ("annotations", "selections")


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvage:
    """What was saved of a damaged database.

    Attributes:
        damage: What could not be read of it, and what was said.
        kept: Where the damaged file is now.
        origins: By group of tables (``GROUPS``): the file that it was read from; None where
            there was none.
    """

    damage: Mapping[str, str]
    kept: Path
    origins: Mapping[str, Path | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What the journal gave back.

    Attributes:
        n_annotations: Entries of the log.
        runs: Scoring runs, whose Grams a model has to compute again.
        selections: Names of selections.
    """

    n_annotations: int
    runs: tuple[Row, ...]
    selections: tuple[str, ...]


def salvage(workspace: Workspace) -> Salvage | None:
    """Set a damaged database aside and put what can be read in a new one; None if it is whole.

    What a group of tables has lost comes from the newest backup that has it; what the journal
    holds whole comes from there (``recover``).
    """
    path = workspace.database.path
    has_journal = read_journal(workspace) is not None
    origins: dict[str, Path | None] = {}
    with workspace.database.held(), workspace.staging() as folder:
        damage = damaged_tables(path)
        if not damage:
            return None
        backups = dict(_migrated_copies(workspace, folder))
        fresh = folder / path.name
        with connect(fresh) as connection:
            migrations.bring_up_to_date(connection, fresh)
            for group, tables in GROUPS.items():
                others = {} if has_journal and group in _JOURNALED else backups
                files = {path: path, **others}
                origins[group] = _first_that_reads(connection, files, tables, folder)
        kept = workspace.database.replace(fresh, f"damaged-{stamp()}")
    origins = {group: kept if origin == path else origin for group, origin in origins.items()}
    return Salvage(damage=damage, kept=kept, origins=origins)


def recover(workspace: Workspace) -> Recovered:
    """Bring back annotations, runs and selections that the journal holds and the database lacks."""
    journal = read_journal(workspace)
    if journal is None:
        return Recovered(n_annotations=0, runs=(), selections=())
    with workspace.database.unit() as connection:
        known = {row[0] for row in connection.execute("SELECT seq FROM annotations").fetchall()}
        entries = [entry for entry in journal.annotations if entry["seq"] not in known]
        _insert(connection, "annotations", entries)
        runs = _missing(connection, journal, "runs", "run_id")
        _insert(connection, "runs", runs)
        selections = _missing(connection, journal, "selections", "selection_id")
        _insert(connection, "selections", selections)
        for selection in selections:
            choices = choices_of(workspace, selection["selection_id"])
            if choices.exists():
                connection.execute(
                    "INSERT INTO selection_choices BY NAME SELECT * FROM read_parquet(?)",
                    [str(choices)],
                )
    names = tuple(str(selection["name"]) for selection in selections)
    return Recovered(n_annotations=len(entries), runs=tuple(runs), selections=names)


def kinds_held(workspace: Workspace) -> frozenset[str]:
    """The groups of tables (``GROUPS``) in which there is a row at all."""
    with workspace.database.reading() as connection:
        return frozenset(
            group
            for group, tables in GROUPS.items()
            if any(connection.table(table).limit(1).fetchall() for table in tables)
        )


def missing_sources(workspace: Workspace) -> list[Row]:
    """Files that were ingested and that the database lacks, as the journal has them."""
    journal = read_journal(workspace)
    if journal is None:
        return []
    with workspace.database.reading() as connection:
        return _missing(connection, journal, "sources", "source_id")


def _first_that_reads(
    connection: duckdb.DuckDBPyConnection,
    files: Mapping[Path, Path],
    tables: Sequence[str],
    folder: Path,
) -> Path | None:
    """Fill ``tables`` from the first of ``files`` that holds them all whole; None without one.

    ``files``: what is read, by what it is known as.
    """
    for name, file in files.items():
        try:
            for table in tables:
                # Each by a connection of its own: an error may make the whole instance unusable.
                with connect(file, read_only=True) as source:
                    aside = folder / f"{table}.parquet"
                    source.table(table).write_parquet(str(aside), compression="zstd")
            connection.execute("BEGIN TRANSACTION")
            for table in tables:
                connection.execute(
                    f"INSERT INTO {table} BY NAME SELECT * FROM read_parquet(?)",  # noqa: S608
                    [str(folder / f"{table}.parquet")],
                )
            connection.execute("COMMIT")
        except duckdb.Error as error:
            if faults.is_busy(error) or is_full(error):
                raise
            with suppress(duckdb.Error):
                connection.execute("ROLLBACK")
            continue
        return name
    return None


def _migrated_copies(workspace: Workspace, folder: Path) -> Iterator[tuple[Path, Path]]:
    """Backups, the newest first, each with a copy that has all tables; broken ones are left out."""
    for number, backup in enumerate(list_backups(workspace)):
        copy = folder / f"backup-{number}.duckdb"
        shutil.copyfile(backup.path, copy)
        try:
            with connect(copy) as connection:
                migrations.bring_up_to_date(connection, copy)
        except (duckdb.Error, GraceError):
            continue
        yield backup.path, copy


def _missing(
    connection: duckdb.DuckDBPyConnection, journal: Journal, table: str, key: str
) -> list[Row]:
    rows = connection.execute(f"SELECT {key} FROM {table}").fetchall()  # noqa: S608
    known = {row[0] for row in rows}
    return [row for name, row in journal.contents[table].items() if name not in known]


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Row]) -> None:
    if not rows:
        return
    connection.register("incoming", pa.Table.from_pylist(list(rows)))
    connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")  # noqa: S608
    connection.unregister("incoming")
