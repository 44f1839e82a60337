"""How do the steps of many traces look: traces × steps, a colour a step?

Altair, because a click on a cell must select it. Altair checks each part of a chart against its
schema, which takes longer than all else that a page does: ``heatmap_spec`` keeps what it made and
puts rows and numbers in.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import altair as alt
import pandas as pd

from grace_engine.figures.frames import StepWindow
from grace_engine.figures.palette import COSINES, NAMES, SIGNALS, ColourScale

_BAD = ("#c8003c", "#ff5c8a")
_DOUBTED = ("#6a35c9", "#b794ff")
_PAGE = "#14171c"

SAVING = {
    "embedOptions": {
        "actions": {"export": True, "source": False, "compiled": False, "editor": False}
    }
}
"""What the chart's own menu offers in a notebook: PNG and SVG, and no page of another host.

A page has Streamlit's buttons in its place, which save a PNG and show the numbers.
"""

SELECTION = "cell"
"""Name of the heatmap's selection: a list with one ``{trace_id, step, turn}``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """All of a heatmap but its rows and numbers.

    Attributes:
        window: The steps to show.
        scale: Colours of the shown signal.
        dark: Whether the page is dark.
        n_rows: Rows, also those without a step in the window.
        notes: What the legend says below the name of the signal.
        judged: Whether steps carry the sign of a verdict.
        framed: Whether the outlined step has a frame of its own, which shows inside the outline.
        asked: Whether a judge model has read any of the steps.
        sorted_by: Whether rows tell what they are sorted by.
    """

    window: StepWindow
    scale: ColourScale
    dark: bool
    n_rows: int
    notes: tuple[str, ...]
    judged: bool
    framed: bool
    asked: bool
    sorted_by: bool


def heatmap(
    cells: pd.DataFrame,
    rows: Sequence[str],
    window: StepWindow,
    scale: ColourScale,
    *,
    selected: tuple[str, int] | None = None,
    dark: bool = False,
    turn: int = 0,
    fresh: Sequence[int] = (),
) -> alt.Chart | alt.LayerChart:
    """Traces × steps, one rectangle a step, coloured by ``value``; a click selects a cell.

    Steps with a verdict carry its sign, in a layer above the rectangles.

    Args:
        cells: As ``frames.cells`` makes them.
        rows: Row labels in the order to show, also of rows without a step in the window.
        window: The steps to show.
        scale: Colours of the shown signal.
        selected: Trace id and step to outline.
        dark: Whether the page is dark.
        turn: Any number that changes when the selection moved by other means than a click, so
            that a click on the cell that was clicked last is news again.
        fresh: Places, from 0, of the rows whose labels are bold: not looked at yet.
    """
    data = _data(cells, selected, turn)
    look = _look(data, len(rows), window, scale, dark=dark)
    chart = _chart(data, _marked(data), _framed(data), look, rows, _bold(fresh, len(rows)))
    return chart.properties(background=_PAGE) if dark else chart


def heatmap_spec(
    cells: pd.DataFrame,
    rows: Sequence[str],
    window: StepWindow,
    scale: ColourScale,
    *,
    selected: tuple[str, int] | None = None,
    dark: bool = False,
    turn: int = 0,
    fresh: Sequence[int] = (),
) -> dict[str, Any]:
    """``heatmap`` as a Vega-Lite specification with frames as ``datasets``, for a page.

    Heatmaps that differ in rows and numbers alone are one form, which is made once.
    """
    data = _data(cells, selected, turn)
    look = _look(data, len(rows), window, scale, dark=dark)
    spec = deepcopy(_form(look))
    for layer in spec.get("layer", [spec]):
        y = layer["encoding"]["y"]
        y["scale"]["domain"] = list(rows)
        y["axis"]["labelFontWeight"] = _bold(fresh, len(rows))
    spec["datasets"] = {_CELLS: data}
    if look.judged:
        spec["datasets"][_MARKS] = _marked(data)
    if look.framed:
        spec["datasets"][_FRAMED] = _framed(data)
    return spec


_CELLS, _MARKS, _FRAMED = "cells", "marks", "framed"
"""Names of the datasets of ``heatmap_spec``."""


@lru_cache(maxsize=64)
def _form(look: _Look) -> dict[str, Any]:
    """The specification without rows and numbers; never changed in place."""
    cells, marks, framed = (alt.NamedData(name=name) for name in (_CELLS, _MARKS, _FRAMED))
    chart = _chart(cells, marks, framed, look, [], "normal")
    spec: dict[str, Any] = chart.to_dict()
    spec["config"].pop("view", None)  # Altair's own sizes, which the page's take the place of
    return spec


def _data(cells: pd.DataFrame, selected: tuple[str, int] | None, turn: int) -> pd.DataFrame:
    trace, step = selected or ("", 0)
    return cells.assign(
        turn=turn,
        selected=(cells["trace_id"] == trace) & (cells["step"] == step),
        place=cells["step"].astype(str) + " of " + cells["of"].astype(str),
    )


def _marked(data: pd.DataFrame) -> pd.DataFrame:
    """Cells with a verdict."""
    return data[data["mark"] != ""]


def _framed(data: pd.DataFrame) -> pd.DataFrame:
    """The selected cell, where it has a frame of its own."""
    return data[data["selected"] & (data["bad"] | data["doubted"])]


def _look(
    cells: pd.DataFrame, n_rows: int, window: StepWindow, scale: ColourScale, *, dark: bool
) -> _Look:
    judged = bool((cells["mark"] != "").any())
    notes = {
        "outlined: no value": bool(cells["value"].isna().any()),
        "framed in red: labelled as bad": bool(cells["bad"].any()),
        "dashed: doubted by the judge": bool(cells["doubted"].any()),
        "✓ ✗ ○ = ✎ are verdicts": judged,
    }
    return _Look(
        window=window,
        scale=scale,
        dark=dark,
        n_rows=n_rows,
        notes=tuple(note for note, holds in notes.items() if holds),
        judged=judged,
        framed=len(_framed(cells)) > 0,
        asked=bool((cells["judge"] != "–").any()),
        sorted_by=bool((cells["sorted"] != "").any()),
    )


def _chart(
    data: Any, marked: Any, framed: Any, look: _Look, rows: Sequence[str], weight: Any
) -> alt.Chart | alt.LayerChart:
    """The figure over ``data``, signs over ``marked``, with this weight of row labels.

    Over ``framed`` the outline is drawn around the frame.
    """
    scale, window = look.scale, look.window
    colour = alt.Fill(
        "value:Q",
        scale=alt.Scale(
            domain=scale.domain, range=list(scale.stops), clamp=True, interpolate="rgb"
        ),
        legend=legend(scale, [f"{NAMES[scale.signal]} · {scale.note}", *look.notes]),
    )
    ink, muted = ("#ffffff", "#c3c8d0") if look.dark else ("#14171c", "#4d545e")
    pick = alt.selection_point(
        name=SELECTION, fields=["trace_id", "step", "turn"], on="click", toggle="false"
    )
    x = alt.X(
        "step:O",
        title="Step",
        axis=alt.Axis(
            orient="top",
            labelAngle=0,
            labelOverlap=True,
            labelPadding=3,
            titlePadding=3,
            ticks=False,
        ),
        scale=alt.Scale(
            domain=list(range(window.first, window.last + 1)),
            paddingInner=0.06,
            paddingOuter=0.04,
        ),
    )
    y = alt.Y(
        "row:O",
        title=None,
        axis=alt.Axis(
            labelLimit=190,
            labelOverlap=False,
            labelPadding=6,
            ticks=False,
            domain=False,
            labelFontWeight=weight,
        ),
        scale=alt.Scale(domain=list(rows), paddingInner=0.12, paddingOuter=0.08),
    )
    chart: alt.Chart = (
        alt.Chart(data)
        .mark_rect(
            cursor="pointer",
            invalid="show",
            strokeDash=_dashed_where("datum.doubted && !datum.selected"),
        )
        .encode(
            x=x,
            y=y,
            fill=alt.when("!isValid(datum.value)").then(alt.value("transparent")).otherwise(colour),
            stroke=alt.when("datum.selected")
            .then(alt.value(ink))
            .when("datum.bad")
            .then(alt.value(_BAD[look.dark]))
            .when("datum.doubted")
            .then(alt.value(_DOUBTED[look.dark]))
            .when("!isValid(datum.value)")
            .then(alt.value("#8a909980"))
            .otherwise(alt.value(None)),
            strokeWidth=alt.when("datum.selected || datum.bad || datum.doubted")
            .then(alt.value(2.5))
            .otherwise(alt.value(1)),
            tooltip=[
                alt.Tooltip("row:N", title="Trace"),
                alt.Tooltip("place:N", title="Step"),
                *(alt.Tooltip(f"{key}_text:N", title=title) for key, title in SIGNALS.items()),
                alt.Tooltip("label:N", title="Label"),
                alt.Tooltip("verdict:N", title="Verdict"),
                *([alt.Tooltip("judge:N", title="Judge")] if look.asked else []),
                alt.Tooltip("tokens:Q", title="Tokens"),
                alt.Tooltip("trace_value:N", title="Trace value"),
                *([alt.Tooltip("sorted:N", title="Sorted by")] if look.sorted_by else []),
            ],
        )
        .add_params(pick)
    )
    layers: list[Any] = [chart]
    if look.framed:
        outer = alt.Chart(framed).mark_rect(filled=False, strokeWidth=6.5, aria=False)
        outer = outer.encode(x=x, y=y, stroke=alt.value(ink))
        layers += [outer, _inner_frame(outer, dark=look.dark)]
    if look.judged:
        signs = alt.Chart(marked).mark_text(fontSize=13, fontWeight="bold").encode(x=x, y=y)
        signs = signs.encode(text="mark:N")
        front, back = ("#ffffff", _PAGE) if look.dark else (_PAGE, "#ffffff")
        halo = signs.mark_text(
            fontSize=13, fontWeight="bold", fill=back, stroke=back, strokeWidth=4
        )
        layers += [halo, signs.encode(color=alt.value(front))]
    drawn: Any = alt.layer(*layers) if len(layers) > 1 else chart
    finished: Any = (
        drawn.configure_axis(labelColor=muted, titleColor=muted)
        .configure_legend(labelColor=muted, titleColor=muted)
        .properties(height=alt.Step(_row_height(look.n_rows)), usermeta=SAVING)
    )
    figure: alt.Chart | alt.LayerChart = finished
    return figure


def _inner_frame(outer: alt.Chart, *, dark: bool) -> alt.Chart:
    """The frame of a bad or doubted step, as other cells have it, inside its outline."""
    frame: alt.Chart = outer.mark_rect(
        filled=False,
        strokeWidth=2.5,
        aria=False,
        strokeDash=_dashed_where("datum.doubted && !datum.bad"),
    ).encode(
        stroke=alt.when("datum.bad")
        .then(alt.value(_BAD[dark]))
        .otherwise(alt.value(_DOUBTED[dark])),
    )
    return frame


def _dashed_where(condition: str) -> alt.ExprRef:
    """Of the mark: Vega-Lite leaves a rectangle's channel ``strokeDash`` out of the picture."""
    return alt.ExprRef(f"{condition} ? [4, 2] : [1, 0]")


