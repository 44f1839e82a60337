"""How is a published claim tried again, cell by cell, so that nothing finished is done twice?

A reproduction is a list of named cells, each a small experiment of its own, and settings that
decide what comes out of them. A finished cell is one file of JSON that is there as a whole or not
at all:

    ROOT/NAME/FINGERPRINT/settings.json       what decides the outcome of every cell
    ROOT/NAME/FINGERPRINT/cells/CELL.json     what a finished cell found
    ROOT/NAME/FINGERPRINT/scratch/CELL/       what a cell writes on its way; removed with it
    ROOT/NAME/FINGERPRINT/…                   what ``prepare`` shares between cells

The fingerprint is a digest of the settings, so cells of other settings stand in another folder and
are never mixed with these. Which cells are asked for is no setting: more seeds or budgets find
those that are finished. To add a reproduction, write a class like ``Reproduction`` and a function
from ``Results`` to tables.
"""

import json
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any, Protocol

import orjson

from grace_engine.digests import text_digest
from grace_engine.errors import InputError, NotFoundError, ReadError, ResourceError
from grace_engine.jobs import having_device
from grace_engine.jobs.devices import TAKEN_VARIABLE
from grace_engine.progress import Progress

CELLS, SCRATCH, SETTINGS = "cells", "scratch", "settings.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LIBRARIES = ("grace-studio", "torch", "transformers", "trl")


