"""How does a page make sure that the whole app runs around it, whatever the first address was?

Streamlit takes the scripts of a folder ``pages`` for pages of their own until ``st.navigation`` has
been called once in the server's process: the first visit straight to a page's address would show it
without the app's frame. ``or_rerun`` tells Streamlit otherwise and runs the app again.
"""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

_told = False


def or_rerun() -> None:
    """Go on where ``app.py`` runs this page; else, once in a process, run it, and with it this."""
    global _told
    if PagesManager.uses_pages_directory and not _told:
        _told, PagesManager.uses_pages_directory = True, False
        st.rerun()
