"""Which traces of a run does the page list, and what stands above their heatmap?"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from grace_engine import api
from grace_engine.config import CurateConfig
from grace_engine.figures import frames
from grace_engine.figures.overview import overview_cells, overview_chart
from grace_engine.figures.palette import NAMES, ColourScale
from grace_engine.records import CLEAN
from grace_engine.ui import filtering, filters, load, state, tables, verdicts
from grace_engine.ui.filtering import Filters
from grace_engine.ui.frames import sort_options
from grace_engine.ui.text import as_markdown


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listed:
    """The traces of a run and which of them are meant.

    Attributes:
        rows: ``[N]`` all traces with what can be filtered and sorted.
        meant: ``[N]`` those that the filters let through.
        around: ``[N]`` those that all filters but that of a tenth of the values let through.
    """

    rows: pd.DataFrame
    meant: npt.NDArray[np.bool_]
    around: npt.NDArray[np.bool_]

    def ranked(
        self, view: api.RunView, annotations: api.Annotations, sort: str, *, descending: bool
    ) -> "Reading":
        """The meant traces in reading order.

        The open one is among them, even where it is not meant any more: a list of what was not
        looked at would otherwise close what was just opened.
        """
        rows = self.rows
        if sort == "margin" and "margin" not in rows:
            rows = with_live_margin(rows, view, annotations)
        kept = self.meant | (rows["trace_id"] == state.get(state.TRACE)).to_numpy()
        # Signed, a margin would sort as the value does: nearness to the cut is what is asked for.
        column = rows["margin"].abs() if sort == "margin" else rows[sort]
        places = np.flatnonzero(kept)
        order = frames.reading_order(
            view.signals.trace_ids[places], column.iloc[places], descending=descending
        )
        return Reading(rows=rows, places=places[order], sort=sort)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """The meant traces in reading order, M of them; most of them are never looked at.

    Attributes:
        rows: ``[N]`` all traces, in the order of the run.
        places: ``[M]`` places in ``rows``.
        sort: The column of ``rows`` that they are sorted by.
    """

    rows: pd.DataFrame
    places: npt.NDArray[np.intp]
    sort: str

    def __len__(self) -> int:
        return len(self.places)

    def row(self, rank: int) -> pd.Series:
        """The trace at a place in reading order, from 0."""
        return self.rows.iloc[int(self.places[rank])]

    def page(self, page: int, size: int) -> pd.DataFrame:
        """``frames.page_rows`` of them, with what they are ``sorted`` by in words."""
        shown = self.rows.iloc[self.places[(page - 1) * size : page * size]]
        return frames.page_rows(shown.assign(sorted=sorted_by(shown, self.sort)), 1, size)

    def rank_of(self, trace: str) -> int | None:
        """Place of a trace in reading order, from 0; None where it is none of these."""
        found = np.flatnonzero((self.rows["trace_id"] == trace).to_numpy()[self.places])
        return int(found[0]) if len(found) else None

    def whole(self) -> pd.DataFrame:
        """All of them as rows in reading order."""
        return self.rows.iloc[self.places].reset_index(drop=True)


def begin(view: api.RunView, kinds: npt.NDArray[np.object_]) -> None:
    """On a first visit to a run of several datasets, list the one with most steps labelled bad.

    The address and a chip say so, and either takes it back.
    """
    datasets = view.traces["dataset"].to_numpy(str)
    bad = np.isin(kinds, ["", CLEAN], invert=True)
    names, counts = np.unique(np.repeat(datasets, view.signals.n_steps)[bad], return_counts=True)
    if len(names) and len(set(datasets)) > 1:
        state.ask({"dataset": [str(names[counts.argmax()])]})


def listed(
    workspace: str, view: api.RunView, annotations: api.Annotations, wanted: Filters
) -> Listed:
    """Search box, filters and count; what they mean.

    Raises:
        InputError: The search is no regular expression.
    """
    run = view.run
    selections = load.list_selections(workspace)
    labels = load.label_values(workspace, run.id, run.updated_at, view.traces)
    checked = frames.is_checked(view.traces)
    numbers = [
        *(n for n in filtering.RANGES if view.judged is not None or n not in filtering.OF_JUDGES),
        *load.number_labels(workspace, run.id, run.updated_at, view.traces),
    ]
    count = filters.choose_filters(
        wanted,
        run.datasets,
        labels,
        numbers,
        selections,
        checked=checked,
        judged=view.judged is not None,
    )
    rows = load.facts(workspace, view, annotations)
    if view.judged is not None:
        rows = filtering.with_judge(rows, view.judged, view.signals)
    rows = filtering.with_looked(rows, verdicts.looked() - annotations.looked)
    inside, named = None, ""
    if wanted.selection in {one.id for one in selections}:
        selection = load.selection(workspace, wanted.selection)
        named = selection.name or selection.id
        inside = {choice.trace_id for choice in selection.choices if choice.selected}
        rows = filtering.with_margin(rows, selection)
    if "margin" in wanted.ranges and "margin" not in rows:
        rows = with_live_margin(rows, view, annotations)
    found = None
    if wanted.text:
        found = load.search(
            workspace, run.datasets, run.updated_at, wanted.text, regex=wanted.regex
        )
    meant = filtering.mask(rows, wanted, found, inside)
    around = filtering.mask(rows, replace(wanted, decile=0), found, inside)
    filters.say_count(count, wanted, rows["trace_id"], meant, named)
    return Listed(rows=rows, meant=meant, around=around)


def with_live_margin(
    rows: pd.DataFrame, view: api.RunView, annotations: api.Annotations
) -> pd.DataFrame:
    """Rows with ``margin``: the value less the cut of the address's budget, and a line on it.

    Raises:
        InputError: The budget is none.
    """
    config = CurateConfig(budget=state.get("budget") or CurateConfig().budget)
    cut = float(api.live_choice(view, config, annotations).cuts[0])
    shown = frames.number_texts(np.array([cut]), "score")[0]
    st.caption(f"Margin to the cut of a budget of {as_markdown(config.budget)}: {shown}")
    return rows.assign(margin=rows["value"].to_numpy(float) - cut)


def overview(
    place: DeltaGenerator,
    view: api.RunView,
    signal: str,
    scale: ColourScale,
    chosen: int,
    around: npt.NDArray[np.bool_],
    *,
    dark: bool,
) -> None:
    """The listed traces in one strip, drawn while open: a click lists a tenth of the values.

    Args:
        place: Where its button goes.
        view: The run under the weights of the page.
        signal: The signal to show.
        scale: Its colours.
        chosen: The tenth that is listed; 0 for all.
        around: ``[N]`` the traces that all other filters let through.
        dark: Whether the page is dark.
    """
    strip = place.popover(
        "", icon=":material/view_comfy:", key=state.STRIP, on_change="rerun", help="Overview"
    )
    if not strip.open:
        return
    with strip:
        st.caption(
            f"Mean {NAMES[signal].lower()} by tenth of trace values (10 is best) and step, over "
            f"{_counted(around)}. A click lists that tenth at that step, another lists all."
        )
        cells = overview_cells(view, signal, around)
        st.altair_chart(
            overview_chart(cells, scale, chosen=chosen, dark=dark, turn=state.turn()),
            key=state.OVERVIEW,
            on_select=state.choose_decile,
            alt="Mean signal by tenth of trace values and step; a click lists that tenth",
        )
        st.caption("A button at its upper right saves the picture as PNG.")
        tables.save_csv("Means as CSV", "overview", lambda: cells)


def sorted_by(rows: pd.DataFrame, sort: str) -> list[str]:
    """What each row is sorted by, in words; "" where it is the value, which stands there anyway."""
    if sort in ("value", "trace_id"):
        return [""] * len(rows)
    title, column = sort_options(rows)[sort], rows[sort]
    if not pd.api.types.is_float_dtype(column):
        texts = [frames.plain(filtering.label_text(value), 40) or "–" for value in column]
    else:
        form = "score" if sort in ("margin", "alignment") else "nll"
        texts = frames.number_texts(column.to_numpy(float), form)
    return [f"{title}: {text}" for text in texts]


def _counted(around: npt.NDArray[np.bool_]) -> str:
    """Over which traces the overview is."""
    n_meant = int(np.count_nonzero(around))
    if n_meant == len(around):
        return f"all {n_meant:,} traces"
    return f"the {n_meant:,} filtered traces; tenths are of all {len(around):,} of the run"


def save_rows(place: DeltaGenerator, reading: Reading, cells: pd.DataFrame, signal: str) -> None:
    """A popover that saves the listed traces, and the steps of the page, as CSV."""
    with place.popover("", icon=":material/download:", key="save", help="Numbers as CSV"):
        st.caption(
            "A button at the upper right of the heatmap saves it as PNG. In a notebook its menu "
            "saves SVG, too: `run_view(workspace).heatmap()`."
        )
        title = f"All {len(reading):,} listed traces"
        tables.save_csv(title, "traces", lambda: reading.whole().drop(columns="index"))
        steps = steps_of_page(cells, signal)
        tables.save_csv(f"The {len(cells):,} steps of this page", "steps", lambda: steps)


def steps_of_page(cells: pd.DataFrame, signal: str) -> pd.DataFrame:
    """``figures.frames.cells`` as a file: what is drawn alone is left out, signals have names.

    The judge's words have the name ``judge_says``, since ``judge`` is a signal.
    """
    drawn = ["of", "bad", "mark", "trace_value", "sorted"]
    texts = [name for name in cells if str(name).endswith("_text")]
    steps = cells.drop(columns=[*drawn, *texts]).rename(columns={"judge": "judge_says"})
    return steps.rename(columns={"value": signal})


def words(annotations: api.Annotations) -> Mapping[tuple[str, int], str]:
    """The verdicts on steps, by trace and step."""
    return {
        (trace, step): entry.word
        for trace, given in annotations.verdicts.items()
        for step, entry in given.items()
        if step is not None
    }


def first_doubt(view: api.RunView, row: pd.Series) -> int:
    """The step, from 1, of a trace that its judge thinks least of; 1 where it doubts none."""
    if view.judged is None:
        return 1
    values = view.judged.values[api.JUDGE][view.signals.steps_of(int(row["index"]))]
    return int(np.nanargmin(values)) + 1 if (values < 1.0).any() else 1


def fresh(shown: pd.DataFrame, opened: str) -> Collection[int]:
    """Places of the rows that were not looked at, where others were."""
    unseen = ~shown["looked"].to_numpy(bool) & (shown["trace_id"] != opened).to_numpy()
    return [] if unseen.all() else [int(place) for place in np.flatnonzero(unseen)]
