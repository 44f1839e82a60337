"""How does the open trace look from other sides: step against step, another trace, another run?"""

import json
from contextlib import suppress

import numpy as np
import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.errors import NotFoundError
from grace_engine.figures import frames
from grace_engine.figures.palette import ColourScale, colour_scale
from grace_engine.figures.trace import matrix_chart, matrix_frame
from grace_engine.marks import marks_named
from grace_engine.records import ScoringRun
from grace_engine.ui import charts, controls, load, pane, state, tables, text

_SHOWN = 20_000
"""Characters of a source that are shown at once."""


def matrix(
    view: api.RunView,
    opened: api.TraceView,
    row: pd.Series,
    scale: ColourScale,
    step: int,
    annotations: api.Annotations,
    *,
    dark: bool,
) -> None:
    """Cosines between the segments of the trace, the open step framed, and that step's text.

    Args:
        view: The run under the weights of the page.
        opened: The trace.
        row: Its row of ``figures.frames.facts``.
        scale: Colours of the chosen signal.
        step: The step to point at, from 1.
        annotations: What curators said.
        dark: Whether the page is dark.
    """
    cosines = colour_scale("score", 1.0, dark=dark)
    said = annotations.verdicts.get(opened.trace.id, {})
    steps = frames.step_table(view, int(row["index"]))
    look = pane.looks(opened.trace, steps, scale, said)[step - 1]
    signs = {at: frames.verdict_mark(said[at].word) for at in said if at is not None}
    with st.container(key="trace-pane", height=400, border=False):
        st.caption(
            "Cosine between the gradients of two steps, or of a step and the answer. Blocks of "
            "the strongest colour are steps whose gradients point the same way, as steps that "
            f"repeat each other do; step {step} is framed."
        )
        st.html(text.step_html(opened.trace, look, step))
        charts.chart(
            matrix_chart(opened.gram, cosines, step=step, dark=dark, signs=signs),
            key="matrix",
            alt=f"Cosines between the {len(opened.gram) - 1} steps and the answer",
        )
        tables.save_csv("Cosines as CSV", "cosines", lambda: matrix_frame(opened.gram))


def same_prompt(
    view: api.RunView,
    opened: api.TraceView,
    rows: pd.DataFrame,
    row: pd.Series,
    scale: ColourScale,
    step: int,
    annotations: api.Annotations,
    workspace: str,
) -> None:
    """The open trace beside another answer to the same prompt, right beside wrong at first."""
    ids = set(load.same_prompt(workspace, opened.trace.id)) - {opened.trace.id}
    others = rows[rows["trace_id"].isin(ids)]
    with st.container(key="trace-pane", height=400, border=False):
        if not len(others):
            st.info("No other scored trace of this dataset has the same prompt.")
            return
        names = dict(zip(others["trace_id"], _names(others), strict=True))
        contrary = others.index[[c is not row["correct"] for c in others["correct"]]]
        first = others["trace_id"].loc[contrary[0] if len(contrary) else others.index[0]]
        other = _choose(state.OTHER, "Beside it", names, first)
        beside = rows[rows["trace_id"] == other].iloc[0]
        found = load.trace_view(workspace, view.run.id, view.run.updated_at, other)
        st.html(text.facts_html({"Prompt": opened.trace.prompt}))
        left, right = st.columns(2, gap="small")
        for column, one, its, at in ((left, opened, row, step), (right, found, beside, 0)):
            steps = frames.step_table(view, int(its["index"]))
            loss = float(view.signals.answer_nll[int(its["index"])])
            with column:
                _half(_names(pd.DataFrame([its]))[0], one, steps, loss, scale, at, annotations)


