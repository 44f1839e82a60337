"""How does the shell say what a training found?"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grace_engine import api
from grace_engine.cli import console, running
from grace_engine.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption
from grace_engine.jobs import Job

if TYPE_CHECKING:
    from grace_engine.training import ArmResult, Interval


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(trained)


@console.speaks
def trained(
    run: Annotated[str, typer.Argument(help="Run id, a unique beginning, or latest.")] = "latest",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """What a training run found so far: accuracy of each arm, with intervals."""
    report(api.get_job(api.open_workspace(workspace, create=False), run), as_json=as_json)


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
        f"Run {job.id}: {len(found.cells)} of {planned.n_cells} trainings and evaluations",
        *_arms(found.arms, found.measure),
    )
    for label in dict.fromkeys(group.label for group in found.groups):
        _groups(found, label)
    if found.curve:
        _curve(found)
    if left := api.training_time_left(job.folder):
        console.note(str(left))
    if planned.n_problems:
        console.note(
            f"{found.measure}: {planned.asked}, on {planned.n_problems:,} problems, checked with "
            "math-verify. Intervals: bootstrap over problems (paired) and seeds; with one seed "
            "they speak of problems only."
        )
    else:
        console.note("Nothing was evaluated: --eval names problems with reference answers.")


def _arms(arms: "Sequence[ArmResult]", measure: str) -> tuple[list[str], list[tuple[object, ...]]]:
    sampled = measure != "accuracy"
    columns = ["arm", "seeds", "steps", "tokens", measure, "95% interval"]
    columns += ["single answers right"] if sampled else []
    rows = []
    for arm in arms:
        row: list[object] = [arm.arm, arm.n_seeds, f"{arm.n_steps:,.0f}", f"{arm.n_tokens:,.0f}"]
        row += [f"{arm.accuracy.mean:.1%}" if arm.accuracy else "not evaluated"]
        row += [_between(arm.accuracy)]
        if sampled:
            row += [f"{arm.share_right:.1%}" if arm.share_right is not None else ""]
        rows.append((*row, _signed(arm.less), arm.verdict))
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
                    *(_with_interval(by_arm[a].accuracy) if a in by_arm else "" for a in arms),
                    _signed(against.less) if against else "",
                )
            )
    other = next((arm for arm in ("random", "untrained") if arm in arms), "")
    last = f"subset less {other}" if other else ""
    console.table(f"By {label}: {found.measure}", [label, "problems", *arms, last], rows)


def _curve(found: "api.TrainReport") -> None:
    console.table(
        f"By budget: {found.measure}",
        ["arm", "of the pool", "seeds", "steps", "tokens", found.measure, "95% interval"],
        [
            (
                point.arm,
                f"{point.budget:.3g}%",
                point.n_seeds,
                f"{point.n_steps:,.0f}",
                f"{point.n_tokens:,.0f}",
                f"{point.accuracy.mean:.1%}" if point.accuracy else "not evaluated",
                _between(point.accuracy),
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


def _between(found: "Interval | None") -> str:
    return f"{found.low:.1%} – {found.high:.1%}" if found else ""


def _with_interval(found: "Interval | None") -> str:
    return f"{found.mean:.1%} ({_between(found)})" if found else ""


def _signed(found: "Interval | None") -> str:
    return f"{found.mean:+.1%} ({found.low:+.1%} – {found.high:+.1%})" if found else ""
