"""Was the subset worth training on?"""

import streamlit as st

from grace_engine.ui import (
    curate_load,
    data_jobs,
    load,
    returning,
    train_results,
    train_start,
    whole,
)

PAGE = "pages/train.py"

whole.or_rerun()
returning.arrive(PAGE, alone=True)
dark = st.context.theme.type == "dark"
workspace = load.workspace_path()

with load.faults_as_sentences():
    data_jobs.panel(workspace)
    held = load.usage(workspace)
    saved = list(curate_load.selections(workspace).values()) if held and held.runs else []
    if held is None or not saved:
        st.info(
            "There is nothing to train on yet: save a selection on the Curate page.",
            icon=":material/lightbulb:",
        )
        st.page_link("pages/curate.py", label="Curate", icon=":material/tune:")
        st.stop()
    train_start.form(workspace, saved, held)
    st.divider()
    jobs = [job for job in data_jobs.known_jobs(workspace) if job.spec.kind == "train"]
    train_results.results(jobs, dark=dark)
    returning.remember(PAGE, alone=True)
