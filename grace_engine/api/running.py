"""How does long work on a workspace run in the background, and how is it watched and ended?"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from grace_engine import jobs
from grace_engine.answers import Limits
from grace_engine.api.forecasting import forecast
from grace_engine.api.selected import name_of
from grace_engine.config import OF, IngestConfig, ScoreConfig, require_one_of
from grace_engine.duplicates import require_threshold
from grace_engine.errors import InputError, NotFoundError, StoreBusyError
from grace_engine.jobs import Job, JobSpec
from grace_engine.quantities import counted
from grace_engine.records import Of, ScoringRun
from grace_engine.store import (
    Database,
    Workspace,
    check_counts,
    get_rollout_set,
    get_run,
    get_selection,
)

if TYPE_CHECKING:
    from grace_engine.api.training import TrainRequest
    from grace_engine.judging import JudgeSettings
    from grace_engine.policy.settings import GradientSettings, RolloutSettings

# Files that the title of an ingest names.
_NAMED = 3
# For which a busy database is waited for, to see whether it can be used.
_LOOK_SECONDS = 1.0
_COMMAND = (sys.executable, "-m", "grace_engine.api.child")


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
        title=f"Score {what}{names} with {model} ({', '.join([config.proxy, *_unusual(config)])})",
        settings=asdict(config),
        device=device_of(config.device),
    )
    return begin(workspace, spec)


def _unusual(config: ScoreConfig) -> Iterator[str]:
    """The settings by which two runs with one model differ, as far as they are not the default."""
    usual = ScoreConfig()
    if config.revision:
        yield f"revision {config.revision}"
    if config.adapter:
        yield f"adapter {PurePath(config.adapter).name or config.adapter}"
    if config.parameters:
        yield "parameters " + " ".join(config.parameters)
    for name in ("entropy_discount", "target", "dtype", "max_length"):
        value = getattr(config, name)
        if value != getattr(usual, name):
            yield f"{name.replace('_', ' ')} {value:{'g' if isinstance(value, float) else ''}}"
    for name in ("with_marks", "with_end_token"):
        if getattr(config, name):
            yield name.replace("_", " ")


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


def may_score(job: Job, run: ScoringRun) -> bool:
    """Whether a background run, by its settings, fills this scoring run.

    Two runs may differ by what is not stored with them (``max_length``); then both may be meant.
    """
    from grace_engine.api.scoring import with_default_model

    if job.spec.kind not in ("score", "sample"):
        return False
    known = {each.name for each in fields(ScoreConfig)} if job.spec.kind == "score" else set()
    config = with_default_model(
        ScoreConfig(**{name: value for name, value in job.spec.settings.items() if name in known})
    )
    same = ("model", "adapter", "proxy", "entropy_discount", "target")
    return (
        all(getattr(config, name) == getattr(run, name) for name in same)
        and (config.with_marks, config.with_end_token) == (run.with_marks, run.with_end_token)
        and tuple(config.parameters) == run.parameters
        and config.dtype in ("auto", run.dtype)
        and (not config.datasets or sorted(set(config.datasets)) == list(run.datasets))
    )


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
        InputError: Slurm is asked for, and this machine has none.
    """
    on_cluster = request.executor == "slurm"
    if on_cluster:
        from grace_engine.api.clusters import require_slurm

        require_slurm()
    spec = JobSpec(
        kind="train",
        title=_title_of(request, _name_in(workspace, request.what)),
        settings=request.document(),
        device="" if on_cluster else device_of(request.settings.device),
    )
    return begin(workspace, spec)


def last_training(workspace: Workspace, what: str) -> Job:
    """The last run that trained on a selection, by whichever of its words, or on a file.

    Raises:
        NotFoundError: None has.
    """
    words = {what}
    if not Path(what).is_file():
        with suppress(NotFoundError):
            chosen = get_selection(workspace, what)
            words |= {chosen.id, chosen.name}
    for job in list_jobs(workspace):
        if job.spec.kind == "train" and job.spec.settings.get("what") in words:
            return job
    raise NotFoundError(f"No run has trained on {what} yet: leave out --resume.")


def _name_in(workspace: Workspace, what: str) -> str:
    """A selection's name, by whichever of its words it is meant; what is none as it is."""
    if Path(what).is_file():
        return PurePath(what).name
    try:
        return name_of(get_selection(workspace, what))
    except NotFoundError:
        return what


def _title_of(request: "TrainRequest", what: str) -> str:
    """What tells one training on ``what`` from another in a list."""
    from grace_engine.api.sample import named_or_shipped

    said = [f"Train {PurePath(named_or_shipped(request.settings.model)).name} on {what}"]
    if request.budgets:
        said.append(f"at {', '.join(f'{budget:g}%' for budget in request.budgets)}")
    if request.against and request.evaluate_on:
        said.append(f"against {', '.join(request.against)}")
    if request.n_seeds > 1:
        said.append(counted(request.n_seeds, "seed"))
    if request.evaluate_on:
        first = f"{counted(request.n_problems, 'problem')} of " if request.n_problems else ""
        said.append(f"judged on {first}{PurePath(request.evaluate_on).name}")
    if request.executor == "slurm":
        said.append("by Slurm")
    return ", ".join(said)


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
    """Start what a spec asks for, in a process of its own; it waits itself for a busy database.

    Raises:
        StoreError: The database cannot be opened or written: the run would be in vain.
        StoreVersionError: A newer version of the studio wrote it.
    """
    workspace.database.require_writable()
    with (
        suppress(StoreBusyError),
        Database(workspace.database.path, busy_timeout=_LOOK_SECONDS).reading(),
    ):
        pass
    return jobs.start(workspace.root, spec, _COMMAND)


def device_of(asked: str) -> str:
    """The name under which a device is taken: what ``auto`` means here."""
    from grace_engine.models.load import device_name, resolve_device

    return device_name(resolve_device(asked))
