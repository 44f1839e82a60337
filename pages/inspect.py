"""Which steps of which traces teach the model its answers?"""

from dataclasses import replace

import streamlit as st

from grace_engine.figures import frames, heatmap, palette
from grace_engine.ui import (
    beside,
    controls,
    empty,
    filtering,
    keys,
    listing,
    load,
    opening,
    pane,
    returning,
    state,
    unscored,
    verdicts,
    whole,
)

whole.or_rerun()
returning.arrive("pages/inspect.py", state.LOOKS)
first_visit = state.is_first_visit()
dark = st.context.theme.type == "dark"
workspace = load.workspace_path()

with load.faults_as_sentences():
    view = controls.choose_view(workspace)
    run = view.run
    with st.sidebar:
        judge = controls.choose_judge(workspace, run.id, len(view.values))
        view = replace(view, judged=load.judged(workspace, judge, view))
        full = controls.choose_colours()
        unscored.offer(run)
        progress = st.container()
        keys.listen()
    kinds = load.step_kinds(workspace, run.id, run.updated_at, view)
    limits = load.fitted_limits(workspace, run, view)
    annotations = load.annotations(workspace, run.id)
    if unscored.is_asked():
        verdicts.say_what_happened()
        unscored.show(workspace, run, annotations)
        st.stop()
    if first_visit:
        listing.begin(view, kinds)
    state.remember_visit()
verdicts.say_what_happened()

side_by_side = state.get(state.VIEW) in ("Same prompt", "Two runs")
left, right = st.columns([0.43, 0.57] if side_by_side else [0.46, 0.54], gap="medium")
with left, load.faults_as_sentences():
    wanted = filtering.read(state.address())
    fault = opening.settle(view.signals.trace_ids)
    listed = listing.listed(workspace, view, annotations, wanted)
    signal = controls.choose_signal(judged=view.judged is not None)
    sort, descending, size, more = controls.choose_order(listed.rows)
    reading = listed.ranked(view, annotations, sort, descending=descending)
    empty.matches_or_stop(len(reading))
    heatmap_pane = st.container(key="heatmap-pane", height=560, border=False)
    linked = reading.rank_of(state.get(state.TRACE))
    foot = st.container(key="foot", horizontal=True, horizontal_alignment="distribute")
    with foot:
        page = controls.choose_page(len(reading), size, linked)

shown = reading.page(page, size)
rank = (page - 1) * size if linked is None else linked
row = reading.row(rank)
default = listing.first_doubt(view, row) if sort in filtering.OF_JUDGES else 1
step = 1 if fault else state.linked_number(state.STEP, int(row["n_steps"]), default)
opened_id = "" if fault else str(row["trace_id"])
if opened_id:
    state.publish(trace=opened_id, step=step)
scale = palette.colour_scale(signal, limits.get(signal, 1.0), dark=dark, full=full)

with heatmap_pane:
    listing.overview(more, view, signal, scale, wanted.decile, listed.around, dark=dark)
    window = controls.choose_window(int(shown["n_steps"].max()), step)
    words = listing.words(annotations)
    cells = frames.cells(view, shown, signal, window, kinds, words, view.judged)
    listing.save_rows(foot, reading, cells, signal)
    st.vega_lite_chart(
        heatmap.heatmap_spec(
            cells,
            shown["row"].tolist(),
            window,
            scale,
            selected=(opened_id, step),
            dark=dark,
            turn=state.turn(),
            fresh=listing.fresh(shown, opened_id),
        ),
        key=state.HEATMAP,
        on_select=state.choose_cell,
        alt=f"{palette.NAMES[signal]} of the steps of {len(shown)} traces",
    )
    place = rank - (page - 1) * size
    if opened_id and 0 <= place < len(shown):
        pane.scroll_to_row("heatmap-pane", place, len(shown), int(row["index"]))

if fault:
    with progress:
        verdicts.say_progress(listed.rows, opened_id)
    with right:
        opening.say(fault, str(reading.row(0)["trace_id"]))
    st.stop()

with right, load.faults_as_sentences():
    pane.step_buttons(reading, rank, step, size)
    opened = load.trace_view(workspace, run.id, run.updated_at, row["trace_id"])
    verdicts.step_verdicts(row["trace_id"], step, annotations)
    how = pane.choose_view(row["trace_id"], annotations)
    if how == "Numbers":
        pane.numbers(view, opened.trace, row, step)
    elif how == "Matrix":
        beside.matrix(view, opened, row, scale, step, annotations, dark=dark)
    elif how == "Same prompt":
        beside.same_prompt(view, opened, listed.rows, row, scale, step, annotations, workspace)
    elif how == "Two runs":
        runs = load.list_runs(workspace)
        beside.two_runs(view, opened, row, runs, scale, step, annotations, workspace)
    elif how == "Source":
        beside.source(opened)
    else:
        doubts = load.judged_on(workspace, view, row["trace_id"])
        pane.trace_pane(view, opened, row, scale, step, annotations, doubts, dark=dark)
    verdicts.look(row["trace_id"], annotations)
with progress:
    verdicts.say_progress(listed.rows, row["trace_id"])
returning.remember("pages/inspect.py", state.LOOKS)
