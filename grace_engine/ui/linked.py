"""How does a box choose one of many by id, so that a link names the id and not its words?

Streamlit writes the words of a bound selectbox into the address, and reads only these; the address
names ids here, which last.
"""

from collections.abc import Mapping

import streamlit as st

from grace_engine.ui import curate_state, state
from grace_engine.ui.text import as_markdown


def one_of(label: str, names: Mapping[str, str], parameter: str, *, what: str, first: str) -> str:
    """A selectbox whose choice is a query parameter, by id; a link that names none is told of.

    Args:
        label: Of the box.
        names: Words of each, by id.
        parameter: Of the address.
        what: What they are, for people.
        first: The one that is shown where the address says nothing.
    """
    asked, key = state.get(parameter), f"{parameter}-box"
    if asked and asked not in names:
        st.warning(
            as_markdown(
                f"The linked {what} {asked} is not in this workspace; this is {names[first]}."
            )
        )
    st.session_state[key] = asked if asked in names else first
    chosen = st.selectbox(
        label,
        list(names),
        format_func=names.__getitem__,
        key=key,
        on_change=curate_state.write,
        args=(parameter, key),
    )
    state.publish(**{parameter: chosen})
    return str(chosen)
