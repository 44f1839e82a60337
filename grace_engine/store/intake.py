"""How do the traces of one source enter a dataset: all or none, and none twice?"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import duckdb

from grace_engine.errors import InputError
from grace_engine.records import Item
from grace_engine.staging import (
    EXCERPT_LENGTH,
    PROBLEMS,
    REJECTS,
    TRACES,
    stage,
    staged_files,
)
from grace_engine.store import journal
from grace_engine.store.migrations import now
from grace_engine.store.workspace import Workspace

DUPLICATE = "duplicate-record"

# Of DuckDB, so that an ingest takes as much for a million traces as for some thousands. What does
# not fit waits in files.
_MEMORY = "300MB"

# Bytes of a staged trace above which compressing it well is worth the time.
_LONG = 6144


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
    key = _source_id(dataset, source)
    with workspace.database.reading() as connection:
        _check_consistent(connection, dataset, source)
        known = connection.execute("SELECT 1 FROM sources WHERE source_id = ?", [key]).fetchall()
    with ExitStack() as stack:
        folder = stack.enter_context(workspace.staging())
        reasons = fill(folder)
        if not known:
            stack.enter_context(journal.gone_on_failure(workspace, "sources", key))
        with workspace.database.unit() as connection:
            _check_consistent(connection, dataset, source)
            entered = _enter(connection, dataset, source, folder)
            journal.keep(workspace, connection, "datasets", dataset)
            journal.keep(workspace, connection, "sources", key)
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

    connection.execute(f"SET memory_limit = '{_MEMORY}'")
    ((named["last"],),) = run(_LAST_POSITION)
    run(_FIND_ODD)
    ((added, present, duplicates),) = run(_COUNT)
    _choose_codec(connection, staged_files(folder, TRACES), added + present + duplicates)
    run(_ADD_RECORDS)
    run(_ADD_TRACES)
    run(_ADD_SEGMENTATIONS)
    run(_ADD_PROBLEMS)
    run("DELETE FROM rejects WHERE source_id = $source")
    run(_ADD_REJECTS)
    if duplicates:
        run(_ADD_DUPLICATES)
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


def _choose_codec(connection: duckdb.DuckDBPyConnection, files: list[str], n_traces: int) -> None:
    """Say how texts are compressed: DuckDB's own choice would cost more time than all else here.

    Short records hardly are (a compaction makes them small), long ones are by the smallest codec.
    """
    n_bytes = sum(Path(file).stat().st_size for file in files)
    codec = "zstd" if n_bytes > _LONG * n_traces else "fsst"
    connection.execute(f"SET force_compression = '{codec}'")


_LAST_POSITION = "SELECT coalesce(max(greatest(position, record_id)), 0) FROM traces"

# Of most files every trace is new. What is known of the others is kept, in a table that is empty
# for most files: of all that stand in a record which the file or the dataset holds another time, or
# have an id that is there another time. Whole strings are compared only of these.
_FIND_ODD = """
CREATE TEMP TABLE odd AS
WITH file AS NOT MATERIALIZED (
    SELECT ordinal, record_ordinal, line, trace_id, digest
    FROM read_parquet($traces::VARCHAR[])
), digests AS (
    SELECT digest FROM file WHERE hash(trace_id) IN (
        SELECT hash(trace_id) FROM file GROUP BY ALL HAVING count(*) > 1
    )
    UNION
    SELECT digest FROM file WHERE hash(digest) IN (
        SELECT hash(digest) FROM file WHERE ordinal = record_ordinal
        GROUP BY ALL HAVING count(*) > 1
    )
    UNION
    SELECT digest FROM file WHERE trace_id IN (
        SELECT trace_id FROM traces WHERE dataset = $dataset
    )
    UNION
    SELECT digest FROM records WHERE dataset = $dataset
), placed AS (
    SELECT
        ordinal,
        record_ordinal,
        digest,
        row_number() OVER same AS nth,  -- 1 for the first time that a trace stands in the file
        first_value(line) OVER same AS first_line,
        trace_id IN (SELECT trace_id FROM traces WHERE dataset = $dataset) AS present
    FROM file WHERE digest IN (FROM digests)
    WINDOW same AS (PARTITION BY trace_id ORDER BY ordinal)
)
SELECT
    ordinal,
    record_ordinal,
    nth,
    first_line,
    present,
    nth = 1 AND NOT present AS is_new,
    coalesce(record_id, $last + min(ordinal) OVER record) AS record_id,
    record_id IS NULL AND ordinal = min(ordinal) OVER record
        AND bool_or(nth = 1 AND NOT present) OVER record AS adds_record
FROM placed LEFT JOIN (
    SELECT digest, record_id FROM records WHERE dataset = $dataset
) USING (digest)
WINDOW record AS (PARTITION BY digest)
"""

_ADD_RECORDS = """
INSERT INTO records
SELECT $last + ordinal, $dataset, $source, line, digest, raw
FROM read_parquet($traces::VARCHAR[]) LEFT JOIN odd USING (ordinal)
WHERE coalesce(adds_record, raw IS NOT NULL)
"""

_ADD_TRACES = """
INSERT INTO traces
SELECT
    trace_id, $dataset, coalesce(record_id, $last + file.record_ordinal), $source, line,
    $last + ordinal, variant, prompt, text, appended, answer, answer_start, answer_end,
    answer_mark, reference, labels, images
FROM read_parquet($traces::VARCHAR[]) AS file LEFT JOIN odd USING (ordinal)
WHERE coalesce(is_new, true)
"""

_ADD_SEGMENTATIONS = """
INSERT INTO segmentations
SELECT
    trace_id, $last + ordinal, $segmenter, step_starts, step_ends, step_marks, step_labels
FROM read_parquet($traces::VARCHAR[]) LEFT JOIN odd USING (ordinal)
WHERE coalesce(is_new, true)
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

_ADD_DUPLICATES = f"""
INSERT INTO rejects
SELECT
    $dataset, $source, $path, again.line, again.variant, $duplicate,
    'The same record stands in line ' || first_line || '.',
    left(coalesce(TRY(decode(record.raw)), record.raw::VARCHAR), {EXCERPT_LENGTH})
FROM odd
JOIN read_parquet($traces::VARCHAR[]) AS again ON again.ordinal = odd.ordinal
JOIN read_parquet($traces::VARCHAR[]) AS record ON record.ordinal = odd.record_ordinal
WHERE nth > 1
ORDER BY odd.ordinal
"""  # noqa: S608

_COUNT = """
SELECT
    count(*) FILTER (coalesce(is_new, true)),
    count(*) FILTER (nth = 1 AND present),
    count(*) FILTER (nth > 1)
FROM read_parquet($traces::VARCHAR[]) LEFT JOIN odd USING (ordinal)
"""
