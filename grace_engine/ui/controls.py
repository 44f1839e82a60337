"""Which run, weights, signal and order does a curator choose?"""

from collections.abc import Mapping
from pathlib import PurePath

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from grace_engine.api import RunView
from grace_engine.config import AGGREGATES, History, Weights
from grace_engine.figures.frames import StepWindow, plain
from grace_engine.figures.palette import NAMES, SIGNALS
from grace_engine.quantities import counted
from grace_engine.records import ScoringRun
from grace_engine.ui import empty, filtering, frames, load, state
from grace_engine.ui.text import as_markdown

# Characters of a model's name in the sidebar's box, beside gradient and id.
_BOX_MODEL = 16
_HISTORIES = ("uniform", *(f"window:{w}" for w in (1, 2, 3, 4, 6, 8)), "ema:0.7", "ema:0.8")


def choose_view(workspace: str) -> RunView:
    """Run and weights in the sidebar, and the run under them; without one, say so and end there.

    Raises:
        InputError: A history was typed that is none.
    """
    runs = empty.runs_or_stop(workspace)
    with st.sidebar:
        run = choose_run(runs)
        st.caption(as_markdown(run_counts(run)))
        weights = choose_weights()
    view = load.run_view(workspace, run, weights)
    empty.traces_or_stop(view, workspace)
    return view


def choose_run(runs: list[ScoringRun]) -> ScoringRun:
    """A selectbox of runs, newest first; a link names its run."""
    by_id = {run.id: run for run in runs}
    linked, usual = state.get(state.RUN), usual_run(runs)
    if linked and linked not in by_id:
        st.warning(
            as_markdown(
                f"The linked run {linked} is not in this workspace; this is {run_name(usual)}, "
                "which scored the most traces."
            )
        )
    st.session_state[state.RUN_BOX] = linked if linked in by_id else usual.id
    chosen = st.selectbox(
        "Scoring run",
        list(by_id),
        format_func=lambda run: _short_name(by_id[run]),
        key=state.RUN_BOX,
        on_change=state.choose_run,
    )
    state.publish(run=chosen)
    return by_id[chosen]


def usual_run(runs: list[ScoringRun]) -> ScoringRun:
    """The run that a page opens by itself: the one with most scored traces, of equals the newest.

    Args:
        runs: Newest first.
    """
    return max(runs, key=lambda run: run.n_scored)


def _short_name(run: ScoringRun) -> str:
    """``run_name`` as it fits the sidebar: of a long model its beginning and its end."""
    model = plain(PurePath(run.model).name or run.model)
    if len(model) > _BOX_MODEL:
        model = f"{model[: _BOX_MODEL // 2]}…{model[-(_BOX_MODEL // 2 - 1) :]}"
    return f"{model} · {run.gradient} · {run.id.removeprefix('r-')}"


def run_name(run: ScoringRun) -> str:
    """Model, proxy and short id, on one line."""
    model = plain(PurePath(run.model).name or run.model, 28)
    return f"{model} · {run.gradient} · {run.id.removeprefix('r-')}"


def run_counts(run: ScoringRun) -> str:
    """Which run it is and how far, in words."""
    left = {"rejected": run.n_rejected, "still to score": run.n_pending}
    return ", ".join(
        [
            f"{plain(PurePath(run.model).name, 40)}, {run.id}: {counted(run.n_scored, 'trace')} "
            "scored",
            *(f"{n:,} {what}" for what, n in left.items() if n),
        ]
    )


def choose_weights() -> Weights:
    """Inputs for α, history, aggregation and the "no answer" ablation.

    Raises:
        InputError: A history was typed that is none.
    """
    alpha = st.slider(
        "α: answer against history",
        0.0,
        1.0,
        Weights().alpha,
        0.05,
        format="%g",  # a trace can turn at an α between two of the slider's
        key=state.ALPHA,
        bind="query-params",
        on_change=state.find_again,
        help="Score = α × alignment with the answer + (1 − α) × consistency with earlier steps.",
    )
    history = st.selectbox(
        "History",
        _HISTORIES,
        key=state.HISTORY,
        bind="query-params",
        on_change=state.find_again,
        accept_new_options=True,
        help="How earlier steps are weighted: all alike, the last W (`window:W`), or decaying "
        "(`ema:β`). Type another W or β.",
    )
    aggregate = st.selectbox(
        "Trace value",
        AGGREGATES,
        key=state.AGGREGATE,
        bind="query-params",
        on_change=state.find_again,
        help="How step scores become the trace's value; `mean` is the paper's.",
    )
    history_only = st.toggle(
        "No answer: history only",
        key=state.HISTORY_ONLY,
        bind="query-params",
        on_change=state.find_again,
        help="The paper's “no answer” ablation: a step's score is its consistency with earlier "
        "steps alone. α plays no part, and step 1, which has no earlier ones, does not count.",
    )
    return Weights(
        alpha=alpha,
        history=History.parse(history or "uniform"),
        aggregate=aggregate,
        history_only=history_only,
    )


