"""What does a curator look at below the numbers of a choice? One section at a time is drawn."""

import math

import streamlit as st

from grace_engine import api
from grace_engine.figures.frames import minus, plain
from grace_engine.figures.selection import bias_chart, differences, why_chart
from grace_engine.selection import Bias
from grace_engine.ui import (
    charts,
    curate_curve,
    curate_frames,
    curate_load,
    curate_saved,
    curate_state,
    curate_tables,
    load,
    state,
    tables,
)
from grace_engine.ui.curate_load import Live
from grace_engine.ui.text import as_markdown

_BOX, _WHY_BOX, _NAMED = "section-box", "why-box", "why-named"
_WARNED = 3


@st.fragment
def sections(live: Live, *, dark: bool) -> None:
    """A row of sections, and the chosen one; a change of section reruns nothing else."""
    curate_state.rerun_if_asked()
    linked = state.get(curate_state.SECTION)
    st.session_state[_BOX] = linked if linked in curate_state.SECTIONS else curate_state.SECTIONS[0]
    chosen = st.segmented_control(
        "Section",
        curate_state.SECTIONS,
        key=_BOX,
        required=True,
        on_change=curate_state.write,
        args=(curate_state.SECTION, _BOX),
        label_visibility="collapsed",
    )
    with load.faults_as_sentences():
        if chosen == "Why":
            _why(live, dark=dark)
        elif chosen == "Enters and leaves":
            _moves(live)
        elif chosen == "Bias":
            _bias(live, dark=dark)
        elif chosen == "Budget curve":
            _curve(live, dark=dark)
        elif chosen == "Selections":
            curate_saved.selections(live, dark=dark)
        else:
            _near(live)


def _near(live: Live) -> None:
    rows = curate_frames.near_cut(live.view, live.taken)
    if not len(rows):
        st.info(
            "Every trace is decided by hand, or none was taken: change the budget.",
            title="There is no cut to be near to",
            icon=":material/lightbulb:",
        )
        return
    st.caption(
        "Chosen and left-out traces of the smallest margin, value minus cut. A click on a row "
        "explains its trace."
    )
    curate_tables.near(live, rows)
    with st.container(horizontal=True):
        tables.save_csv("These as CSV", "near-the-cut", lambda: rows)
        tables.save_csv(
            f"All {len(live.taken.order):,} as CSV",
            "choice",
            lambda: curate_frames.choice_rows(live.view, live.taken),
        )


def _why(live: Live, *, dark: bool) -> None:
    near = curate_frames.near_cut(live.view, live.taken)
    out = near.loc[~near["selected"].astype(bool), "trace_id"].tolist()
    linked = _explained(live, [*out, *near["trace_id"]])
    margins = dict(zip(near["trace_id"], near["margin"], strict=True))
    st.session_state[_WHY_BOX] = linked or None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Trace",
            list(dict.fromkeys([linked, *near["trace_id"]])) if linked else [],
            format_func=lambda name: (
                minus(f"{name} · margin {margins[name]:+.4f}") if name in margins else plain(name)
            ),
            key=_WHY_BOX,
            on_change=curate_state.write,
            args=(state.TRACE, _WHY_BOX),
            accept_new_options=True,
            placeholder="Type the id of a trace",
            help="Those nearest the cut, or any: type its id or a unique beginning of it.",
            width=340,
        )
        if not linked:
            return
        found = curate_load.why(live.asked, linked, live)
        st.page_link(
            "pages/inspect.py",
            label="Read it in Inspect",
            icon=":material/grid_on:",
            query_params=curate_state.link(**{state.TRACE: found.trace_id}),
        )
    _verdict(live, found)
    if len(found.steps):
        charts.chart(
            why_chart(found.steps, found.value or 0.0, found.cut, dark=dark),
            key="why-chart",
            pixels=True,
            alt=f"The sum of {len(found.steps)} steps that made the value {_plain(found.value)}",
        )
        tables.save_csv("Steps as CSV", "why", lambda: found.steps)
    asked = live.asked
    words = curate_frames.flags(asked.run, asked.weights, asked.config)
    st.code(
        curate_frames.command("why", [found.trace_id, *words], asked.workspace), language="shell"
    )


def _explained(live: Live, nearest: list[str]) -> str:
    """The trace that the address names, or the first of the nearest, which it names from then on.

    A trace that was named so goes with its run; one that was clicked or linked stays, with a
    sentence that the run has not scored it.
    """
    linked, named = state.get(state.TRACE), st.session_state.get(_NAMED)
    elsewhere = linked == named and linked not in set(live.view.traces["trace_id"])
    if linked and not elsewhere:
        return linked
    found = next(iter(nearest), "")
    st.session_state[_NAMED] = found
    curate_state.put(**{state.TRACE: found})
    return found


