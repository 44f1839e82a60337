"""What did which judge say of which steps, and what remains to be asked?"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from grace_engine.errors import NotFoundError
from grace_engine.records import ATOMS, Judge, JudgedPlace, JudgedStep, Judgement
from grace_engine.store.cuts import CUT_TRACES
from grace_engine.store.lookup import by_prefix
from grace_engine.store.migrations import now
from grace_engine.store.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

LATEST, MOST_READ = "latest", "most-read"

_SPEC = ("model", "endpoint", "prompts", "temperature", "context", "extra")

_JUDGES = """
WITH places AS (
    SELECT judge_id, trace_id, step_start, step_key FROM judged_places
    WHERE step_key IN (SELECT step_key FROM judgements WHERE failure <> 'unfinished')
), steps AS (
    SELECT judge_id, count(DISTINCT trace_id) AS n_traces, count(*) AS n_steps,
        count(*) FILTER (step_key IN (
            SELECT step_key FROM judgements WHERE failure NOT IN ('', 'unfinished')
        )) AS n_failed
    FROM places GROUP BY judge_id
), spent AS (
    SELECT judge_id, sum(n_requests)::BIGINT AS n_requests, sum(tokens_in)::BIGINT AS tokens_in,
        sum(tokens_out)::BIGINT AS tokens_out, sum(n_estimated)::BIGINT AS n_estimated,
        sum(cost) AS cost,
        sum(n_requests) FILTER (cost IS NOT NULL)::BIGINT AS n_priced
    FROM judgements GROUP BY judge_id
)
SELECT judge_id, spec, created_at, updated_at, coalesce(n_traces, 0), coalesce(n_steps, 0),
    coalesce(n_failed, 0), coalesce(n_requests, 0), coalesce(tokens_in, 0),
    coalesce(tokens_out, 0), coalesce(n_estimated, 0), cost, coalesce(n_priced, 0)
FROM judges LEFT JOIN steps USING (judge_id) LEFT JOIN spent USING (judge_id)
WHERE $judge IS NULL OR judge_id = $judge
ORDER BY touched DESC
"""

# A row a judged step as the traces are cut now, or as a run saw them, and what was found of it.
_STEPS = f"""
WITH cut AS (
    SELECT traces.trace_id, unnest(step_starts) AS step_start, unnest(step_ends) AS step_end,
        generate_subscripts(step_starts, 1) AS step
    FROM {CUT_TRACES}
    WHERE $every OR traces.trace_id IN (SELECT unnest($ids::VARCHAR[]))
)
SELECT cut.trace_id, cut.step::BIGINT AS step, part, label, failure, reason, claims
FROM cut
JOIN judged_places AS places ON places.judge_id = $judge AND places.trace_id = cut.trace_id
    AND places.step_start = cut.step_start AND places.step_end = cut.step_end