def legend(scale: ColourScale, title: list[str]) -> alt.Legend:
    """The stops of a scale as squares above a chart, the ends and the middle with their numbers."""
    number = "+.2~f" if scale.signal in COSINES else ".3~g"
    return alt.Legend(
        title=title,
        orient="top",
        # A gradient is painted by a reference to the address that the page had when it was
        # drawn, and goes blank once the address says something else.
        type="symbol",
        symbolType="square",
        symbolSize=150,
        symbolStrokeWidth=0,
        columnPadding=3,
        titleLimit=460,
        offset=4,
        values=scale.domain,
        labelExpr=_label(number, len(scale.stops)),
    )


def _label(number: str, n_stops: int) -> str:
    """Of many stops the first, the middle and the last carry a number: all do not fit."""
    shown = f"datum.value === 0 ? '0' : format(datum.value, '{number}')"
    if n_stops < 5:
        return shown
    places = [0, n_stops // 2, n_stops - 1]
    return f"indexof({places}, datum.index) < 0 ? '' : {shown}"


def _bold(fresh: Sequence[int], n_rows: int) -> Any:
    """Weight of row labels. By place, so that no label becomes part of an expression."""
    if not fresh:
        return "normal"
    places = ",".join(str(int(place)) for place in fresh)
    here = f"round(datum.index * {max(n_rows - 1, 1)})"
    return {
        "condition": {"test": f"indexof([{places}], {here}) >= 0", "value": "bold"},
        "value": "normal",
    }


def _row_height(n_rows: int) -> int:
    """Pixels of a row: easy to hit when few, still labelled when 200."""
    return next(height for limit, height in _ROW_HEIGHTS if n_rows <= limit)


_ROW_HEIGHTS = ((25, 20), (50, 18), (100, 16), (10**9, 14))
