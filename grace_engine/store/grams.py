"""What Grams did a run leave, as flat arrays or for one trace?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from grace_engine.errors import NotFoundError
from grace_engine.records import Segment, StepGram
from grace_engine.signals import GramTable
from grace_engine.store.workspace import Workspace

Ints: TypeAlias = npt.NDArray[np.int32]
Strings: TypeAlias = npt.NDArray[np.object_]

# Arrow's list offsets are 32 bits, per batch: room for Grams of 360 steps on average.
_ROWS_PER_BATCH = 32_768

_TABLE = """
SELECT
    trace_id, traces.dataset, records.digest AS record_digest, gram, n_tokens, nll
FROM run_traces
JOIN grams USING (gram_key)
JOIN traces USING (trace_id)
JOIN records ON records.record_id = traces.record_id
WHERE run_id = $run
  AND fingerprint = (SELECT fingerprint FROM runs WHERE run_id = $run)
  AND ($all_datasets OR list_contains($datasets::VARCHAR[], traces.dataset))
  AND ($all_ids OR trace_id IN (SELECT unnest($ids::VARCHAR[])))
ORDER BY trace_id
"""

_ONE = """
SELECT
    rendered, rendered_starts, rendered_ends, token_starts, token_ends, reason, detail,
    gram, n_tokens, nll
FROM run_traces
LEFT JOIN grams
    ON grams.gram_key = run_traces.gram_key
    AND fingerprint = (SELECT fingerprint FROM runs WHERE run_id = $run)
WHERE run_id = $run AND trace_id = $trace
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunGrams:
    """The Grams of a run by ascending trace id, and where their traces come from; N traces.

    Attributes:
        table: The Grams as flat arrays.
        datasets: ``[N]`` names.
        record_digests: ``[N]`` digests of the source records.
    """

    table: GramTable
    datasets: Strings
    record_digests: Strings


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTrace:
    """One trace as a run saw it.

    Attributes:
        run_id: The run.
        trace_id: The trace.
        rendered: The rendered text; "" where it could not be scored.
        segments: The steps in order, then the answer.
        gram: Its inner products; None where it could not be scored.
        reason: Why it could not be scored; "" where it was.
        detail: What was seen then.
    """

    run_id: str
    trace_id: str
    rendered: str
    segments: tuple[Segment, ...]
    gram: StepGram | None
    reason: str
    detail: str


def read_grams(
    workspace: Workspace,
    run_id: str,
    *,
    names: Sequence[str] = (),
    ids: Iterable[str] | None = None,
) -> RunGrams:
    """The Grams of a run.

    Args:
        workspace: Where they are.
        run_id: The run.
        names: Only of these datasets; of all when empty.
        ids: Only of these traces.
    """
    wanted = None if ids is None else list(ids)
    with workspace.database.reading() as connection:
        rows = connection.sql(
            _TABLE,
            params={
                "run": run_id,
                "all_datasets": not names,
                "datasets": list(names),
                "all_ids": wanted is None,
                "ids": wanted or [],
            },
        ).to_arrow_table(batch_size=_ROWS_PER_BATCH)
    n_tokens, lengths = _flat(rows["n_tokens"], np.int32)
    return RunGrams(
        table=GramTable(
            trace_ids=_strings(rows["trace_id"]),
            n_segments=lengths,
            packed=_flat(rows["gram"], np.float32)[0],
            n_tokens=n_tokens,
            nll=_flat(rows["nll"], np.float32)[0],
        ),
        datasets=_strings(rows["dataset"]),
        record_digests=_strings(rows["record_digest"]),
    )


def get_run_trace(workspace: Workspace, run_id: str, trace_id: str) -> RunTrace:
    """What a run stored on one trace; ``NotFoundError`` where it has not reached it."""
    with workspace.database.reading() as connection:
        rows = connection.execute(_ONE, {"run": run_id, "trace": trace_id}).fetchall()
        others = [] if rows else _scored_by(connection, trace_id)
    if not rows:
        instead = (
            f"Scored by {', '.join(others)}: name one with --run."
            if others
            else ("Run grace score to go on.")
        )
        raise NotFoundError(
            f"Run {run_id} holds no trace {trace_id!r}: it has not reached it, or does not cover "
            f"its dataset. {instead}"
        )
    rendered, *spans, reason, detail, gram, n_tokens, nll = rows[0]
    return RunTrace(
        run_id=run_id,
        trace_id=trace_id,
        rendered=rendered or "",
        segments=tuple(
            Segment(rendered_start=a, rendered_end=b, token_start=c, token_end=d)
            for a, b, c, d in zip(*(span or () for span in spans), strict=True)
        ),
        gram=None
        if gram is None
        else StepGram(packed=tuple(gram), n_tokens=tuple(n_tokens), nll=tuple(nll)),
        reason=reason or "",
        detail=detail or "",
    )


def runs_with(workspace: Workspace, trace_id: str) -> list[str]:
    """Ids of the runs that have scored a trace, the latest first."""
    with workspace.database.reading() as connection:
        return _scored_by(connection, trace_id)


def _scored_by(connection: duckdb.DuckDBPyConnection, trace_id: str) -> list[str]:
    rows = connection.execute(
        "SELECT run_id FROM run_traces JOIN runs USING (run_id) "
        "WHERE trace_id = ? AND reason IS NULL ORDER BY touched DESC",
        [trace_id],
    ).fetchall()
    return [str(run) for (run,) in rows]


def _flat(column: pa.ChunkedArray, dtype: type[Any]) -> tuple[npt.NDArray[Any], Ints]:
    """Values and ``[N]`` lengths of a list column; a single chunk is not copied."""
    parts = [chunk.flatten().to_numpy(zero_copy_only=True) for chunk in column.chunks]
    values = parts[0] if len(parts) == 1 else np.concatenate([*parts, np.empty(0, dtype)])
    lengths = [np.diff(chunk.offsets.to_numpy()) for chunk in column.chunks]
    return values, np.concatenate([*lengths, np.empty(0, np.int32)]).astype(np.int32)


def _strings(column: pa.ChunkedArray) -> Strings:
    strings: Strings = column.to_numpy()
    return strings
