"""How do files become datasets of traces in a workspace?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from grace_engine import ingest as reading
from grace_engine import store
from grace_engine.api.problems import without_problems
from grace_engine.config import IngestConfig
from grace_engine.digests import file_digest
from grace_engine.errors import InputError
from grace_engine.progress import Progress, Silent
from grace_engine.records import Reject, Trace
from grace_engine.store import IngestCount, Workspace

_DETECTION_ROWS = 32
_TOLD_EVERY = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FileIngest:
    """What became of one file.

    Attributes:
        path: As it was named.
        dataset: The dataset that it went to.
        schema: The schema that read it.
        count: Traces added, present before and rejected; None where the file could not be read.
        fault: Why it could not be read; "" where it was.
    """

    path: str
    dataset: str
    schema: str = ""
    count: IngestCount | None = None
    fault: str = ""


def ingest(
    workspace: Workspace,
    paths: Iterable[Path | str],
    config: IngestConfig | None = None,
    progress: Progress | None = None,
) -> list[FileIngest]:
    """Read files into datasets, each file whole or not at all, none of its traces twice.

    A file that cannot be read does not keep the others from being read; its fault is in the result.

    Raises:
        InputError: A setting that no file could be read with.
        StoreError: The workspace cannot be written; files already reported are kept.
    """
    config, progress = config or IngestConfig(), progress or Silent()
    segmenter = reading.parse_segmenter(config.segmenter)
    mapping = reading.parse_mapping(config.mapping) if config.mapping else None
    results = []
    for path in map(Path, paths):
        dataset = config.dataset or path.name.split(".")[0] or "dataset"
        try:
            schema = _schema_of(path, config)
            source = store.Source(
                path=str(path.resolve()),
                digest=file_digest(path),
                size=path.stat().st_size,
                schema_name=schema,
                mapping=dict(part.split("=", 1) for part in config.mapping.split(",") if part),
                segmenter=segmenter.name,
            )
            progress.begin(f"Reading {path.name}", 0, "traces")
            items = without_problems(
                reading.traces_of(
                    path,
                    dataset=dataset,
                    segmenter=segmenter,
                    schema=config.schema,
                    mapping=mapping,
                )
            )
            count = store.add_traces(workspace, dataset, source, _told(items, progress))
        except InputError as fault:
            results.append(FileIngest(path=str(path), dataset=dataset, fault=str(fault)))
        else:
            results.append(FileIngest(path=str(path), dataset=dataset, schema=schema, count=count))
    return results


def _schema_of(path: Path, config: IngestConfig) -> str:
    """Name of the schema that will read the file; ``ReadError`` where nothing can."""
    window = list(islice(reading.read_rows(path), _DETECTION_ROWS))
    if config.mapping:
        return "mapped"
    if config.schema != "auto":
        return config.schema
    for row in window:
        found = reading.detect(row.fields) if isinstance(row, reading.Row) else None
        if found:
            return found.name
    return "auto"


def _told(items: Iterator[Trace | Reject], progress: Progress) -> Iterator[Trace | Reject]:
    """Pass items on, and say now and then how many went by."""
    pending = 0
    for item in items:
        yield item
        pending += 1
        if pending == _TOLD_EVERY:
            progress.advance(pending)
            pending = 0
    progress.advance(pending)
