"""How does the shell say what a training found?"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grace_engine import api
from grace_engine.cli import console, running
from grace_engine.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption
from grace_engine.errors import NotFoundError
from grace_engine.jobs import Job
from grace_engine.quantities import counted, duration, percent

if TYPE_CHECKING:
    from grace_engine.training import ArmResult, TimeLeft


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(trained)


@console.speaks
def trained(
    run: Annotated[
        str, typer.Argument(help="Run id, a unique beginning, or latest, that has found something.")
    ] = "latest",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """What a training run found so far: accuracy of each arm, with intervals."""
    opened = api.open_workspace(workspace, create=False)
    job = _latest(opened) if run == "latest" else api.get_job(opened, run)
    report(job, as_json=as_json)


def _latest(workspace: "api.Workspace") -> Job:
    """The latest training that has found something; of later ones it is said how they stand."""
    jobs = [job for job in api.list_jobs(workspace) if job.spec.kind == "train"]
    for job in jobs:
        if api.finished_cells(job.folder):
            return job
        console.note(f"Run {job.id} is {job.word} and has found nothing yet: {job.spec.title}.")
    raise NotFoundError("No training of this workspace has finished yet.")


def report(job: Job, *, as_json: bool, finished: bool = True) -> None:
    """Print what a run has found; of one that has just begun only what it is."""
    document = running.document(job)
    if not finished:
        if as_json:
            console.emit_json(document)
        return
    found = api.training_report(job.folder)
    if as_json:
        console.emit_json(document | _json(found))
        return
    planned = found.planned
    console.table(
        f"Run {job.id}: {planned.finished(len(found.cells))}",
        *_arms(found.arms, found.measure),
    )
    for label in dict.fromkeys(group.label for group in found.groups):
        _groups(found, label)
    if found.curve:
        _curve(found)
    if left := api.training_time_left(job.folder):
        console.note(str(left) if job.is_active else _at_rest(job, left))
    if planned.n_problems:
        console.note(
            f"{found.measure}: {planned.asked}, on {planned.n_problems:,} problems, checked with "
            "math-verify. Intervals: bootstrap over problems (paired) and seeds; with one seed "
            "they speak of problems only."
        )
    else:
        console.note("Nothing was evaluated: --eval names problems with reference answers.")


def _at_rest(job: Job, left: "TimeLeft") -> str:
    """What is left of a run in which nothing goes on."""
    steps, evaluations = (
        counted(left.n_steps, "optimizer step"),
        counted(left.n_evaluations, "evaluation"),
    )
    both = f"{steps} and {evaluations}" if left.n_evaluations else steps
    return (
        f"Nothing runs: it is {job.word} with {both} left, about {duration(left.seconds)}. "
        f"grace resume {job.id} goes on."
    )


def _arms(arms: "Sequence[ArmResult]", measure: str) -> tuple[list[str], list[tuple[object, ...]]]:
    sampled = measure != "accuracy"
    columns = ["arm", "seeds", "steps", "tokens a pass", measure, "95% interval"]
    columns += ["single answers right"] if sampled else []
    rows = []
    for arm in arms:
        row: list[object] = [arm.arm, arm.n_seeds, f"{arm.n_steps:,.0f}", f"{arm.n_tokens:,.0f}"]
        row += [percent(arm.accuracy.mean) if arm.accuracy else "not evaluated"]
        row += [arm.accuracy.range if arm.accuracy else ""]
        if sampled:
            row += [percent(arm.share_right) if arm.share_right is not None else ""]
        rows.append((*row, arm.less.difference if arm.less else "", arm.verdict))
    return [*columns, "subset less this", "says"], rows


def _groups(found: "api.TrainReport", label: str) -> None:
    arms = [arm.arm for arm in found.arms]
    rows = []
    for group in found.groups:
        if group.label == label:
            by_arm = {arm.arm: arm for arm in group.arms}
            against = by_arm.get("random") or by_arm.get("untrained")
            rows.append(
                (
                    str(group.value),
                    group.n_problems,
                    *(_share(by_arm.get(arm)) for arm in arms),
                    against.less.difference if against and against.less else "",
                )
            )
    other = next((arm for arm in ("random", "untrained") if arm in arms), "")
    last = f"subset less {other}" if other else ""
    console.table(f"By {label}: {found.measure}", [label, "problems", *arms, last], rows)


def _curve(found: "api.TrainReport") -> None:
    console.table(
        f"By budget: {found.measure}",
        ["arm", "of the pool", "seeds", "steps", "tokens a pass", found.measure, "95% interval"],
        [
            (
                point.arm,
                f"{point.budget:.3g}%",
                point.n_seeds,
                f"{point.n_steps:,.0f}",
                f"{point.n_tokens:,.0f}",
                percent(point.accuracy.mean) if point.accuracy else "not evaluated",
                point.accuracy.range if point.accuracy else "",
            )
            for point in found.curve
        ],
    )


def _json(found: "api.TrainReport") -> dict[str, Any]:
    def arms(of: "Sequence[ArmResult]") -> list[dict[str, Any]]:
        return [
            asdict(arm) | {"verdict": arm.verdict, "share_right": arm.share_right} for arm in of
        ]

    left = api.training_time_left(found.folder)
    return {
        "n_problems": found.planned.n_problems,
        "measure": found.measure,
        "asked": found.planned.asked,
        "arms": arms(found.arms),
        "groups": [asdict(group) | {"arms": arms(group.arms)} for group in found.groups],
        "curve": [asdict(point) for point in found.curve],
        "cells": [
            asdict(cell) | {"name": cell.cell.name, "accuracy": cell.accuracy}
            for cell in found.cells
        ],
        "time_left": asdict(left) if left else None,
    }


def _share(arm: "ArmResult | None") -> str:
    return arm.accuracy.share if arm and arm.accuracy else ""
