"""How do pass rates, alignments, methods and rollouts of problems look?

Plotly reads a part of HTML in its texts, and what is drawn here names problems: every such text
passes through ``_safe``.
"""

import html
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from grace_engine.figures.frames import minus, plain
from grace_engine.figures.palette import colour_limits_of, colour_scale

_GREY = {False: "#9aa0a8", True: "#7d838c"}
_BINS = 10
_MARGIN = {"l": 8, "r": 8, "t": 8, "b": 8}
_LEGEND = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
MOST_ROLLOUTS = 64
"""Rollouts of a heatmap of steps."""

MOST_STEPS = 60
"""Steps of a heatmap of steps; later ones are left out."""


def pass_rate_chart(rows: pd.DataFrame, *, dark: bool) -> Any:
    """How many problems have which pass rate, the chosen ones lit; 0 and 1 have bars of their own.

    Args:
        rows: As ``api.problem_rows`` has them.
        dark: Whether the page is dark.
    """
    known = rows[rows["pass_rate"].notna()]
    rate = known["pass_rate"].to_numpy(dtype=np.float64)
    names, of = _bins(rate)
    figure = go.Figure()
    for title, colour, inside in (
        ("Chosen", _lit(dark), known["selected"].to_numpy(dtype=bool)),
        ("Left out", _GREY[dark], ~known["selected"].to_numpy(dtype=bool)),
    ):
        figure.add_bar(
            x=names,
            y=[int(np.count_nonzero(inside & (of == place))) for place in range(len(names))],
            name=f"{title}: {int(inside.sum()):,}",
            marker={"color": colour, "line": {"width": 0}},
            hovertemplate=f"{title}: %{{y:,}} with a pass rate of %{{x}}<extra></extra>",
        )
    most = max((int(np.count_nonzero(of == place)) for place in range(len(names))), default=0)
    ticks: dict[str, int] = {"dtick": 1} if most <= 6 else {"nticks": 6}  # no halves of problems
    figure.update_xaxes(title={"text": "Pass rate"}, type="category", showgrid=False, tickangle=-45)
    figure.update_yaxes(title={"text": "Problems"}, rangemode="tozero", **ticks)
    figure.update_layout(barmode="stack", bargap=0.12, height=320, margin=_MARGIN, legend=_LEGEND)
    return figure


