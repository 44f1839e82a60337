"""What does a page show of one trace: facts, text, chart and numbers, all at the same step?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

from grace_engine.api import Annotations, RunView, TraceView, judge_text
from grace_engine.figures import frames
from grace_engine.figures.palette import COSINES, JUDGE_SIGNALS, NAMES, SIGNALS, ColourScale
from grace_engine.figures.trace import trace_chart
from grace_engine.records import CLEAN, Annotation, JudgedStep, Trace
from grace_engine.ui import charts, jumping, state, tables, text, verdicts
from grace_engine.ui.frames import text_block
from grace_engine.ui.listing import Reading

_SHORT = {"score": "score", "alignment": "align.", "consistency": "cons."}

VIEWS = ("Text", "Numbers", "Matrix", "Same prompt", "Two runs", "Source")
"""Ways to look at the open trace."""


def step_buttons(reading: Reading, rank: int, step: int, size: int) -> None:
    """Buttons to the neighbours of a trace in reading order, and of a step in its trace.

    Args:
        reading: The traces in reading order.
        rank: Place of the open trace among them, from 0.
        step: The open step, from 1.
        size: Rows a page of the heatmap.
    """
    n_steps = int(reading.row(rank)["n_steps"])

    def button(key: str, name: str, shortcut: str, to_rank: int, to_step: int) -> None:
        inside = 0 <= to_rank < len(reading) and 1 <= to_step <= n_steps
        target = str(reading.row(to_rank)["trace_id"]) if inside else ""
        st.button(
            name,
            key=key,
            disabled=not inside,
            shortcut=shortcut,
            on_click=state.go_to,
            args=(target, to_step, to_rank // size + 1),
        )

    with st.container(
        key="walk", horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False
    ):
        button("previous-trace", "‹ Trace", "K", rank - 1, 1)
        button("next-trace", "Trace ›", "J", rank + 1, 1)
        with st.popover(f"{rank + 1:,} of {len(reading):,}", type="tertiary", key="jump"):
            st.text_input(
                "Go to place, id or name",
                key="jump-to",
                placeholder="12, 6f3a… or 6b_finetuning · 14",
                on_change=_jump,
                args=(reading, size),
            )
        st.space("stretch")
        st.text(f"{step} of {n_steps}", width="content")
        button("previous-step", "‹ Step", "H", rank, step - 1)
        button("next-step", "Step ›", "L", rank, step + 1)


def choose_view(trace: str, annotations: Annotations) -> str:
    """How to look at the open trace, one of ``VIEWS``, beside what can be said of all of it."""
    with st.container(
        key="looks", horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False
    ):
        chosen = st.selectbox(
            "View",
            VIEWS,
            key=state.VIEW,
            bind="query-params",
            label_visibility="collapsed",
            width=150,
        )
        st.space("stretch")
        verdicts.trace_verdicts(trace, annotations)
    return chosen or VIEWS[0]


def trace_pane(
    view: RunView,
    opened: TraceView,
    row: pd.Series,
    scale: ColourScale,
    step: int,
    annotations: Annotations,
    judged: Mapping[int, JudgedStep] | None = None,
    *,
    dark: bool,
) -> None:
    """Facts, text and chart of one trace.

    Args:
        view: The run under the weights of the page.
        opened: The trace.
        row: Its row of ``figures.frames.facts``.
        scale: Colours of the chosen signal.
        step: The step to point at, from 1.
        annotations: What curators said.
        judged: What a judge model says by step.
        dark: Whether the page is dark.
    """
    trace = opened.trace
    steps = frames.step_table(view, int(row["index"]))
    with st.container(key="trace-pane", height=400, border=False):
        st.html(text.facts_html(facts(trace, row, annotations)))
        said = annotations.verdicts.get(trace.id, {})
        answer_loss = float(view.signals.answer_nll[int(row["index"])])
        st.html(
            text.trace_html(
                trace,
                looks(trace, steps, scale, said, judged),
                answer_look(answer_loss),
                selected=step,
            )
        )
        scroll_to("trace-pane", int(row["index"]), step)
    charts.chart(
        trace_chart(steps.iloc[text_block(step)], scale, step=step, dark=dark),
        key="trace-chart",
        alt=f"Signals of the {len(steps)} steps; step {step} is marked",
    )


def scroll_to(pane: str, index: int, step: int) -> None:
    """Bring the open step into view, also after a verdict has made what is above it longer."""
    st.html(text.scroll_html(pane, index, step, state.turn()), unsafe_allow_javascript=True)


def scroll_to_row(pane: str, place: int, n_rows: int, index: int) -> None:
    """Bring the open row of a heatmap into view."""
    st.html(text.scroll_row_html(pane, place, n_rows, index), unsafe_allow_javascript=True)


def facts(trace: Trace, row: pd.Series, annotations: Annotations) -> dict[str, str]:
    """What stands above a trace's text."""
    correct = row["correct"]
    verdict = "" if correct is None else "   ✓ correct" if correct else "   ✗ wrong"
    check = row.get(frames.CHECK)
    verdict += f"   check: {check}" if isinstance(check, str) else ""
    value = frames.number_texts(np.array([row["value"]]), "score")[0]
    steps = "1 step" if len(trace.steps) == 1 else f"{len(trace.steps):,} steps"
    labels = [
        f"{name}: {label}"
        for name, label in trace.labels.items()
        if name != "is_correct" and label is not None
    ]
    found = {
        "Trace": f"{trace.variant or trace.id[:12]} · {trace.dataset} · line {trace.record.line}"
        f"   id {trace.id}",
        "Value": f"{value}   {steps}, {row['n_tokens']:,} tokens",
        "Labels": ", ".join(labels) or "none",
    }
    override = annotations.overrides.get(trace.id)
    if override is not None:
        found["Curator"] = _saying(override, {"keep": "⊕ kept", "drop": "⊖ dropped"})
    return found | {
        "Prompt": trace.prompt,
        "Answer": text.answer_of(trace) + verdict,
    }


