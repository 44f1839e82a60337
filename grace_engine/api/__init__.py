"""What can be done with a workspace? The verbs; each is a ``grace`` command and a page's action.

Names are imported when they are first asked for, so that ``grace --help`` and the pages answer at
once: torch, pandas and DuckDB come with the verb that needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grace_engine.api.choosing import (
        curate,
        summary,
        weights_of,
    )
    from grace_engine.api.evaluating import (
        Evaluation,
        evaluate,
        one_a_model,
        scorer_name,
        step_kinds,
    )
    from grace_engine.api.exporting import ExportReport, export
    from grace_engine.api.figures import write_figures
    from grace_engine.api.reading import (
        FileIngest,
        ingest,
    )
    from grace_engine.api.replaying import replay
    from grace_engine.api.sample import (
        SampleReport,
        app_script,
        prepare_sample,
        sample_folder,
        score_sample,
    )
    from grace_engine.api.scoring import (
        Estimate,
        ScoreReport,
        ScoringPlan,
        estimate,
        failed,
        plan,
        score,
    )
    from grace_engine.api.steps import (
        export_steps,
    )
    from grace_engine.api.views import (
        STEP_SIGNALS,
        RunView,
        TraceView,
        listing,
        run_view,
        trace_view,
        unscored,
        view_of,
        weights_json,
    )
    from grace_engine.store import (
        Workspace,
        compact,
        datasets,
        delete_dataset,
        delete_run,
        delete_selection,
        get_run,
        get_selection,
        list_runs,
        list_selections,
        open_workspace,
        rejects,
        usage,
    )

__all__ = [
    "STEP_SIGNALS",
    "Estimate",
    "Evaluation",
    "ExportReport",
    "FileIngest",
    "RunView",
    "SampleReport",
    "ScoreReport",
    "ScoringPlan",
    "TraceView",
    "Workspace",
    "app_script",
    "compact",
    "curate",
    "datasets",
    "delete_dataset",
    "delete_run",
    "delete_selection",
    "estimate",
    "evaluate",
    "export",
    "export_steps",
    "failed",
    "get_run",
    "get_selection",
    "ingest",
    "list_runs",
    "list_selections",
    "listing",
    "one_a_model",
    "open_workspace",
    "plan",
    "prepare_sample",
    "rejects",
    "replay",
    "run_view",
    "sample_folder",
    "score",
    "score_sample",
    "scorer_name",
    "step_kinds",
    "summary",
    "trace_view",
    "unscored",
    "usage",
    "view_of",
    "weights_json",
    "weights_of",
    "write_figures",
]

_HOMES = {
    "grace_engine.api.choosing": (
        "curate",
        "summary",
        "weights_of",
    ),
    "grace_engine.api.evaluating": (
        "Evaluation",
        "evaluate",
        "one_a_model",
        "scorer_name",
        "step_kinds",
    ),
    "grace_engine.api.exporting": ("ExportReport", "export"),
    "grace_engine.api.figures": ("write_figures",),
    "grace_engine.api.replaying": ("replay",),
    "grace_engine.api.reading": (
        "FileIngest",
        "ingest",
    ),
    "grace_engine.api.sample": (
        "SampleReport",
        "app_script",
        "prepare_sample",
        "sample_folder",
        "score_sample",
    ),
    "grace_engine.api.scoring": (
        "Estimate",
        "ScoreReport",
        "ScoringPlan",
        "estimate",
        "failed",
        "plan",
        "score",
    ),
    "grace_engine.api.steps": ("export_steps",),
    "grace_engine.api.views": (
        "RunView",
        "STEP_SIGNALS",
        "TraceView",
        "listing",
        "run_view",
        "trace_view",
        "unscored",
        "view_of",
        "weights_json",
    ),
    "grace_engine.store": (
        "Workspace",
        "compact",
        "datasets",
        "delete_dataset",
        "delete_run",
        "delete_selection",
        "get_run",
        "get_selection",
        "list_runs",
        "list_selections",
        "open_workspace",
        "rejects",
        "usage",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a verb from its home."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = found
    return found
