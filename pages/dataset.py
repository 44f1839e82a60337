"""What is a dataset or a selection worth before anyone trains on it?"""

import streamlit as st

from grace_engine.ui import (
    data_jobs,
    dataset_choose,
    dataset_load,
    dataset_sections,
    load,
    whole,
)

whole.or_rerun()
dark = st.context.theme.type == "dark"
workspace = load.workspace_path()

with load.faults_as_sentences():
    data_jobs.panel(workspace, ("report", "judge", "duplicates", "ingest"))
    held = load.usage(workspace)
    if held is None or not held.datasets:
        st.info("There is nothing to report on yet: add traces.", icon=":material/lightbulb:")
        data_jobs.offer_sample(workspace)
        st.page_link("pages/data.py", label="Data", icon=":material/database:")
        st.stop()
    asked = dataset_choose.choose(workspace, held)
    if asked is None:
        st.stop()
    dataset_choose.measured_or_stop(workspace, asked)
    found = dataset_load.report(workspace, asked.names, asked.config, asked.size)
    dataset_sections.sections(workspace, asked, found, dark=dark)
