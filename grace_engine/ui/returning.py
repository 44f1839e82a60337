"""How does a page that the sidebar opens go on where this session left it?

The sidebar's links ask for nothing. Run and weights come along from page to page; what Inspect
alone asks for is kept here, too, and what the pages that choose ask for in ``curate_state``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from grace_engine.ui import state
from grace_engine.ui.state import ALPHA, RUN, WEIGHTS

_LEFT, _PAGE, _TURNED = "left", "page-now", "page-turned"
_SHARED = ""


@dataclass(frozen=True, slots=True)
class _Left:
    """How a page was left.

    Attributes:
        said: Parameters of the address.
        held: Values of bound inputs.
    """

    said: Mapping[str, Sequence[str]]
    held: Mapping[str, Any]


def turn_to(page: str) -> None:
    """Note which page is drawn now, before it is."""
    st.session_state[_TURNED] = st.session_state.get(_PAGE) != page
    st.session_state[_PAGE] = page


def arrive(page: str, looks: Sequence[str] | None = None, *, alone: bool = False) -> None:
    """Go on where this session left a page that is opened by a link which asks for nothing.

    The sidebar's links are such. Run and weights come along from the page that was left.

    Args:
        page: Its script.
        looks: Keys of its own bound inputs; None where only what pages share is kept here.
        alone: It has no run and no weights, which pass by it.
    """
    left: dict[str, _Left] = st.session_state.setdefault(_LEFT, {})
    came = bool(st.session_state.get(_TURNED, True))
    if came and not st.query_params:
        places = (page,) if alone else (page, _SHARED)
        found = [left[place] for place in places if place in left]
        said = {name: values for one in found for name, values in one.said.items()}
        for one in found:
            for key, value in one.held.items():
                st.session_state[key] = value
        if said:
            st.switch_page(page, query_params=said)
    elif not came and _is_behind():
        st.session_state[ALPHA] = st.session_state[ALPHA]
    remember(page, looks, alone=alone)


def remember(page: str, looks: Sequence[str] | None = None, *, alone: bool = False) -> None:
    """Keep what the address and the inputs of a page say now, for ``arrive``."""
    left: dict[str, _Left] = st.session_state.setdefault(_LEFT, {})
    said = state.address()
    if alone:
        left[page] = _Left({k: v for k, v in said.items() if v}, _held(looks or ()))
        return
    if _is_behind():
        said[ALPHA] = [_alpha()]
    shared = (*WEIGHTS, RUN)
    left[_SHARED] = _Left({k: said[k] for k in shared if said.get(k)}, _held(WEIGHTS))
    if looks is not None:
        own = {name: values for name, values in said.items() if name not in shared and values}
        left[page] = _Left(own, _held(looks))


def _held(keys: Iterable[str]) -> dict[str, Any]:
    return {key: st.session_state[key] for key in keys if key in st.session_state}


def _is_behind() -> bool:
    """Whether the address names another α than the slider: while a key is held, it falls behind.

    Streamlit writes a value that a script sets into the address, where it says something else.
    """
    return ALPHA in st.session_state and state.get(ALPHA) not in ("", _alpha())


def _alpha() -> str:
    return f"{st.session_state[ALPHA]:g}"
