"""How do the signals of one trace look, step by step and step against step?

Plotly, because people hover over these and do not choose in them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from grace_engine.figures.frames import minus, step_ticks
from grace_engine.figures.palette import COSINES, LINES, NAMES, SIGNALS, ColourScale, ink_on
from grace_engine.signals import cosine_matrix

_GREY = "#8a9099"
_LINES = {
    "alignment": {"colour": LINES["alignment"], "dash": "solid", "symbol": "circle"},
    "consistency": {"colour": LINES["consistency"], "dash": "dot", "symbol": "diamond"},
}


def trace_chart(steps: pd.DataFrame, scale: ColourScale, *, step: int, dark: bool) -> Any:
    """A trace's signals by step as a Plotly figure; ``step``, counted from 1, is marked.

    Bars carry the chosen signal in the heatmap's colours, and the score where it is alignment or
    consistency, which are the lines. A step without the signal has no bar; a trace that has it
    nowhere, as one that no judge has read, shows the score in grey.

    Args:
        steps: As ``frames.step_table`` makes them.
        scale: Colours of the chosen signal.
        step: The selected step.
        dark: Whether the page is dark.
    """
    bars = scale.signal if scale.signal not in _LINES and scale.signal in steps else "score"
    is_there = steps[bars].notna()
    if not is_there.any():
        bars, is_there = "score", steps["score"].notna()
    known = steps[is_there]
    is_coloured = bars == scale.signal or scale.signal in _LINES or scale.signal not in steps
    figure = go.Figure()
    figure.add_vrect(
        x0=step - 0.5, x1=step + 0.5, fillcolor=_GREY, opacity=0.28, line_width=0, layer="below"
    )
    number = "%{y:+.3f}" if bars in COSINES else "%{y:.3g}"
    figure.add_bar(
        x=known["step"],
        y=known[bars],
        name=NAMES[bars],
        # Pale bars would be lost on a pale page.
        marker={
            "color": [scale.colour(value) if is_coloured else _GREY for value in known[bars]],
            "line": {"width": 1, "color": _GREY},
        },
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
        tickvals=step_ticks(first, last),
        range=[first - 0.6, max(last, first + 7) + 0.6],
        unifiedhovertitle={"text": "Step %{x}"},
    )
    figure.update_yaxes(zeroline=True, zerolinecolor=_GREY, nticks=5)
    return figure


def matrix_chart(
    gram: npt.NDArray[np.float64],
    scale: ColourScale,
    *,
    step: int,
    dark: bool,
    signs: Mapping[int, str] | None = None,
) -> Any:
    """``[K+1, K+1]`` Gram of a trace → cosines between its segments as a Plotly figure.

    Steps whose gradients point the same way, as restated ones and loops do, show as blocks of the
    strongest colour. ``step``, counted from 1, is
    framed in its row and its column; the answer is the last of both. Numbers stand in the cells
    while they fit.

    Args:
        gram: Inner products, the answer last.
        scale: Colours of a cosine.
        step: The selected step.
        dark: Whether the page is dark.
        signs: By step, from 1, the sign of its verdict.
    """
    frame = matrix_frame(gram)
    cosines, names = frame.iloc[:, 1:].round(3).to_numpy(np.float32), frame["segment"].tolist()
    size = len(cosines)
    at = np.arange(1, size + 1)
    figure = go.Figure(
        go.Heatmap(
            z=cosines,
            x=at,
            y=at,
            zmin=scale.low,
            zmax=scale.high,
            colorscale=[[i / (len(scale.stops) - 1), stop] for i, stop in enumerate(scale.stops)],
            xgap=1 if size <= 60 else 0,
            ygap=1 if size <= 60 else 0,
            customdata=[[minus(f"{v:+.3f}") for v in line] for line in cosines],
            hovertemplate="%{y} and %{x}: %{customdata}<extra></extra>",
            colorbar={"thickness": 10, "outlinewidth": 0, "len": 0.9},
        )
    )
    if size <= _NUMBERED:
        figure.add_scatter(**_numbers(cosines, scale))
    ink = "#ffffff" if dark else "#14171c"
    ends = (0.5, size + 0.5)
    for x, y in ((ends, (step - 0.5, step + 0.5)), ((step - 0.5, step + 0.5), ends)):
        figure.add_shape(
            type="rect", x0=x[0], x1=x[1], y0=y[0], y1=y[1], line={"color": ink, "width": 2}
        )
    every = max(1, -(-(size - 1) // 25))
    given = signs or {}
    ticks = sorted({*range(1, size, every), *given, size})
    labels = [f"{names[i - 1]} {given.get(i, '')}".strip() for i in ticks]
    axis = {"tickvals": ticks, "ticktext": labels, "showgrid": False}
    figure.update_xaxes(**axis, side="top", range=list(ends), constrain="domain")
    figure.update_yaxes(**axis, range=list(ends)[::-1], scaleanchor="x", constrain="domain")
    figure.update_layout(
        height=max(300, min(560, 130 + 34 * size)), margin={"l": 8, "r": 8, "t": 8, "b": 8}
    )
    return figure


def _numbers(cosines: npt.NDArray[np.float32], scale: ColourScale) -> dict[str, Any]:
    """The cosines of all cells as one trace of texts, each in an ink that its cell's colour bears.

    A heatmap has one colour for all of its own texts.
    """
    rows, columns = np.indices(cosines.shape).reshape(2, -1) + 1
    flat = cosines.reshape(-1).tolist()
    return {
        "x": columns,
        "y": rows,
        "mode": "text",
        "text": [minus(f"{v:.2f}") for v in flat],
        "textfont": {"size": 11, "color": [ink_on(scale.colour(v)) for v in flat]},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def matrix_frame(gram: npt.NDArray[np.float64]) -> pd.DataFrame:
    """``[K+1, K+1]`` Gram → a row a segment: its name, then its cosine with each of them."""
    names = [*(str(k) for k in range(1, len(gram))), "answer"]
    frame = pd.DataFrame(cosine_matrix(gram), columns=names)
    frame.insert(0, "segment", names)
    return frame


_NUMBERED = 13
"""Most segments whose cosines are written into their cells."""
