"""Which problems are worth spending rollouts on?"""

import streamlit as st

from grace_engine.ui import (
    curate_controls,
    curate_state,
    data_jobs,
    load,
    rl_controls,
    rl_empty,
    rl_load,
    rl_sections,
    verdicts,
    whole,
)

whole.or_rerun()
workspace = load.workspace_path()

with load.faults_as_sentences():
    curate_state.arrive("problems")
    data_jobs.panel(workspace, ("problem-sample", "rollout", "gradients", "ingest"))
    found = rl_load.sources(workspace)
    rl_empty.sources_or_stop(workspace, found)
    with st.sidebar:
        source = rl_controls.choose_source(found)
    view = rl_load.view(workspace, source)
    rl_empty.problems_or_stop(workspace, view)
    annotations = load.annotations_of_all(workspace)
    verdicts.say_what_happened()
    config = rl_controls.choose_config(view)
    live = rl_load.live(workspace, source, view, config, annotations)
    curate_state.stay(config.budget)
    curate_controls.remember(live.taken)
    rl_controls.metrics(live)
    rl_sections.sections(live, dark=st.context.theme.type == "dark")
