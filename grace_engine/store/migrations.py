"""Which tables does a workspace have, and how does an older one come to have them?"""

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from pathlib import Path

import duckdb

from grace_engine.errors import StoreError, StoreVersionError
from grace_engine.store import faults, judge_tables, rollout_tables

_STUDIO = "grace-studio"

# Primary keys (ART indexes) only on small tables. An index on the big ones (records, traces,
# segmentations, run_traces, grams) would cost more memory and time than it saves: they stay unique
# because every insert is an anti-join inside a transaction that has the file to itself.
_FIRST_TABLES = """
CREATE TABLE datasets (
    name VARCHAR PRIMARY KEY,
    created_at VARCHAR NOT NULL,
    segmenter VARCHAR NOT NULL
);
CREATE TABLE sources (
    source_id VARCHAR PRIMARY KEY,       -- digest of dataset and file digest
    dataset VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    bytes BIGINT NOT NULL,
    schema_name VARCHAR NOT NULL,
    mapping JSON NOT NULL,
    segmenter VARCHAR NOT NULL,
    n_traces BIGINT NOT NULL,            -- traces that this file added
    n_rejected BIGINT NOT NULL,
    ingested_at VARCHAR NOT NULL
);
CREATE TABLE records (
    record_id BIGINT NOT NULL,           -- order of arrival
    dataset VARCHAR NOT NULL,
    source_id VARCHAR NOT NULL,
    line BIGINT NOT NULL,
    digest VARCHAR NOT NULL,
    raw BLOB NOT NULL
);
CREATE TABLE traces (
    trace_id VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    record_id BIGINT NOT NULL,
    source_id VARCHAR NOT NULL,
    line BIGINT NOT NULL,
    position BIGINT NOT NULL,            -- order of arrival, with gaps
    variant VARCHAR NOT NULL,
    prompt VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    appended VARCHAR NOT NULL,
    answer VARCHAR NOT NULL,
    answer_start INTEGER NOT NULL,
    answer_end INTEGER NOT NULL,
    answer_mark INTEGER NOT NULL,
    reference VARCHAR,
    labels JSON NOT NULL,
    images JSON NOT NULL
);
CREATE TABLE segmentations (
    trace_id VARCHAR NOT NULL,
    position BIGINT NOT NULL,            -- of the trace: joined by it, so that ranges stay cheap
    segmenter VARCHAR NOT NULL,
    step_starts INTEGER[] NOT NULL,
    step_ends INTEGER[] NOT NULL,
    step_marks INTEGER[] NOT NULL,
    step_labels JSON NOT NULL
);
CREATE TABLE rejects (
    dataset VARCHAR NOT NULL,
    source_id VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    line BIGINT NOT NULL,
    variant VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    detail VARCHAR NOT NULL,
    excerpt VARCHAR NOT NULL
);
CREATE TABLE runs (
    run_id VARCHAR PRIMARY KEY,
    fingerprint VARCHAR NOT NULL,
    spec JSON NOT NULL,
    datasets VARCHAR[] NOT NULL,
    created_at VARCHAR NOT NULL,
    updated_at VARCHAR NOT NULL,
    touched BIGINT NOT NULL              -- larger is later; clocks are set back
);
CREATE TABLE run_traces (
    run_id VARCHAR NOT NULL,
    trace_id VARCHAR NOT NULL,
    gram_key VARCHAR,
    rendered VARCHAR,
    rendered_starts INTEGER[],
    rendered_ends INTEGER[],
    token_starts INTEGER[],
    token_ends INTEGER[],
    reason VARCHAR,                      -- why it has no Gram; null when it has one
    detail VARCHAR
);
CREATE TABLE grams (
    fingerprint VARCHAR NOT NULL,
    gram_key VARCHAR NOT NULL,
    gram FLOAT[] NOT NULL,               -- lower triangle row by row; the answer is the last row
    n_tokens INTEGER[] NOT NULL,
    nll FLOAT[] NOT NULL
);
CREATE TABLE selections (
    selection_id VARCHAR PRIMARY KEY,
    name VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    spec JSON NOT NULL,
    created_at VARCHAR NOT NULL,
    touched BIGINT NOT NULL
);
CREATE TABLE selection_choices (
    selection_id VARCHAR NOT NULL,
    trace_id VARCHAR NOT NULL,
    record_digest VARCHAR NOT NULL,
    value DOUBLE,
    rank BIGINT NOT NULL,
    selected BOOLEAN NOT NULL,
    reason VARCHAR NOT NULL,
    n_tokens BIGINT NOT NULL
);
CREATE TABLE file_digests (
    path VARCHAR PRIMARY KEY,
    size BIGINT NOT NULL,
    mtime_ns BIGINT NOT NULL,
    inode UBIGINT NOT NULL,
    digest VARCHAR NOT NULL
);
"""

