"""Which pages does the studio have? Start it with ``grace app``."""

import streamlit as st

from grace_engine.ui import LOGO, STYLE, returning, waiting, whole

st.set_page_config(
    page_title="GRACE studio",
    page_icon="🟦",
    layout="wide",
    initial_sidebar_state=300,
)
st.logo(LOGO, size="large")
st.html(STYLE)
page = st.navigation(
    [
        st.Page(
            "pages/data.py",
            title="Data",
            icon=":material/database:",
            help="What is in the workspace; add traces, score them, see what was rejected.",
        ),
        st.Page(
            "pages/inspect.py",
            title="Inspect",
            icon=":material/grid_on:",
            help="Step scores of all traces as a heatmap; a click opens a trace at that step.",
            url_path="",
            default=True,
        ),
        st.Page(
            "pages/curate.py",
            title="Curate",
            icon=":material/tune:",
            help="A budget turned into a subset: who is in, why, what it favours; save and export.",
        ),
        st.Page(
            "pages/dataset.py",
            title="Dataset",
            icon=":material/summarize:",
            help="What datasets and selections are like in numbers, beside each other.",
        ),
        st.Page(
            "pages/train.py",
            title="Train",
            icon=":material/model_training:",
            help="Fine-tune on a selection; hold it against a random one, the pool, the model.",
        ),
        st.Page(
            "pages/problems.py",
            title="Problems",
            icon=":material/casino:",
            help="Which problems to spend rollouts on: pass rates, policy gradients, a choice.",
        ),
        st.Page(whole.as_typed, title="Inspect", url_path="inspect", visibility="hidden"),
    ]
)
returning.turn_to(page.url_path)
with waiting.told():
    page.run()
