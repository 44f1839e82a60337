"""How does long work on a workspace run in the background, and how is it watched and ended?"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from grace_engine import jobs
from grace_engine.answers import Limits
from grace_engine.config import OF, IngestConfig, ScoreConfig, require_one_of
from grace_engine.duplicates import require_threshold
from grace_engine.errors import InputError, NotFoundError
from grace_engine.jobs import Job, JobSpec
from grace_engine.records import Of
from grace_engine.store import Workspace, check_counts, datasets, get_rollout_set, get_run

if TYPE_CHECKING:
    from grace_engine.api.scoring import Estimate
    from grace_engine.api.training import TrainRequest
    from grace_engine.judging import JudgeSettings
    from grace_engine.policy.settings import GradientSettings, RolloutSettings

# Traces that a forecast renders: enough for a mean, few enough for a moment.
_RENDERED = 200
# Files that the title of an ingest names.
_NAMED = 3
_COMMAND = (sys.executable, "-m", "grace_engine.api.child")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a scoring run will take, told from some of its traces.

    Attributes:
        run: Id that the run will have.
        model: The model, as it will be named.
        device: Where it will run.
        n_traces: Traces that it covers.
        n_rendered: Those that were rendered to find the rest.
        n_done: Traces scored or refused already, by an earlier run of the same scorer and datasets.
        n_pending: Traces that the model has yet to read, scaled up.
        n_rejected: Traces that it cannot score, scaled up.
        n_tokens: Tokens that the model has yet to read, scaled up.
        seconds: Time of the model's part, scaled up.
        disk_bytes: Bytes of Grams and rendered texts, scaled up, before compression.
        basis: How the time was found.
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
    from grace_engine.api.scoring import estimate, plan, with_default_model

    config = with_default_model(config)
    if not _is_here(config):
        return None
    planned = plan(workspace, replace(config, sample=min(config.sample or _RENDERED, _RENDERED)))
    total = sum(i.n_traces for i in datasets(workspace) if i.name in planned.run.datasets)
    n_traces = min(config.sample, total) if config.sample else total
    n_done = min(n_traces, _n_reached(workspace, planned.run.id))
    if planned.n_done == planned.n_traces and n_done < n_traces:
        # A draw is the beginning of every larger one, and this beginning is done.
        planned = plan(workspace, replace(config, sample=min(n_traces, n_done + _RENDERED)))
    fresh = len(planned.pending) + len(planned.linkable) + len(planned.rejected)
    scale = (n_traces - n_done) / fresh if fresh else 0.0
    expected: Estimate | None = estimate(planned) if planned.pending else None
    return Forecast(
        run=planned.run.id,
        model=config.model,
        device=str(planned.device),
        n_traces=n_traces,
        n_rendered=fresh,
        n_done=n_done,
        n_pending=round(scale * len(planned.pending)),
        n_rejected=round(scale * len(planned.rejected)),
        n_tokens=round(scale * planned.n_tokens),
        seconds=scale * expected.seconds if expected else 0.0,
        disk_bytes=round(scale * planned.disk_bytes),
        basis=expected.basis if expected else "",
    )


def start_scoring(workspace: Workspace, config: ScoreConfig | None = None) -> Job:
    """Score in the background, after the runs that have or await the device.

    Raises:
        ModelError: The device is not there.
    """
    from grace_engine.api.scoring import with_default_model

    config = with_default_model(config)
    what = f"{config.sample:,} traces" if config.sample else "all traces"
    what += ", failed ones again," if config.retry_failed else ""
    names = f" of {', '.join(config.datasets)}" if config.datasets else ""
    model = PurePath(config.model).name or config.model
    spec = JobSpec(
        kind="score",
        title=f"Score {what}{names} with {model} ({config.proxy})",
        settings=asdict(config),
        device=device_of(config.device),
    )
    return begin(workspace, spec)


def start_retry(workspace: Workspace, run_id: str) -> Job:
    """Try the traces again that a run could not score, by its own settings, in the background.

    Raises:
        NotFoundError: There is no such run.
        InputError: The settings that are stored with it make another run.
    """
    run = get_run(workspace, run_id)
    config = ScoreConfig(
        model=run.model,
        revision=run.revision,
        adapter=run.adapter,
        proxy=run.proxy,  # type: ignore[arg-type]
        parameters=run.parameters,
        entropy_discount=run.entropy_discount,
        target=run.target,  # type: ignore[arg-type]
        dtype=run.dtype,  # type: ignore[arg-type]
        datasets=run.datasets,
        with_marks=run.with_marks,
        with_end_token=run.with_end_token,
        retry_failed=True,
    )
    found = forecast(workspace, config)
    if found is not None and found.run != run.id:
        raise InputError(
            f"Run {run.id} was scored by what is not stored with it, such as --max-length or steps "
            "that were cut anew since. grace score --retry-failed with the flags of then tries its "
            "failed traces again."
        )
    return start_scoring(workspace, config)


def start_sample(workspace: Workspace) -> Job:
    """Ingest the shipped traces and score them with the shipped model, in the background."""
    title = "Prepare the sample: ingest the shipped traces, score them with the shipped model"
    return begin(workspace, JobSpec(kind="sample", title=title, device=device_of("auto")))


def start_problem_sample(workspace: Workspace) -> Job:
    """Have the shipped model answer shipped problems and take policy gradients, all behind."""
    title = "Prepare the example: roll out shipped problems, take policy gradients"
    return begin(workspace, JobSpec(kind="problem-sample", title=title, device=device_of("auto")))


def start_ingest(
    workspace: Workspace, paths: Sequence[Path | str], config: IngestConfig | None = None
) -> Job:
    """Ingest files in the background."""
    config = config or IngestConfig()
    more = f" and {len(paths) - _NAMED:,} more files" if len(paths) > _NAMED else ""
    names = ", ".join(Path(path).name for path in paths[:_NAMED]) + more
    spec = JobSpec(
        kind="ingest",
        title=f"Ingest {names}" + (f" into {config.dataset}" if config.dataset else ""),
        settings={"paths": [str(Path(path).absolute()) for path in paths], **asdict(config)},
    )
    return begin(workspace, spec)


def start_duplicates(
    workspace: Workspace,
    of: Of = "traces",
    datasets: Sequence[str] = (),
    threshold: float = 0.8,
) -> Job:
    """Find duplicates in the background.

    Raises:
        InputError: A kind or threshold that is none.
    """
    require_one_of("What to compare", of, OF)
    require_threshold(threshold)
    where = f" in {', '.join(datasets)}" if datasets else ""
    spec = JobSpec(
        kind="duplicates",
        title=f"Find duplicate {of}{where} (similarity {threshold:g} or more)",
        settings={"of": of, "datasets": list(datasets), "threshold": threshold},
    )
    return begin(workspace, spec)


def start_checking(
    workspace: Workspace,
    names: Sequence[str] = (),
    *,
    timeout: float = 5.0,
    again: bool = False,
) -> Job:
    """Check answers in the background.

    Raises:
        InputError: ``timeout`` is not above 0.
        NotFoundError: A dataset does not exist.
    """
    Limits(seconds=timeout)
    check_counts(workspace, names)
    of = f" of {', '.join(names)}" if names else ""
    spec = JobSpec(
        kind="check",
        title=f"Check answers{of} against their references",
        settings={"datasets": list(names), "timeout": timeout, "again": again},
    )
    return begin(workspace, spec)


def start_training(workspace: Workspace, request: "TrainRequest") -> Job:
    """Train in the background, once the device is free; the run folder keeps what is finished.

    Raises:
        ModelError: The device is not there.
        MissingExtraError: Slurm is asked for, and submitit is not installed.
    """
    model = PurePath(request.settings.model).name or "the shipped model"
    against = f", against {', '.join(request.against)}" if request.against else ""
    on_cluster = request.executor == "slurm"
    if on_cluster:
        from grace_engine.api.clusters import require_submitit

        require_submitit()
    spec = JobSpec(
        kind="train",
        title=f"Train {model} on {PurePath(request.what).name}{against}"
        + (", by Slurm" if on_cluster else ""),
        settings=request.document(),
        device="" if on_cluster else device_of(request.settings.device),
    )
    return begin(workspace, spec)


def start_rollouts(workspace: Workspace, problems: str, settings: "RolloutSettings") -> Job:
    """Roll out in the background, once the device is free.

    Raises:
        ModelError: The device is not there.
    """
    model = PurePath(settings.model).name or "the shipped model"
    spec = JobSpec(
        kind="rollout",
        title=f"Roll out {PurePath(problems).name} with {model}, {settings.n} times each",
        settings={
            "problems": str(Path(problems).absolute()) if Path(problems).is_file() else problems,
            **asdict(settings),
        },
        device="" if settings.endpoint else device_of(settings.device),
    )
    return begin(workspace, spec)


def start_gradients(workspace: Workspace, rollouts: str, settings: "GradientSettings") -> Job:
    """Take policy gradients in the background, once the device is free.

    Raises:
        NotFoundError: There is no such set of rollouts.
        ModelError: The device is not there.
    """
    found = get_rollout_set(workspace, rollouts)
    against = f", against {settings.target}" if settings.target else ""
    spec = JobSpec(
        kind="gradients",
        title=f"Policy gradients ({settings.kind}) of {found.name}{against}",
        settings={"rollouts": found.id, **asdict(settings)},
        device=device_of(settings.device),
    )
    return begin(workspace, spec)


def start_judging(workspace: Workspace, what: str, settings: "JudgeSettings") -> Job:
    """Judge in the background; the server's key is taken from the environment of now.

    Raises:
        NotFoundError: There is no such dataset or selection.
    """
    from grace_engine.api.judging import traces_in

    traces_in(workspace, what)
    spec = JobSpec(
        kind="judge",
        title=f"Judge the steps of {what} with {PurePath(settings.model).name}",
        settings={"what": what, **asdict(settings)},
    )
    return begin(workspace, spec)


def resume_job(workspace: Workspace, wanted: str) -> Job:
    """Go on with a background run that ended before its work was done, in the same run folder.

    Raises:
        NotFoundError: There is no such run.
        InputError: It has not ended yet, or it has finished.
    """
    return jobs.resume(get_job(workspace, wanted), _COMMAND)


def list_jobs(workspace: Workspace) -> list[Job]:
    """All background runs, the latest first."""
    return jobs.jobs(workspace.root)


def get_job(workspace: Workspace, wanted: str) -> Job:
    """A background run by id, a unique beginning of it, or ``latest``; else ``NotFoundError``."""
    return jobs.find_job(workspace.root, wanted)


def cancel_job(workspace: Workspace, wanted: str) -> tuple[Job, bool]:
    """Ask a background run to end; the run, and whether there was something to end.

    Raises:
        NotFoundError: There is no such run.
    """
    job = get_job(workspace, wanted)
    asked = jobs.cancel(job)
    return get_job(workspace, job.id), asked


def forget_job(workspace: Workspace, wanted: str) -> Job:
    """Remove the folder of a background run that has ended; what it stored stays. The run it was.

    Raises:
        NotFoundError: There is no such run.
        InputError: It has not ended yet.
    """
    job = get_job(workspace, wanted)
    jobs.forget(job)
    return job


def begin(workspace: Workspace, spec: JobSpec) -> Job:
    """Start what a spec asks for, in a process of its own."""
    return jobs.start(workspace.root, spec, _COMMAND)


def device_of(asked: str) -> str:
    """The name under which a device is taken: what ``auto`` means here."""
    from grace_engine.models.load import device_name, resolve_device

    return device_name(resolve_device(asked))


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


def _n_reached(workspace: Workspace, run: str) -> int:
    """Traces that a run has scored or refused; 0 where it does not exist yet."""
    try:
        known = get_run(workspace, run)
    except NotFoundError:
        return 0
    return known.n_scored + known.n_rejected
