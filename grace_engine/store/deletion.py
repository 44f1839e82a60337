"""What goes when a dataset or a run is deleted, and what stays?"""

from grace_engine.store.catalog import require_datasets
from grace_engine.store.runs import find_run
from grace_engine.store.workspace import Workspace

_ORPHANED_GRAMS = """
DELETE FROM grams WHERE (fingerprint, gram_key) NOT IN (
    SELECT fingerprint, gram_key FROM runs JOIN run_traces USING (run_id)
    WHERE gram_key IS NOT NULL
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


def delete_run(workspace: Workspace, wanted: str) -> str:
    """Delete a run and the Grams that no other run uses; its id.

    Selections that it decided stay.
    """
    with workspace.database.unit() as connection:
        run_id = find_run(connection, wanted)
        connection.execute("DELETE FROM run_traces WHERE run_id = ?", [run_id])
        connection.execute("DELETE FROM runs WHERE run_id = ?", [run_id])
        connection.execute(_ORPHANED_GRAMS)
    return run_id
