"""Where does a page keep what is chosen, so that a link reopens it?

The address is the only truth. Streamlit binds the inputs below to it; run, trace, step and pages
are written here, because clicks and buttons choose them too.
"""

from collections.abc import Mapping, Sequence

import streamlit as st

from grace_engine.ui.frames import window_holding

TRACE, STEP, RUN, PAGE, WINDOW = "trace", "step", "run", "page", "steps"
"""Query parameters written here; trace by id, the numbers from 1."""

SIGNAL, SORT, ORDER, ROWS = "signal", "sort", "order", "rows"
VIEW, OTHER, OTHER_RUN = "view", "other", "against"
ALPHA, HISTORY, AGGREGATE, COLOURS = "alpha", "history", "aggregate", "colours"
HISTORY_ONLY = "history-only"
JUDGE = "judge"
"""Keys of bound inputs; each is the query parameter too."""

HEATMAP, OVERVIEW, STRIP, RUN_BOX = "heatmap", "overview", "strip", "run-box"
"""Keys of what cannot be bound."""

WEIGHTS = (ALPHA, HISTORY, AGGREGATE, HISTORY_ONLY)
"""Bound inputs that pages share, as they share the run."""

LOOKS = (SIGNAL, SORT, ORDER, ROWS, VIEW, COLOURS, JUDGE)
"""Bound inputs of Inspect alone."""

_TURN, _CAME = "turn", "came-before"


def is_first_visit() -> bool:
    """Whether the address asks for no more than a run, and no run was seen in this session."""
    return set(st.query_params) <= {RUN} and not st.session_state.get(_CAME, False)


def remember_visit() -> None:
    """A run was seen: what is listed from now on is what the address asks for."""
    st.session_state[_CAME] = True


def get(name: str) -> str:
    """What the address says of ``name``; "" where it says nothing."""
    return st.query_params.get(name, "")


def linked_number(name: str, most: int, default: int = 1) -> int:
    """The number, from 1, that the address gives ``name``, or ``default``; at most ``most``."""
    text = get(name)
    number = int(text) if text.isdecimal() and len(text) < 10 else default
    return min(max(number, 1), max(most, 1))


def publish(**chosen: str | int) -> None:
    """Write what is chosen into the address, as one entry of the browser's history."""
    changed = {name: str(value) for name, value in chosen.items() if get(name) != str(value)}
    if changed:
        st.query_params.update(changed)


def address() -> dict[str, list[str]]:
    """All parameters of the address; those that repeat have several values."""
    return {name: st.query_params.get_all(name) for name in st.query_params}


def ask(filters: Mapping[str, Sequence[str]]) -> None:
    """Callback: write filters into the address (those without a value leave it), from the top.

    What was open goes with the old filters: the first trace that the new ones mean opens.
    """
    asked = {name: list(values) for name, values in filters.items() if values}
    if asked:
        st.query_params.update(asked)
    for name in (*filters, TRACE, STEP, PAGE, WINDOW):
        if name not in asked and name in st.query_params:
            del st.query_params[name]
    moved()


def find_again(*, to_first: bool = False) -> None:
    """Callback of what puts rows in another order: the page that holds the open trace comes up.

    With ``to_first`` the first row of the new order is opened in its place.
    """
    for name in (PAGE, *((TRACE, STEP) if to_first else ())):
        if name in st.query_params:
            del st.query_params[name]


def moved() -> None:
    """The selection moved, or the page changed, by other means than a click on the heatmap."""
    st.session_state[_TURN] = turn() + 1


def turn() -> int:
    """How often the selection moved by other means than a click on the heatmap."""
    return int(st.session_state.get(_TURN, 0))


def choose_run() -> None:
    """Callback of the run's selectbox."""
    publish(run=st.session_state[RUN_BOX])


def turn_page(name: str, key: str) -> None:
    """Callback of page buttons."""
    publish(**{name: st.session_state[key]})


def choose_cell() -> None:
    """Callback of the heatmap: open the clicked cell; a click beside the cells changes nothing."""
    picked: Sequence[dict[str, object]] = st.session_state[HEATMAP]["selection"].get("cell", [])
    if picked:
        publish(trace=str(picked[0]["trace_id"]), step=str(picked[0]["step"]))


def go_to(trace: str, step: int, page: int) -> None:
    """Callback of buttons: open a trace at a step, and the part of the heatmap that shows it."""
    publish(trace=trace, step=step, page=page, steps=window_holding(step))
    moved()


def choose_decile() -> None:
    """Callback of the overview: filter by the clicked tenth; a click on the chosen one frees."""
    picked: Sequence[dict[str, object]] = st.session_state[OVERVIEW]["selection"].get("decile", [])
    if picked:
        decile = str(picked[0]["decile"])
        ask({"decile": [] if get("decile") == decile else [decile]})
        if get("decile"):
            publish(step=str(picked[0]["place"]))


def choose_linked(name: str, key: str) -> None:
    """Callback of a selectbox that the address speaks for."""
    publish(**{name: st.session_state[key]})
