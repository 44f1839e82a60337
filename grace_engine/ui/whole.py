"""How does every address that people type show its page with the whole app around it?

The page that opens first has the address ``/``; ``as_typed`` leads from its name there.

Streamlit takes the scripts of a folder ``pages`` for pages of their own until ``st.navigation`` has
been called once in the server's process: the first visit straight to a page's address would show it
without the app's frame. ``or_rerun`` tells Streamlit otherwise and runs the app again.
"""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from grace_engine.ui import state

FIRST = "pages/inspect.py"
"""The page that opens first."""

_told = False


def or_rerun() -> None:
    """Go on where ``app.py`` runs this page; else, once in a process, run it, and with it this."""
    global _told
    if PagesManager.uses_pages_directory and not _told:
        _told, PagesManager.uses_pages_directory = True, False
        st.rerun()


def as_typed() -> None:
    """The page ``/inspect``: the first page, with all that the address asks for."""
    st.switch_page(FIRST, query_params=state.address())
