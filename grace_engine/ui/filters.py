"""With which inputs does a curator say which traces are meant, and act on all of them?

The address says what is asked for; inputs are set from it and write to it.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from grace_engine.figures.frames import plain
from grace_engine.records import Selection
from grace_engine.ui import filtering, state, verdicts
from grace_engine.ui.filtering import CHOICES, LABEL, Filters
from grace_engine.ui.text import as_markdown

_KEY = "filter-"
_CONTRADICTIONS = (
    "High is the top quarter of the run's traces by mean alignment of their steps, low the bottom "
    "quarter."
)
_TITLES = {
    "correct": "Answer",
    "verdict": "Verdicts",
    "looked": "Looked at",
    "override": "Kept or dropped",
    "inside": "Of the selection",
    "odd": "Contradictions",
    "check": "Answer check",
    "doubt": "Steps that the judge doubts",
}


def choose_filters(
    filters: Filters,
    datasets: Sequence[str],
    labels: dict[str, list[str]],
    numbers: Sequence[str],
    selections: Sequence[Selection],
    *,
    checked: bool = False,
    judged: bool = False,
) -> DeltaGenerator:
    """A search box and a popover of filters; what is returned is where the count goes.

    Args:
        filters: What the address asks for.
        datasets: Names of the run's datasets.
        labels: Labels that can be filters, with their values.
        numbers: Columns that can be bounded.
        selections: Saved selections, the latest first.
        checked: Whether any answer of the run was checked.
        judged: Whether a judge model has read any of its steps.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False):
        _set("q", filters.text)
        st.text_input(
            "Search prompts, steps and answers",
            key=f"{_KEY}q",
            placeholder="Search texts",
            icon=":material/search:",
            label_visibility="collapsed",
            on_change=_write,
            args=("q",),
        )
        active = len(filtering.chips(filters))
        with st.popover(
            f"Filters ({active})" if active else "Filters",
            icon=":material/filter_list:",
            key="filters",
        ):
            _popover(filters, datasets, labels, numbers, selections, checked=checked, judged=judged)
        return st.container(key="filter-count", width="content")


def say_count(
    place: DeltaGenerator,
    filters: Filters,
    traces: pd.Series,
    meant: npt.NDArray[np.bool_],
    selection: str = "",
) -> None:
    """How many traces are meant and, where it is not all, what asks for it and what to do."""
    said = filtering.chips(filters, selection)
    total, n_meant = len(traces), int(np.count_nonzero(meant))
    count = f"{n_meant:,} of {total:,}" if said else f"{total:,}"
    place.text(f"{count} traces", width="content")
    if not said:
        return
    with st.container(key="chips", horizontal=True, gap="xsmall", vertical_alignment="center"):
        for name, words in said.items():
            st.button(
                as_markdown(words),
                key=f"chip-{name}",
                icon=":material/close:",
                icon_position="right",
                help="Filter by this no more",
                on_click=state.ask,
                args=({name: []},),
            )
        if len(said) > 1:
            st.button(
                "Clear all",
                key="clear-filters",
                type="tertiary",
                on_click=state.ask,
                args=({name: [] for name in said},),
            )
        st.space("stretch")
        if n_meant:
            ids = tuple(traces[meant])
            for word, keep in (("Keep", True), ("Drop", False)):
                st.button(
                    f"{word} all {len(ids):,}",
                    key=f"{word.lower()}-all",
                    help=f"{word} each of these traces in selections; one undo takes it back",
                    on_click=verdicts.override,
                    args=(ids, keep),
                )