# Runs from before there was a discount weighed all tokens of a segment alike.
_ENTROPY_DISCOUNT = """
UPDATE runs SET spec = json_merge_patch(spec, '{"entropy_discount": 0.0}');
"""

# The log of what curators say: rows are added, never changed. No key, for the reason above: one
# override may add a hundred thousand rows.
_ANNOTATIONS = """
CREATE TABLE annotations (
    seq BIGINT NOT NULL,                 -- 1, 2, 3, … without a gap
    action BIGINT NOT NULL,              -- what was done, and is undone, together
    kind VARCHAR NOT NULL,               -- verdict, override, look, undo or redo
    trace_id VARCHAR NOT NULL,
    step INTEGER,                        -- from 1; null for the trace
    step_start INTEGER,                  -- its characters of the full text: they outlive its number
    step_end INTEGER,
    word VARCHAR NOT NULL,               -- "" withdraws
    note VARCHAR NOT NULL,
    author VARCHAR NOT NULL,
    created_at VARCHAR NOT NULL,
    target BIGINT NOT NULL               -- the action that undo and redo are about, else 0
);
"""

# What a search for duplicates found. A finding is written once; a newer one of the same datasets,
# threshold and kind takes its place.
_DUPLICATES = """
CREATE TABLE duplicate_findings (
    finding_id VARCHAR PRIMARY KEY,
    compared VARCHAR NOT NULL,           -- prompts or traces
    threshold DOUBLE NOT NULL,
    datasets VARCHAR[] NOT NULL,         -- sorted
    data_digest VARCHAR NOT NULL,
    n_traces BIGINT NOT NULL,
    n_groups BIGINT NOT NULL,
    n_members BIGINT NOT NULL,
    n_spanning BIGINT NOT NULL,
    n_near BIGINT NOT NULL,
    found_at VARCHAR NOT NULL,
    touched BIGINT NOT NULL              -- larger is later; clocks are set back
);
CREATE TABLE duplicate_members (
    finding_id VARCHAR NOT NULL,
    group_number BIGINT NOT NULL,        -- 1, 2, 3, …: spanning, most different, largest first
    n_different BIGINT NOT NULL,         -- texts of the group
    place BIGINT NOT NULL,               -- within the group, from 0; the others are held against 0
    trace_id VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    similarity DOUBLE NOT NULL,
    exact BOOLEAN NOT NULL
);
"""

# Problems that records pose without solving them. A run remembers how each of its datasets was cut
# when it was made (in the order of their names): until now no dataset could be cut anew.
_PROBLEMS_AND_CUTS = """
CREATE TABLE problems (
    problem_id VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    source_id VARCHAR NOT NULL,
    line BIGINT NOT NULL,                -- of the first record that poses it
    position BIGINT NOT NULL,            -- order of arrival, with gaps
    prompt VARCHAR NOT NULL,
    reference VARCHAR,
    labels JSON NOT NULL,
    images JSON NOT NULL,
    digest VARCHAR NOT NULL,
    raw BLOB NOT NULL,
    n_records BIGINT NOT NULL            -- records of its source that pose it
);
ALTER TABLE runs ADD COLUMN segmenters VARCHAR[];
UPDATE runs SET segmenters = (
    SELECT list(segmenter ORDER BY name) FROM datasets WHERE list_contains(runs.datasets, name)
);
"""

# No key, for the reason above.
_ANSWER_CHECKS = """
CREATE TABLE answer_checks (
    trace_id VARCHAR NOT NULL,           -- at most one row a trace
    outcome VARCHAR NOT NULL,            -- right, wrong, not parsed or timed out
    side VARCHAR NOT NULL,               -- answer or reference, of what was not parsed; else ""
    detail VARCHAR NOT NULL,
    answer_digest VARCHAR NOT NULL,      -- md5 of what was compared: of another text it is none
    reference_digest VARCHAR NOT NULL,
    seconds DOUBLE NOT NULL,             -- what the check was allowed to take
    checked_at VARCHAR NOT NULL
);
"""

# No key, for the reason above. At most one row a trace, metric and recipe.
_TRACE_METRICS = """
CREATE TABLE trace_metrics (
    trace_id VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    recipe VARCHAR NOT NULL,             -- digest of how it was made: another recipe, another row
    text_digest VARCHAR NOT NULL,        -- md5 of what was read: of another text it is none
    value DOUBLE,                        -- null where the trace has none
    word VARCHAR NOT NULL                -- why it has none, or the value of a metric that is a word
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One numbered change of the schema.

    Attributes:
        version: 1, 2, 3, …
        name: What it does, for a person to read.
        sql: Statements, run in one transaction with all that are missing.
    """

    version: int
    name: str
    sql: str


