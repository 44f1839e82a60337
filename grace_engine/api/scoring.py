"""How is a workspace scored by a model?"""

from dataclasses import replace
from pathlib import Path

from grace_engine import store
from grace_engine.api.sample import sample_folder
from grace_engine.config import ScoreConfig
from grace_engine.jobs import having_device
from grace_engine.models.load import device_name
from grace_engine.progress import Progress, Silent
from grace_engine.records import RejectedTrace
from grace_engine.scoring import (
    Estimate,
    ScoreReport,
    ScoringPlan,
    estimate,
    plan_scoring,
    run_scoring,
)
from grace_engine.store import Workspace

__all__ = ["Estimate", "ScoreReport", "ScoringPlan", "estimate", "failed", "plan", "score"]


def default_model() -> Path:
    """The folder of the shipped model."""
    return sample_folder() / "tiny-reasoner"


def plan(
    workspace: Workspace, config: ScoreConfig | None = None, progress: Progress | None = None
) -> ScoringPlan:
    """Find what a scoring run would do, without loading weights.

    Raises:
        NotFoundError: The workspace holds no traces, or not the named datasets.
        ModelError: The model, its tokenizer or adapter cannot be used.
    """
    return plan_scoring(workspace, with_default_model(config), progress or Silent())


def score(
    workspace: Workspace,
    config: ScoreConfig | None = None,
    progress: Progress | None = None,
    *,
    planned: ScoringPlan | None = None,
) -> ScoreReport:
    """Compute the step Grams that are not stored yet; ``planned`` is what ``plan`` gave.

    One run at a time has a device: where the model is needed, this waits until it is free.

    Raises:
        NotFoundError, ModelError: As ``plan``.
        ResourceError: Gradients of ``exact`` that do not fit in memory.
    """
    progress = progress or Silent()
    planned = planned or plan(workspace, config, progress)
    if not planned.pending:
        return run_scoring(workspace, planned, progress)
    what = f"run in the foreground of {workspace.root}"
    with having_device(device_name(planned.device), what, progress.say) as waited:
        if waited:  # whoever had it may have scored some of these
            planned = plan(workspace, planned.config, progress)
        return run_scoring(workspace, planned, progress)


def failed(workspace: Workspace, run: str = "latest") -> list[RejectedTrace]:
    """The traces that a run could not score, with their reasons."""
    return store.failed_traces(workspace, store.get_run(workspace, run).id)


def with_default_model(config: ScoreConfig | None) -> ScoreConfig:
    """The configuration with the shipped model where it names none."""
    config = config or ScoreConfig()
    return config if config.model else replace(config, model=str(default_model()))
