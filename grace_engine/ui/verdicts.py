"""How does a curator judge steps, keep and drop traces, and take it back?

Each button is one call of ``api``; what it said, or why it could not, shows as a toast.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.errors import GraceError, InputError
from grace_engine.figures.frames import verdict_mark
from grace_engine.records import Annotation
from grace_engine.ui import load, state
from grace_engine.ui.text import as_markdown

KEYS = {"good": "G", "wrong": "W", "irrelevant": "I", "redundant": "D"}
"""Which key gives which verdict."""

_SAID, _LOOKED, _NOTE = "said", "looked", "note"


def say_what_happened() -> None:
    """Toasts of what the last action did, or why it could not."""
    for icon, sentence in st.session_state.pop(_SAID, []):
        st.toast(as_markdown(sentence), icon=icon)


def tell(sentence: str, icon: str = ":material/info:") -> None:
    """Say something once the page is drawn anew."""
    st.session_state.setdefault(_SAID, []).append((icon, sentence))


def step_verdicts(trace: str, step: int, annotations: api.Annotations) -> None:
    """Buttons for the verdict on a step, the standing one filled; one's own again withdraws it."""
    standing = annotations.verdicts.get(trace, {}).get(step)
    with st.container(key="verdicts", horizontal=True, gap="xsmall", vertical_alignment="center"):
        for word in api.VERDICTS:
            given = standing is not None and standing.word == word
            st.button(
                f"{verdict_mark(word)} {word.capitalize()}",
                key=f"verdict-{word}",
                type="primary" if given else "secondary",
                shortcut=KEYS[word],
                on_click=press,
                args=(trace, step, word),
            )
        with st.popover(
            "",
            icon=":material/edit_note:",
            help="Own words and notes",
            key=_NOTE,
            on_change="rerun",  # so that saving can close it
        ):
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
            on_click=press_override,
            args=(trace, keep),
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


def press(trace: str, step: int, word: str) -> None:
    """Callback: put a verdict on a step; where one's own stands and says the same, withdraw it."""

    def action(workspace: api.Workspace) -> None:
        before = _standing().verdicts.get(trace, {}).get(step)
        again = _is_own(before) and before is not None and before.word == word
        api.mark(workspace, trace, "" if again else word, step=step, run=_run())
        after = _standing().verdicts.get(trace, {}).get(step) if again else None
        _tell_change(f"Step {step}", before, "" if again else word, after)

    _act(action)


def press_override(trace: str, keep: bool) -> None:
    """Callback: keep or drop a trace; where one's own override says the same, withdraw it."""

    def action(workspace: api.Workspace) -> None:
        before, word = _standing().overrides.get(trace), "keep" if keep else "drop"
        again = _is_own(before) and before is not None and before.word == word
        api.override(workspace, (trace,), None if again else keep)
        after = _standing().overrides.get(trace) if again else None
        _tell_change("This trace", before, "" if again else word, after)

    _act(action)


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
        st.text_input(
            f"Verdict on step {step}",
            value=standing.word if standing else "",
            key=f"word-{trace}-{step}",
            placeholder="Your own word",
            max_chars=64,
        )
        st.text_area(
            "Note",
            value=standing.note if standing else "",
            key=f"note-{trace}-{step}",
            max_chars=2000,
            height=90,
        )
        st.form_submit_button(
            "Save verdict", key="say-it", on_click=_save_verdict, args=(trace, step)
        )
    with st.form("why", border=False):
        st.text_input("Reason to keep or drop the trace", key=f"reason-{trace}", max_chars=2000)
        with st.container(horizontal=True):
            for word, keep in (("keep", True), ("drop", False)):
                st.form_submit_button(
                    f"{word.capitalize()} trace",
                    key=f"{word}-why",
                    on_click=_save_override,
                    args=(trace, keep),
                )


def _save_verdict(trace: str, step: int) -> None:
    """Callback: the typed word and note become the verdict on a step; what was done is said."""
    word = str(st.session_state[f"word-{trace}-{step}"] or "").strip()
    note = str(st.session_state[f"note-{trace}-{step}"] or "")

    def action(workspace: api.Workspace) -> None:
        before = _standing().verdicts.get(trace, {}).get(step)
        if not word and (note.strip() or before is None):
            raise InputError(
                f"A verdict needs a word: type one, such as wrong, to save it on step {step}."
            )
        api.mark(workspace, trace, word, step=step, note=note if word else "", run=_run())
        after = None if word else _standing().verdicts.get(trace, {}).get(step)
        _tell_change(f"Step {step}", before, word, after, always=True)
        st.session_state[_NOTE] = False

    _act(action)


def _save_override(trace: str, keep: bool) -> None:
    """Callback: keep or drop a trace for the typed reason; what was done is said."""
    reason = str(st.session_state[f"reason-{trace}"] or "")

    def action(workspace: api.Workspace) -> None:
        before = _standing().overrides.get(trace)
        api.override(workspace, (trace,), keep, reason=reason)
        _tell_change("This trace", before, "keep" if keep else "drop", always=True)
        st.session_state[_NOTE] = False

    _act(action)


def _run() -> str | None:
    """The run in view, as which steps are counted; a page of problems has none."""
    run: str | None = st.session_state.get(state.RUN_BOX)
    return run


def _standing() -> api.Annotations:
    """What stands as an action begins: another author may have said something since the draw."""
    load.forget_annotations()
    run, workspace = _run(), load.workspace_path()
    return load.annotations(workspace, run) if run else load.annotations_of_all(workspace)


def _is_own(entry: Annotation | None) -> bool:
    return entry is not None and entry.author == api.author_or_user()


def _tell_change(
    where: str,
    before: Annotation | None,
    word: str,
    after: Annotation | None = None,
    *,
    always: bool = False,
) -> None:
    """Say what took the place of what: where the filled button alone would not, or ``always``.

    Args:
        where: What it is about, at the beginning of a sentence.
        before: What stood there.
        word: What was said; "" withdraws it.
        after: What stands there since it was withdrawn.
        always: Say also that a word stands where none, or one's own, stood.
    """
    if before is not None and not word:
        by = "" if _is_own(before) else f" by {before.author}"
        left = f"“{after.word}” by {after.author} stands there again" if after else ""
        tell(f"{where}: “{before.word}”{by} is withdrawn; {left or 'nothing stands there now'}.")
    elif before is not None and not _is_own(before) and before.word == word:
        tell(f"{where}: {word}, as {before.author} said.")
    elif before is not None and not _is_own(before):
        tell(f"{where}: {word}, in place of “{before.word}” by {before.author}.")
    elif always:
        tell(f"{where}: {word}.")


def _act(action: Callable[[api.Workspace], object]) -> None:
    """Do it; a fault becomes a sentence on the page, which stays as it is."""
    try:
        action(load.opened_workspace())
    except GraceError as fault:
        tell(str(fault), ":material/error:")
    load.forget_annotations()
    state.moved()
