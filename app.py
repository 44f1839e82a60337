"""Which pages does the studio have? Start it with ``grace app``."""

import streamlit as st

from grace_engine.ui import LOGO, STYLE

st.set_page_config(
    page_title="GRACE studio",
    page_icon="🟦",
    layout="wide",
    initial_sidebar_state=270,
)
st.logo(LOGO, size="large")
st.html(STYLE)
st.navigation(
    [
        st.Page(
            "pages/inspect.py",
            title="Inspect",
            icon=":material/grid_on:",
            help="Step scores of all traces as a heatmap; a click opens a trace at that step.",
            default=True,
        )
    ]
).run()
