"""What goes when a dataset or a run is deleted, and what stays?"""

import duckdb

from grace_engine.store import journal
from grace_engine.store.catalog import require_datasets
from grace_engine.store.runs import find_run
from grace_engine.store.workspace import Workspace

_ORPHANED_GRAMS = """
DELETE FROM grams WHERE (fingerprint, gram_key) NOT IN (
    SELECT fingerprint, gram_key FROM runs JOIN run_traces USING (run_id)
    WHERE gram_key IS NOT NULL
)
"""

_ORPHANED_JUDGEMENTS = """
DELETE FROM judgements WHERE (judge_id, step_key) NOT IN (
    SELECT judge_id, step_key FROM judged_places
)
"""


def delete_dataset(workspace: Workspace, name: str) -> None:
    """Delete a dataset with all that it holds, and what runs stored on its traces.

    Selections stay: they say what was decided, though its traces can no longer be exported.
    """
    with workspace.database.unit() as connection:
        require_datasets(connection, [name])
        for statement in (
            "DELETE FROM run_traces WHERE trace_id IN "
            "(SELECT trace_id FROM traces WHERE dataset = ?)",
            "DELETE FROM answer_checks WHERE trace_id IN "
            "(SELECT trace_id FROM traces WHERE dataset = ?)",
            "DELETE FROM trace_metrics WHERE trace_id IN "
            "(SELECT trace_id FROM traces WHERE dataset = ?)",
            "DELETE FROM judged_places WHERE trace_id IN "
            "(SELECT trace_id FROM traces WHERE dataset = ?)",
            "DELETE FROM segmentations WHERE trace_id IN "
            "(SELECT trace_id FROM traces WHERE dataset = ?)",
            "DELETE FROM traces WHERE dataset = ?",
            "DELETE FROM records WHERE dataset = ?",
            "DELETE FROM problems WHERE dataset = ?",
            "DELETE FROM rejects WHERE dataset = ?",
            "DELETE FROM sources WHERE dataset = ?",
            "DELETE FROM datasets WHERE name = ?",
        ):
            connection.execute(statement, [name])
        connection.execute(_ORPHANED_GRAMS)
        connection.execute(_ORPHANED_JUDGEMENTS)
        journal.forget(workspace, connection, "datasets", name)


def delete_run(workspace: Workspace, wanted: str) -> str:
    """Delete a run and the Grams that no other run uses; its id.

    Selections that it decided stay.
    """
    with workspace.database.unit() as connection:
        run_id = find_run(connection, wanted)
        connection.execute("DELETE FROM run_traces WHERE run_id = ?", [run_id])
        connection.execute("DELETE FROM runs WHERE run_id = ?", [run_id])
        connection.execute(_ORPHANED_GRAMS)
        journal.forget(workspace, connection, "runs", run_id)
    return run_id


def drop_loose(connection: duckdb.DuckDBPyConnection) -> None:
    """Delete rows that belong to nothing that is there; no command leaves any."""
    connection.execute("DELETE FROM run_traces WHERE run_id NOT IN (SELECT run_id FROM runs)")
    connection.execute(
        "DELETE FROM selection_choices WHERE selection_id NOT IN "
        "(SELECT selection_id FROM selections)"
    )
    connection.execute(
        "DELETE FROM duplicate_members WHERE finding_id NOT IN "
        "(SELECT finding_id FROM duplicate_findings)"
    )
    connection.execute(
        "DELETE FROM judged_places WHERE judge_id NOT IN (SELECT judge_id FROM judges)"
    )
    connection.execute(_ORPHANED_JUDGEMENTS)
    for table in ("rollout_problems", "rollouts"):
        connection.execute(
            f"DELETE FROM {table} WHERE set_id NOT IN (SELECT set_id FROM rollout_sets)"  # noqa: S608
        )
    connection.execute(
        "DELETE FROM policy_gradients WHERE run_id NOT IN (SELECT run_id FROM policy_runs)"
    )
    connection.execute(_ORPHANED_GRAMS)