def _popover(
    filters: Filters,
    datasets: Sequence[str],
    labels: dict[str, list[str]],
    numbers: Sequence[str],
    selections: Sequence[Selection],
    *,
    checked: bool,
    judged: bool,
) -> None:
    _set("regex", filters.regex)
    st.checkbox(
        "The search is a regular expression",
        key=f"{_KEY}regex",
        help="Of RE2: no lookahead, no backreferences. Both kinds of search take any case of "
        "letters; `(?-i)` at the beginning of an expression tells capitals from small ones.",
        on_change=_write,
        args=("regex",),
    )
    left, right = st.columns(2)
    with left:
        for name in ("correct", "looked"):
            _choice(name, filters)
    with right:
        for name in ("verdict", "override"):
            _choice(name, filters)
        if selections:
            _selection(filters, selections)
    _choice("odd", filters)
    if checked:
        _choice("check", filters)
    if judged:
        _choice("doubt", filters)
    for name, ends in filters.ranges.items():
        _range(name, ends)
    _add_range([name for name in numbers if name not in filters.ranges])
    if len(datasets) > 1:
        _several("dataset", "Dataset", datasets, filters.datasets)
    columns = st.columns(2)
    for i, (name, values) in enumerate(labels.items()):
        with columns[i % 2]:
            title = f"Label {as_markdown(plain(name, 24))}"
            _several(LABEL + name, title, values, filters.labels.get(name, ()))


def _choice(name: str, filters: Filters) -> None:
    _set(name, filters.choices.get(name))
    st.segmented_control(
        _TITLES[name],
        list(CHOICES[name]),
        format_func=CHOICES[name].__getitem__,
        wrap=True,
        key=_KEY + name,
        help=_CONTRADICTIONS if name == "odd" else None,
        on_change=_write,
        args=(name,),
    )


def _several(name: str, title: str, known: Sequence[str], chosen: Sequence[str]) -> None:
    _set(name, [value for value in chosen if value in known])
    st.multiselect(
        title,
        known,
        format_func=lambda value: plain(value, 40),
        key=_KEY + name,
        placeholder="Any",
        on_change=_write,
        args=(name,),
    )


def _selection(filters: Filters, selections: Sequence[Selection]) -> None:
    names = {one.id: f"{plain(one.name, 24) or one.id} · {one.budget}" for one in selections}
    _set("selection", filters.selection if filters.selection in names else None)
    st.selectbox(
        "Saved selection",
        list(names),
        format_func=names.__getitem__,
        key=f"{_KEY}selection",
        placeholder="None",
        index=None,
        on_change=_write,
        args=("selection",),
    )
    if filters.selection in names:
        _choice("inside", filters)


def _add_range(numbers: Sequence[str]) -> None:
    """A number to bound, and its ends; once one is given it stands with the others."""
    chosen = st.selectbox(
        "Add a range",
        numbers,
        index=None,
        format_func=filtering.range_title,
        key=f"{_KEY}add-range",
        placeholder="A number of the traces",
    )
    if chosen:
        _range(chosen, (None, None))


def _range(name: str, ends: tuple[float | None, float | None]) -> None:
    title = filtering.range_title(name)
    whole = name.startswith("n_")
    columns = st.columns([0.3, 0.35, 0.35], vertical_alignment="center")
    columns[0].text(title)
    for column, side, end in zip(columns[1:], ("least", "most"), ends, strict=True):
        key = f"{_KEY}{name}-{side}"
        st.session_state[key] = int(end) if whole and end is not None else end
        column.number_input(
            f"{title}, at {side}",
            key=key,
            value=None,
            step=1 if whole else 0.05,
            format="%d" if whole else "%.3g",
            placeholder=f"at {side}",
            label_visibility="collapsed",
            on_change=_write_range,
            args=(name,),
        )


def _set(name: str, value: object) -> None:
    st.session_state[_KEY + name] = value


def _write(name: str) -> None:
    """Callback of an input: what it holds goes to the address."""
    value = st.session_state[_KEY + name]
    if isinstance(value, bool):
        value = "1" if value else ""
    values = value if isinstance(value, list) else [value] if value else []
    state.ask({name: [str(one) for one in values]})


def _write_range(name: str) -> None:
    low, high = (st.session_state[f"{_KEY}{name}-{side}"] for side in ("least", "most"))
    text = filtering.range_text(low, high)
    state.ask({filtering.range_parameter(name): [text] if text else []})
