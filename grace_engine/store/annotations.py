"""How does what curators say enter the log, and how is the log read?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb
import pyarrow as pa

from grace_engine.errors import InputError
from grace_engine.records import Annotation
from grace_engine.store import journal
from grace_engine.store.annotation_fold import turns_by_author
from grace_engine.store.cuts import CUT_TRACES
from grace_engine.store.lookup import by_prefix
from grace_engine.store.migrations import now
from grace_engine.store.workspace import Workspace

_COLUMNS = (
    "seq, action, kind, trace_id, step, step_start, step_end, word, note, author, created_at, "
    "target"
)
_FIELDS = _COLUMNS.replace("step_", "").split(", ")

_INSERT = """
INSERT INTO annotations
SELECT
    $seq + row_number() OVER (ORDER BY place), $action, $kind, trace_id, $step, $start, $end,
    $word, $note, $author, $created_at, $target
FROM (SELECT unnest($ids::VARCHAR[]) AS trace_id, unnest(range(len($ids))) AS place)
"""

_SPANS = f"""
SELECT traces.trace_id, step_starts, step_ends
FROM {CUT_TRACES}
WHERE traces.trace_id IN (SELECT unnest($ids::VARCHAR[]))
"""  # noqa: S608

Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationLog:
    """The log beside what the workspace now holds of its traces, read at one moment.

    Attributes:
        entries: In order of ``seq``.
        present: Traces of the log that the workspace holds, and problems with rollouts.
        spans: Steps, as characters, of those with an entry on a step.
    """

    entries: tuple[Annotation, ...]
    present: frozenset[str]
    spans: Mapping[str, tuple[Span, ...]]


def add_verdict(
    workspace: Workspace,
    trace: str,
    *,
    step: int | None,
    word: str,
    note: str,
    author: str,
    run: str | None = None,
) -> int:
    """Add a verdict on a step (from 1), or on the trace; the number of the action.

    Steps are counted as ``run`` saw them; without one, as they are cut now.

    Raises:
        NotFoundError: No such trace.
        InputError: The trace has no such step, or the id's beginning is that of several.
    """
    with workspace.database.unit() as connection:
        trace_id = _trace_id(connection, trace)
        start, end = (None, None) if step is None else _span(connection, trace_id, step, run)
        return _append(
            workspace,
            connection,
            kind="verdict",
            ids=[trace_id],
            step=step,
            start=start,
            end=end,
            word=word,
            note=note,
            author=author,
        )


def add_overrides(
    workspace: Workspace, traces: Sequence[str], *, word: str, note: str, author: str
) -> int:
    """Override all these traces, or problems with rollouts, in one action, each once; its number.

    Raises:
        NotFoundError: No such trace or problem; nothing was added.
        InputError: The id's beginning is that of several.
    """
    with workspace.database.unit() as connection:
        rows = connection.execute(
            "SELECT trace_id FROM traces WHERE trace_id IN (SELECT unnest($ids::VARCHAR[])) UNION "
            "SELECT problem_id FROM rollout_problems "
            "WHERE problem_id IN (SELECT unnest($ids::VARCHAR[]))",
            {"ids": list(traces)},
        ).fetchall()
        exact = {row[0] for row in rows}
        ids = dict.fromkeys(
            name if name in exact else _chosen_id(connection, name) for name in traces
        )
        return _append(
            workspace,
            connection,
            kind="override",
            ids=list(ids),
            word=word,
            note=note,
            author=author,
        )


def add_look(workspace: Workspace, trace: str, *, author: str) -> None:
    """Remember that this author looked at a trace, once.

    Raises:
        NotFoundError: No such trace.
    """
    with workspace.database.unit() as connection:
        trace_id = _trace_id(connection, trace)
        known = connection.execute(
            "SELECT 1 FROM annotations WHERE kind = 'look' AND trace_id = ? AND author = ? LIMIT 1",
            [trace_id, author],
        ).fetchall()
        if not known:
            _append(workspace, connection, kind="look", ids=[trace_id], author=author)


def take_turn(
    workspace: Workspace, kind: Literal["undo", "redo"], *, author: str
) -> tuple[Annotation, int] | None:
    """Undo the author's last action that stands, or redo the one undone last.

    The action's first entry and the number of its entries; None where there is none.
    """
    with workspace.database.unit() as connection:
        own = _entries(
            connection,
            "author = $author AND kind <> 'look' "
            "QUALIFY row_number() OVER (PARTITION BY action ORDER BY seq) = 1",
            {"author": author},
        )
        turns = turns_by_author(own).get(author)
        actions = () if turns is None else turns.done if kind == "undo" else turns.undone
        if not actions:
            return None
        _append(workspace, connection, kind=kind, ids=[""], author=author, target=actions[-1])
        rows = connection.execute(
            "SELECT count(*) FROM annotations WHERE action = ?", [actions[-1]]
        ).fetchall()
    return next(entry for entry in own if entry.action == actions[-1]), int(rows[0][0])


def annotation_log(
    workspace: Workspace, until: int | None = None, run: str | None = None
) -> AnnotationLog:
    """The log up to and with entry ``until``, or all of it, and what it is about.

    Steps are those that ``run`` saw; without one, those of now.
    """
    with workspace.database.reading() as connection:
        entries = _entries(connection, "$until IS NULL OR seq <= $until", {"until": until})
        on_steps = {entry.trace_id for entry in entries if entry.start is not None}
        present = connection.sql(
            "SELECT trace_id FROM traces WHERE trace_id IN (SELECT trace_id FROM annotations) "
            "UNION SELECT problem_id FROM rollout_problems "
            "WHERE problem_id IN (SELECT trace_id FROM annotations)"
        ).to_arrow_table()
        spans = connection.execute(_SPANS, {"ids": sorted(on_steps), "run": run}).fetchall()
    return AnnotationLog(
        entries=tuple(entries),
        present=frozenset(present["trace_id"].to_pylist()),
        spans={name: tuple(zip(starts, ends, strict=True)) for name, starts, ends in spans},
    )


def log_entries(workspace: Workspace, *, trace_id: str = "", action: int = 0) -> list[Annotation]:
    """Entries of the log in order, of one trace or action where one is named."""
    with workspace.database.reading() as connection:
        return _entries(
            connection,
            "$trace IN ('', trace_id) AND $action IN (0, action)",
            {"trace": trace_id, "action": action},
        )


def annotation_version(workspace: Workspace) -> int:
    """Place of the last entry of the log; 0 where there is none."""
    with workspace.database.reading() as connection:
        return _last(connection)[0]


def count_annotations(workspace: Workspace) -> dict[str, int]:
    """Entries of the log by kind."""
    with workspace.database.reading() as connection:
        rows = connection.execute(
            "SELECT kind, count(*) FROM annotations GROUP BY kind ORDER BY kind"
        ).fetchall()
    return {str(kind): int(n) for kind, n in rows}


def _append(
    workspace: Workspace,
    connection: duckdb.DuckDBPyConnection,
    *,
    kind: str,
    ids: list[str],
    author: str,
    step: int | None = None,
    start: int | None = None,
    end: int | None = None,
    word: str = "",
    note: str = "",
    target: int = 0,
) -> int:
    """Add one entry a trace as the next action, to the journal too; its number."""
    seq, action = _last(connection)
    connection.execute(
        _INSERT,
        {
            "seq": seq,
            "action": action + 1,
            "kind": kind,
            "ids": ids,
            "step": step,
            "start": start,
            "end": end,
            "word": word,
            "note": note,
            "author": author,
            "created_at": now(),
            "target": target,
        },
    )
    journal.keep_annotations(workspace, connection, before=seq)
    return action + 1


def _last(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """The last entry and the last action; 0 where there is none."""
    rows = connection.execute(
        "SELECT coalesce(max(seq), 0), coalesce(max(action), 0) FROM annotations"
    ).fetchall()
    return int(rows[0][0]), int(rows[0][1])


def _entries(
    connection: duckdb.DuckDBPyConnection, where: str, parameters: Mapping[str, object]
) -> list[Annotation]:
    """The entries that a condition of this module picks, in order of ``seq``."""
    rows: pa.Table = connection.sql(
        f"SELECT {_COLUMNS} FROM annotations WHERE {where} ORDER BY seq",  # noqa: S608
        params=dict(parameters),
    ).to_arrow_table()
    columns = [column.to_pylist() for column in rows.columns]
    return [
        Annotation(**dict(zip(_FIELDS, row, strict=True))) for row in zip(*columns, strict=True)
    ]


def _trace_id(connection: duckdb.DuckDBPyConnection, wanted: str) -> str:
    return by_prefix(
        connection,
        "SELECT trace_id FROM traces WHERE starts_with(trace_id, ?)",
        wanted,
        kind="trace",
        listed_by="grace traces",
    )


def _chosen_id(connection: duckdb.DuckDBPyConnection, wanted: str) -> str:
    """Of a trace or of a problem with rollouts: what a selection can choose."""
    return by_prefix(
        connection,
        "SELECT trace_id FROM traces WHERE starts_with(trace_id, $1) UNION "
        "SELECT problem_id FROM rollout_problems WHERE starts_with(problem_id, $1)",
        wanted,
        kind="trace",
        listed_by="grace traces",
    )


def _span(connection: duckdb.DuckDBPyConnection, trace_id: str, step: int, run: str | None) -> Span:
    [(_, starts, ends)] = connection.execute(_SPANS, {"ids": [trace_id], "run": run}).fetchall()
    if not 1 <= step <= len(starts):
        raise InputError(
            f"Trace {trace_id} has {len(starts)} steps, counted from 1: there is no step {step}."
        )
    return starts[step - 1], ends[step - 1]
