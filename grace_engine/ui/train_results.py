"""How far is a training, and was the subset worth it?"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.errors import NotFoundError
from grace_engine.figures.frames import plain
from grace_engine.figures.training import arms_chart, budget_chart, metrics_chart
from grace_engine.jobs import Job
from grace_engine.quantities import counted, percent
from grace_engine.training import ArmResult, BudgetPoint
from grace_engine.ui import charts, linked, tables, train_answers
from grace_engine.ui.train_start import TRAINING

_POLL_SECONDS = 2.0
_NOTE = (
    "Intervals: bootstrap over problems, paired between arms, and over seeds. Where 0 lies inside "
    "the interval of a difference, none has been shown."
)


def results(jobs: Sequence[Job], *, dark: bool) -> None:
    """Pick a training; its curves, arms and answers."""
    if not jobs:
        st.info(
            "Nothing was trained yet: choose a selection above and press Train.",
            icon=":material/lightbulb:",
        )
        return
    by_id = {job.id: job for job in jobs}
    names = {job.id: plain(_named(job)) for job in jobs}
    first = jobs[_opened_first(jobs)].id
    job = by_id[linked.one_of("Training", names, TRAINING, what="training", first=first)]
    every = _POLL_SECONDS if job.is_active else None
    st.fragment(_curves, run_every=every, key="train-curves")(job, dark=dark)
    _found(job, dark=dark)


def _opened_first(jobs: Sequence[Job]) -> int:
    """Place of the latest training that runs or has found something, else of the latest."""
    told = (at for at, job in enumerate(jobs) if job.is_active or api.finished_cells(job.folder))
    return next(told, 0)


def _named(job: Job) -> str:
    """The same words as long as it lives: a box of Streamlit's finds its choice by them."""
    return f"{job.spec.title} · {job.id}"


def _curves(job: Job, *, dark: bool) -> None:
    names = api.training_cells(job.folder)
    if not names:
        return
    cell = st.selectbox(
        "Curves of", names, index=len(names) - 1, key=f"train-cell-{len(names)}", width=240
    )
    metrics = pd.DataFrame(api.training_metrics(job.folder, cell))
    if metrics.empty:
        return
    charts.chart(
        metrics_chart(metrics, dark=dark),
        key="metrics-chart",
        alt="Loss, learning rate, gradient norm and tokens a second by optimizer step",
    )
    tables.save_csv("Steps as CSV", f"training-{job.id}-{cell}", lambda: metrics)


def _found(job: Job, *, dark: bool) -> None:
    done = len(api.finished_cells(job.folder))
    try:
        report = _report(job.folder, done)
    except NotFoundError:
        return
    planned = report.planned
    st.markdown("##### Was it worth it?")
    st.text(
        f"{planned.finished(len(report.cells))} {'is' if planned.n_cells == 1 else 'are'} finished"
        + (f", judged on {counted(planned.n_problems, 'problem')}." if planned.n_problems else ".")
    )
    if not planned.n_problems:
        st.info("Nothing was evaluated: name problems under Judged on.")
        return
    charts.chart(
        arms_chart(report.arms, dark=dark),
        key="arms-chart",
        alt="Share of right answers of each arm with its interval",
    )
    frame = _arms_frame(report.arms, report.measure)
    tables.table(frame, alt="What each arm found", column_config=_separated(frame))
    # In a table of its own: beside the others it would lie off the edge of a laptop's screen.
    answers = _answers_frame(report.arms)
    tables.table(answers, alt="What became of the answers", column_config=_separated(answers))
    st.caption(f"{report.measure.capitalize()}: {planned.asked}. {_NOTE}")
    tables.save_csv(
        "Arms as CSV", f"arms-{job.id}", lambda: frame.merge(answers, on="arm", validate="1:1")
    )
    if report.curve:
        _budgets(job, report, dark=dark)
    _labels(job, report)
    if len(report.cells) > 1:
        train_answers.side_by_side(job, [result.cell.name for result in report.cells])


@st.cache_resource(max_entries=8, show_spinner=False)
def _report(folder: Path, n_finished: int) -> api.TrainReport:
    """What was found; intervals take a moment, and change only when a cell is finished."""
    del n_finished  # part of the key
    return api.training_report(folder)


def _arms_frame(arms: Sequence[ArmResult], measure: str) -> pd.DataFrame:
    rows = []
    for arm in arms:
        row: dict[str, object] = {
            "arm": arm.arm,
            "seeds": arm.n_seeds,
            "steps": round(arm.n_steps),
            "tokens a pass": round(arm.n_tokens),
            measure: arm.accuracy.share if arm.accuracy else "",
        }
        if measure != "accuracy" and arm.share_right is not None:
            row["single answers right"] = percent(arm.share_right)
        row |= {
            "subset less this": arm.less.difference if arm.less else "",
            "says": arm.verdict,
        }
        rows.append(row)
    return pd.DataFrame(rows)


def _answers_frame(arms: Sequence[ArmResult]) -> pd.DataFrame:
    """Answers of each arm by outcome, and what it loses on held-out examples."""
    of = ", all seeds" if any(arm.n_seeds > 1 for arm in arms) else ""
    return pd.DataFrame(
        [
            {
                "arm": arm.arm,
                **{f"{outcome}{of}": n for outcome, n in arm.by_outcome.items()},
                "held-out loss": arm.held_out_loss,
            }
            for arm in arms
        ]
    )


def _budgets(job: Job, report: api.TrainReport, *, dark: bool) -> None:
    st.markdown("##### By budget")
    charts.chart(
        budget_chart(report.curve, report.measure, dark=dark),
        key="budget-chart",
        alt="Accuracy with its interval against the budget, for the subset and a random draw",
    )
    frame = pd.DataFrame([_point(point, report.measure) for point in report.curve])
    tables.table(
        frame, alt="What each budget found, and what it cost", column_config=_separated(frame)
    )
    tables.save_csv("Budgets as CSV", f"budgets-{job.id}", lambda: frame)


def _point(point: BudgetPoint, measure: str) -> dict[str, object]:
    return {
        "arm": point.arm,
        "of the pool": f"{point.budget:.3g}%",
        "seeds": point.n_seeds,
        "steps": round(point.n_steps),
        "tokens a pass": round(point.n_tokens),
        measure: point.accuracy.share if point.accuracy else "",
    }


def _labels(job: Job, report: api.TrainReport) -> None:
    """The arms on the problems of each subject, level and other label."""
    labels = list(dict.fromkeys(group.label for group in report.groups))
    if not labels:
        return
    st.markdown("##### By kind of problem")
    label = st.segmented_control(
        "Split by", labels, default=labels[0], required=True, key=f"split-by-{job.id}"
    )
    rows = []
    for group in report.groups:
        if group.label == label:
            row: dict[str, object] = {str(label): str(group.value), "problems": group.n_problems}
            row |= {arm.arm: arm.accuracy.share if arm.accuracy else "" for arm in group.arms}
            row |= {
                f"subset less {arm.arm}": arm.less.difference if arm.less else ""
                for arm in group.arms
                if arm.arm in ("random", "untrained")
            }
            rows.append(row)
    frame = pd.DataFrame(rows)
    tables.table(frame, alt="What each arm found by kind of problem")
    tables.save_csv("Kinds as CSV", f"kinds-{job.id}-{label}", lambda: frame)


def _separated(frame: pd.DataFrame) -> dict[str, object]:
    """Whole numbers with separators of thousands."""
    whole = [str(name) for name in frame if pd.api.types.is_integer_dtype(frame[name])]
    return {name: st.column_config.NumberColumn(format="localized") for name in whole}
