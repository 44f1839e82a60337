"""Which traces does a workspace hold, and what do they say?"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import duckdb

from grace_engine.records import Answer, Label, SourceRecord, Step, Trace
from grace_engine.store.catalog import require_datasets
from grace_engine.store.cuts import CUT_TRACES
from grace_engine.store.lookup import by_prefix
from grace_engine.store.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

_TRACES_AT = f"""
SELECT
    traces.trace_id, traces.dataset, traces.variant, traces.prompt, traces.text,
    traces.appended, traces.answer, traces.answer_start, traces.answer_end, traces.answer_mark,
    traces.reference, traces.labels, traces.images, traces.line,
    segmentations.segmenter, step_starts, step_ends, step_marks, step_labels,
    records.digest, records.raw, sources.path
FROM {CUT_TRACES}
JOIN records ON records.record_id = traces.record_id
JOIN sources ON sources.source_id = traces.source_id
WHERE traces.position BETWEEN $first AND $last
  AND traces.position IN (SELECT unnest($positions::BIGINT[]))
ORDER BY traces.position
"""  # noqa: S608

_POSITIONS = """
SELECT position FROM traces
WHERE ($all_datasets OR list_contains($datasets::VARCHAR[], dataset))
  AND ($all_ids OR trace_id IN (SELECT unnest($ids::VARCHAR[])))
ORDER BY position
"""

_LABELS = f"""
SELECT
    traces.trace_id AS id, traces.dataset, variant, labels, len(step_starts) AS n_steps,
    sources.path, traces.line, records.digest AS record_digest,
    md5(concat(traces.prompt, traces.images)) AS prompt_digest
FROM {CUT_TRACES}
JOIN sources USING (source_id)
JOIN records USING (record_id)
WHERE ($all_datasets OR list_contains($datasets::VARCHAR[], traces.dataset))
  AND ($all_ids OR traces.trace_id IN (SELECT unnest($ids::VARCHAR[])))