JOIN judgements USING (step_key)
WHERE failure <> 'unfinished'
ORDER BY cut.trace_id, cut.step
"""  # noqa: S608

# Of how many traces a judge has labelled a step, as they are cut now, or as a run saw its own.
_READS = f"""
WITH cut AS (
    SELECT traces.trace_id, unnest(step_starts) AS step_start, unnest(step_ends) AS step_end
    FROM {CUT_TRACES}
    WHERE ($every OR traces.trace_id IN (SELECT unnest($ids::VARCHAR[])))
    AND ($run IS NULL OR traces.trace_id IN (
        SELECT trace_id FROM run_traces WHERE run_id = $run AND reason IS NULL
    ))
)
SELECT judge_id, count(DISTINCT cut.trace_id) AS n_read
FROM cut
JOIN judged_places USING (trace_id, step_start, step_end)
JOIN judges USING (judge_id)
WHERE step_key IN (SELECT step_key FROM judgements WHERE label IS NOT NULL)
GROUP BY judge_id, touched
ORDER BY n_read DESC, touched DESC
"""  # noqa: S608

_INCOMING = pa.schema(
    {
        "step_key": pa.string(), "part": pa.string(), "label": pa.bool_(), "claims": pa.string(),
        "premises": pa.string(), "reason": pa.string(), "failure": pa.string(),
        "detail": pa.string(), "n_requests": pa.int64(), "tokens_in": pa.int64(),
        "tokens_out": pa.int64(), "n_estimated": pa.int64(), "cost": pa.float64(),
    }
)  # fmt: skip


def upsert_judge(workspace: Workspace, judge: Judge) -> None:
    """Make the judge known, or mark a known one as the latest."""
    spec = {name: value for name, value in asdict(judge).items() if name in _SPEC}
    with workspace.database.unit() as connection:
        connection.execute(
            "INSERT INTO judges SELECT ?, ?, ?, ?, "
            "(SELECT coalesce(max(touched), 0) + 1 FROM judges) "
            "ON CONFLICT DO UPDATE SET spec = excluded.spec, updated_at = excluded.updated_at, "
            "touched = excluded.touched",
            [judge.id, json.dumps(spec), now(), now()],
        )


def get_judge(workspace: Workspace, wanted: str = LATEST) -> Judge:
    """The judge with this id or unique beginning of one, or the ``latest``."""
    with workspace.database.reading() as connection:
        return _judges(connection, _judge_id(connection, wanted))[0]


def list_judges(workspace: Workspace) -> list[Judge]:
    """All judges, the latest first."""
    with workspace.database.reading() as connection:
        return _judges(connection, None)


def judge_reads(
    workspace: Workspace, ids: Sequence[str] | None = None, run: str | None = None
) -> dict[str, int]:
    """By judge, of how many traces it has labelled a step: most first, of several the latest.

    Args:
        workspace: Where they are.
        ids: Only these traces.
        run: Only those that this run has scored, cut as it saw them.
    """
    with workspace.database.reading() as connection:
        rows = connection.execute(
            _READS, {"run": run, "every": ids is None, "ids": list(ids or ())}
        ).fetchall()
    return dict(rows)


def chosen_judge(
    workspace: Workspace,
    wanted: str = MOST_READ,
    ids: Sequence[str] | None = None,
    run: str | None = None,
) -> Judge:
    """The judge that is meant: ``most-read`` is the first of ``judge_reads``, as everywhere.

    Where none has read any of these traces that is the latest.

    Raises:
        NotFoundError: A judge is named that is not there, or there is none.
    """
    if wanted == MOST_READ:
        wanted = next(iter(judge_reads(workspace, ids, run)), LATEST)
    return get_judge(workspace, wanted)


def judgements(workspace: Workspace, judge_id: str) -> dict[tuple[str, str], Judgement]:
    """All that a judge has said, by key and part of the step, without reasons."""
    with workspace.database.reading() as connection:
        rows = connection.execute(
            "SELECT step_key, part, label, claims, premises, failure, n_requests, tokens_in, "
            "tokens_out, n_estimated, cost FROM judgements WHERE judge_id = ?",
            [judge_id],
        ).fetchall()
    return {
        (key, part): Judgement(
            step_key=key,
            part=part,
            label=label,
            claims=tuple(map(tuple, json.loads(claims))) if part == ATOMS else (),
            premises=tuple(json.loads(premises)),
            failure=failure,
            n_requests=n_requests,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            n_estimated=n_estimated,
            cost=cost,
        )
        for (
            key, part, label, claims, premises, failure, n_requests, tokens_in, tokens_out,
            n_estimated, cost,
        ) in rows
    }  # fmt: skip


def add_judged_places(workspace: Workspace, judge_id: str, places: Sequence[JudgedPlace]) -> None:
    """Commit where steps stand, in the place of what was known of these traces' places."""
    if not places:
        return
    rows = pa.Table.from_pylist([asdict(one) for one in places])
    with workspace.database.unit() as connection:
        connection.register("incoming_places", rows)
        connection.execute(
            "DELETE FROM judged_places WHERE judge_id = ? AND (trace_id, step_start, step_end) IN "
            '(SELECT trace_id, start, "end" FROM incoming_places)',
            [judge_id],
        )
        connection.execute(
            'INSERT INTO judged_places SELECT ?, trace_id, start, "end", step_key '
            "FROM incoming_places",
            [judge_id],
        )


