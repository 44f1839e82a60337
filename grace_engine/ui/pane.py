"""What does a page show of one trace: facts, text, chart and numbers, all at the same step?"""

import numpy as np
import pandas as pd
import streamlit as st

from grace_engine.api import RunView, TraceView
from grace_engine.figures.palette import SIGNALS, ColourScale
from grace_engine.records import Trace
from grace_engine.ui import charts, frames, state, text

_SHORT = {"score": "score", "alignment": "align.", "consistency": "cons."}


def step_buttons(rows: pd.DataFrame, rank: int, step: int, size: int) -> None:
    """Buttons to the neighbours of a trace in reading order, and of a step in its trace.

    Args:
        rows: All traces in reading order.
        rank: Place of the open trace in ``rows``, from 0.
        step: The open step, from 1.
        size: Rows a page of the heatmap.
    """
    n_steps = int(rows["n_steps"].iloc[rank])

    def button(key: str, name: str, to_rank: int, to_step: int) -> None:
        inside = 0 <= to_rank < len(rows) and 1 <= to_step <= n_steps
        target = rows["trace_id"].iloc[to_rank] if inside else ""
        st.button(
            name,
            key=key,
            disabled=not inside,
            on_click=state.go_to,
            args=(target, to_step, to_rank // size + 1),
        )

    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False):
        button("previous-trace", "‹ Trace", rank - 1, 1)
        button("next-trace", "Trace ›", rank + 1, 1)
        st.text(f"{rank + 1:,} of {len(rows):,}", width="content")
        st.space("stretch")
        st.text(f"{step} of {n_steps}", width="content")
        button("previous-step", "‹ Step", rank, step - 1)
        button("next-step", "Step ›", rank, step + 1)


def trace_pane(
    view: RunView, opened: TraceView, row: pd.Series, scale: ColourScale, step: int, *, dark: bool
) -> None:
    """Facts, text, chart and table of one trace.

    Args:
        view: The run under the weights of the page.
        opened: The trace.
        row: Its row of ``frames.ranked_rows``.
        scale: Colours of the chosen signal.
        step: The step to point at, from 1.
        dark: Whether the page is dark.
    """
    trace = opened.trace
    steps = frames.step_table(view, int(row["index"]))
    with st.container(key="trace-pane", height=400, border=False):
        st.html(text.facts_html(_facts(opened, row)))
        looks, answer = _looks(trace, steps, scale), _answer_look(view, row)
        st.html(text.trace_html(trace, looks, answer, selected=step))
        st.html(
            text.scroll_html("trace-pane", int(row["index"]), step), unsafe_allow_javascript=True
        )
        with st.expander("Numbers", icon=":material/table:"):
            _numbers(trace, steps)
    st.plotly_chart(
        charts.trace_chart(steps.iloc[frames.text_block(step)], scale, step=step, dark=dark),
        key="trace-chart",
        config={"displayModeBar": False},
        alt=f"Signals of the {len(steps)} steps; step {step} is marked",
    )


def _numbers(trace: Trace, steps: pd.DataFrame) -> None:
    labels = [step.label for step in trace.steps]
    if any(label is not None for label in labels):
        steps = steps.assign(label=["" if label is None else str(label) for label in labels])
    st.dataframe(steps.rename(columns=SIGNALS), hide_index=True, alt="Numbers of every step")


def _facts(opened: TraceView, row: pd.Series) -> dict[str, str]:
    trace = opened.trace
    correct = row["correct"]
    verdict = "" if correct is None else "   ✓ correct" if correct else "   ✗ wrong"
    reference = "" if trace.reference is None else f"   reference {trace.reference}"
    value = frames.number_texts(np.array([row["value"]]), "score")[0]
    steps = "1 step" if len(trace.steps) == 1 else f"{len(trace.steps):,} steps"
    labels = [
        f"{name}: {label}"
        for name, label in trace.labels.items()
        if name != "is_correct" and label is not None
    ]
    return {
        "Trace": f"{trace.variant or trace.id[:12]} · {trace.dataset} · line {trace.record.line}",
        "Value": f"{value}   {steps}, {row['n_tokens']:,} tokens",
        "Labels": ", ".join(labels) or "none",
        "Prompt": trace.prompt,
        "Answer": f"{trace.answer.text}{reference}{verdict}",
    }


def _label(trace: Trace, index: int) -> list[str]:
    """What the data says of a step, where it is more than that it is clean."""
    label = trace.steps[index].label
    return [] if label in (None, frames.CLEAN) else [f"✗ {frames.plain(str(label), 24)}"]


def _looks(trace: Trace, steps: pd.DataFrame, scale: ColourScale) -> list[text.StepLook]:
    texts = {name: frames.number_texts(steps[name].to_numpy(), name) for name in SIGNALS}
    others = [name for name in _SHORT if name != scale.signal][:2]
    return [
        text.StepLook(
            colour=scale.colour(value),
            number=texts[scale.signal][i],
            details="  ".join(
                [*(f"{_SHORT[name]} {texts[name][i]}" for name in others), *_label(trace, i)]
            ),
        )
        for i, value in enumerate(steps[scale.signal])
    ]


def _answer_look(view: RunView, row: pd.Series) -> text.StepLook:
    """The answer is what steps are held against: it has a loss, and no cosine with itself."""
    index = int(row["index"])
    loss = frames.number_texts(view.signals.answer_nll[index : index + 1], "nll")[0]
    return text.StepLook(colour=None, number="answer", details=f"loss {loss}")
