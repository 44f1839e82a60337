"""Which subset does a budget buy, and what does it favour?"""

import streamlit as st

from grace_engine.ui import (
    controls,
    curate_controls,
    curate_load,
    curate_sections,
    curate_state,
    load,
    returning,
    whole,
)

whole.or_rerun()
returning.arrive("pages/curate.py")
workspace = load.workspace_path()

with load.faults_as_sentences():
    view = controls.choose_view(workspace)
    annotations = load.annotations(workspace, view.run.id)
    curate_state.arrive()
    config = curate_controls.choose_config(workspace, view)
    finding, twins = curate_load.left_out(workspace, view, config)
    asked = curate_load.Asked(
        workspace=workspace,
        run=view.run.id,
        updated_at=view.run.updated_at,
        weights=view.weights,
        config=config,
        version=annotations.version,
        finding=finding,
    )
    taken = curate_load.taken(asked, view, annotations, twins)
    live = curate_load.Live(
        asked=asked, view=view, annotations=annotations, duplicates=twins, taken=taken
    )
    curate_state.stay(config.budget)
    curate_controls.remember(live.taken)
    curate_controls.metrics(live)
    curate_controls.older(live)
    curate_controls.against(live)
    returning.remember("pages/curate.py")
    curate_sections.sections(live, dark=st.context.theme.type == "dark")