def looks(
    trace: Trace,
    steps: pd.DataFrame,
    scale: ColourScale,
    said: Mapping[int | None, Annotation] | None = None,
    judged: Mapping[int, JudgedStep] | None = None,
    *,
    short: bool = False,
) -> list[text.StepLook]:
    """What stands beside each step of a trace.

    Args:
        trace: The trace.
        steps: As ``frames.step_table`` makes them.
        scale: Colours of the chosen signal.
        said: Verdicts by step.
        judged: What a judge model says by step.
        short: Leave out all numbers but the chosen signal's.
    """
    # Another run may have no labels of a judge.
    chosen = scale.signal if scale.signal in steps else "score"
    texts = {name: frames.number_texts(steps[name].to_numpy(), name) for name in {*SIGNALS, chosen}}
    others = [] if short else [name for name in _SHORT if name != chosen][:2]
    given, doubts = said or {}, judged or {}
    return [
        text.StepLook(
            colour=scale.colour(value) if chosen == scale.signal else None,
            number=texts[chosen][i],
            details="  ".join(
                [*(f"{_SHORT[name]} {texts[name][i]}" for name in others), *_label(trace, i)]
            ),
            verdict=_saying(given[i + 1]) if i + 1 in given else "",
            judge=_doubt(doubts.get(i + 1)),
        )
        for i, value in enumerate(steps[chosen])
    ]


def answer_look(loss: float) -> text.StepLook:
    """The answer is what steps are held against: it has a loss, and no cosine with itself."""
    shown = frames.number_texts(np.array([loss]), "nll")[0]
    return text.StepLook(colour=None, number="answer", details=f"loss {shown}")


def _saying(entry: Annotation, names: Mapping[str, str] | None = None) -> str:
    """A verdict or override in words: sign, word, note, author."""
    said = (names or {}).get(entry.word) or f"{frames.verdict_mark(entry.word)} {entry.word}"
    note = f": {entry.note}" if entry.note else ""
    return f"{said}{note}   — {entry.author}, {entry.created_at[:10]}"


def _doubt(step: JudgedStep | None) -> str:
    """What a judge model finds wrong with a step, with its reasons; "" where it finds nothing."""
    if step is None or not (step.negative or step.failures):
        return ""
    reasons = " ".join(filter(None, (step.reasons.get(name, "") for name in step.negative)))
    return f"⚖ {judge_text(step)}" + (f": {reasons}" if reasons else "")


def _jump(reading: Reading, size: int) -> None:
    """Callback: open the trace that was typed."""
    wanted = str(st.session_state["jump-to"]).strip()
    if not wanted:
        return
    place = jumping.place_of(reading.whole(), wanted)
    if place is None:
        verdicts.tell(f"None of the {len(reading):,} traces is {wanted}.")
    else:
        state.go_to(str(reading.row(place)["trace_id"]), 1, place // size + 1)


def numbers(view: RunView, trace: Trace, row: pd.Series, step: int) -> None:
    """A table of every step of one trace, as high as the pane, the open one in colour.

    Args:
        view: The run under the weights of the page.
        trace: The trace.
        row: Its row of ``figures.frames.facts``.
        step: The open step, from 1.
    """
    steps = frames.step_table(view, int(row["index"]))
    labels = [step.label for step in trace.steps]
    if any(label is not None for label in labels):
        steps = steps.assign(label=["" if label is None else str(label) for label in labels])
    named = steps.rename(columns=NAMES)
    forms = {title: "+.4f" if name in COSINES else ".4f" for name, title in SIGNALS.items()}
    forms |= dict.fromkeys(JUDGE_SIGNALS.values(), ".2f") if view.judged is not None else {}
    with st.container(key="trace-pane", height=400, border=False):
        about = f"Numbers of every step; step {step} is marked"
        tables.table(named, about, forms, marked=step - 1, height="stretch")
        tables.save_csv("Numbers as CSV", f"trace-{trace.id}", lambda: named)


def _label(trace: Trace, index: int) -> list[str]:
    """What the data says of a step, where it is more than that it is clean."""
    label = trace.steps[index].label
    return [] if label in (None, CLEAN) else [f"⚑ {frames.plain(str(label), 24)}"]
