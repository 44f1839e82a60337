"""Which steps of which traces teach the model its answers?"""

import streamlit as st

from grace_engine.figures import palette
from grace_engine.ui import charts, controls, empty, frames, load, pane, state

dark = st.context.theme.type == "dark"
workspace = load.workspace_path()

with load.faults_as_sentences():
    runs = empty.runs_or_stop(workspace)
    with st.sidebar:
        run = controls.choose_run(runs)
        st.caption(controls.run_counts(run))
        weights = controls.choose_weights()
        full = controls.choose_colours()
    view = load.run_view(workspace, run, weights)
    empty.traces_or_stop(view, workspace)
    kinds = load.step_kinds(workspace, run.id, run.updated_at, view)
    limits = load.fitted_limits(workspace, run, view)

left, right = st.columns([0.46, 0.54], gap="medium")
with left:
    signal = controls.choose_signal()
    sort, descending, size = controls.choose_order(view.traces)
    rows = frames.ranked_rows(view, sort, descending=descending)
    heatmap_pane = st.container(key="heatmap-pane", height=560, border=False)
    linked = state.linked_rank(rows["trace_id"])
    page = controls.choose_page(len(rows), size, linked)

shown = frames.page_rows(rows, page, size)
rank = (page - 1) * size if linked is None else linked
row = rows.iloc[rank]
if state.get(state.TRACE) not in ("", row["trace_id"]):
    st.toast("The linked trace is not scored in this run: another one is open.")
step = state.linked_number(state.STEP, int(row["n_steps"]))
state.publish(trace=row["trace_id"], step=step)
scale = palette.colour_scale(signal, limits[signal], dark=dark, full=full)

with heatmap_pane:
    window = controls.choose_window(int(shown["n_steps"].max()), step)
    st.altair_chart(
        charts.heatmap(
            frames.cells(view, shown, signal, window, kinds),
            shown["row"].tolist(),
            window,
            scale,
            selected=(row["trace_id"], step),
            dark=dark,
            turn=state.turn(),
        ),
        key=state.HEATMAP,
        on_select=state.choose_cell,
        alt=f"{palette.SIGNALS[signal]} of the steps of {len(shown)} traces",
    )

with right, load.faults_as_sentences():
    pane.step_buttons(rows, rank, step, size)
    opened = load.trace_view(workspace, run.id, run.updated_at, row["trace_id"])
    pane.trace_pane(view, opened, row, scale, step, dark=dark)
