"""How do the traces of one source enter a dataset: all or none, and none twice?"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import duckdb

from grace_engine.errors import InputError
from grace_engine.records import Item
from grace_engine.store import journal
from grace_engine.store.migrations import now
from grace_engine.store.staging import PROBLEMS, REJECTS, TRACES, stage, staged_files
from grace_engine.store.workspace import Workspace

DUPLICATE = "duplicate-record"

# Of DuckDB, so that an ingest takes as much for a million traces as for some thousands.
_MEMORY = "300MB"

# Bytes of a staged trace above which compressing it well is worth the time.
_LONG = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that traces are taken from, and how it is read.

    Attributes:
        path: As the user named it.
        digest: Hex digest of its bytes.
        size: Its bytes.
        schema_name: The schema that reads its records.
        mapping: Which field is the prompt, the trace, the answer, where the user said so.
        segmenter: As the user named it ("auto", …).
    """

    path: str
    digest: str
    size: int
    schema_name: str
    mapping: Mapping[str, str] = field(default_factory=dict)
    segmenter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestCount:
    """What one ingest did.

    Attributes:
        added: Traces that the dataset did not hold before.
        already_present: Traces that it held.
        rejected: Records or traces of this source that cannot be used, each stored with its reason.
        by_reason: ``rejected`` by reason code, most frequent first.
        problems: Problems without a trace that the source poses and the dataset holds now.
        folded: Records that pose a problem which an earlier record of the source poses.
    """

    added: int
    already_present: int
    rejected: int
    by_reason: Mapping[str, int]
    problems: int = 0
    folded: int = 0

    @property
    def held(self) -> int:
        """Traces and problems of the source that the dataset holds now."""
        return self.added + self.already_present + self.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entered:
    """Traces that are new, that were there, that stand in the source again; its problems."""

    added: int
    present: int
    duplicates: int
    problems: int
    folded: int


def add_traces(
    workspace: Workspace, dataset: str, source: Source, items: Iterable[Item]
) -> IngestCount:
    """Add the traces, problems and rejects of ``source`` to ``dataset`` in one transaction.

    ``items`` is consumed in chunks that wait in files, while the database is free for others.
    Traces that the dataset holds are left as they are; rejects of a source that was ingested
    before are replaced. An exception of ``items`` leaves nothing behind.

    Raises:
        InputError: The dataset was cut by another segmenter, or holds traces of this same file
            that were read by another schema or mapping.
    """
    return add_staged(workspace, dataset, source, lambda folder: stage(items, folder))


def add_staged(
    workspace: Workspace, dataset: str, source: Source, fill: Callable[[Path], Counter[str]]
) -> IngestCount:
    """As ``add_traces``, for what ``fill`` stages in a folder; it counts rejects by reason.

    ``fill`` calls ``stage_chunk``, in this process or in others.
    """
    with workspace.database.unit() as connection:
        _check_consistent(connection, dataset, source)
    with workspace.staging() as folder:
        reasons = fill(folder)
        with workspace.database.unit() as connection:
            _check_consistent(connection, dataset, source)
            entered = _enter(connection, dataset, source, folder)
            journal.keep(workspace, connection, "datasets", dataset)
            journal.keep(workspace, connection, "sources", _source_id(dataset, source))
    if entered.duplicates:
        reasons[DUPLICATE] += entered.duplicates
    return IngestCount(
        added=entered.added,
        already_present=entered.present,
        rejected=reasons.total(),
        by_reason=dict(reasons.most_common()),
        problems=entered.problems,
        folded=entered.folded,
    )


def _check_consistent(connection: duckdb.DuckDBPyConnection, dataset: str, source: Source) -> None:
    """Refuse what would mix two readings in one dataset."""
    for (segmenter,) in connection.execute(
        "SELECT segmenter FROM datasets WHERE name = ? AND segmenter <> ?",
        [dataset, source.segmenter],
    ).fetchall():
        raise InputError(
            f"Dataset {dataset!r} is cut into steps by {segmenter!r}, not by {source.segmenter!r}. "
            f"Use --segment {segmenter}, or another --dataset name."
        )
    for schema_name, mapping in connection.execute(
        "SELECT schema_name, mapping FROM sources WHERE source_id = ? AND n_traces > 0",
        [_source_id(dataset, source)],
    ).fetchall():
        if (schema_name, json.loads(mapping)) != (source.schema_name, dict(source.mapping)):
            raise InputError(
                f"Dataset {dataset!r} already holds the traces of {source.path}, read as "
                f"{schema_name} with the mapping {mapping}. Delete the dataset first, or use "
                "another --dataset name."
            )


def _source_id(dataset: str, source: Source) -> str:
    return blake2b(f"{dataset}\0{source.digest}".encode(), digest_size=16).hexdigest()


