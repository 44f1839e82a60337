"""How is a dataset cut into steps anew, while runs keep the cut that they saw?"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grace_engine.errors import InputError
from grace_engine.records import SourceRecord
from grace_engine.staging import TRACES, staged_files
from grace_engine.store import journal
from grace_engine.store.catalog import require_datasets
from grace_engine.store.workspace import Workspace

_BATCH = 2000

_RECORDS = """
SELECT record_id, line, digest, raw FROM records
WHERE dataset = ? AND source_id = ? AND record_id > ? ORDER BY record_id LIMIT ?
"""

_ADD = """
INSERT INTO segmentations
SELECT trace_id, traces.position, $segmenter, step_starts, step_ends, step_marks, step_labels
FROM read_parquet($traces::VARCHAR[]) JOIN traces USING (trace_id)
WHERE traces.dataset = $dataset AND trace_id NOT IN (
    SELECT trace_id FROM segmentations WHERE segmenter = $segmenter
)
"""

_UNCUT = """
SELECT traces.trace_id, traces.line FROM traces
WHERE dataset = $dataset AND position NOT IN (
    SELECT position FROM segmentations WHERE segmenter = $segmenter
)
ORDER BY position
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOfDataset:
    """A file that a dataset came from, as it was read.

    Attributes:
        id: In the store.
        path: As the user named it.
        schema_name: The schema that read its records.
        mapping: ``role=field`` pairs joined by commas; "" without a mapping.
    """

    id: str
    path: str
    schema_name: str
    mapping: str


def sources_of(workspace: Workspace, dataset: str) -> list[SourceOfDataset]:
    """The files of a dataset that gave it traces; ``NotFoundError`` without that dataset."""
    with workspace.database.reading() as connection:
        require_datasets(connection, [dataset])
        rows = connection.execute(
            "SELECT source_id, path, schema_name, mapping FROM sources "
            "WHERE dataset = ? AND n_traces > 0 ORDER BY ingested_at, path",
            [dataset],
        ).fetchall()
    return [
        SourceOfDataset(
            id=source,
            path=path,
            schema_name=schema,
            mapping=",".join(f"{role}={field}" for role, field in json.loads(mapping).items()),
        )
        for source, path, schema, mapping in rows
    ]


def records_of(
    workspace: Workspace, dataset: str, source: SourceOfDataset
) -> Iterator[SourceRecord]:
    """The records of one file of a dataset, in order; each batch is a unit of work of its own."""
    last = -1
    while True:
        with workspace.database.reading() as connection:
            rows = connection.execute(_RECORDS, [dataset, source.id, last, _BATCH]).fetchall()
        if not rows:
            return
        for _, line, digest, raw in rows:
            yield SourceRecord(digest=digest, path=source.path, line=line, raw=raw)
        last = rows[-1][0]


def is_cut_by(workspace: Workspace, dataset: str, segmenter: str) -> bool:
    """Whether every trace of the dataset has been cut by a segmenter before."""
    with workspace.database.reading() as connection:
        require_datasets(connection, [dataset])
        named = {"dataset": dataset, "segmenter": segmenter}
        return not connection.execute(f"{_UNCUT} LIMIT 1", named).fetchall()


def enter_cut(workspace: Workspace, dataset: str, segmenter: str, folder: Path | None) -> None:
    """Make a cut the dataset's own: that which is staged in ``folder``, or one made before.

    Raises:
        InputError: Some trace of the dataset has no such cut; nothing is changed.
    """
    named = {"dataset": dataset, "segmenter": segmenter}
    with workspace.database.unit() as connection:
        if folder is not None:
            connection.execute(_ADD, named | {"traces": staged_files(folder, TRACES)})
        uncut = connection.execute(_UNCUT, named).fetchall()
        if uncut:
            name, line = uncut[0]
            raise InputError(
                f"{len(uncut):,} traces of {dataset!r} cannot be cut by {segmenter!r} (the first: "
                f"{name}, line {line}), so nothing was changed. Look at it with grace preview "
                f"FILE --segment {segmenter}, and choose another segmenter."
            )
        connection.execute("UPDATE datasets SET segmenter = ? WHERE name = ?", [segmenter, dataset])
        journal.keep(workspace, connection, "datasets", dataset)