def add_judgements(workspace: Workspace, judge_id: str, found: Sequence[Judgement]) -> None:
    """Commit what was found out: all of it or nothing.

    It takes the place of earlier attempts that came to nothing, and their cost is added to its own;
    a label that stands stays.

    Raises:
        NotFoundError: The judge was deleted meanwhile.
    """
    rows = [
        {
            **{name: value for name, value in asdict(one).items() if name in _INCOMING.names},
            "claims": json.dumps(one.claims),
            "premises": json.dumps(one.premises),
        }
        for one in found
    ]
    with workspace.database.unit() as connection:
        if not connection.execute("SELECT 1 FROM judges WHERE judge_id = ?", [judge_id]).fetchall():
            raise NotFoundError(f"There is no judge {judge_id!r} in this workspace.")
        connection.register("incoming", pa.Table.from_pylist(rows, schema=_INCOMING))
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE earlier AS SELECT * FROM judgements "
            "WHERE (step_key, part) IN (SELECT step_key, part FROM incoming) AND failure <> ''"
        )
        connection.execute(
            "DELETE FROM judgements WHERE (step_key, part) IN (SELECT step_key, part FROM earlier)"
        )
        connection.execute(
            "INSERT INTO judgements SELECT $judge, i.step_key, i.part, i.label, i.claims, "
            "i.premises, i.reason, i.failure, i.detail, "
            "i.n_requests + coalesce(e.n_requests, 0), i.tokens_in + coalesce(e.tokens_in, 0), "
            "i.tokens_out + coalesce(e.tokens_out, 0), "
            "i.n_estimated + coalesce(e.n_estimated, 0), "
            "CASE WHEN i.cost IS NULL THEN e.cost ELSE i.cost + coalesce(e.cost, 0) END, $now "
            "FROM incoming AS i LEFT JOIN earlier AS e USING (step_key, part) "
            "ANTI JOIN judgements AS known ON known.step_key = i.step_key AND known.part = i.part",
            {"judge": judge_id, "now": now()},
        )
        connection.execute("UPDATE judges SET updated_at = ? WHERE judge_id = ?", [now(), judge_id])


def judged_frame(
    workspace: Workspace, judge_id: str, ids: Sequence[str] | None = None, run: str | None = None
) -> "pd.DataFrame":
    """A row a judged step and part: trace_id, step (from 1), part, label, failure, reason, claims.

    ``label`` is True, False or None; ``claims`` is JSON. Steps are those of now, or as ``run`` saw
    them: one that was cut elsewhere since is not there.
    """
    with workspace.database.reading() as connection:
        frame: pd.DataFrame = (
            connection.sql(
                _STEPS,
                params={
                    "judge": judge_id, "run": run, "every": ids is None, "ids": list(ids or ()),
                },
            )
            .to_arrow_table()
            .to_pandas()
        )  # fmt: skip
    return frame


