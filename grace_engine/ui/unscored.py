"""Which traces could a run not score, why, and what is to become of them?"""

import numpy as np
import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.records import ScoringRun
from grace_engine.ui import load, opening, state, tables, text, verdicts

SCORED = "scored"
"""Query parameter; ``no`` lists the traces that the run could not score."""

_TABLE = "unscored"
_LOOK = text.StepLook(colour=None, number="", details="")


def is_asked() -> bool:
    """Whether the address asks for them."""
    return state.get(SCORED) == "no"


def offer(run: ScoringRun) -> None:
    """A button that lists them, where there are any."""
    if run.n_rejected and not is_asked():
        st.button(
            f"List the {run.n_rejected:,} not scored",
            key="list-unscored",
            icon=":material/block:",
            type="tertiary",
            on_click=state.ask,
            args=({SCORED: ["no"]},),
        )


def show(workspace: str, run: ScoringRun, annotations: api.Annotations) -> None:
    """Their list with reasons; the open one can be read, kept and dropped."""
    left, right = st.columns([0.46, 0.54], gap="medium")
    found = load.unscored(workspace, run.id, run.updated_at)
    ids = [each.trace_id for each in found]
    with left:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(f"{len(found):,} traces of this run have no score")
            st.button(
                "Not scored",
                key="chip-scored",
                icon=":material/close:",
                icon_position="right",
                help="Back to the traces that have scores",
                on_click=state.ask,
                args=({SCORED: []},),
            )
        if not found:
            st.info("Every trace that this run came to has a score.", icon=":material/check:")
            return
        tables.table(
            pd.DataFrame(
                [
                    {
                        "line": each.line,
                        "name": each.variant or each.trace_id[:12],
                        "override": _override(each.trace_id, annotations),
                        "reason": each.reason,
                        "detail": each.detail,
                        "file": each.path,
                    }
                    for each in found
                ]
            ),
            "Traces that the run could not score, with reasons",
            key=_TABLE,
            on_select=lambda: _open(ids),
            selection_mode=["single-row", "single-cell"],
            column_config={"override": "kept or dropped"},
        )
    fault = opening.settle(np.array(ids, dtype=object), "trace without a score")
    if fault:
        with right:
            opening.say(fault, ids[0])
        return
    place = ids.index(state.get(state.TRACE)) if state.get(state.TRACE) else 0
    state.publish(trace=ids[place])
    with right:
        _walk(ids, place)
        with st.container(key="looks", horizontal=True, gap="xsmall", wrap=False):
            st.space("stretch")
            verdicts.trace_verdicts(ids[place], annotations)
        trace = api.ingested_trace(load.opened_workspace(), ids[place])
        with st.container(key="trace-pane", height=400, border=False):
            st.html(
                text.facts_html(
                    {
                        "Trace": f"{trace.variant or trace.id[:12]} · {trace.dataset} · "
                        f"line {trace.record.line}",
                        "Not scored": f"{found[place].reason}: {found[place].detail}",
                        "Prompt": trace.prompt,
                        "Answer": text.answer_of(trace),
                    }
                )
            )
            st.html(text.trace_html(trace, [_LOOK] * len(trace.steps), _LOOK))


def _walk(ids: list[str], place: int) -> None:
    with st.container(key="walk", horizontal=True, vertical_alignment="center", gap="xsmall"):
        for key, name, shortcut, to in (
            ("previous-trace", "‹ Trace", "K", place - 1),
            ("next-trace", "Trace ›", "J", place + 1),
        ):
            inside = 0 <= to < len(ids)
            st.button(
                name,
                key=key,
                shortcut=shortcut,
                disabled=not inside,
                on_click=state.publish,
                kwargs={"trace": ids[to] if inside else ""},
            )
        st.text(f"{place + 1:,} of {len(ids):,}", width="content")


def _override(trace: str, annotations: api.Annotations) -> str:
    entry = annotations.overrides.get(trace)
    reason = f": {entry.note}" if entry and entry.note else ""
    return f"{entry.word}{reason}" if entry else ""


def _open(ids: list[str]) -> None:
    picked = st.session_state[_TABLE]["selection"]
    rows = [*picked.get("rows", []), *(cell[0] for cell in picked.get("cells", []))]
    if rows:
        state.publish(trace=ids[rows[0]])
