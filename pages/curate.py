"""Which subset does a budget buy, and what does it favour?"""

import streamlit as st

from grace_engine.ui import (
    controls,
    curate_controls,
    curate_load,
    curate_sections,
    curate_state,
    empty,
    load,
    whole,
)

whole.or_rerun()

workspace = load.workspace_path()

with load.faults_as_sentences():
    runs = empty.runs_or_stop(workspace)
    with st.sidebar:
        run = controls.choose_run(runs)
        st.caption(controls.run_counts(run))
        weights = controls.choose_weights()
    view = load.run_view(workspace, run, weights)
    empty.traces_or_stop(view, workspace)
    annotations = load.annotations(workspace)
    curate_state.arrive()
    config = curate_controls.choose_config(workspace, view)
    asked = curate_load.Asked(
        workspace=workspace,
        run=run.id,
        updated_at=run.updated_at,
        weights=weights,
        config=config,
        version=annotations.version,
    )
    taken = curate_load.taken(asked, view, annotations)
    live = curate_load.Live(asked=asked, view=view, annotations=annotations, taken=taken)
    curate_state.stay(config.budget)
    curate_controls.remember(live)
    curate_controls.metrics(live)
    curate_controls.against(live)
    curate_sections.sections(live, dark=st.context.theme.type == "dark")