def judged_steps(
    workspace: Workspace, judge_id: str, ids: Sequence[str] | None = None, run: str | None = None
) -> list[JudgedStep]:
    """All that a judge says of the steps of some traces, or of all, by trace and step."""
    frame = judged_frame(workspace, judge_id, ids, run)
    found: dict[tuple[str, int], dict[str, Mapping[str, object]]] = {}
    for row in frame.to_dict("records"):
        found.setdefault((str(row["trace_id"]), int(row["step"])), {})[str(row["part"])] = {
            str(name): value for name, value in row.items()
        }
    return [_step(*place, parts) for place, parts in found.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What judging some traces took.

    Attributes:
        n_requests: Requests that were answered.
        tokens: Tokens read and written.
        cost: Of ``n_priced`` of them; None where no price was given.
        n_priced: Requests that had a price.
    """

    n_requests: int
    tokens: int
    cost: float | None
    n_priced: int


def spent_on(workspace: Workspace, judge_id: str, ids: Sequence[str]) -> Spent:
    """What judging the steps of these traces took, of all runs; what they share counts once."""
    with workspace.database.reading() as connection:
        [row] = connection.execute(
            "SELECT coalesce(sum(n_requests), 0)::BIGINT, "
            "coalesce(sum(tokens_in + tokens_out), 0)::BIGINT, sum(cost), "
            "coalesce(sum(n_requests) FILTER (cost IS NOT NULL), 0)::BIGINT FROM judgements "
            "WHERE judge_id = $judge AND step_key IN (SELECT step_key FROM judged_places "
            "WHERE judge_id = $judge AND trace_id IN (SELECT unnest($ids::VARCHAR[])))",
            {"judge": judge_id, "ids": list(ids)},
        ).fetchall()
    return Spent(n_requests=row[0], tokens=row[1], cost=row[2], n_priced=row[3])


def delete_judge(workspace: Workspace, wanted: str) -> str:
    """Delete a judge and all that it said; its id."""
    with workspace.database.unit() as connection:
        found = _judge_id(connection, wanted)
        for table in ("judgements", "judged_places", "judges"):
            connection.execute(f"DELETE FROM {table} WHERE judge_id = ?", [found])  # noqa: S608
    return found


def _step(trace_id: str, step: int, parts: Mapping[str, Mapping[str, object]]) -> JudgedStep:
    atoms = parts.get(ATOMS)
    labelled = {name: row for name, row in parts.items() if name != ATOMS and not row["failure"]}
    return JudgedStep(
        trace_id=trace_id,
        step=step,
        labels={name: bool(row["label"]) for name, row in labelled.items()},
        reasons={name: str(row["reason"]) for name, row in labelled.items() if row["reason"]},
        claims=tuple(text for text, _ in json.loads(str(atoms["claims"]))) if atoms else (),
        at_fault={
            name: tuple(json.loads(str(row["claims"])))
            for name, row in labelled.items()
            if row["claims"] != "[]"
        },
        failures={name: str(row["failure"]) for name, row in parts.items() if row["failure"]},
    )


def _judge_id(connection: duckdb.DuckDBPyConnection, wanted: str) -> str:
    if wanted == LATEST:
        rows = connection.execute(
            "SELECT judge_id FROM judges ORDER BY touched DESC LIMIT 1"
        ).fetchall()
        if not rows:
            raise NotFoundError(
                "No judge has read anything in this workspace yet. Run grace judge DATASET "
                "--endpoint URL --judge-model NAME."
            )
        return str(rows[0][0])
    return by_prefix(
        connection,
        "SELECT judge_id FROM judges WHERE starts_with(judge_id, ?)",
        wanted,
        kind="judge",
        listed_by="grace judges",
    )


def _judges(connection: duckdb.DuckDBPyConnection, judge_id: str | None) -> list[Judge]:
    return [
        Judge(
            id=found,
            created_at=created_at,
            updated_at=updated_at,
            n_traces=n_traces,
            n_steps=n_steps,
            n_failed=n_failed,
            n_requests=n_requests,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            n_estimated=n_estimated,
            cost=cost,
            n_priced=n_priced,
            **json.loads(spec),
        )
        for (
            found, spec, created_at, updated_at, n_traces, n_steps, n_failed, n_requests,
            tokens_in, tokens_out, n_estimated, cost, n_priced,
        ) in connection.execute(_JUDGES, {"judge": judge_id}).fetchall()
    ]  # fmt: skip
