"""What did trainings of this workspace find, beside the metrics of what they were trained on?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from grace_engine import evidence, jobs, store, training
from grace_engine.api.correlating import EvidenceReport
from grace_engine.api.reporting import dataset_report
from grace_engine.api.sample import named_or_shipped
from grace_engine.api.selected import name_of
from grace_engine.api.trained import finished_cells, training_plan_of
from grace_engine.errors import InputError, NotFoundError
from grace_engine.evidence import Evidence
from grace_engine.evidence.correlating import FEWEST
from grace_engine.jobs import Job
from grace_engine.progress import Progress
from grace_engine.store import Workspace
from grace_engine.supervision import MeasureConfig
from grace_engine.training import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedOn:
    """What one training found for what it was trained on.

    Attributes:
        subject: Id of the selection, or name of the dataset that was the whole pool.
        name: Of it, for people.
        model: What was trained.
        result: The measure, and the problems that it is of.
        found: The measure over seeds and problems.
        run: Id of the training.
    """

    subject: str
    name: str
    model: str
    result: str
    found: Interval
    run: str


def trained_on(workspace: Workspace) -> list[TrainedOn]:
    """Every judged training of a selection, or of the pool that it was chosen from.

    The latest one counts where a selection was trained and judged in the same way more than once.
    Selections that are gone are left out.
    """
    found: dict[tuple[str, str, str], TrainedOn] = {}
    for job in jobs.jobs(workspace.root):  # the latest first
        if job.spec.kind == "train":
            for one in _of_run(workspace, job):
                found.setdefault((one.subject, one.model, one.result), one)
    return list(found.values())


def training_evidence(
    workspace: Workspace,
    config: MeasureConfig | None = None,
    progress: Progress | None = None,
) -> EvidenceReport:
    """Correlate metrics of selections and datasets with what their trainings found.

    What is not measured yet is measured now and stored.

    Raises:
        InputError: Fewer than three were trained on and judged on the same problems.
        ModelError: The model that measures cannot be used.
    """
    told = trained_on(workspace)
    groups = _groups(told)
    largest = max((len(names) for names in groups.values()), default=0)
    if largest < FEWEST:
        raise InputError(
            f"A rank correlation needs {FEWEST} selections that one model was trained on and "
            f"judged with the same problems, and this workspace has {largest}: train on more, each "
            "with grace train SELECTION --against full --eval PROBLEMS."
        )
    kept = [one for one in told if len(groups[one.model, one.result]) >= FEWEST]
    subjects = list(dict.fromkeys(one.subject for one in kept))
    first, *others = subjects
    report = dataset_report(workspace, first, against=others, config=config, progress=progress)
    names = [subject.name for subject in report.subjects]
    results: dict[str, dict[str, list[float]]] = {}
    for one in kept:
        column = results.setdefault(one.model, {}).setdefault(
            one.result, [math.nan] * len(subjects)
        )
        column[subjects.index(one.subject)] = one.found.mean
    made = Evidence(
        datasets=tuple(names),
        metrics={
            column.name: [
                spread.mean if (spread := report.spreads[column.name].get(name)) else math.nan
                for name in names
            ]
            for column in report.columns
        },
        results=results,
    )
    runs = ", ".join(dict.fromkeys(one.run for one in kept))
    return EvidenceReport(source=runs, evidence=made, found=evidence.correlate(made))


def _groups(told: Sequence[TrainedOn]) -> dict[tuple[str, str], set[str]]:
    """Subjects by what makes their results comparable: the model, and what judged it."""
    found: dict[tuple[str, str], set[str]] = {}
    for one in told:
        found.setdefault((one.model, one.result), set()).add(one.subject)
    return found


def _of_run(workspace: Workspace, job: Job) -> list[TrainedOn]:
    planned = training_plan_of(job.folder)
    if planned is None or not planned.selection:
        return []
    try:
        chosen = store.get_selection(workspace, planned.selection)
    except NotFoundError:
        return []
    names = {"subset": (chosen.id, name_of(chosen))}
    if pool := _pool(workspace, {choice.trace_id for choice in chosen.choices}):
        names["full"] = (pool, pool)
    settings = job.spec.settings
    model = PurePath(named_or_shipped(settings["settings"]["model"])).name
    judged = settings["evaluate_on"]
    problems = Path(judged).stem if Path(judged).is_file() else judged
    return [
        TrainedOn(
            subject=names[arm.arm][0],
            name=names[arm.arm][1],
            model=model,
            result=f"{arm.measure} on {planned.n_problems:,} of {problems}",
            found=arm.accuracy,
            run=job.id,
        )
        for arm in training.arms_of(finished_cells(job.folder))
        if arm.arm in names and arm.accuracy is not None
    ]


def _pool(workspace: Workspace, ids: set[str]) -> str:
    """The dataset whose traces are these; "" where they are not all those of one."""
    for dataset in store.datasets(workspace):
        if dataset.n_traces == len(ids) and ids == set(store.trace_ids(workspace, [dataset.name])):
            return dataset.name
    return ""
