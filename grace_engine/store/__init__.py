"""What does the workspace keep, and how is it read and changed?"""

from grace_engine.store.catalog import DatasetInfo, datasets, list_sources, rejects
from grace_engine.store.compaction import Compaction, compact
from grace_engine.store.database import Database
from grace_engine.store.deletion import delete_dataset, delete_run
from grace_engine.store.file_digests import remembered_digest
from grace_engine.store.grams import RunGrams, RunTrace, get_run_trace, read_grams
from grace_engine.store.intake import IngestCount, Source, add_traces
from grace_engine.store.runs import get_run, list_runs, upsert_run
from grace_engine.store.scored import (
    ScoredTrace,
    add_scored,
    failed_traces,
    known_gram_keys,
    link_cached,
    reached_traces,
)
from grace_engine.store.selections import (
    delete_selection,
    get_selection,
    list_selections,
    save_selection,
)
from grace_engine.store.traces import (
    count_traces,
    get_trace,
    iter_traces,
    labels_of,
    step_labels,
    trace_ids,
)
from grace_engine.store.usage import WorkspaceUsage, usage
from grace_engine.store.workspace import Workspace, open_workspace

__all__ = [
    "Compaction",
    "Database",
    "DatasetInfo",
    "IngestCount",
    "RunGrams",
    "RunTrace",
    "ScoredTrace",
    "Source",
    "Workspace",
    "WorkspaceUsage",
    "add_scored",
    "add_traces",
    "compact",
    "count_traces",
    "datasets",
    "delete_dataset",
    "delete_run",
    "delete_selection",
    "failed_traces",
    "get_run",
    "get_run_trace",
    "get_selection",
    "get_trace",
    "iter_traces",
    "known_gram_keys",
    "labels_of",
    "link_cached",
    "list_runs",
    "list_selections",
    "list_sources",
    "open_workspace",
    "reached_traces",
    "read_grams",
    "rejects",
    "remembered_digest",
    "save_selection",
    "step_labels",
    "trace_ids",
    "upsert_run",
    "usage",
]