def _bins(rate: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Names of the bars, and ``[N]`` which bar each rate belongs to."""
    inner = [f"{100 * k / _BINS:.0f}–{100 * (k + 1) / _BINS:.0f}%" for k in range(_BINS)]
    names = ["0%", *inner, "100%"]
    of = 1 + np.minimum((rate * _BINS).astype(int), _BINS - 1)
    of[rate == 0] = 0
    of[rate == 1] = len(names) - 1
    return names, of


def alignment_chart(rows: pd.DataFrame, column: str, title: str, opened: str, *, dark: bool) -> Any:
    """What gradients say against pass rate: a point a problem, the chosen lit, the open one ringed.

    Args:
        rows: As ``api.problem_rows`` has them.
        column: What stands upwards, such as ``cosine``.
        title: The same for a person to read.
        opened: Id of the open problem; "" for none.
        dark: Whether the page is dark.
    """
    known = rows[rows["pass_rate"].notna() & rows[column].notna()]
    figure = go.Figure()
    for name, colour, symbol, part in (
        ("Left out", _GREY[dark], "circle", known[~known["selected"].astype(bool)]),
        ("Chosen", _lit(dark), "diamond", known[known["selected"].astype(bool)]),
    ):
        figure.add_scatter(
            x=part["pass_rate"],
            y=part[column],
            mode="markers",
            name=f"{name}: {len(part):,}",
            marker={"color": colour, "size": 8, "symbol": symbol, "opacity": 0.85},
            customdata=[
                [str(trace), _safe(prompt), minus(f"{value:+.4f}")]
                for trace, prompt, value in zip(
                    part["problem_id"], part["prompt"], part[column], strict=True
                )
            ],
            hovertemplate=f"%{{customdata[1]}}<br>pass rate %{{x:.0%}}, {title.lower()} "
            "%{customdata[2]}<extra>%{customdata[0]}</extra>",
            unselected={"marker": {"opacity": 0.85}},
        )
    ring = known[known["problem_id"] == opened]
    if len(ring):
        figure.add_scatter(
            x=ring["pass_rate"],
            y=ring[column],
            mode="markers",
            marker={
                "size": 17,
                "color": "rgba(0,0,0,0)",
                "line": {"color": _ink(dark), "width": 2},
            },
            hoverinfo="skip",
            showlegend=False,
        )
    figure.update_xaxes(
        title={"text": "Pass rate"}, tickformat=".0%", range=[-0.04, 1.04], zeroline=False
    )
    figure.update_yaxes(title={"text": title}, zeroline=True, zerolinecolor=_GREY[dark])
    figure.update_layout(height=320, margin=_MARGIN, legend=_LEGEND)
    return figure


def methods_chart(shared: pd.DataFrame, jaccard: pd.DataFrame, *, dark: bool) -> Any:
    """How much of what either of two methods takes both take: a square a pair.

    Args:
        shared: Problems that both take, a row and a column a method.
        jaccard: The same as a share of what either takes.
        dark: Whether the page is dark.
    """
    stops = colour_scale("norm", 1.0, dark=dark).stops
    names = [str(name) for name in shared.columns]
    values = jaccard.to_numpy(dtype=np.float64)
    figure = go.Figure(
        go.Heatmap(
            x=names,
            y=names,
            z=values,
            zmin=0,
            zmax=1,
            colorscale=[[i / (len(stops) - 1), stop] for i, stop in enumerate(stops)],
            text=shared.to_numpy(),
            texttemplate="%{text}",
            customdata=values,
            hovertemplate="%{y} and %{x}: %{text:,} in both, %{customdata:.0%} of either"
            "<extra></extra>",
            xgap=2,
            ygap=2,
            colorbar={"title": {"text": "of either"}, "tickformat": ".0%", "thickness": 12},
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(showgrid=False, side="bottom")
    figure.update_layout(height=110 + 36 * max(len(names), 3), margin=_MARGIN)
    return figure


def certainty_chart(halves: pd.DataFrame, *, dark: bool) -> Any:
    """Scores by one half of the rollouts against scores by the other; on the line they agree.

    Args:
        halves: As ``api.Certainty.halves``.
        dark: Whether the page is dark.
    """
    figure = go.Figure()
    both = halves[["first", "second"]].to_numpy(dtype=np.float64)
    low, high = (float(both.min()), float(both.max())) if len(both) else (-1.0, 1.0)
    figure.add_scatter(
        x=[low, high],
        y=[low, high],
        mode="lines",
        line={"color": _GREY[dark], "dash": "dash", "width": 1.5},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=halves["first"],
        y=halves["second"],
        mode="markers",
        marker={"color": _lit(dark), "size": 8},
        customdata=[_safe(name) for name in halves["problem_id"]],
        hovertemplate="%{customdata}: %{x:.4f} and %{y:.4f}<extra></extra>",
        showlegend=False,
    )
    figure.update_xaxes(title={"text": "Score by the first, third, … rollout"})
    figure.update_yaxes(title={"text": "Score by the second, fourth, … rollout"})
    figure.update_layout(height=360, margin=_MARGIN)
    return figure


def steps_chart(steps: pd.DataFrame, names: dict[int, str], *, dark: bool) -> Any:
    """Mean loss of each step of a problem's rollouts, a row a rollout.

    Args:
        steps: As ``api.ProblemRollouts.steps``.
        names: By number of a rollout what its row is called, in the order of the rows.
        dark: Whether the page is dark.
    """
    rows = [number for number in names if number in set(steps["number"])][:MOST_ROLLOUTS]
    shown = steps[steps["number"].isin(rows) & (steps["step"] <= MOST_STEPS)]
    longest = int(shown["step"].max()) if len(shown) else 1
    losses = np.full((len(rows), longest), np.nan)
    texts = np.full((len(rows), longest), "", dtype=object)
    where = {number: place for place, number in enumerate(rows)}
    for one in shown.to_dict("records"):
        losses[where[one["number"]], one["step"] - 1] = one["nll"]
        texts[where[one["number"]], one["step"] - 1] = _safe(one["text"], 90)
    scale = colour_scale("nll", colour_limits_of(losses), dark=dark)
    stops = scale.stops
    figure = go.Figure(
        go.Heatmap(
            x=list(range(1, longest + 1)),
            y=list(range(len(rows))),
            z=losses,
            zmin=scale.low,
            zmax=scale.high,
            colorscale=[[i / (len(stops) - 1), stop] for i, stop in enumerate(stops)],
            text=texts,
            hovertemplate="step %{x}, loss %{z:.3f}<br>%{text}<extra></extra>",
            hoverongaps=False,
            xgap=1,
            ygap=1,
            colorbar={
                "title": {"text": "loss"},
                "thickness": 12,
                "nticks": 5 if len(rows) > 5 else 3,
            },
        )
    )
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[_safe(names[number]) for number in rows],
        autorange="reversed",
        showgrid=False,
    )
    figure.update_xaxes(title={"text": "Step"}, showgrid=False, dtick=max(1, longest // 15))
    figure.update_layout(height=80 + 22 * max(len(rows), 3), margin=_MARGIN)
    return figure


def _lit(dark: bool) -> str:
    return colour_scale("score", 1.0, dark=dark).stops[5]


def _ink(dark: bool) -> str:
    return "#e8eaed" if dark else "#1f2329"


def _safe(text: object, limit: int = 80) -> str:
    """Text for Plotly: on one line, no longer than ``limit`` and without markup."""
    return html.escape(plain(str(text), limit))