MIGRATIONS: tuple[Migration, ...] = (
    Migration(version=1, name="first-tables", sql=_FIRST_TABLES),
    Migration(version=2, name="entropy-discount-of-runs", sql=_ENTROPY_DISCOUNT),
    Migration(version=3, name="annotations", sql=_ANNOTATIONS),
    Migration(version=4, name="duplicates", sql=_DUPLICATES),
    Migration(version=5, name="problems-and-cuts-of-runs", sql=_PROBLEMS_AND_CUTS),
    Migration(version=6, name="answer-checks", sql=_ANSWER_CHECKS),
    Migration(version=7, name="rollouts-and-policy-gradients", sql=rollout_tables.FIRST_TABLES),
    Migration(version=8, name="trace-metrics", sql=_TRACE_METRICS),
    Migration(version=9, name="halves-of-policy-gradients", sql=rollout_tables.HALVES),
    Migration(version=10, name="judgements", sql=judge_tables.FIRST_TABLES),
)


def is_up_to_date(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the open database has all tables that this version knows."""
    return schema_version(connection) == MIGRATIONS[-1].version


def bring_up_to_date(
    connection: duckdb.DuckDBPyConnection, path: Path, *, may_write: bool = True
) -> None:
    """Run the migrations that the database at ``path`` lacks, after a backup beside it.

    Raises:
        StoreVersionError: The database has migrations that this version does not know.
        StoreError: It lacks some, and cannot be written.
    """
    newest = MIGRATIONS[-1].version
    version = schema_version(connection)
    if version == newest:
        return
    if version > newest:
        raise StoreVersionError(
            f"The workspace database {path} was written by a newer version of the studio: its "
            f"schema is number {version}, and this version knows schemas up to {newest}. Install "
            f"{writer(connection)}, or open another workspace."
        )
    if not may_write:
        raise StoreError(
            f"The workspace database {path} was written by an older version of the studio and "
            "cannot be migrated where it cannot be written. Copy the workspace to where it can, "
            "and open the copy."
        )
    if connection.execute("SELECT count(*) FROM duckdb_tables()").fetchall() != [(0,)]:
        copy_database(connection, path.with_name(f"{path.name}.v{version}.bak"))
    connection.execute("BEGIN TRANSACTION")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations "
        "(version INTEGER PRIMARY KEY, name VARCHAR NOT NULL, applied_at VARCHAR NOT NULL)"
    )
    # Of the first version that wrote it; older rows have none.
    connection.execute("ALTER TABLE schema_migrations ADD COLUMN IF NOT EXISTS studio VARCHAR")
    for migration in MIGRATIONS:
        if migration.version > version:
            connection.execute(migration.sql)
            connection.execute(
                "INSERT INTO schema_migrations VALUES (?, ?, ?, ?)",
                [migration.version, migration.name, now(), version_of(_STUDIO)],
            )
    connection.execute("COMMIT")


def writer(connection: duckdb.DuckDBPyConnection) -> str:
    """The version of the studio that a newer database needs, as something to install."""
    try:
        [(wrote,)] = connection.execute(
            "SELECT studio FROM schema_migrations ORDER BY version DESC LIMIT 1"
        ).fetchall()
    except duckdb.BinderException:
        wrote = None
    if wrote is None:
        return f"the newest version (pip install --upgrade {_STUDIO})"
    if wrote == version_of(_STUDIO):
        return f"a newer state of version {wrote} than this one"
    return f"version {wrote} or newer (pip install '{_STUDIO}>={wrote}')"


def schema_version(connection: duckdb.DuckDBPyConnection) -> int:
    """Number of the last migration that the database has; 0 when it has none."""
    try:
        rows = connection.execute("SELECT max(version) FROM schema_migrations").fetchall()
    except duckdb.CatalogException:
        return 0
    return int(rows[0][0] or 0)


def copy_database(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Write everything that is committed, without the holes, to ``target``, by rename.

    The copy goes through the open connection: reading the file by other means would drop the lock.
    Where it fails, nothing is left of it.
    """
    part = target.with_name(f"{target.name}.part")
    _remove(part)
    name = connection.execute("SELECT current_database()").fetchall()[0][0].replace('"', '""')
    try:
        with faults.in_sentences(target):
            connection.execute("ATTACH ? AS copied", [str(part)])
            try:
                connection.execute(f'COPY FROM DATABASE "{name}" TO copied')
            finally:
                connection.execute("DETACH copied")
            part.replace(target)
    finally:
        _remove(part)


def _remove(part: Path) -> None:
    for leftover in (part, part.with_name(f"{part.name}.wal")):
        leftover.unlink(missing_ok=True)


def now() -> str:
    """This moment, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