def two_runs(
    view: api.RunView,
    opened: api.TraceView,
    row: pd.Series,
    runs: list[ScoringRun],
    scale: ColourScale,
    step: int,
    annotations: api.Annotations,
    workspace: str,
) -> None:
    """The open trace as this run and as another one sees it, under the same weights."""
    scored_by = load.runs_with(workspace, opened.trace.id, max(run.updated_at for run in runs))
    others = {run.id: run for run in runs if run.id != view.run.id and run.id in scored_by}
    with st.container(key="trace-pane", height=400, border=False):
        if not others:
            st.info(
                "No other run has scored this trace. Score it with another model or proxy to "
                "compare."
            )
            return
        names = {name: controls.run_name(run) for name, run in others.items()}
        other = others[_choose(state.OTHER_RUN, "Other run", names, next(iter(names)))]
        try:
            found = load.trace_view(
                workspace, other.id, other.updated_at, opened.trace.id, view.weights
            )
        except NotFoundError as fault:
            st.info(text.as_markdown(str(fault)))
            return
        alone = api.RunView(
            run=other,
            weights=view.weights,
            signals=found.signals,
            scores=found.scores,
            values=np.array([found.value]),
            traces=pd.DataFrame(),
        )
        left, right = st.columns(2, gap="small")
        with left:
            index = int(row["index"])
            loss = float(view.signals.answer_nll[index])
            title = f"{controls.run_name(view.run)}   value {_value(float(row['value']))}"
            steps = frames.step_table(view, index)
            _half(title, opened, steps, loss, scale, step, annotations)
        with right:
            loss = float(found.signals.answer_nll[0])
            title = f"{names[other.id]}   value {_value(found.value)}"
            # The other run may have seen the steps cut otherwise.
            said = load.annotations(workspace, other.id)
            _half(title, found, frames.step_table(alone, 0), loss, scale, step, said)


def source(opened: api.TraceView) -> None:
    """Prompt, labels, the record as it stood in its file, and the text as the model reads it."""
    trace = opened.trace
    with st.container(key="trace-pane", height=400, border=False):
        st.text(frames.plain(f"{trace.record.path}, line {trace.record.line}"))
        raw = trace.record.raw.decode("utf-8", errors="replace")
        with suppress(ValueError):
            raw = json.dumps(json.loads(raw), indent=2, ensure_ascii=False)
        _code("Source record", raw, "json")
        labels = {name: label for name, label in trace.labels.items() if label is not None}
        _code("Labels", json.dumps(labels, indent=2, ensure_ascii=False), "json")
        _code("As the model reads it", opened.seen.rendered, None)


def _half(
    title: str,
    opened: api.TraceView,
    steps: pd.DataFrame,
    answer_loss: float,
    scale: ColourScale,
    step: int,
    annotations: api.Annotations,
) -> None:
    st.text(frames.plain(title))
    said = annotations.verdicts.get(opened.trace.id, {})
    looks = pane.looks(opened.trace, steps, scale, said, short=True)
    st.html(text.trace_html(opened.trace, looks, pane.answer_look(answer_loss), selected=step))


def _choose(name: str, title: str, names: dict[str, str], first: str) -> str:
    """A selectbox whose choice is what the address says."""
    linked = state.get(name)
    key = f"{name}-box"
    st.session_state[key] = linked if linked in names else first
    chosen: str = st.selectbox(
        title,
        list(names),
        format_func=names.__getitem__,
        key=key,
        on_change=state.choose_linked,
        args=(name, key),
    )
    return chosen


def _names(rows: pd.DataFrame) -> list[str]:
    fields = zip(
        *(rows[name] for name in ("variant", "line", "trace_id", "correct")),
        rows["value"].to_numpy(float),
        strict=True,
    )
    return [f"{frames.row_name(*named)}   value {_value(value)}" for *named, value in fields]


def _value(value: float) -> str:
    return frames.number_texts(np.array([value]), "score")[0]


def _code(title: str, shown: str, language: str | None) -> None:
    cut = len(shown) - _SHOWN
    rest = f", the first {_SHOWN:,} of {len(shown):,} characters" if cut > 0 else ""
    st.caption(title + rest)
    st.code(marks_named(shown[:_SHOWN]), language=language, wrap_lines=True)
