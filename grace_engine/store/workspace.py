"""Where in one folder does everything live that the studio keeps?"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from grace_engine.errors import InputError, NotFoundError, StoreError
from grace_engine.store.database import BUSY_TIMEOUT, Database
from grace_engine.store.faults import in_sentences

DATABASE_NAME = "grace.duckdb"
JOURNAL = "journal"


class Workspace:
    """One folder with the database, images and run folders; made if it does not exist.

    Attributes:
        root: The folder, absolute.
        database: ``root/grace.duckdb``.
        media: ``root/media``: images by content digest.
        runs: ``root/runs``: one folder per background job.
        staging_root: ``root/tmp``: what a large ingest stages before it enters.
        journal: ``root/journal``: what is written down beside the database; made when there is
            something to write.
    """

    def __init__(self, root: Path, *, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self.root = root.expanduser().resolve()
        self.media = self.root / "media"
        self.runs = self.root / "runs"
        self.staging_root = self.root / "tmp"
        self.journal = self.root / JOURNAL
        self.database = Database(self.root / DATABASE_NAME, busy_timeout=busy_timeout)
        try:
            for folder in (self.media, self.runs, self.staging_root):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The workspace {self.root} cannot be made ({error.strerror}). Name a folder that "
                "you can write to."
            ) from error
        if not self.database.path.exists():
            with self.staging() as folder:
                self.database.create(folder)

    def __repr__(self) -> str:
        return f"Workspace({str(self.root)!r})"

    def inside(self, *parts: str) -> Path:
        """The path of ``parts`` under the root; ``InputError`` for one that leads out of it."""
        path = self.root.joinpath(*parts).resolve()
        if not path.is_relative_to(self.root):
            raise InputError(
                f"The path {'/'.join(parts)!r} leads out of the workspace {self.root}."
            )
        return path

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder of this unit of work, removed at its end; those of dead processes go first."""
        for leftover in self.staging_root.glob("ingest-*"):
            if not _is_alive(leftover.name):
                shutil.rmtree(leftover, ignore_errors=True)
        me = psutil.Process()
        prefix = f"ingest-{me.pid}-{int(me.create_time())}-"
        with in_sentences(self.staging_root):
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=self.staging_root))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def open_workspace(
    path: Path | str, *, create: bool, busy_timeout: float = BUSY_TIMEOUT
) -> Workspace:
    """The workspace at ``path``.

    Args:
        path: Its folder.
        create: Make it if it does not exist.
        busy_timeout: Seconds that a unit of work waits for other threads and processes.

    Raises:
        NotFoundError: There is none and ``create`` is off.
        StoreError: Its database has gone, and its journal is there.
    """
    root = Path(path)
    is_there = (root.expanduser() / DATABASE_NAME).exists()
    if not is_there and (root.expanduser() / JOURNAL).exists():
        raise StoreError(
            f"The workspace {os.fspath(root)} has lost its database {DATABASE_NAME}. Put it back, "
            f"or run `grace workspace rebuild --workspace {os.fspath(root)}`, which brings back "
            "what the journal and the source files hold."
        )
    if not create and not is_there:
        raise NotFoundError(
            f"There is no workspace at {os.fspath(root)}. Make one by ingesting a file "
            f"(grace ingest FILE --workspace {os.fspath(root)}), or name another folder."
        )
    return Workspace(root, busy_timeout=busy_timeout)


def _is_alive(name: str) -> bool:
    """Whether the process that made the staging folder ``name`` still runs."""
    try:
        pid, started = (int(part) for part in name.split("-")[1:3])
        return abs(int(psutil.Process(pid).create_time()) - started) <= 1
    except psutil.AccessDenied:
        return True
    except (ValueError, psutil.Error):
        return False
