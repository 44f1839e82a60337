"""What is in the workspace, what should enter it, and what should be scored?"""

import streamlit as st

from grace_engine.ui import (
    data_check,
    data_contents,
    data_duplicates,
    data_ingest,
    data_jobs,
    data_rejects,
    data_score,
    load,
    whole,
)

whole.or_rerun()
workspace = load.workspace_path()

with load.faults_as_sentences():
    data_jobs.panel(workspace)
    held = load.usage(workspace)
    contents, add, answers, duplicates, score, rejects = st.tabs(
        ["Contents", "Add traces", "Answers", "Duplicates", "Score", "Rejected"],
        key="tab",
        bind="query-params",
    )
    if contents.open:
        with contents:
            data_contents.contents(workspace, held)
    if add.open:
        with add:
            data_ingest.add_traces(workspace)
    if answers.open:
        with answers:
            data_check.answers(workspace, held)
    if score.open:
        with score:
            data_score.score(workspace, held)
    if rejects.open:
        with rejects:
            data_rejects.rejects(workspace, held)
    if duplicates.open:
        with duplicates:
            data_duplicates.duplicates(workspace, held)
