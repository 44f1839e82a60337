"""How do files become datasets of traces in a workspace?"""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from glob import has_magic
from itertools import islice
from pathlib import Path

from grace_engine import ingest as reading, store
from grace_engine.config import IngestConfig, require_name
from grace_engine.cutting import Pool, Recipe, chunks_of_file, usual_processes
from grace_engine.digests import file_digest
from grace_engine.errors import InputError
from grace_engine.progress import Progress, Silent
from grace_engine.store import IngestCount, Workspace

_DETECTION_ROWS = 32

# Bytes of a file that several processes will be needed for.
_LARGE = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FileIngest:
    """What became of one file.

    Attributes:
        path: As it was named.
        dataset: The dataset that it went to.
        schema: The schema that read it.
        count: Traces added, present before and rejected; None where the file could not be read.
        fault: Why it could not be read; "" where it was.
        passed_over: Why it was left alone, standing among files that were read; else "".
    """

    path: str
    dataset: str
    schema: str = ""
    count: IngestCount | None = None
    fault: str = ""
    passed_over: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether the file was to be read, and none of its records is in the workspace."""
        return not self.passed_over and (self.count is None or not self.count.held)


def require_files(paths: Iterable[Path | str]) -> None:
    """``ReadError`` for the first of the named files that is not there; patterns are left alone."""
    for path in map(Path, paths):
        if not path.exists() and not has_magic(str(path)):
            raise reading.absent(path)


def ingest(
    workspace: Workspace,
    paths: Iterable[Path | str],
    config: IngestConfig | None = None,
    progress: Progress | None = None,
) -> list[FileIngest]:
    """Read files into datasets, each file whole or not at all, none of its traces twice.

    A file that cannot be read does not keep the others from being read; its fault is in the result.

    Args:
        workspace: Where the traces go.
        paths: Files, folders of files, saved datasets and patterns, as ``discover`` takes them.
        config: How they are read.
        progress: Told how far it is.

    Returns:
        One item for each file, in the order in which they were read, and one for each that was
        passed over.

    Raises:
        InputError: A setting that no file could be read with.
        StoreError: The workspace cannot be written; files already reported are kept.
    """
    config, progress = config or IngestConfig(), progress or Silent()
    segmenter = reading.parse_segmenter(config.segmenter)
    if config.mapping:
        reading.parse_mapping(config.mapping)

    def read(path: Path, dataset: str) -> FileIngest:
        require_name("Dataset", dataset)  # that of a file or folder is no better
        schema, size = _schema_of(path, config), path.stat().st_size
        with Pool(config.processes or usual_processes()) as pool:
            if size > _LARGE:
                pool.start()
            source = store.Source(
                path=str(path.resolve()),
                digest=file_digest(path),
                size=size,
                schema_name=schema,
                mapping=dict(part.split("=", 1) for part in config.mapping.split(",") if part),
                segmenter=segmenter.name,
            )
            progress.begin(f"Reading {path.name}", 0, "traces")
            fill = partial(_stage, pool, path, _recipe(dataset, source, config), progress)
            count = store.add_staged(workspace, dataset, source, fill)
        return FileIngest(path=str(path), dataset=dataset, schema=schema, count=count)

    results = []
    for named in paths:
        try:
            found = reading.discover(named, config.dataset)
        except InputError as fault:
            results.append(FileIngest(path=str(named), dataset=config.dataset, fault=str(fault)))
            continue
        for file in found.files:
            try:
                results.append(read(file.path, file.dataset))
            except InputError as fault:
                path, dataset = str(file.path), file.dataset
                results.append(FileIngest(path=path, dataset=dataset, fault=str(fault)))
        results += [
            FileIngest(
                path=str(each.path),
                dataset=found.files[0].dataset if each.fault else "",
                fault=each.fault,
                passed_over="" if each.fault else each.reason,
            )
            for each in found.passed_over
        ]
    _remember_refused(workspace, results)
    return results


def _remember_refused(workspace: Workspace, results: Iterable[FileIngest]) -> None:
    """Keep which files were refused as a whole, until they are read; not those that are none."""
    store.remember_refused(
        workspace,
        refused=[
            store.RefusedFile(path=each.path, dataset=each.dataset, detail=each.fault)
            for each in results
            if each.fault and os.path.lexists(each.path) and not Path(each.path).is_dir()
        ],
        read=[each.path for each in results if each.count is not None],
    )


def _schema_of(path: Path, config: IngestConfig) -> str:
    """Name of the schema that will read the file; ``ReadError`` where nothing can."""
    window = list(islice(reading.read_rows(path), _DETECTION_ROWS))
    if config.mapping:
        return "mapped"
    if config.schema != "auto":
        return config.schema
    found = reading.detect_among([row.fields for row in window if isinstance(row, reading.Row)])
    return found.name if found else "auto"


def _recipe(dataset: str, source: store.Source, config: IngestConfig) -> Recipe:
    return Recipe(
        dataset=dataset,
        schema=source.schema_name,
        mapping=config.mapping,
        segmenter=source.segmenter,
        folder=Path(),
    )


def _stage(
    pool: Pool, path: Path, recipe: Recipe, progress: Progress, folder: Path
) -> Counter[str]:
    """Cut the rows of a file, in several processes where there are many; rejects by reason."""
    reasons: Counter[str] = Counter()
    n_items = 0
    with pool:  # its processes end before the database takes memory
        for staged in pool.stage(replace(recipe, folder=folder), chunks_of_file(path)):
            reasons.update(staged.reasons)
            n_items += staged.n_items
            progress.advance(staged.n_items)
    if not n_items:
        raise reading.no_rows(path)
    return reasons
