"""How do datasets look beside each other: their metrics, and what training on them gave?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from grace_engine.figures.frames import plain

SUBJECTS = (
    ("#0b5cad", "#6cb1f2"),
    ("#c9630c", "#f0a35e"),
    ("#00745c", "#35c3a0"),
    ("#8b3f86", "#e79be0"),
    ("#7a6a00", "#d6c14a"),
    ("#a33b3b", "#ef8b8b"),
)
"""Colours of datasets in their order, in the light and the dark theme: those of report.html."""

_BINS = 28
_COLUMNS = 4
_PANEL = 190
_LEVEL = 8  # metrics whose names find room beside each other
_SHAPES = ("circle", "diamond", "square", "triangle-up", "x", "star")


def distributions_chart(
    values: Mapping[str, Mapping[str, npt.NDArray[np.float64]]],
    bounds: Mapping[str, tuple[float | None, float | None]],
    *,
    dark: bool,
) -> Any:
    """Share of traces by value, a panel a metric and an outline a dataset.

    What lies beyond the 1st and 99th percentile stands in the first and last bin.

    Args:
        values: By title of a metric and name of a dataset: ``[n]`` values; NaN is left out.
        bounds: By title, between which it lies for every trace.
        dark: Whether the page is dark.
    """
    n_rows = -(-len(values) // _COLUMNS)
    figure = make_subplots(
        n_rows,
        min(_COLUMNS, len(values)),
        subplot_titles=list(values),
        vertical_spacing=0.34 / n_rows,
        horizontal_spacing=0.06,
    )
    told: set[str] = set()
    for place, (title, by_name) in enumerate(values.items()):
        known = {name: column[~np.isnan(column)] for name, column in by_name.items()}
        edges = _edges(np.concatenate(list(known.values())), bounds.get(title, (None, None)))
        for k, (name, column) in enumerate(known.items()):
            if not len(column):
                continue
            counts = np.histogram(np.clip(column, edges[0], edges[-1]), edges)[0]
            colour = SUBJECTS[k % len(SUBJECTS)][dark]
            figure.add_scatter(
                x=np.repeat(edges, 2),
                y=np.concatenate([[0], np.repeat(counts / len(column), 2), [0]]) * 100,
                mode="lines",
                line={"color": colour, "width": 1.8},
                fill="tozeroy" if k == 0 else None,
                fillcolor=_faint(colour),
                name=plain(name, 40),
                legendgroup=name,
                showlegend=name not in told,
                hovertemplate="%{x:.4g}: %{y:.1f}%<extra>" + plain(name, 40) + "</extra>",
                row=place // _COLUMNS + 1,
                col=place % _COLUMNS + 1,
            )
            told.add(name)
    figure.update_yaxes(ticksuffix="%", nticks=4, rangemode="tozero")
    figure.update_xaxes(nticks=5, zeroline=False)
    figure.update_annotations(font_size=13)
    figure.update_layout(
        height=70 + _PANEL * n_rows,
        margin={"l": 8, "r": 8, "t": 64, "b": 8},
        legend={"orientation": "h", "y": 1 + 40 / (_PANEL * n_rows), "yanchor": "bottom"},
        showlegend=len(told) > 1,
    )
    return figure


def parallel_chart(frame: pd.DataFrame, *, dark: bool) -> Any:
    """A line a dataset over the metrics that several have, from their middle.

    The unit is the pooled standard deviation of single traces, the root of the mean of the
    datasets' variances: two lines that are a unit apart are so in Cohen's d.

    Args:
        frame: A row a dataset and metric: ``dataset``, ``metric``, ``mean`` and ``deviation``, the
            standard deviation of single traces.
        dark: Whether the page is dark.
    """
    figure = go.Figure()
    frame = frame.dropna(subset="mean")
    frame = frame[frame.groupby("metric")["dataset"].transform("size") > 1]
    is_many = frame["metric"].nunique() > _LEVEL
    away = frame["mean"] - frame.groupby("metric")["mean"].transform("mean")
    variance = (frame["deviation"] ** 2).groupby(frame["metric"]).transform("mean")
    shown = frame.assign(place=(away / np.sqrt(variance.where(variance > 0))).where(away != 0, 0.0))
    for k, (dataset, own) in enumerate(shown.groupby("dataset", sort=False)):
        name = plain(str(dataset), 40)
        figure.add_scatter(
            x=own["metric"] if is_many else own["metric"].str.replace(" ", "<br>"),
            y=own["place"],
            mode="lines+markers",
            name=name,
            line={"color": SUBJECTS[k % len(SUBJECTS)][dark], "width": 2},
            marker={"size": 9, "symbol": _SHAPES[k % len(_SHAPES)]},
            customdata=own[["metric", "mean"]],
            hovertemplate="%{customdata[0]}: %{customdata[1]:.4g}<extra>"
            + plain(str(name), 40)
            + "</extra>",
        )
    figure.update_xaxes(
        showgrid=True, tickangle=-35 if is_many else 0, automargin=True, zeroline=False
    )
    figure.update_yaxes(title="Standard deviations of traces", zeroline=True)
    figure.update_layout(
        height=420 if is_many else 380,
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )
    return figure


def results_chart(frame: pd.DataFrame, metric: str, result: str, *, dark: bool) -> Any:
    """What training on each dataset gave, against one metric of it, with 95% intervals.

    Args:
        frame: A row a dataset: ``dataset``, ``metric``, ``mean``, ``low`` and ``high`` (shares).
        metric: Title of the metric.
        result: What the result is of.
        dark: Whether the page is dark.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=frame["metric"],
        y=100 * frame["mean"],
        mode="markers+text",
        text=[plain(str(name), 30) for name in frame["dataset"]],
        textposition="middle right",
        marker={"size": 11, "color": SUBJECTS[0][dark]},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": 100 * (frame["high"] - frame["mean"]),
            "arrayminus": 100 * (frame["mean"] - frame["low"]),
            "thickness": 1.5,
        },
        hovertemplate="%{text}: %{x:.4g}, %{y:.1f}%<extra></extra>",
        cliponaxis=False,
        showlegend=False,
    )
    figure.update_layout(
        height=360,
        margin={"l": 8, "r": 8, "t": 24, "b": 8},
        xaxis={"title": metric, "zeroline": False},
        yaxis={"title": f"{plain(result, 60)}, %", "zeroline": False},
    )
    return figure


def _edges(
    values: npt.NDArray[np.float64], bounds: tuple[float | None, float | None]
) -> npt.NDArray[np.float64]:
    """Edges of bins within the bounds of the number: one a number where they count things."""
    if not len(values):
        return np.array([0.0, 1.0])
    low, high = (float(edge) for edge in np.quantile(values, [0.01, 0.99]))
    least, most = bounds
    if least is not None and most is not None:  # no number of things, though it may be 0 or 1
        return np.linspace(*((least, most) if low == high else (low, high)), _BINS + 1)
    if low == high:  # a narrow bar in the middle
        return np.linspace(low - 0.5, low + 0.5, _BINS + 2)
    if bool((values == np.round(values)).all()) and high - low < _BINS:
        return np.arange(np.floor(low) - 0.5, np.ceil(high) + 1.0)
    return np.linspace(low, high, _BINS + 1)


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.16)"
