"""How is the whole workspace database copied aside, and put back?"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from grace_engine.errors import InputError, StoreVersionError
from grace_engine.store import faults, journal
from grace_engine.store.engine import connect, require_path
from grace_engine.store.migrations import MIGRATIONS, copy_database, schema_version, writer
from grace_engine.store.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A copy of a workspace database.

    Attributes:
        path: Where it is.
        n_bytes: Its size.
        made_at: When it was written, ISO 8601, UTC.
    """

    path: Path
    n_bytes: int
    made_at: str


def back_up(workspace: Workspace, to: Path | None = None) -> Backup:
    """Copy everything that is stored to one file, consistent at one moment and without holes.

    Args:
        workspace: What is copied; the folders of runs and images are not in its database.
        to: The file; without one, ``grace.duckdb.DATE.bak`` in the workspace.

    Raises:
        InputError: A file stands there, or there is no such folder.
        StoreError: Its disk is full; nothing is left behind.
    """
    path = to or workspace.database.path.with_name(f"{workspace.database.path.name}.{stamp()}.bak")
    path = path.expanduser().absolute()
    if path.exists():
        raise InputError(f"{path} exists: a backup replaces no file. Name another with --to.")
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent}. Name a file in a folder that exists.")
    require_path(path)
    with workspace.database.exclusive() as connection:
        copy_database(connection, path)
    return _described(path)


def list_backups(workspace: Workspace) -> list[Backup]:
    """The backups in the workspace folder, the newest first; migrations leave some, too."""
    found = workspace.root.glob(f"{workspace.database.path.name}.*.bak")
    return sorted(map(_described, found), key=lambda each: each.path.stat().st_mtime, reverse=True)


def restore(workspace: Workspace, backup: Path) -> Path:
    """Put a backup in the place of the database, which is kept beside it; where it is kept.

    What people said since the backup is in the database that is kept, and in its journal.

    Raises:
        InputError: The file is no backup of a workspace.
        StoreVersionError: A newer version of the studio made it.
    """
    backup = backup.expanduser().absolute()
    with opened(backup):
        pass
    when = stamp()
    with workspace.staging() as folder, faults.in_sentences(workspace.root):
        fresh = folder / workspace.database.path.name
        shutil.copyfile(backup, fresh)
        with workspace.database.held():
            kept = workspace.database.replace(fresh, f"replaced-{when}")
    journal.set_aside(workspace, f"replaced-{when}")
    with workspace.database.unit() as connection:
        journal.begin(workspace, connection)
    return kept


@contextmanager
def opened(backup: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A backup to read from; ``InputError`` where the file is none."""
    if not backup.is_file():
        raise InputError(f"There is no file {backup}. grace workspace check lists the backups.")
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(connect(backup, read_only=True))
            version = schema_version(connection)
        except duckdb.Error as error:
            fault = faults.meaning(error, backup)
            if isinstance(fault, StoreVersionError):
                raise fault from error
            said = str(error).partition("\n")[0].removeprefix("IO Error: ").rstrip("!.")
            raise InputError(f"{backup} is not a backup of a workspace ({said}).") from error
        if version > MIGRATIONS[-1].version:
            raise StoreVersionError(
                f"The backup {backup} was written by a newer version of the studio (schema "
                f"{version}, and this version knows schemas up to {MIGRATIONS[-1].version}). "
                f"Install {writer(connection)}, or restore another backup."
            )
        if not version:
            raise InputError(
                f"{backup} is not a backup of a workspace (a database with other tables)."
            )
        stack.enter_context(faults.in_sentences(backup))
        yield connection


def stamp() -> str:
    """This moment for the name of a file: ``2026-11-25T220513``."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H%M%S")


def _described(path: Path) -> Backup:
    known = path.stat()
    made_at = datetime.fromtimestamp(known.st_mtime, UTC).isoformat(timespec="seconds")
    return Backup(path=path, n_bytes=known.st_size, made_at=made_at)
