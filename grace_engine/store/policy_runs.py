"""Which policy gradients were taken of which rollouts, and which remain to be taken?"""

import json
from collections.abc import Sequence
from dataclasses import asdict

import duckdb
import pyarrow as pa

from grace_engine.errors import NotFoundError
from grace_engine.records import PolicyRun, ProblemGradient
from grace_engine.store.lookup import by_prefix
from grace_engine.store.migrations import now
from grace_engine.store.workspace import Workspace

LATEST = "latest"

_OUTSIDE_SPEC = {
    "id", "set_id", "target_id", "fingerprint", "target_norm", "n_done", "n_without", "created_at",
    "updated_at",
}  # fmt: skip

_RUNS = """
WITH done AS (
    SELECT
        run_id,
        count(*) FILTER (reason IS NULL) AS n_done,
        count(*) FILTER (reason IS NOT NULL) AS n_without
    FROM policy_gradients GROUP BY run_id
)
SELECT
    run_id, set_id, target_id, fingerprint, spec, target_norm, created_at, updated_at,
    coalesce(n_done, 0), coalesce(n_without, 0)
FROM policy_runs LEFT JOIN done USING (run_id)
WHERE $run IS NULL OR run_id = $run
ORDER BY touched DESC
"""

_GRADIENTS = pa.schema(
    {
        "problem_id": pa.string(),
        "dot": pa.float64(),
        "norm": pa.float64(),
        "sketch": pa.list_(pa.float32()),
        "reason": pa.string(),
        "detail": pa.string(),
        "halves": pa.list_(pa.float64()),
    }
)


def upsert_policy_run(workspace: Workspace, run: PolicyRun) -> PolicyRun:
    """Make the run known, or mark a known one as the latest; it comes back with its counts."""
    spec = {name: value for name, value in asdict(run).items() if name not in _OUTSIDE_SPEC}
    with workspace.database.unit() as connection:
        connection.execute(
            "INSERT INTO policy_runs SELECT ?, ?, ?, ?, ?, NULL, ?, ?, "
            "(SELECT coalesce(max(touched), 0) + 1 FROM policy_runs) "
            "ON CONFLICT DO UPDATE SET spec = excluded.spec, updated_at = excluded.updated_at, "
            "touched = excluded.touched",
            [
                run.id,
                run.set_id,
                run.target_id,
                run.fingerprint,
                json.dumps(spec),
                now(),
                now(),
            ],
        )
        return _runs(connection, run.id)[0]


def set_target_norm(workspace: Workspace, run_id: str, norm: float) -> None:
    """Note down the length of the target's mean gradient."""
    with workspace.database.unit() as connection:
        connection.execute(
            "UPDATE policy_runs SET target_norm = ? WHERE run_id = ?", [norm, run_id]
        )


def get_policy_run(workspace: Workspace, wanted: str = LATEST) -> PolicyRun:
    """The run with this id or unique beginning of one, or the ``latest``."""
    with workspace.database.reading() as connection:
        return _runs(connection, _run_id(connection, wanted))[0]


def list_policy_runs(workspace: Workspace) -> list[PolicyRun]:
    """All runs, the latest first."""
    with workspace.database.reading() as connection:
        return _runs(connection, None)


def reached_gradients(workspace: Workspace, run_id: str) -> dict[str, str]:
    """The problems that a run has reached: id to reason, "" for those with a gradient."""
    with workspace.database.reading() as connection:
        rows = connection.execute(
            "SELECT problem_id, coalesce(reason, '') FROM policy_gradients WHERE run_id = ?",
            [run_id],
        ).fetchall()
    return dict(rows)


def add_gradients(workspace: Workspace, run_id: str, found: Sequence[ProblemGradient]) -> None:
    """Commit one batch of a run: all of it or nothing.

    A gradient that is stored already stays; a problem that failed before is replaced.

    Raises:
        NotFoundError: There is no such run.
    """
    rows = [asdict(one) | {"reason": one.reason or None} for one in found]
    with workspace.database.unit() as connection:
        if not connection.execute(
            "SELECT 1 FROM policy_runs WHERE run_id = ?", [run_id]
        ).fetchall():
            raise NotFoundError(
                f"There is no run of policy gradients {run_id!r} in this workspace."
            )
        connection.register("incoming", pa.Table.from_pylist(rows, schema=_GRADIENTS))
        connection.execute(
            "DELETE FROM policy_gradients WHERE run_id = ? AND reason IS NOT NULL "
            "AND problem_id IN (SELECT problem_id FROM incoming)",
            [run_id],
        )
        connection.execute(
            "INSERT INTO policy_gradients SELECT ?, incoming.* FROM incoming WHERE problem_id NOT "
            "IN (SELECT problem_id FROM policy_gradients WHERE run_id = ?)",
            [run_id, run_id],
        )
        connection.execute(
            "UPDATE policy_runs SET updated_at = ? WHERE run_id = ?", [now(), run_id]
        )


def read_gradients(workspace: Workspace, run_id: str) -> list[ProblemGradient]:
    """What a run has stored of every problem, by ascending id."""
    with workspace.database.reading() as connection:
        rows = connection.sql(
            "SELECT problem_id, dot, norm, sketch, coalesce(reason, '') AS reason, "
            "coalesce(detail, '') AS detail, coalesce(halves, []) AS halves "
            "FROM policy_gradients WHERE run_id = $run ORDER BY problem_id",
            params={"run": run_id},
        ).to_arrow_table()
    return [
        ProblemGradient(**row | {"sketch": tuple(row["sketch"]), "halves": tuple(row["halves"])})
        for batch in rows.to_batches(max_chunksize=256)
        for row in batch.to_pylist()
    ]


def delete_policy_run(workspace: Workspace, wanted: str) -> str:
    """Delete a run and its gradients; its id. Selections that it decided stay."""
    with workspace.database.unit() as connection:
        found = _run_id(connection, wanted)
        connection.execute("DELETE FROM policy_gradients WHERE run_id = ?", [found])
        connection.execute("DELETE FROM policy_runs WHERE run_id = ?", [found])
    return found


def _run_id(connection: duckdb.DuckDBPyConnection, wanted: str) -> str:
    if wanted == LATEST:
        rows = connection.execute(
            "SELECT run_id FROM policy_runs ORDER BY touched DESC LIMIT 1"
        ).fetchall()
        if not rows:
            raise NotFoundError(
                "This workspace holds no policy gradients yet. Run grace gradients ROLLOUTS."
            )
        return str(rows[0][0])
    return by_prefix(
        connection,
        "SELECT run_id FROM policy_runs WHERE starts_with(run_id, ?)",
        wanted,
        kind="run of policy gradients",
        listed_by="grace rollouts",
    )


def _runs(connection: duckdb.DuckDBPyConnection, run_id: str | None) -> list[PolicyRun]:
    return [
        PolicyRun(
            id=found,
            set_id=set_id,
            target_id=target_id,
            fingerprint=fingerprint,
            target_norm=target_norm,
            n_done=n_done,
            n_without=n_without,
            created_at=created_at,
            updated_at=updated_at,
            **json.loads(spec),
        )
        for (
            found, set_id, target_id, fingerprint, spec, target_norm, created_at, updated_at,
            n_done, n_without,
        ) in connection.execute(_RUNS, {"run": run_id}).fetchall()
    ]  # fmt: skip
