"""Where does a page keep what is chosen, so that a link reopens it?

The address is the truth. Inputs are bound to it by Streamlit under the keys below; run, trace and
step are written here, because they are also chosen by clicks and buttons.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

RUN, TRACE, STEP = "run", "trace", "step"
"""Query parameters of the chosen run, trace and step (from 1)."""

SIGNAL, SORT, ORDER, ROWS, PAGE = "signal", "sort", "order", "rows", "page"
ALPHA, HISTORY, AGGREGATE, COLOURS = "alpha", "history", "aggregate", "colours"
"""Keys of bound inputs; each is the query parameter too."""

HEATMAP, RUN_BOX = "heatmap", "run_box"
"""Keys of what cannot be bound."""

_TURN = "turn"


def get(name: str) -> str:
    """What the address says of ``name``; "" where it says nothing."""
    return st.query_params.get(name, "")


def linked_rank(trace_ids: pd.Series, default: int) -> int:
    """Place of the trace that the address names; ``default`` where it names none of these."""
    found = np.flatnonzero(trace_ids.to_numpy(str) == get(TRACE))
    return int(found[0]) if len(found) else default


def linked_step(n_steps: int) -> int:
    """The step that the address names, held between 1 and ``n_steps``."""
    text = get(STEP)
    return min(max(int(text), 1), max(n_steps, 1)) if text.isdecimal() else 1


def publish(**chosen: str | int) -> None:
    """Write what is chosen into the address where it differs."""
    for name, value in chosen.items():
        if get(name) != str(value):
            st.query_params[name] = str(value)


def turn() -> int:
    """How often the selection moved by other means than a click on the heatmap."""
    return int(st.session_state.get(_TURN, 0))


def choose_run() -> None:
    """Callback of the run's selectbox."""
    publish(run=st.session_state[RUN_BOX])


def choose_cell() -> None:
    """Callback of the heatmap: open the clicked cell; a click beside the cells changes nothing."""
    picked: Sequence[dict[str, object]] = st.session_state[HEATMAP]["selection"].get("cell", [])
    if picked:
        publish(trace=str(picked[0]["trace_id"]), step=str(picked[0]["step"]))


def go_to(trace: str, step: int, page: int) -> None:
    """Callback of buttons: open a trace at a step, and the heatmap's page that shows it."""
    publish(trace=trace, step=step)
    st.session_state[PAGE] = page
    st.session_state[_TURN] = turn() + 1