def _verdict(live: Live, found: api.Why) -> None:
    """In or out, by how much, and what would turn it."""
    place = f"rank {found.rank:,} of {found.n_traces:,}"
    if found.stratum:
        place = f"place {found.place:,} in its stratum"
    alpha, budget = found.flip_alpha, found.needed_budget
    turns = "Leaves" if found.selected else "Enters"
    below = "below" if found.selected else "at"
    with curate_tables.numbers("why"):
        curate_tables.metric("In or out", "In" if found.selected else "Out", place)
        curate_tables.metric("Value", _plain(found.value), f"cut {_plain(found.cut)}")
        curate_tables.metric("Margin", _plain(found.margin, sign=True), "value minus cut")
        curate_tables.metric(
            f"{turns} at α", f"{alpha:g}" if alpha is not None else "none", _now_alpha(live)
        )
        curate_tables.metric(
            f"{turns} {below} a budget of", budget or "none", f"now {live.asked.config.budget}"
        )
    _apply(found)
    st.text(plain(f"{found.reason[:1].upper()}{found.reason[1:]}. Ranked by {found.ranked_by}."))


def _apply(found: api.Why) -> None:
    """Buttons that set the α, or the budget, at which the trace turns."""
    budget = curate_frames.turning_budget(found)
    with st.container(horizontal=True):
        if found.flip_alpha is not None:
            st.button(
                f"Apply α {found.flip_alpha:g}",
                key="apply-alpha",
                icon=":material/tune:",
                on_click=curate_state.turn,
                kwargs={"alpha": found.flip_alpha},
            )
        if budget:
            st.button(
                f"Apply budget {budget}",
                key="apply-budget",
                icon=":material/tune:",
                on_click=curate_state.turn,
                kwargs={"budget": budget},
            )


def _now_alpha(live: Live) -> str:
    return f"now {live.asked.weights.alpha:g}"


def _moves(live: Live) -> None:
    saved = curate_load.selections(live.asked.workspace)
    linked = state.get(curate_state.SELECTION)
    if linked not in saved:
        st.info(
            "Choose a saved selection above, or save this choice under Selections first.",
            title="Nothing to compare with",
            icon=":material/lightbulb:",
        )
        return
    found = curate_load.change(live.asked, linked, live)
    asked = live.asked
    now = curate_frames.settings_now(asked.run, asked.weights, asked.config, live.taken)
    st.text(curate_frames.differing(curate_frames.settings_of(saved[linked]), now))
    names = {"a": "then", "b": "now"}
    curate_tables.moves("Enter", "enter", curate_frames.moves(found.only_b), names)
    curate_tables.moves("Leave", "leave", curate_frames.moves(found.only_a), names)


def _bias(live: Live, *, dark: bool) -> None:
    found = curate_load.bias(live.asked, live)
    _warn(found)
    rows = differences(found.numbers, found.categories)
    numbers = found.numbers.rename_axis("count").reset_index()
    left, right = st.columns(2, gap="medium")
    with left:
        charts.chart(
            bias_chart(rows, dark=dark),
            key="bias-chart",
            pixels=True,
            alt="Standardised differences between chosen and left out",
        )
        st.caption(
            "Standardised differences between chosen and left out; within ±0.2, the grey band, "
            "they are usually called small."
        )
    with right:
        curate_tables.bias_counts(numbers)
        curate_tables.bias_categories(found.categories)
        if found.skipped:
            st.text(f"Too many different values to compare: {_listed(found.skipped)}.")
        with st.container(horizontal=True):
            tables.save_csv("Counts as CSV", "bias-counts", lambda: numbers)
            tables.save_csv("Categories as CSV", "bias-categories", lambda: found.categories)


def _warn(found: Bias) -> None:
    """What a curator should know, a line each, first where value follows the length."""
    if not found.warnings:
        st.success(
            "Value does not follow the length, and no dataset or label is chosen twice or half as "
            "often as it stands in the pool.",
            icon=":material/check:",
        )
        return
    lines = [f"- {as_markdown(brief)}" for brief in found.briefs]
    st.warning("\n".join(lines[:_WARNED]), icon=":material/warning:")
    more = len(lines) - _WARNED
    title = f"{more} more, and what they mean" if more > 0 else "What this means"
    with st.expander(title):
        st.markdown("\n".join(f"- {as_markdown(warning)}" for warning in found.warnings))


def _curve(live: Live, *, dark: bool) -> None:
    found = curate_load.curve(live)
    right = curate_load.share_correct(live)
    measured = "share_correct", right[0] if right else math.nan
    curate_curve.curve(found, live.taken, measured, "traces", dark=dark)
    st.caption(
        "The dashed line is the present choice. Strata, cap, duplicates and overrides hold "
        "throughout."
    )
    asked = live.asked
    words = curate_frames.flags(asked.run, asked.weights, asked.config, budget=False)
    st.code(curate_frames.command("curve", words, asked.workspace), language="shell")


def _plain(number: float | None, *, sign: bool = False) -> str:
    if number is None:
        return "–"
    return minus(f"{number:+.4f}" if sign else f"{number:.4f}")


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(curate_frames.column_name(name) for name in columns)
