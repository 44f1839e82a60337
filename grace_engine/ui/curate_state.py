"""Where do the pages that choose keep what is chosen, so that a link reopens it?

As in ``state``: the address is the truth. Inputs below are bound to it; the budget, what it is
split over, duplicates, the selection to compare with and the section are written here.
"""

from collections.abc import Mapping

import streamlit as st

from grace_engine.config import Budget, CurateConfig
from grace_engine.errors import InputError
from grace_engine.records import Selection
from grace_engine.ui import state

BUDGET, PER, OVERRIDES, SELECTION, SECOND, PARENT, SECTION, DUPLICATES = (
    "budget",
    "per",
    "overrides",
    "selection",
    "second",
    "parent",
    "section",
    "without_duplicates",
)
"""Query parameters written here; ``selection`` is the one that Inspect filters by, too."""

STRATEGY, SEED, CAP = "strategy", "seed", "cap"
"""Keys of bound inputs; each is the query parameter too."""

SET, PROBLEM = "set", "problem"
"""Query parameters of the Problems page: rollouts or gradients, and the open problem."""

METHOD, METHOD_SEED, BAND, ZERO = "method", "draw", "band", "zero"
"""Keys of its bound inputs."""

SECTIONS = (
    "Nearest the cut",
    "Why",
    "Enters and leaves",
    "Bias",
    "Budget curve",
    "Selections",
)

_WRITTEN = (
    *(BUDGET, PER, DUPLICATES, OVERRIDES, SELECTION, SECOND, PARENT, SECTION, state.TRACE),
    *(SET, PROBLEM),
)
_BOUND = (STRATEGY, SEED, CAP, METHOD, METHOD_SEED, BAND, ZERO)
_SAID, _RERUN, _LAST, _PAGE = "curate-said", "curate-rerun", "curate-last", "curate-page"

SHARED = (state.RUN, state.ALPHA, state.HISTORY, state.AGGREGATE, state.HISTORY_ONLY, SELECTION)
"""Parameters that other pages read as this one does."""


def arrive(page: str = "curate") -> None:
    """Go on where this session left a page: other pages keep only what they share with it.

    An address that was not written by this page yet holds no budget; ``stay`` writes it.
    """
    st.session_state[_PAGE] = page
    last: Mapping[str, object] = st.session_state.get(_last(), {})
    if state.get(BUDGET) or not last:
        return
    put(**{k: str(v) for k, v in last.items() if k in _WRITTEN and not state.get(k)})
    for key in _BOUND:
        if key in last and not state.get(key):
            st.session_state[key] = last[key]


def stay(budget: str) -> None:
    """Write the budget that is in force into the address, and remember where the page stands."""
    put(budget=budget)
    bound = {key: st.session_state[key] for key in _BOUND if key in st.session_state}
    st.session_state[_last()] = {name: state.get(name) for name in _WRITTEN} | bound


def budget_text() -> tuple[str, bool]:
    """The budget of the address, or the default; and whether the address names one that is none."""
    text = state.get(BUDGET)
    try:
        if text:
            Budget.parse(text)
    except InputError:
        return CurateConfig().budget, True
    return text or CurateConfig().budget, False


def overrides() -> bool:
    """Whether what curators keep and drop is respected."""
    return state.get(OVERRIDES) != "no"


def put_overrides(*, respect: bool) -> None:
    """Write whether it is."""
    put(**{OVERRIDES: "" if respect else "no"})


def write(name: str, key: str) -> None:
    """Callback of an input that the address speaks for; what is empty leaves it."""
    put(**{name: str(st.session_state[key] or "")})


def put(**chosen: str) -> None:
    """Write what is chosen into the address; "" leaves it."""
    for name in [name for name, value in chosen.items() if not value and state.get(name)]:
        del st.query_params[name]
    state.publish(**{name: value for name, value in chosen.items() if value})
    if _last() in st.session_state:
        st.session_state[_last()] |= {k: v for k, v in chosen.items() if k in _WRITTEN}


def open_why(trace: str) -> None:
    """Explain a trace."""
    put(**{state.TRACE: trace, SECTION: "Why"})


def turn(alpha: float | None = None, budget: str = "") -> None:
    """Callback: take over the α, or the budget, at which a trace changes sides."""
    if alpha is not None:
        st.session_state[state.ALPHA] = alpha
    if budget:
        put(**{BUDGET: budget})
    ask_rerun()


def link(**more: str) -> dict[str, str]:
    """What an address of another page should say, so that it shows the same run and weights."""
    said = {name: state.get(name) for name in SHARED} | more
    return {name: value for name, value in said.items() if value}


def branch(selection: Selection) -> None:
    """Callback: take a selection's settings over; what is saved next is a branch of it."""
    bound: Mapping[str, object] = {
        state.ALPHA: selection.alpha,
        state.HISTORY: selection.history,
        state.AGGREGATE: selection.aggregate,
        state.HISTORY_ONLY: selection.history_only,
        STRATEGY: selection.strategy,
        SEED: selection.seed,
        CAP: selection.cap_per_prompt,
    }
    for key, value in bound.items():
        st.session_state[key] = value
    put(
        **{
            state.RUN: selection.run_id,
            BUDGET: selection.budget,
            PER: selection.per,
            DUPLICATES: selection.without_duplicates,
            OVERRIDES: "" if selection.overrides else "no",
            PARENT: selection.id,
            SELECTION: selection.id,
        }
    )


def say(sentence: str) -> None:
    """Say what happened once the page is drawn anew."""
    st.session_state[_SAID] = sentence


def said() -> str:
    """What ``say`` was told since it was last asked; "" for nothing."""
    return str(st.session_state.pop(_SAID, ""))


def ask_rerun() -> None:
    """Callback of an input of the section: it moves the rest of the page, too."""
    st.session_state[_RERUN] = True


def rerun_if_asked() -> None:
    """Draw the whole page anew where ``ask_rerun`` was called."""
    if st.session_state.pop(_RERUN, False):
        st.rerun()


def _last() -> str:
    """Where this session remembers how it left the page that it is on."""
    return f"{_LAST}-{st.session_state.get(_PAGE, '')}"
