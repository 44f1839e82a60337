"""What will scoring take, told in a moment: how much is left, and at which pace?"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grace_engine import jobs
from grace_engine.config import ScoreConfig
from grace_engine.errors import NotFoundError
from grace_engine.store import Workspace, get_run

if TYPE_CHECKING:
    from grace_engine.scoring import Estimate, ScoringPlan

# Traces that a forecast renders: enough for a mean, few enough for a moment.
_RENDERED = 200
# Traces that a run has to have scored for its pace to be told.
_FEWEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a scoring run will take, told from some of its traces.

    Attributes:
        run: Id that the run will have.
        model: The model, as it will be named.
        device: Where it will run.
        n_traces: Traces that it covers.
        n_rendered: Those that were rendered to find the rest.
        n_done: Traces of which nothing remains to be computed: those that this run has scored or
            refused, and those that another run of the same scorer has scored as they are cut now.
        n_pending: Traces that the model has yet to read, scaled up.
        n_rejected: Traces that it cannot score, scaled up.
        n_tokens: Tokens that the model has yet to read, scaled up.
        seconds: Time of the model's part, scaled up.
        disk_bytes: Bytes of Grams and rendered texts, scaled up, before compression.
        basis: How the time was found: measured by an earlier run, or estimated.
    """

    run: str
    model: str
    device: str
    n_traces: int
    n_rendered: int
    n_done: int
    n_pending: int
    n_rejected: int
    n_tokens: int
    seconds: float
    disk_bytes: int
    basis: str


def forecast(workspace: Workspace, config: ScoreConfig | None = None) -> Forecast | None:
    """What scoring would take, found in a moment whatever the number of traces.

    None where the model is a hub id that is not on this machine yet: the run downloads it.

    Raises:
        NotFoundError, ModelError: As ``plan``.
    """
    from grace_engine.api.scoring import with_default_model
    from grace_engine.progress import Silent
    from grace_engine.scoring import plan_scoring

    config = with_default_model(config)
    if not _is_here(config):
        return None
    planned = plan_scoring(workspace, config, Silent(), most=_RENDERED)
    n_done = planned.n_done + planned.n_known
    fresh = len(planned.pending) + len(planned.linkable) + len(planned.rejected)
    scale = (planned.n_traces - n_done) / fresh if fresh else 0.0
    expected = expected_scoring(workspace, planned) if planned.pending else None
    return Forecast(
        run=planned.run.id,
        model=config.model,
        device=str(planned.device),
        n_traces=planned.n_traces,
        n_rendered=fresh,
        n_done=n_done,
        n_pending=round(scale * len(planned.pending)),
        n_rejected=round(scale * len(planned.rejected)),
        n_tokens=round(scale * planned.n_tokens),
        seconds=scale * expected.seconds if expected else 0.0,
        disk_bytes=round(scale * planned.disk_bytes),
        basis=expected.basis if expected else "",
    )


def expected_scoring(workspace: Workspace, planned: "ScoringPlan") -> "Estimate":
    """Time and room of what is pending: at the pace of the latest background run of this scorer.

    Where none has scored ``_FEWEST`` traces on this device, at an estimated one.
    """
    from grace_engine.models.load import device_name
    from grace_engine.scoring import estimate

    found = estimate(planned)
    for job in jobs.jobs(workspace.root):
        result = job.status.result
        if (
            job.spec.device == device_name(planned.device)
            and result.get("n_scored", 0) >= _FEWEST
            and result.get("n_tokens")
            and _fingerprint(workspace, str(result.get("run", ""))) == planned.run.fingerprint
        ):
            pace = result["n_tokens"] / max(result["seconds"], 1e-3)
            basis = (
                f"measured: {pace:,.0f} tokens a second of the {result['n_scored']:,} traces that "
                f"background run {job.id} scored with this model on {job.spec.device}"
            )
            return replace(found, seconds=planned.n_tokens / pace, basis=basis)
    return found


def _fingerprint(workspace: Workspace, run: str) -> str:
    """The scorer of a run; "" where the run is gone."""
    try:
        return get_run(workspace, run).fingerprint if run else ""
    except NotFoundError:
        return ""


def _is_here(config: ScoreConfig) -> bool:
    """Whether the model is a folder, or a hub id that was downloaded before."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        if Path(config.model).expanduser().exists():
            return True
        found: Any = try_to_load_from_cache(
            config.model, "config.json", revision=config.revision or None
        )
    except (HFValidationError, OSError, ValueError):
        return True  # neither folder nor hub id, which the plan says in a sentence
    return isinstance(found, str)