def choose_colours() -> bool:
    """Whether colours span -1 to 1 instead of what the run's steps reach."""
    return st.toggle(
        "Colours from −1 to 1",
        key=state.COLOURS,
        bind="query-params",
        help="Otherwise colours are fitted to the run, alike for score, alignment and consistency.",
    )


def choose_judge(workspace: str, run: str, n_traces: int) -> str:
    """The judge model whose labels are shown, at first the one that has read most of the run.

    It is said who it is and how much of the run's traces it has read; "" where there is no judge.
    """
    judges = {one.id: one for one in load.list_judges(workspace)}
    reads = load.judge_reads(workspace, run)
    if not judges:
        return ""
    listed = [*reads, *(judge for judge in judges if judge not in reads)]
    chosen = listed[0]
    if len(listed) > 1:
        chosen = (
            st.selectbox(
                "Judge",
                listed,
                format_func=lambda judge: (
                    f"{plain(judges[judge].model, 28)} · {judge.removeprefix('j-')}"
                ),
                key=state.JUDGE,
                bind="query-params",
                help="The judge model whose labels of steps are shown: first the one that has read "
                "most traces of this run, of several the latest.",
            )
            or chosen
        )
    st.caption(
        f"Judge {plain(judges[chosen].model, 28)} has read {reads.get(chosen, 0):,} of "
        f"{counted(n_traces, 'trace')} of this run."
    )
    return chosen


def choose_signal(*, judged: bool = False) -> str:
    """The signal that colours heatmap and text; those of a judge model where one has read any."""
    names = {name: signal for signal, name in (NAMES if judged else SIGNALS).items()}
    chosen = st.segmented_control(
        "Signal",
        list(names),
        default="Score",
        required=True,
        key=state.SIGNAL,
        bind="query-params",
        label_visibility="collapsed",
        wrap=True,
    )
    return names[chosen or "Score"]


def _choose_sort(names: Mapping[str, str]) -> None:
    """Callback of what rows are sorted by."""
    state.find_again(to_first=_begin_with_worst(names.get(st.session_state[state.SORT])))


def _begin_with_worst(column: str | None) -> bool:
    """Put first what a judge thinks least of, since that is looked for; whether it is of a judge.

    The open trace may have no judge: its page would hold none that has.
    """
    is_judged = column in filtering.OF_JUDGES
    if is_judged:
        st.session_state[state.ORDER] = "Ascending"
    return is_judged


def choose_order(traces: pd.DataFrame) -> tuple[str, bool, int, DeltaGenerator]:
    """Column to sort rows by, whether it descends, rows a page, and where one more may stand."""
    names = {name: column for column, name in frames.sort_options(traces).items()}
    more = st.container(
        key="order-row", horizontal=True, gap="xsmall", wrap=False, vertical_alignment="bottom"
    )
    if state.ORDER not in st.session_state and state.ORDER not in st.query_params:
        # The first look at an address that names only the column.
        _begin_with_worst(names.get(st.query_params.get(state.SORT, "")))
    with more:
        sort = st.selectbox(
            "Sort by",
            list(names),
            key=state.SORT,
            bind="query-params",
            on_change=_choose_sort,
            args=(names,),
        )
        order = st.selectbox(
            "Order",
            ["Descending", "Ascending"],
            key=state.ORDER,
            bind="query-params",
            on_change=state.find_again,
            kwargs={"to_first": names.get(sort) in filtering.OF_JUDGES},
            width=128,
        )
        size = st.selectbox(
            "Rows",
            frames.PAGE_SIZES,
            key=state.ROWS,
            bind="query-params",
            on_change=state.find_again,
            width=78,
        )
    return names.get(sort, "value"), order == "Descending", size, more


def choose_page(n_rows: int, size: int, rank: int | None) -> int:
    """The page of rows, from 1; at first the one that holds the row at ``rank``."""
    return _paginate(state.PAGE, frames.page_count(n_rows, size), (rank or 0) // size + 1)


def choose_window(longest: int, step: int) -> StepWindow:
    """The steps to show: all, or, where there are too many, at first those around ``step``."""
    windows = frames.window_holding(longest)
    if windows == 1:
        return frames.step_window(1, longest)
    with st.container(horizontal=True, vertical_alignment="center"):
        note = st.empty()
        number = _paginate(state.WINDOW, windows, frames.window_holding(step))
        window = frames.step_window(number, longest)
        note.text(f"Steps {window.first} to {window.last} of {longest:,}", width="content")
    return window


def _paginate(name: str, pages: int, default: int) -> int:
    """Page buttons whose page is what the address says, so that links and buttons can move it."""
    page = state.linked_number(name, pages, default)
    state.publish(**{name: page})
    key = f"{name}-{page}"
    st.pagination(
        pages,
        default=page,
        key=key,
        max_visible_pages=5,
        on_change=state.turn_page,
        args=(name, key),
    )
    return page
