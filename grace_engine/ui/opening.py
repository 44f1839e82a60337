"""Which trace does the address mean, and what does the page say where it means none?"""

import numpy as np
import numpy.typing as npt
import streamlit as st

from grace_engine.ui import state
from grace_engine.ui.text import as_markdown

_NAMED = 5


def settle(trace_ids: npt.NDArray[np.object_], kind: str = "trace with a score") -> str:
    """Write the whole id of the trace that the address means; why it means none, or "".

    Args:
        trace_ids: ``[N]`` what can be opened.
        kind: What these are.
    """
    wanted = state.get(state.TRACE)
    if not wanted:
        return ""
    found = matching(trace_ids, wanted)
    if len(found) == 1:
        state.publish(trace=found[0])
        return ""
    if not found:
        return (
            f"No {kind} in this run has an id that is {wanted} or begins with it. "
            "Choose one in the list, or open the first."
        )
    named = ", ".join(found[:_NAMED]) + (", …" if len(found) > _NAMED else "")
    return (
        f"{wanted} is the beginning of {len(found):,} trace ids ({named}). Type more of it, choose "
        "one in the list, or open the first."
    )


def matching(trace_ids: npt.NDArray[np.object_], wanted: str) -> list[str]:
    """The id that is ``wanted``; else all that begin with it, in order."""
    if bool((trace_ids == wanted).any()):
        return [wanted]
    beginning = wanted.strip().lower()
    return sorted(str(each) for each in trace_ids if beginning and each.startswith(beginning))


def say(fault: str, first: str) -> None:
    """In place of a trace: why none is open, and a button that opens the first one listed."""
    st.warning(as_markdown(fault), icon=":material/link_off:", title="No trace is open")
    st.button(
        "Open the first",
        key="open-first",
        shortcut="J",
        on_click=state.go_to,
        args=(first, 1, 1),
    )
