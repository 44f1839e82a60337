"""How far is a training, and was the subset worth it?"""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.errors import NotFoundError
from grace_engine.figures.frames import plain
from grace_engine.figures.training import arms_chart, metrics_chart
from grace_engine.jobs import Job
from grace_engine.ui import tables
from grace_engine.ui.pane import SAVING
from grace_engine.ui.text import plain_html

RUN = "training"
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
    chosen = st.selectbox(
        "Training",
        list(by_id),
        format_func=lambda name: plain(f"{by_id[name].spec.title} · {name}"),
        key=RUN,
        bind="query-params",
    )
    job = by_id[chosen]
    every = _POLL_SECONDS if job.is_active else None
    st.fragment(_curves, run_every=every, key="train-curves")(job, dark=dark)
    _arms(job, dark=dark)


def _curves(job: Job, *, dark: bool) -> None:
    written = (job.folder / "cells").glob("*/metrics.jsonl")
    cells = [file.parent for file in sorted(written, key=lambda file: file.stat().st_mtime)]
    if not cells:
        return
    names = [folder.name for folder in cells]
    cell = st.selectbox("Curves of", names, index=len(names) - 1, key="train-cell")
    metrics = pd.DataFrame(api.training_metrics(job.folder, cell))
    if metrics.empty:
        return
    st.plotly_chart(
        metrics_chart(metrics, dark=dark),
        key="metrics-chart",
        config=SAVING,
        alt="Loss, learning rate and gradient norm by optimizer step",
    )
    tables.save_csv("Steps as CSV", f"training-{job.id}-{cell}", lambda: metrics)


def _arms(job: Job, *, dark: bool) -> None:
    try:
        report = api.training_report(job.folder)
    except NotFoundError:
        return
    st.markdown("##### Was it worth it?")
    st.text(
        f"{len(report.cells)} of {report.n_cells} trainings and evaluations are finished"
        + (f", judged on {report.n_problems:,} problems." if report.n_problems else ".")
    )
    if not report.n_problems:
        st.info("Nothing was evaluated: name problems under Judged on.")
        return
    st.plotly_chart(
        arms_chart(report.arms, dark=dark),
        key="arms-chart",
        config=SAVING,
        alt="Share of right answers of each arm with its interval",
    )
    frame = pd.DataFrame(
        [
            {
                "arm": arm.arm,
                "seeds": arm.n_seeds,
                "steps": round(arm.n_steps),
                "tokens a pass": round(arm.n_tokens),
                "accuracy": f"{arm.accuracy.mean:.1%}" if arm.accuracy else "",
                "subset less this": f"{arm.less.mean:+.1%} ({arm.less.low:+.1%} – "
                f"{arm.less.high:+.1%})"
                if arm.less
                else "",
                "says": arm.verdict,
                "held-out loss": arm.held_out_loss,
                **arm.by_outcome,
            }
            for arm in report.arms
        ]
    )
    tables.table(frame, alt="What each arm found")
    st.caption(_NOTE)
    tables.save_csv("Arms as CSV", f"arms-{job.id}", lambda: frame)
    _answers(job, [result.cell.name for result in report.cells])


def _answers(job: Job, cells: list[str]) -> None:
    """Answers of two cells to one problem, side by side."""
    problems = {one.id: one for one in api.training_problems(job.folder)}
    if not problems:
        return
    st.markdown("##### Answers side by side")
    left, right = st.columns(2, gap="medium")
    pair = []
    for place, (column, name) in enumerate(((left, "Left"), (right, "Right"))):
        with column:
            last = len(cells) - 1
            index = cells.index("untrained") if not place and "untrained" in cells else last
            cell = st.selectbox(name, cells, index=index, key=f"answers-{place}")
            pair.append(api.training_answers(job.folder, cell))
    both = [name for name in problems if all(name in found for found in pair)]
    changed = st.toggle("Only where the outcomes differ", key="answers-changed")
    if changed:
        both = [name for name in both if pair[0][name][1] != pair[1][name][1]]
    if not both:
        st.info("No problem has different outcomes in these two.")
        return
    title = f"Problem, of {len(both):,}"
    number = int(st.number_input(title, 1, len(both), key=f"problem-{changed}", width=160))
    problem = problems[both[number - 1]]
    st.html(plain_html(problem.prompt))
    st.text(plain(f"Reference: {problem.reference}"))
    left, right = st.columns(2, gap="medium")
    for column, found in zip((left, right), pair, strict=True):
        text, outcome = found[problem.id]
        with column.container(border=True):
            st.markdown(f"**{outcome}**")
            st.html(plain_html(text))
