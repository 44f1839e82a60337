"""Which traces of a run have their Gram, and which Grams need not be computed again?"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import pyarrow as pa

from grace_engine.errors import NotFoundError
from grace_engine.records import RejectedTrace, RenderedTrace, StepGram
from grace_engine.store.migrations import now
from grace_engine.store.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredTrace:
    """One trace of a run with its new Gram.

    Attributes:
        rendered: As the model saw it.
        gram_key: Digest under which the Gram is found again.
        gram: The inner products.
    """

    rendered: RenderedTrace
    gram_key: str
    gram: StepGram


def known_gram_keys(workspace: Workspace, fingerprint: str, keys: Iterable[str]) -> set[str]:
    """Those of ``keys`` whose Gram is stored for this scorer."""
    with workspace.database.reading() as connection:
        rows = connection.execute(
            "SELECT DISTINCT gram_key FROM grams "
            "WHERE fingerprint = ? AND gram_key IN (SELECT unnest(?::VARCHAR[]))",
            [fingerprint, list(keys)],
        ).fetchall()
    return {row[0] for row in rows}


def reached_traces(workspace: Workspace, run_id: str) -> dict[str, str | None]:
    """The traces that a run has reached: id to reason, None for those with a Gram."""
    with workspace.database.reading() as connection:
        rows = connection.execute(
            "SELECT trace_id, reason FROM run_traces WHERE run_id = ?", [run_id]
        ).fetchall()
    return dict(rows)


def failed_traces(workspace: Workspace, run_id: str) -> list[RejectedTrace]:
    """The traces that a run could not score, with their reasons."""
    with workspace.database.reading() as connection:
        rows = connection.execute(
            "SELECT trace_id, reason, detail FROM run_traces "
            "WHERE run_id = ? AND reason IS NOT NULL ORDER BY reason, trace_id",
            [run_id],
        ).fetchall()
    return [RejectedTrace(trace_id=row[0], reason=row[1], detail=row[2]) for row in rows]


def add_scored(
    workspace: Workspace,
    run_id: str,
    scored: Sequence[ScoredTrace],
    failed: Sequence[RejectedTrace] = (),
) -> None:
    """Commit one batch of a run: all of it or nothing; what is stored already stays as it is.

    A trace that failed before and has a Gram now counts as scored.
    """
    grams = pa.table(
        {
            "gram_key": pa.array([item.gram_key for item in scored], pa.string()),
            "gram": pa.array([item.gram.packed for item in scored], pa.list_(pa.float32())),
            "n_tokens": pa.array([item.gram.n_tokens for item in scored], pa.list_(pa.int32())),
            "nll": pa.array([item.gram.nll for item in scored], pa.list_(pa.float32())),
        }
    )
    rows = [_row(item.rendered, item.gram_key) for item in scored]
    rows += [asdict(item) for item in failed]
    with workspace.database.unit() as connection:
        fingerprint = _fingerprint(connection, run_id)
        connection.register("incoming_grams", grams)
        connection.execute(
            "INSERT INTO grams SELECT DISTINCT ON (gram_key) ?, incoming.* "
            "FROM incoming_grams AS incoming WHERE gram_key NOT IN "
            "(SELECT gram_key FROM grams WHERE fingerprint = ?)",
            [fingerprint, fingerprint],
        )
        _add_run_traces(connection, run_id, rows)


def link_cached(
    workspace: Workspace, run_id: str, rendered: Sequence[tuple[RenderedTrace, str]]
) -> int:
    """Give a run those traces whose Gram (by key) its scorer has stored; how many they are."""
    with workspace.database.unit() as connection:
        rows = connection.execute(
            "SELECT DISTINCT gram_key FROM grams "
            "WHERE fingerprint = ? AND gram_key IN (SELECT unnest(?::VARCHAR[]))",
            [_fingerprint(connection, run_id), [key for _, key in rendered]],
        ).fetchall()
        cached = {row[0] for row in rows}
        linked = [_row(trace, key) for trace, key in rendered if key in cached]
        _add_run_traces(connection, run_id, linked)
    return len(linked)


_POSITIONS = pa.list_(pa.int32())
_RUN_TRACES = pa.schema(
    {
        "trace_id": pa.string(),
        "gram_key": pa.string(),
        "rendered": pa.string(),
        "rendered_starts": _POSITIONS,
        "rendered_ends": _POSITIONS,
        "token_starts": _POSITIONS,
        "token_ends": _POSITIONS,
        "reason": pa.string(),
        "detail": pa.string(),
    }
)


def _row(rendered: RenderedTrace, gram_key: str) -> dict[str, Any]:
    return {
        "trace_id": rendered.trace_id,
        "gram_key": gram_key,
        "rendered": rendered.text,
        "rendered_starts": [segment.rendered_start for segment in rendered.segments],
        "rendered_ends": [segment.rendered_end for segment in rendered.segments],
        "token_starts": [segment.token_start for segment in rendered.segments],
        "token_ends": [segment.token_end for segment in rendered.segments],
    }


def _add_run_traces(
    connection: duckdb.DuckDBPyConnection, run_id: str, rows: list[dict[str, Any]]
) -> None:
    connection.register("incoming_traces", pa.Table.from_pylist(rows, schema=_RUN_TRACES))
    connection.execute(
        "DELETE FROM run_traces WHERE run_id = ? AND reason IS NOT NULL "
        "AND trace_id IN (SELECT trace_id FROM incoming_traces)",
        [run_id],
    )
    connection.execute(
        "INSERT INTO run_traces SELECT DISTINCT ON (trace_id) ?, incoming.* "
        "FROM incoming_traces AS incoming WHERE trace_id NOT IN "
        "(SELECT trace_id FROM run_traces WHERE run_id = ?) "
        "ORDER BY trace_id, reason NULLS FIRST",
        [run_id, run_id],
    )
    connection.execute("UPDATE runs SET updated_at = ? WHERE run_id = ?", [now(), run_id])


def _fingerprint(connection: duckdb.DuckDBPyConnection, run_id: str) -> str:
    rows = connection.execute("SELECT fingerprint FROM runs WHERE run_id = ?", [run_id]).fetchall()
    if not rows:
        raise NotFoundError(f"There is no scoring run {run_id!r} in this workspace.")
    return str(rows[0][0])
