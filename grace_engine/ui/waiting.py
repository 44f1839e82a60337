"""Whom does a page wait for that cannot read the workspace at once?"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx

from grace_engine.store import patient_thread
from grace_engine.ui.text import as_markdown

_WAITS, _FREE = ":material/hourglass_top:", ":material/hourglass_bottom:"


@contextmanager
def told() -> Iterator[None]:
    """Have a page say whom it waits for while it waits, and that the wait is over."""
    shown: list[DeltaGenerator] = []

    def wait(sentence: str) -> None:
        if shown:
            shown[0].toast(as_markdown(sentence), icon=_WAITS, duration="infinite")
        else:
            shown.append(st.toast(as_markdown(sentence), icon=_WAITS, duration="infinite"))

    def go_on(sentence: str) -> None:
        if shown:
            shown.pop().toast(as_markdown(sentence), icon=_FREE, duration="short")

    with patient_thread(_aside(wait), _aside(go_on)):
        try:
            yield
        finally:
            if shown:  # it has waited in vain, which the page itself says
                _aside(go_on)("The page waits no longer.")


def _aside(show: Callable[[str], None]) -> Callable[[str], None]:
    """``show`` in a thread of its own, for the same page.

    A cache of Streamlit keeps what is shown while it is filled, to show it at every hit; it looks
    at its own thread only.
    """
    context = get_script_run_ctx()

    def shown(sentence: str) -> None:
        thread = threading.Thread(target=show, args=(sentence,), name="waiting")
        add_script_run_ctx(thread, context)
        thread.start()
        thread.join()

    return shown
