"""How does a curator judge steps, keep and drop traces, and take it back?

Each button is one call of ``api``; what it said, or why it could not, shows as a toast.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.errors import GraceError
from grace_engine.figures.frames import verdict_mark
from grace_engine.records import Annotation
from grace_engine.ui import load, state
from grace_engine.ui.text import as_markdown

KEYS = {"good": "G", "wrong": "W", "irrelevant": "I", "redundant": "D"}
"""Which key gives which verdict."""

_SAID, _LOOKED = "said", "looked"


def say_what_happened() -> None:
    """Toasts of what the last action did, or why it could not."""
    for icon, sentence in st.session_state.pop(_SAID, []):
        st.toast(as_markdown(sentence), icon=icon)


def tell(sentence: str, icon: str = ":material/info:") -> None:
    """Say something once the page is drawn anew."""
    st.session_state.setdefault(_SAID, []).append((icon, sentence))


def step_verdicts(trace: str, step: int, annotations: api.Annotations) -> None:
    """Buttons for the verdict on a step, the standing one filled; again withdraws it."""
    standing = annotations.verdicts.get(trace, {}).get(step)
    with st.container(key="verdicts", horizontal=True, gap="xsmall", vertical_alignment="center"):
        for word in api.VERDICTS:
            given = standing is not None and standing.word == word
            st.button(
                f"{verdict_mark(word)} {word.capitalize()}",
                key=f"verdict-{word}",
                type="primary" if given else "secondary",
                shortcut=KEYS[word],
                on_click=mark,
                args=(trace, step, "" if given else word),
            )
        with st.popover("", icon=":material/edit_note:", help="Own words and notes", key="note"):
            _note(trace, step, standing)


def trace_verdicts(trace: str, annotations: api.Annotations) -> None:
    """Buttons to keep or drop a trace, the standing one filled, and to undo and redo."""
    standing = annotations.overrides.get(trace)
    for word, key, keep in (("keep", "Y", True), ("drop", "X", False)):
        given = standing is not None and standing.word == word
        st.button(
            word.capitalize(),
            key=word,
            type="primary" if given else "secondary",
            shortcut=key,
            on_click=override,
            args=((trace,), None if given else keep),
        )
    for word, key, can in (
        ("undo", "U", annotations.can_undo),
        ("redo", "Shift+U", annotations.can_redo),
    ):
        st.button(
            "",
            key=word,
            icon=f":material/{word}:",
            help=f"{word.capitalize()} what you said last",
            shortcut=key,
            disabled=not can,
            on_click=turn_back,
            args=(word,),
        )


def mark(trace: str, step: int, word: str, note: str = "") -> None:
    """Callback: put a verdict on a step; "" withdraws it."""
    run = st.session_state[state.RUN_BOX]  # steps are counted as the run in view saw them
    _act(lambda workspace: api.mark(workspace, trace, word, step=step, note=note, run=run))


def override(traces: tuple[str, ...], keep: bool | None, reason: str = "") -> None:
    """Callback: keep or drop traces, all in one action; None withdraws."""

    def action(workspace: api.Workspace) -> None:
        api.override(workspace, traces, keep, reason=reason)
        if len(traces) > 1:
            tell(f"{'Kept' if keep else 'Dropped'}: {len(traces):,} traces. Undo takes it back.")

    _act(action)


def turn_back(word: str) -> None:
    """Callback: undo or redo one action."""
    turn = api.undo if word == "undo" else api.redo
    _act(lambda workspace: tell(turn(workspace) or f"There is nothing to {word}."))


def looked() -> set[str]:
    """Traces that were opened in this session."""
    seen: set[str] = st.session_state.setdefault(_LOOKED, set())
    return seen


def look(trace: str, annotations: api.Annotations) -> None:
    """Remember that a trace was opened: written once, for this session alone where none can be."""
    seen = looked()
    if trace not in seen:
        seen.add(trace)
        workspace = load.opened_workspace()
        if trace not in annotations.looked and not workspace.database.is_read_only:
            api.look(workspace, trace)


def say_progress(rows: pd.DataFrame, opened: str) -> None:
    """How far the curator is with a run's traces (``filtering.annotated``)."""
    seen = int(np.count_nonzero(rows["looked"] | (rows["trace_id"] == opened)))
    st.progress(seen / max(len(rows), 1), text=f"Looked at {seen:,} of {len(rows):,}")
    counts = {
        "with verdicts": int(rows["judged"].sum()),
        "kept": int((rows["override"] == "keep").sum()),
        "dropped": int((rows["override"] == "drop").sum()),
    }
    said = " · ".join(f"{n:,} {name}" for name, n in counts.items() if n)
    if said:
        st.caption(said)


def _note(trace: str, step: int, standing: Annotation | None) -> None:
    with st.form("say", border=False):
        word = st.text_input(
            f"Verdict on step {step}",
            value=standing.word if standing else "",
            key=f"word-{trace}-{step}",
            placeholder="Your own word",
            max_chars=64,
        )
        note = st.text_area(
            "Note",
            value=standing.note if standing else "",
            key=f"note-{trace}-{step}",
            max_chars=2000,
            height=90,
        )
        if st.form_submit_button("Save verdict", key="say-it"):
            mark(trace, step, (word or "").strip(), note or "")
            st.rerun()
    with st.form("why", border=False):
        reason = st.text_input(
            "Reason to keep or drop the trace", key=f"reason-{trace}", max_chars=2000
        )
        with st.container(horizontal=True):
            keep = st.form_submit_button("Keep trace", key="keep-why")
            drop = st.form_submit_button("Drop trace", key="drop-why")
        if keep or drop:
            override((trace,), keep, reason or "")
            st.rerun()


def _act(action: Callable[[api.Workspace], object]) -> None:
    """Do it; a fault becomes a sentence on the page, which stays as it is."""
    try:
        action(load.opened_workspace())
    except GraceError as fault:
        tell(str(fault), ":material/error:")
    load.forget_annotations()
    state.moved()
