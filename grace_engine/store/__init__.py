"""What does the workspace keep, and how is it read and changed?"""

from grace_engine.store.annotation_fold import Folded, Turns, fold
from grace_engine.store.annotations import (
    AnnotationLog,
    add_look,
    add_overrides,
    add_verdict,
    annotation_log,
    annotation_version,
    count_annotations,
    log_entries,
    take_turn,
)
from grace_engine.store.backups import Backup, back_up, list_backups, restore
from grace_engine.store.catalog import DatasetInfo, datasets, list_sources, rejects
from grace_engine.store.checks import (
    CheckCount,
    CheckedTrace,
    ListedCheck,
    add_checks,
    answer_checks,
    check_counts,
    checks_version,
    iter_pairs,
    list_checks,
    unchecked_positions,
)
from grace_engine.store.compaction import Compaction, compact
from grace_engine.store.database import Database
from grace_engine.store.deletion import delete_dataset, delete_run
from grace_engine.store.duplicates import (
    MEMBERS,
    Covered,
    covered,
    duplicate_findings,
    duplicate_groups,
    iter_compared,
    read_duplicates,
    save_duplicates,
    touch_duplicates,
)
from grace_engine.store.file_digests import remembered_digest
from grace_engine.store.grams import RunGrams, RunTrace, get_run_trace, read_grams, runs_with
from grace_engine.store.intake import IngestCount, Source, add_staged, add_traces
from grace_engine.store.journal import Journal, read_journal
from grace_engine.store.problems import list_problems
from grace_engine.store.recutting import (
    SourceOfDataset,
    enter_cut,
    is_cut_by,
    records_of,
    sources_of,
)
from grace_engine.store.refusals import RefusedFile, remember_refused
from grace_engine.store.runs import get_run, list_runs, upsert_run
from grace_engine.store.salvaging import Recovered, Salvage, missing_sources, recover, salvage
from grace_engine.store.scored import (
    ScoredTrace,
    add_scored,
    failed_traces,
    known_gram_keys,
    link_cached,
    reached_traces,
)
from grace_engine.store.search import same_prompt, search_traces
from grace_engine.store.selections import (
    LATEST,
    delete_selection,
    get_selection,
    list_selections,
    rename_selection,
    save_selection,
    selection_counts,
)
from grace_engine.store.trace_metrics import MeasuredTrace, add_trace_metrics, trace_metrics
from grace_engine.store.traces import (
    count_traces,
    get_trace,
    iter_traces,
    labels_of,
    reasoning_digests,
    step_labels,
    trace_ids,
)
from grace_engine.store.usage import WorkspaceUsage, usage
from grace_engine.store.verification import Finding, check
from grace_engine.store.workspace import Workspace, open_workspace

__all__ = [
    "LATEST",
    "MEMBERS",
    "AnnotationLog",
    "Backup",
    "CheckCount",
    "CheckedTrace",
    "Compaction",
    "Covered",
    "Database",
    "DatasetInfo",
    "Finding",
    "Folded",
    "IngestCount",
    "Journal",
    "ListedCheck",
    "MeasuredTrace",
    "Recovered",
    "RefusedFile",
    "RunGrams",
    "RunTrace",
    "Salvage",
    "ScoredTrace",
    "Source",
    "SourceOfDataset",
    "Turns",
    "Workspace",
    "WorkspaceUsage",
    "add_checks",
    "add_look",
    "add_overrides",
    "add_scored",
    "add_staged",
    "add_trace_metrics",
    "add_traces",
    "add_verdict",
    "annotation_log",
    "annotation_version",
    "answer_checks",
    "back_up",
    "check",
    "check_counts",
    "checks_version",
    "compact",
    "count_annotations",
    "count_traces",
    "covered",
    "datasets",
    "delete_dataset",
    "delete_run",
    "delete_selection",
    "duplicate_findings",
    "duplicate_groups",
    "enter_cut",
    "failed_traces",
    "fold",
    "get_run",
    "get_run_trace",
    "get_selection",
    "get_trace",
    "is_cut_by",
    "iter_compared",
    "iter_pairs",
    "iter_traces",
    "known_gram_keys",
    "labels_of",
    "link_cached",
    "list_backups",
    "list_checks",
    "list_problems",
    "list_runs",
    "list_selections",
    "list_sources",
    "log_entries",
    "missing_sources",
    "open_workspace",
    "reached_traces",
    "read_duplicates",
    "read_grams",
    "read_journal",
    "reasoning_digests",
    "records_of",
    "recover",
    "rejects",
    "remember_refused",
    "remembered_digest",
    "rename_selection",
    "restore",
    "runs_with",
    "salvage",
    "same_prompt",
    "save_duplicates",
    "save_selection",
    "search_traces",
    "selection_counts",
    "sources_of",
    "step_labels",
    "take_turn",
    "touch_duplicates",
    "trace_ids",
    "trace_metrics",
    "unchecked_positions",
    "upsert_run",
    "usage",
]
