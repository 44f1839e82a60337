"""How do the steps of a run, and of one trace, look as figures?

Altair where a click must select, Plotly where people look and hover. Figures take frames and a
``ColourScale``; they never read the workspace.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd
import plotly.graph_objects as go

from grace_engine.figures.palette import COSINES, SIGNALS, ColourScale
from grace_engine.ui.frames import StepWindow

_BAD = ("#c8003c", "#ff5c8a")

SELECTION = "cell"
"""Name of the heatmap's selection: a list with one ``{trace_id, step, turn}``."""

_LINES = {
    "alignment": {"colour": ("#00745c", "#35c3a0"), "dash": "solid", "symbol": "circle"},
    "consistency": {"colour": ("#8b3f86", "#e79be0"), "dash": "dot", "symbol": "diamond"},
}


def heatmap(
    cells: pd.DataFrame,
    rows: Sequence[str],
    window: StepWindow,
    scale: ColourScale,
    *,
    selected: tuple[str, int] | None = None,
    dark: bool = False,
    turn: int = 0,
) -> alt.Chart:
    """Traces × steps, one rectangle a step, coloured by ``value``; a click selects a cell.

    Args:
        cells: As ``frames.cells`` makes them.
        rows: Row labels in the order to show, also of rows without a step in the window.
        window: The steps to show.
        scale: Colours of the shown signal.
        selected: Trace id and step to outline.
        dark: Whether the page is dark.
        turn: Any number that changes when the selection moved by other means than a click, so
            that a click on the cell that was clicked last is news again.
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
    number = "+.2~f" if scale.signal in COSINES else "~g"
    colour = alt.Fill(
        "value:Q",
        scale=alt.Scale(
            domain=scale.domain, range=list(scale.stops), clamp=True, interpolate="rgb"
        ),
        legend=alt.Legend(
            title=[f"{name} · {scale.note}", *missing, *labelled],
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
    chart: alt.Chart = (
        alt.Chart(data)
        .mark_rect(cursor="pointer", invalid="show")
        .encode(
            x=alt.X(
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
            ),
            y=alt.Y(
                "row:O",
                title=None,
                axis=alt.Axis(
                    labelLimit=190, labelOverlap=False, labelPadding=6, ticks=False, domain=False
                ),
                scale=alt.Scale(domain=list(rows), paddingInner=0.12, paddingOuter=0.08),
            ),
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
                alt.Tooltip("tokens:Q", title="Tokens"),
                alt.Tooltip("trace_value:N", title="Trace value"),
            ],
        )
        .add_params(pick)
        .configure_axis(labelColor=muted, titleColor=muted)
        .configure_legend(labelColor=muted, titleColor=muted)
        .properties(height=alt.Step(_row_height(len(rows))))
    )
    return chart


def trace_chart(steps: pd.DataFrame, scale: ColourScale, *, step: int, dark: bool) -> Any:
    """A trace's signals by step as a Plotly figure; ``step``, counted from 1, is marked.

    Bars carry the chosen signal in the heatmap's colours (the score where it is alignment or
    consistency, which are the lines).

    Args:
        steps: As ``frames.step_table`` makes them.
        scale: Colours of the chosen signal.
        step: The selected step.
        dark: Whether the page is dark.
    """
    bars = scale.signal if scale.signal not in _LINES else "score"
    figure = go.Figure()
    figure.add_vrect(
        x0=step - 0.5, x1=step + 0.5, fillcolor="#8a9099", opacity=0.28, line_width=0, layer="below"
    )
    number = "%{y:+.3f}" if bars in COSINES else "%{y:.3g}"
    figure.add_bar(
        x=steps["step"],
        y=steps[bars],
        name=SIGNALS[bars],
        marker={"color": [scale.colour(value) for value in steps[bars]], "line": {"width": 0}},
        hovertemplate=number,
    )
    if bars in COSINES:
        for name, look in _LINES.items():
            colour = look["colour"][dark]
            figure.add_scatter(
                x=steps["step"],
                y=steps[name],
                name=SIGNALS[name],
                mode="lines+markers" if len(steps) <= 60 else "lines",
                line={"color": colour, "width": 2, "dash": look["dash"]},
                marker={"color": colour, "size": 7, "symbol": look["symbol"]},
                hovertemplate="%{y:+.3f}",
            )
    figure.update_layout(
        height=180,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        bargap=0.25,
    )
    # A short trace keeps narrow bars: the axis never spans fewer than eight steps.
    first, last = int(steps["step"].iloc[0]), int(steps["step"].iloc[-1])
    figure.update_xaxes(
        dtick=1 if last - first < 20 else None,
        range=[first - 0.6, max(last, first + 7) + 0.6],
        unifiedhovertitle={"text": "Step %{x}"},
    )
    figure.update_yaxes(zeroline=True, zerolinecolor="#8a9099", nticks=5)
    return figure


def _row_height(n_rows: int) -> int:
    """Pixels of a row: easy to hit when few, still labelled when 200."""
    return next(height for limit, height in _ROW_HEIGHTS if n_rows <= limit)


_ROW_HEIGHTS = ((25, 20), (50, 18), (100, 16), (10**9, 14))
