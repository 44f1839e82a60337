"""What does a workspace hold, and how much room does it take?"""

from dataclasses import dataclass
from pathlib import Path

from grace_engine.records import ScoringRun, Selection
from grace_engine.store.annotations import count_annotations
from grace_engine.store.catalog import DatasetInfo, datasets
from grace_engine.store.runs import list_runs
from grace_engine.store.selections import list_selections
from grace_engine.store.workspace import Workspace

_DATASET_BYTES = """
SELECT dataset, sum(size)::BIGINT FROM (
    SELECT dataset, sum(octet_length(raw)) AS size FROM records GROUP BY dataset
    UNION ALL
    SELECT dataset, sum(strlen(prompt) + strlen(text)) AS size FROM traces GROUP BY dataset
) GROUP BY dataset
"""

_RUN_BYTES = """
SELECT
    run_id,
    sum(4 * (len(gram) + len(n_tokens) + len(nll)) + strlen(rendered))::BIGINT
FROM runs
JOIN run_traces USING (run_id)
JOIN grams USING (fingerprint, gram_key)
GROUP BY run_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceUsage:
    """What is stored.

    Attributes:
        datasets: By name.
        runs: The latest first.
        selections: Without their choices, the latest first.
        annotations: Entries of the log of what curators said, by kind.
        dataset_bytes: Texts and records of each dataset, before compression.
        run_bytes: Grams and rendered texts of each run, before compression; runs that share Grams
            each count them.
        file_bytes: Of the database file and what waits to be merged into it.
        folder_bytes: Of everything in the workspace folder.
    """

    datasets: tuple[DatasetInfo, ...]
    runs: tuple[ScoringRun, ...]
    selections: tuple[Selection, ...]
    annotations: dict[str, int]
    dataset_bytes: dict[str, int]
    run_bytes: dict[str, int]
    file_bytes: int
    folder_bytes: int


def usage(workspace: Workspace) -> WorkspaceUsage:
    """What the workspace holds and its size."""
    with workspace.database.reading() as connection:
        dataset_bytes = dict(connection.execute(_DATASET_BYTES).fetchall())
        run_bytes = dict(connection.execute(_RUN_BYTES).fetchall())
    return WorkspaceUsage(
        datasets=tuple(datasets(workspace)),
        runs=tuple(list_runs(workspace)),
        selections=tuple(list_selections(workspace)),
        annotations=count_annotations(workspace),
        dataset_bytes=dataset_bytes,
        run_bytes=run_bytes,
        file_bytes=workspace.database.size(),
        folder_bytes=sum(map(_size, workspace.root.rglob("*"))),
    )


def _size(path: Path) -> int:
    """Bytes of a file; 0 for a folder and for what went while we looked."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0
