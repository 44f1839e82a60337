"""Which scoring runs are there, and how far did each come?"""

import json
from dataclasses import asdict

import duckdb

from grace_engine.errors import NotFoundError
from grace_engine.records import ScoringRun
from grace_engine.store import journal
from grace_engine.store.lookup import by_prefix
from grace_engine.store.migrations import now
from grace_engine.store.workspace import Workspace

LATEST = "latest"

_OUTSIDE_SPEC = {
    "id", "fingerprint", "datasets", "segmenters", "n_scored", "n_rejected", "n_pending",
    "created_at", "updated_at",
}  # fmt: skip

_RUNS = """
WITH done AS (
    SELECT
        run_id,
        count(*) FILTER (reason IS NULL) AS n_scored,
        count(*) FILTER (reason IS NOT NULL) AS n_rejected
    FROM run_traces GROUP BY run_id
), covered AS (
    SELECT run_id, count(*) AS n_covered
    FROM runs JOIN traces ON list_contains(datasets, dataset) GROUP BY run_id
)
SELECT
    run_id, fingerprint, spec, datasets, segmenters, created_at, updated_at,
    coalesce(n_scored, 0), coalesce(n_rejected, 0), coalesce(n_covered, 0)
FROM runs LEFT JOIN done USING (run_id) LEFT JOIN covered USING (run_id)
WHERE $run IS NULL OR run_id = $run
ORDER BY touched DESC
"""


def upsert_run(workspace: Workspace, run: ScoringRun) -> ScoringRun:
    """Make the run known, or mark a known one as the latest; it comes back with its counts."""
    spec = {name: value for name, value in asdict(run).items() if name not in _OUTSIDE_SPEC}
    with workspace.database.unit() as connection:
        connection.execute(
            "INSERT INTO runs SELECT ?, ?, ?, ?, ?, ?, "
            "(SELECT coalesce(max(touched), 0) + 1 FROM runs), ? "
            "ON CONFLICT DO UPDATE SET spec = excluded.spec, updated_at = excluded.updated_at, "
            "touched = excluded.touched",
            [
                run.id,
                run.fingerprint,
                json.dumps(spec),
                [*run.datasets],
                now(),
                now(),
                [*run.segmenters],
            ],
        )
        journal.keep(workspace, connection, "runs", run.id)
        return _runs(connection, run.id)[0]


def get_run(workspace: Workspace, wanted: str = LATEST) -> ScoringRun:
    """The run with this id or unique beginning of one, or the ``latest``.

    That is the one scored with last; one without any scored trace stands behind all others.
    """
    with workspace.database.reading() as connection:
        return _runs(connection, find_run(connection, wanted))[0]


def list_runs(workspace: Workspace) -> list[ScoringRun]:
    """All runs, the latest first."""
    with workspace.database.reading() as connection:
        return _runs(connection, None)


def find_run(connection: duckdb.DuckDBPyConnection, wanted: str) -> str:
    """The id of the run that ``get_run`` gives."""
    if wanted == LATEST:
        rows = connection.execute(
            "SELECT run_id FROM runs ORDER BY run_id IN "
            "(SELECT run_id FROM run_traces WHERE reason IS NULL) DESC, touched DESC LIMIT 1"
        ).fetchall()
        if not rows:
            said = "Nothing was scored in this workspace yet. Run grace score."
            if connection.execute("SELECT 1 FROM rollout_sets LIMIT 1").fetchall():
                said += (
                    " To choose among problems, name their rollouts or policy gradients with --run "
                    "(grace rollouts lists them)."
                )
            raise NotFoundError(said)
        return str(rows[0][0])
    return by_prefix(
        connection,
        "SELECT run_id FROM runs WHERE starts_with(run_id, ?)",
        wanted,
        kind="scoring run",
        listed_by="grace workspace",
    )


def _runs(connection: duckdb.DuckDBPyConnection, run_id: str | None) -> list[ScoringRun]:
    runs = []
    for row in connection.execute(_RUNS, {"run": run_id}).fetchall():
        found, fingerprint, spec, names, cuts, created_at, updated_at, scored, rejected, covered = (
            row
        )
        fields = json.loads(spec)
        fields["parameters"] = tuple(fields["parameters"])
        runs.append(
            ScoringRun(
                id=found,
                fingerprint=fingerprint,
                datasets=tuple(names),
                segmenters=tuple(cuts or ()),
                n_scored=scored,
                n_rejected=rejected,
                n_pending=max(0, covered - scored - rejected),
                created_at=created_at,
                updated_at=updated_at,
                **fields,
            )
        )
    return runs