def _enter(
    connection: duckdb.DuckDBPyConnection,
    dataset: str,
    source: Source,
    folder: Path,
) -> _Entered:
    """Move the staged rows into the tables."""
    named: dict[str, object] = {
        "dataset": dataset,
        "source": _source_id(dataset, source),
        "path": source.path,
        "segmenter": source.segmenter,
        "traces": staged_files(folder, TRACES),
        "problems": staged_files(folder, PROBLEMS),
        "rejects": staged_files(folder, REJECTS),
        "duplicate": DUPLICATE,
    }

    def run(statement: str) -> list[tuple[int, ...]]:
        used = {name: value for name, value in named.items() if f"${name}" in statement}
        rows: list[tuple[int, ...]] = connection.execute(statement, used).fetchall()
        return rows

    run(_FIND_NEW)
    _choose_codec(connection, staged_files(folder, TRACES))
    run(_ADD_RECORDS)
    run(_ADD_TRACES)
    run(_ADD_SEGMENTATIONS)
    run(_ADD_PROBLEMS)
    run("DELETE FROM rejects WHERE source_id = $source")
    run(_ADD_REJECTS)
    run(_ADD_DUPLICATES)
    ((added, present, duplicates),) = run(_COUNT)
    ((problems, folded),) = run(_COUNT_PROBLEMS)
    ((rejected,),) = run("SELECT count(*) FROM rejects WHERE source_id = $source")
    connection.execute(
        "INSERT INTO datasets VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [dataset, now(), source.segmenter],
    )
    connection.execute(
        "INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "schema_name = excluded.schema_name, mapping = excluded.mapping, "
        "n_traces = n_traces + excluded.n_traces, n_rejected = excluded.n_rejected, "
        "ingested_at = excluded.ingested_at",
        [
            _source_id(dataset, source),
            dataset,
            source.path,
            source.digest,
            source.size,
            source.schema_name,
            json.dumps(dict(source.mapping), ensure_ascii=False),
            source.segmenter,
            added,
            rejected,
            now(),
        ],
    )
    return _Entered(
        added=added, present=present, duplicates=duplicates, problems=problems, folded=folded
    )


def _choose_codec(connection: duckdb.DuckDBPyConnection, files: list[str]) -> None:
    """Say how texts are compressed: DuckDB's own choice would cost more time than all else here.

    Short records by the fastest codec (a compaction makes them small), long ones by the smallest.
    What does not fit in the memory that an intake may take waits in files.
    """
    connection.execute(f"SET memory_limit = '{_MEMORY}'")
    ((n_traces,),) = connection.execute("SELECT count(*) FROM staged").fetchall()
    n_bytes = sum(Path(file).stat().st_size for file in files)
    codec = "zstd" if n_bytes > _LONG * n_traces else "fsst"
    connection.execute(f"SET force_compression = '{codec}'")


# nth = 1 is the first time that a trace stands in the file; the others are duplicates of it.
_FIND_NEW = """
CREATE TEMP TABLE staged AS
SELECT
    ordinal,
    ordinal + (
        SELECT coalesce(max(greatest(position, record_id)), 0) FROM traces
    ) AS position,
    digest,
    row_number() OVER same AS nth,
    first_value(line) OVER same AS first_line,
    trace_id IN (SELECT trace_id FROM traces WHERE dataset = $dataset) AS present
FROM read_parquet($traces::VARCHAR[])
WINDOW same AS (PARTITION BY trace_id ORDER BY ordinal)
"""

_ADD_RECORDS = """
INSERT INTO records
SELECT position, $dataset, $source, line, digest, raw
FROM read_parquet($traces::VARCHAR[]) JOIN (
    SELECT min(ordinal) AS ordinal, min(position) AS position FROM staged
    WHERE digest IN (SELECT digest FROM staged WHERE nth = 1 AND NOT present)
      AND digest NOT IN (SELECT digest FROM records WHERE dataset = $dataset)
    GROUP BY digest
) USING (ordinal)
"""

_ADD_TRACES = """
INSERT INTO traces
SELECT
    trace_id, $dataset, record_id, $source, file.line, position, variant, prompt, text,
    appended, answer, answer_start, answer_end, answer_mark, reference, labels, images
FROM read_parquet($traces::VARCHAR[]) AS file
JOIN staged USING (ordinal)
JOIN records ON records.digest = file.digest AND records.dataset = $dataset
WHERE nth = 1 AND NOT present
"""

_ADD_SEGMENTATIONS = """
INSERT INTO segmentations
SELECT trace_id, position, $segmenter, step_starts, step_ends, step_marks, step_labels
FROM read_parquet($traces::VARCHAR[]) JOIN staged USING (ordinal)
WHERE nth = 1 AND NOT present
"""

_ADD_PROBLEMS = """
INSERT INTO problems
SELECT
    problem_id, $dataset, $source, first(line ORDER BY ordinal), min(ordinal) + (
        SELECT coalesce(max(position), 0) FROM problems
    ), any_value(prompt), any_value(reference), first(labels ORDER BY ordinal),
    first(images ORDER BY ordinal), first(digest ORDER BY ordinal), first(raw ORDER BY ordinal),
    count(*)
FROM read_parquet($problems::VARCHAR[])
WHERE problem_id NOT IN (SELECT problem_id FROM problems WHERE dataset = $dataset)
GROUP BY problem_id
"""

_COUNT_PROBLEMS = """
SELECT count(DISTINCT problem_id), count(*) - count(DISTINCT problem_id)
FROM read_parquet($problems::VARCHAR[])
"""

_ADD_REJECTS = """
INSERT INTO rejects
SELECT $dataset, $source, path, line, variant, reason, detail, excerpt
FROM read_parquet($rejects::VARCHAR[])
ORDER BY ordinal
"""

_ADD_DUPLICATES = """
INSERT INTO rejects
SELECT
    $dataset, $source, $path, line, variant, $duplicate,
    'The same record stands in line ' || first_line || '.', excerpt
FROM read_parquet($traces::VARCHAR[]) JOIN staged USING (ordinal)
WHERE nth > 1
ORDER BY ordinal
"""

_COUNT = """
SELECT
    count(*) FILTER (nth = 1 AND NOT present),
    count(*) FILTER (nth = 1 AND present),
    count(*) FILTER (nth > 1)
FROM staged
"""