class Reproduction(Protocol):
    """A published claim, at a size that fits here.

    Attributes:
        name: Of the command, and of the folder.
        device: What cells compute on, such as ``cpu``: one run at a time has it.
        settings: JSON values that decide, with its name, what a cell finds. Give a model by the
            digest of its files, and a number that is raised when the code changes the outcome.
        cells: Names of the cells that are asked for, in the order in which they are done; letters,
            digits, dots, dashes and underscores.
    """

    name: str
    device: str
    settings: Mapping[str, Any]
    cells: Sequence[str]

    def prepare(self, folder: Path, progress: Progress) -> None:
        """Make what cells share, in ``folder``; what is there already is not made again."""

    def carry_out(self, cell: str, scratch: Path) -> Mapping[str, Any]:
        """Do one cell; what it found, as JSON values.

        Args:
            cell: Its name.
            scratch: An empty folder that is removed afterwards.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What the finished cells of a reproduction found.

    Attributes:
        name: Of the reproduction.
        settings: What decided it.
        asked: Names of the cells that were asked for.
        found: By name of a finished cell, in the order of ``asked``.
        made_with: Versions of what finished the last cell.
        processor_seconds: What the finished cells took, in the processes that did them.
    """

    name: str
    settings: Mapping[str, Any]
    asked: tuple[str, ...]
    found: Mapping[str, Mapping[str, Any]]
    made_with: Mapping[str, str] = field(default_factory=dict)
    processor_seconds: float = 0.0

    @property
    def missing(self) -> tuple[str, ...]:
        """Cells that were asked for and are not finished."""
        return tuple(cell for cell in self.asked if cell not in self.found)

    @property
    def progress(self) -> str:
        """``12 of 151 cells``."""
        return f"{len(self.found):,} of {len(self.asked):,} cells"

    def document(self) -> dict[str, Any]:
        """As JSON values; ``results_of`` reads them."""
        return {
            "name": self.name,
            "settings": dict(self.settings),
            "asked": list(self.asked),
            "made_with": dict(self.made_with),
            "processor_seconds": self.processor_seconds,
            "found": {cell: dict(found) for cell, found in self.found.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultTable:
    """A table of what was found.

    Attributes:
        title: A sentence.
        columns: Their names.
        rows: A text a column.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """As in a README."""
        lines = (self.columns, ("---",) * len(self.columns), *self.rows)
        drawn = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"**{self.title}**\n\n{drawn}\n"


def run(
    reproduction: Reproduction, root: Path, progress: Progress, *, processes: int = 1
) -> Results:
    """Do the cells that are not finished below ``root``, and tell what all of them found.

    Killed or interrupted at any moment, the same call goes on with the cells that are missing; a
    cell that was under way begins anew. One call at a time has the device.

    Args:
        reproduction: What is tried; several processes need one that can be pickled once prepared.
        root: Folder of all reproductions.
        progress: Told of the cells.
        processes: Cells that are done at once. On a CPU, small models keep two cores busier as
            two processes of one thread each.

    Raises:
        InputError: Two cells of one name, or a name that cannot be that of a file; no process.
        ResourceError: A process was killed.
        KeyboardInterrupt: It was asked to end; finished cells are kept.
    """
    _require_names(reproduction.cells)
    if processes < 1:
        raise InputError(f"{processes} processes do nothing: use 1 or more.")
    folder = folder_of(reproduction, root)
    (folder / CELLS).mkdir(parents=True, exist_ok=True)
    _write(folder / SETTINGS, dict(reproduction.settings))
    if results(reproduction, root).missing:
        reproduction.prepare(folder, progress)
        what = f"reproduction {reproduction.name} in {folder}"
        with having_device(reproduction.device, what, progress.say):
            # Whoever had the device may have done some.
            missing = results(reproduction, root).missing
            progress.begin(f"Cells of {reproduction.name}", len(missing), "cells")
            shutil.rmtree(folder / SCRATCH, ignore_errors=True)
            for _ in _done(reproduction, missing, folder, min(processes, len(missing))):
                progress.advance(1)
    return results(reproduction, root)


def results(reproduction: Reproduction, root: Path) -> Results:
    """What is finished below ``root``; nothing is computed."""
    folder = folder_of(reproduction, root)
    documents = {cell: _read(_path(folder, cell)) for cell in reproduction.cells}
    done = {cell: found for cell, found in documents.items() if found is not None}
    last = max(done.values(), key=lambda found: float(found["finished_at"]), default=None)
    return Results(
        name=reproduction.name,
        settings=dict(reproduction.settings),
        asked=tuple(reproduction.cells),
        found={cell: document["found"] for cell, document in done.items()},
        made_with=last["made_with"] if last else {},
        processor_seconds=sum(float(found["processor_seconds"]) for found in done.values()),
    )


def folder_of(reproduction: Reproduction, root: Path) -> Path:
    """Where the cells of these settings are kept."""
    return root / reproduction.name / fingerprint(reproduction.settings)


def fingerprint(settings: Mapping[str, Any]) -> str:
    """Digest of the settings, whatever their order."""
    return text_digest(json.dumps(settings, sort_keys=True), size=6)


def write_results(found: Results, path: Path) -> None:
    """Keep results in one file, which ``read_results`` reads."""
    _write(path, found.document())


def read_results(path: Path, name: str) -> Results:
    """Results of the reproduction of this name that ``write_results`` wrote.

    Raises:
        NotFoundError: There is no such file.
        ReadError: It holds something else.
    """
    try:
        document = _read(path)
    except orjson.JSONDecodeError as fault:
        raise ReadError(f"{path} is not JSON: {fault}.") from fault
    if document is None:
        raise NotFoundError(f"There is no file {path}.")
    try:
        found = Results(**document | {"asked": tuple(document["asked"])})
    except (TypeError, KeyError) as fault:
        raise ReadError(
            f"{path} does not hold results of a reproduction: grace reproduce {name} "
            "--to FILE.json writes them."
        ) from fault
    if found.name != name:
        raise ReadError(f"{path} holds results of {found.name}, not of {name}.")
    return found


def _done(
    reproduction: Reproduction, cells: Sequence[str], folder: Path, processes: int
) -> Iterator[None]:
    """Do cells; an item for each, as it is finished."""
    if processes <= 1:
        for cell in cells:
            _do(reproduction, cell, folder)
            yield
        return
    pool = ProcessPoolExecutor(
        processes,
        mp_context=get_context("spawn"),
        initializer=_begin,
        initargs=(reproduction, folder, os.getpid()),
    )
    try:
        waiting = [pool.submit(_do_here, cell) for cell in cells]
        for finished in as_completed(waiting):
            finished.result()
            yield
    except BaseException as fault:
        for process in active_children():
            process.terminate()
        if isinstance(fault, BrokenProcessPool):
            raise ResourceError(
                "A process that did cells was killed, most likely for want of memory; what was "
                "finished is kept. Go on with --processes 1."
            ) from fault
        raise
    finally:
        pool.shutdown(cancel_futures=True)


_here: list[tuple[Reproduction, Path]] = []
"""In a process that does cells: of what, and where."""


def _begin(reproduction: Reproduction, folder: Path, parent: int) -> None:
    """Make a process ready to do cells on one thread, for as long as its parent lives."""
    import torch

    def leave_with_parent() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends this process
    threading.Thread(target=leave_with_parent, daemon=True, name="parent").start()
    os.environ[TAKEN_VARIABLE] = reproduction.device  # by the parent, for all of its processes
    torch.set_num_threads(1)
    _here.append((reproduction, folder))


def _do_here(cell: str) -> None:
    reproduction, folder = _here[0]
    _do(reproduction, cell, folder)


def _do(reproduction: Reproduction, cell: str, folder: Path) -> None:
    """Carry out one cell and keep what it found."""
    scratch = folder / SCRATCH / cell
    scratch.mkdir(parents=True)
    began = time.process_time()
    try:
        found = dict(reproduction.carry_out(cell, scratch))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    document = {
        "cell": cell,
        "found": found,
        "processor_seconds": time.process_time() - began,
        "finished_at": time.time(),
        "made_with": _versions(),
    }
    _write(_path(folder, cell), document)


def _versions() -> dict[str, str]:
    """Of the libraries that numbers depend on, where they are installed."""
    found = {}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _require_names(cells: Sequence[str]) -> None:
    twice = sorted({cell for cell in cells if list(cells).count(cell) > 1})
    if twice:
        raise InputError(f"The cell {twice[0]} was asked for twice.")
    for cell in cells:
        if not _NAME.fullmatch(cell):
            raise InputError(f"{cell!r} cannot be the name of a cell: it names a file.")


def _path(folder: Path, cell: str) -> Path:
    return folder / CELLS / f"{cell}.json"


def _write(path: Path, document: Mapping[str, Any]) -> None:
    """The file is there as a whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(
        orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY)
    )
    part.replace(path)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return document
