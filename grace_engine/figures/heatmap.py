"""How do the steps of many traces look: traces × steps, a colour a step?

Altair, because a click on a cell must select it.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from grace_engine.figures.frames import StepWindow
from grace_engine.figures.palette import COSINES, SIGNALS, ColourScale

_BAD = ("#c8003c", "#ff5c8a")

SAVING = {
    "embedOptions": {
        "actions": {"export": True, "source": False, "compiled": False, "editor": False}
    }
}
"""What the chart's own menu offers: PNG and SVG, and no page of another host."""

SELECTION = "cell"
"""Name of the heatmap's selection: a list with one ``{trace_id, step, turn}``."""


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
    chosen = selected or ("", 0)
    data = cells.assign(
        turn=turn,
        selected=(cells["trace_id"] == chosen[0]) & (cells["step"] == chosen[1]),
        place=cells["step"].astype(str) + " of " + cells["of"].astype(str),
    )
    name = SIGNALS[scale.signal]
    missing = ["outlined: no value"] if cells["value"].isna().any() else []
    labelled = ["framed in red: labelled as bad"] if cells["bad"].any() else []
    judged = ["✓ ✗ ○ = ✎ are verdicts"] if (cells["mark"] != "").any() else []
    number = "+.2~f" if scale.signal in COSINES else "~g"
    colour = alt.Fill(
        "value:Q",
        scale=alt.Scale(
            domain=scale.domain, range=list(scale.stops), clamp=True, interpolate="rgb"
        ),
        legend=alt.Legend(
            title=[f"{name} · {scale.note}", *missing, *labelled, *judged],
            orient="top",
            gradientLength=220,
            gradientThickness=10,
            titleLimit=460,
            offset=4,
            values=[scale.low, (scale.low + scale.high) / 2, scale.high],
            labelExpr=f"datum.value === 0 ? '0' : format(datum.value, '{number}')",
        ),
    )
    ink, muted = ("#ffffff", "#c3c8d0") if dark else ("#14171c", "#4d545e")
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
            labelFontWeight=_bold(fresh, len(rows)),
        ),
        scale=alt.Scale(domain=list(rows), paddingInner=0.12, paddingOuter=0.08),
    )
    chart: alt.Chart = (
        alt.Chart(data)
        .mark_rect(cursor="pointer", invalid="show")
        .encode(
            x=x,
            y=y,
            fill=alt.when("!isValid(datum.value)").then(alt.value("transparent")).otherwise(colour),
            stroke=alt.when("datum.selected")
            .then(alt.value(ink))
            .when("datum.bad")
            .then(alt.value(_BAD[dark]))
            .when("!isValid(datum.value)")
            .then(alt.value("#8a909980"))
            .otherwise(alt.value(None)),
            strokeWidth=alt.when("datum.selected || datum.bad")
            .then(alt.value(2.5))
            .otherwise(alt.value(1)),
            tooltip=[
                alt.Tooltip("row:N", title="Trace"),
                alt.Tooltip("place:N", title="Step"),
                *(alt.Tooltip(f"{key}_text:N", title=title) for key, title in SIGNALS.items()),
                alt.Tooltip("label:N", title="Label"),
                alt.Tooltip("verdict:N", title="Verdict"),
                alt.Tooltip("tokens:Q", title="Tokens"),
                alt.Tooltip("trace_value:N", title="Trace value"),
            ],
        )
        .add_params(pick)
    )
    marked = data[data["mark"] != ""]
    drawn: Any = chart
    if len(marked):
        signs = alt.Chart(marked).mark_text(fontSize=13, fontWeight="bold").encode(x=x, y=y)
        signs = signs.encode(text="mark:N")
        halo = signs.mark_text(
            fontSize=13, fontWeight="bold", fill="#ffffff", stroke="#ffffff", strokeWidth=4
        )
        drawn = alt.layer(chart, halo, signs.encode(color=alt.value("#14171c")))
    finished: Any = (
        drawn.configure_axis(labelColor=muted, titleColor=muted)
        .configure_legend(labelColor=muted, titleColor=muted)
        .properties(height=alt.Step(_row_height(len(rows))), usermeta=SAVING)
    )
    figure: alt.Chart | alt.LayerChart = finished
    return figure


def _bold(fresh: Sequence[int], n_rows: int) -> Any:
    """Weight of row labels. By place, so that no label becomes part of an expression."""
    if not fresh:
        return "normal"
    places = ",".join(str(int(place)) for place in fresh)
    here = f"round(datum.index * {max(n_rows - 1, 1)})"
    return alt.condition(
        f"indexof([{places}], {here}) >= 0", alt.value("bold"), alt.value("normal")
    )


def _row_height(n_rows: int) -> int:
    """Pixels of a row: easy to hit when few, still labelled when 200."""
    return next(height for limit, height in _ROW_HEIGHTS if n_rows <= limit)


_ROW_HEIGHTS = ((25, 20), (50, 18), (100, 16), (10**9, 14))