ORDER BY traces.position
"""  # noqa: S608


def count_traces(workspace: Workspace, names: Sequence[str] = ()) -> int:
    """How many traces the named datasets hold; all of them when none is named."""
    with workspace.database.reading() as connection:
        require_datasets(connection, names)
        rows = connection.execute(
            "SELECT count(*) FROM traces WHERE $every OR list_contains($names::VARCHAR[], dataset)",
            {"every": not names, "names": list(names)},
        ).fetchall()
    return int(rows[0][0])


def trace_ids(workspace: Workspace, names: Sequence[str] = ()) -> list[str]:
    """Ids of the traces of the named datasets, ascending; of all when none is named."""
    with workspace.database.reading() as connection:
        require_datasets(connection, names)
        rows = connection.execute(
            "SELECT trace_id FROM traces "
            "WHERE $every OR list_contains($names::VARCHAR[], dataset) ORDER BY trace_id",
            {"every": not names, "names": list(names)},
        ).fetchall()
    return [row[0] for row in rows]


def get_trace(workspace: Workspace, wanted: str, run: str | None = None) -> Trace:
    """The trace with this id, or with the only id that begins with it.

    Its steps are cut as ``run`` saw them; without one, as they are now.
    """
    with workspace.database.reading() as connection:
        found = by_prefix(
            connection,
            "SELECT trace_id FROM traces WHERE starts_with(trace_id, ?)",
            wanted,
            kind="trace",
            listed_by="grace traces",
        )
        positions = _positions(connection, (), [found])
        return _read(connection, positions, run)[0]


def iter_traces(
    workspace: Workspace,
    names: Sequence[str] = (),
    ids: Iterable[str] | None = None,
    batch: int = 1000,
    run: str | None = None,
) -> Iterator[list[Trace]]:
    """Batches of traces in order of arrival; each batch is a unit of work of its own.

    Traces that arrive after the first batch are not seen; those deleted meanwhile are left out.

    Args:
        workspace: Where they are.
        names: Datasets; all when empty.
        ids: Only these traces.
        batch: Traces in a list.
        run: Cut as this run saw them; without one, as they are now.

    Raises:
        NotFoundError: A dataset does not exist.
    """
    with workspace.database.reading() as connection:
        require_datasets(connection, names)
        positions = _positions(connection, names, ids)
    for start in range(0, len(positions), batch):
        with workspace.database.reading() as connection:
            traces = _read(connection, positions[start : start + batch], run)
        if traces:
            yield traces


def step_labels(
    workspace: Workspace, names: Sequence[str] = (), run: str | None = None
) -> dict[str, list[Label]]:
    """What the data says of each step, by trace id, for traces with any such label.

    Steps are cut as ``run`` saw them; without one, as they are now.
    """
    with workspace.database.reading() as connection:
        require_datasets(connection, names)
        rows = connection.execute(
            f"SELECT traces.trace_id, step_labels FROM {CUT_TRACES} "  # noqa: S608
            "WHERE $every OR list_contains($names::VARCHAR[], traces.dataset)",
            {"every": not names, "names": list(names), "run": run},
        ).fetchall()
    parsed = ((name, json.loads(labels)) for name, labels in rows)
    return {name: labels for name, labels in parsed if any(x is not None for x in labels)}


def labels_of(
    workspace: Workspace,
    names: Sequence[str] = (),
    ids: Iterable[str] | None = None,
    run: str | None = None,
) -> "pd.DataFrame":
    """A row a trace in order of arrival.

    Columns: id, dataset, variant, labels (a dict), n_steps, path, line, record_digest,
    prompt_digest (equal where text and images of the prompt are). Steps are counted as ``run`` saw
    them; without one, as they are now.
    """
    with workspace.database.reading() as connection:
        require_datasets(connection, names)
        frame: pd.DataFrame = (
            connection.sql(_LABELS, params=_filter(names, ids) | {"run": run})
            .to_arrow_table()
            .to_pandas()
        )
    frame["labels"] = [json.loads(labels) for labels in frame["labels"]]
    return frame


def reasoning_digests(workspace: Workspace, ids: Sequence[str]) -> list[str]:
    """A digest of each trace's reasoning, white space folded: equal where the reasoning is.

    In no order, and without the traces that are not there.
    """
    with workspace.database.reading() as connection:
        rows = connection.execute(
            "SELECT md5(regexp_replace(trim(text), '\\s+', ' ', 'g')) FROM traces "
            "WHERE trace_id IN (SELECT unnest($ids::VARCHAR[]))",
            {"ids": list(ids)},
        ).fetchall()
    return [row[0] for row in rows]


def _filter(names: Sequence[str], ids: Iterable[str] | None) -> dict[str, object]:
    return {
        "all_datasets": not names,
        "datasets": list(names),
        "all_ids": ids is None,
        "ids": [] if ids is None else list(ids),
    }


def _positions(
    connection: duckdb.DuckDBPyConnection, names: Sequence[str], ids: Iterable[str] | None
) -> list[int]:
    rows = connection.sql(_POSITIONS, params=_filter(names, ids)).to_arrow_table()
    positions: list[int] = rows["position"].to_pylist()
    return positions


def _read(
    connection: duckdb.DuckDBPyConnection, positions: list[int], run: str | None
) -> list[Trace]:
    """The traces at ``positions``, which are ascending; the range keeps the scans short."""
    rows = connection.execute(
        _TRACES_AT,
        {"first": positions[0], "last": positions[-1], "positions": positions, "run": run},
    ).fetchall()
    return [_trace(*row) for row in rows]


def _trace(
    trace_id: str,
    dataset: str,
    variant: str,
    prompt: str,
    text: str,
    appended: str,
    answer: str,
    answer_start: int,
    answer_end: int,
    answer_mark: int,
    reference: str | None,
    labels: str,
    images: str,
    line: int,
    segmenter: str,
    step_starts: list[int],
    step_ends: list[int],
    step_marks: list[int],
    step_labels: str,
    digest: str,
    raw: bytes,
    path: str,
) -> Trace:
    spans = zip(step_starts, step_ends, step_marks, json.loads(step_labels), strict=True)
    return Trace(
        id=trace_id,
        dataset=dataset,
        variant=variant,
        prompt=prompt,
        text=text,
        steps=tuple(
            Step(start=start, end=end, mark_start=mark, label=label)
            for start, end, mark, label in spans
        ),
        answer=Answer(
            text=answer,
            start=answer_start,
            end=answer_end,
            mark_start=answer_mark,
            appended=appended,
        ),
        reference=reference,
        labels=json.loads(labels),
        images=tuple(json.loads(images)),
        segmenter=segmenter,
        record=SourceRecord(digest=digest, path=path, line=line, raw=raw),
    )
