"""How does a training look while it runs, and how do its arms compare once it has ended?"""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from grace_engine.figures.palette import LINES
from grace_engine.training import ArmResult, BudgetPoint, Interval

_METRICS = {
    "loss": "Loss, nats a token",
    "learning_rate": "Learning rate",
    "gradient_norm": "Gradient norm",
    "tokens_per_second": "Tokens a second",
}
# Ticks of an axis of steps.
_FEW = 10
_COLOURS = {"subset": "alignment", "random": "consistency"}
# Points of two arms at one budget stand so far apart, as a share of it, that both can be read.
_BESIDE = 0.03
# By what factor the axis of budgets goes beyond them, and two of its labels have to differ.
_ROOM, _LABEL = 1.2, 1.15


def metrics_chart(metrics: pd.DataFrame, *, dark: bool) -> Any:
    """Loss, learning rate, gradient norm and speed of a training by optimizer step.

    Args:
        metrics: A row a step: ``step`` and the columns that are drawn.
        dark: Whether the page is dark.
    """
    figure = make_subplots(1, len(_METRICS), subplot_titles=list(_METRICS.values()))
    colour = LINES["alignment"][dark]
    for place, name in enumerate(_METRICS, 1):
        figure.add_scatter(
            x=metrics["step"],
            y=metrics[name],
            mode="lines+markers" if len(metrics) <= 60 else "lines",
            line={"color": colour, "width": 2},
            name=_METRICS[name],
            showlegend=False,
            hovertemplate="step %{x}: %{y:.4g}<extra></extra>",
            row=1,
            col=place,
        )
        figure.update_xaxes(title_text="Step", tickformat=",d", **_ticks(metrics), row=1, col=place)
    figure.update_layout(height=240, margin={"l": 8, "r": 8, "t": 32, "b": 8})
    return figure


def _ticks(metrics: pd.DataFrame) -> dict[str, Any]:
    """Of few steps each one; else Plotly's own, which would stand between two of few."""
    few = len(metrics) <= _FEW
    return {"tickvals": metrics["step"].tolist()} if few else {"nticks": _FEW}


def arms_chart(arms: Sequence[ArmResult], *, dark: bool) -> Any:
    """Accuracy of each arm as a dot with its 95% interval; arms without problems are left out."""
    shown = [(arm, arm.accuracy) for arm in arms if arm.accuracy is not None][::-1]
    figure = go.Figure()
    figure.add_scatter(
        x=[100 * found.mean for _, found in shown],
        y=[arm.arm for arm, _ in shown],
        mode="markers",
        marker={"size": 11, "color": LINES["alignment"][dark]},
        error_x=_bars([found for _, found in shown]),
        customdata=[
            f"{found.share}, {arm.n_steps:,.0f} steps, {arm.n_tokens:,.0f} tokens a pass"
            for arm, found in shown
        ],
        hovertemplate="%{y}: %{customdata}<extra></extra>",
        showlegend=False,
    )
    figure.update_layout(
        height=70 + 44 * len(shown),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        xaxis={
            "title": f"{_named(shown[0][0].measure)}, % (95% interval)",
            "zeroline": False,
            "range": _with_room([found for _, found in shown]),
        }
        if shown
        else {},
    )
    return figure


def _with_room(found: Sequence[Interval]) -> list[float] | None:
    """Ends of an axis, in %, where intervals are points that give it none; None to let it be."""
    low, high = 100 * min(one.low for one in found), 100 * max(one.high for one in found)
    return [low - 1.0, high + 1.0] if high - low < 1.0 else None


def _bars(found: Sequence[Interval]) -> dict[str, Any]:
    """Error bars, in %, from the mean of each interval to its ends."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [100 * (one.high - one.mean) for one in found],
        "arrayminus": [100 * (one.mean - one.low) for one in found],
        "thickness": 1.5,
    }


def budget_chart(curve: Sequence[BudgetPoint], measure: str, *, dark: bool) -> Any:
    """Accuracy with 95% intervals against the budget, a line an arm; the model before is dotted.

    Args:
        curve: Points by arm and rising budget.
        measure: What was measured.
        dark: Whether the page is dark.
    """
    figure = go.Figure()
    for place, (arm, name) in enumerate(_COLOURS.items()):
        points = sorted(
            (
                (point, point.accuracy)
                for point in curve
                if point.arm in (arm, "full") and point.accuracy is not None
            ),
            key=lambda each: each[0].budget,
        )
        beside = 1.0 + (place - 0.5) * _BESIDE
        figure.add_scatter(
            x=[beside * point.budget for point, _ in points],
            y=[100 * found.mean for _, found in points],
            mode="lines+markers",
            name=arm,
            line={"color": LINES[name][dark], "width": 2},
            marker={"size": 9},
            error_y=_bars([found for _, found in points]),
            customdata=[
                f"{point.budget:.3g}%: {found.share}, "
                f"{point.n_steps:,.0f} steps, {point.n_tokens:,.0f} tokens a pass"
                for point, found in points
            ],
            hovertemplate=f"{arm} at %{{customdata}}<extra></extra>",
        )
    budgets = sorted({point.budget for point in curve if point.budget})
    ends = [budgets[0] / _ROOM, budgets[-1] * _ROOM] if budgets else []
    for point in curve:
        if point.arm == "untrained" and point.accuracy is not None:
            figure.add_scatter(
                x=ends,
                y=[100 * point.accuracy.mean] * len(ends),
                mode="lines",
                name="model before",
                line={"color": "#9aa0a6", "width": 2, "dash": "dot"},
                hovertemplate=f"model before: {point.accuracy.share}<extra></extra>",
            )
    ticks = _apart(budgets)
    figure.update_layout(
        height=340,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        xaxis={
            "title": "Budget, % of the pool's traces",
            "type": "log",
            "range": [math.log10(end) for end in ends] or None,
            "tickvals": ticks,
            "ticktext": [f"{budget:.3g}" for budget in ticks],
            "tickangle": 0,
            "ticks": "outside",
            "ticklen": 6,
            "tickwidth": 2,
        },
        yaxis={"title": f"{_named(measure)}, % (95% interval)"},
        legend={"orientation": "h", "y": 1.08},
    )
    return figure


def _apart(budgets: Sequence[float]) -> list[float]:
    """Those of rising budgets whose labels have room, the roundest of neighbours."""
    kept: list[float] = []
    for budget in budgets:
        if not kept or budget > _LABEL * kept[-1]:
            kept.append(budget)
        elif len(f"{budget:.3g}") < len(f"{kept[-1]:.3g}"):
            kept[-1] = budget
    return kept


def _named(measure: str) -> str:
    """A measure as the title of an axis."""
    return "Right answers" if measure == "accuracy" else measure
