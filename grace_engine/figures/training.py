"""How does a training look while it runs, and how do its arms compare once it has ended?"""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from grace_engine.figures.palette import LINES
from grace_engine.training import ArmResult

_METRICS = {
    "loss": "Loss, nats a token",
    "learning_rate": "Learning rate",
    "gradient_norm": "Gradient norm",
}


def metrics_chart(metrics: pd.DataFrame, *, dark: bool) -> Any:
    """Loss, learning rate and gradient norm of a training by optimizer step.

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
        figure.update_xaxes(
            title_text="Step", tickformat=",d", nticks=min(10, len(metrics) + 1), row=1, col=place
        )
    figure.update_layout(height=240, margin={"l": 8, "r": 8, "t": 32, "b": 8})
    return figure


def arms_chart(arms: Sequence[ArmResult], *, dark: bool) -> Any:
    """Accuracy of each arm as a dot with its 95% interval; arms without problems are left out."""
    shown = [(arm, arm.accuracy) for arm in arms if arm.accuracy is not None][::-1]
    figure = go.Figure()
    figure.add_scatter(
        x=[100 * found.mean for _, found in shown],
        y=[arm.arm for arm, _ in shown],
        mode="markers",
        marker={"size": 11, "color": LINES["alignment"][dark]},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [100 * (found.high - found.mean) for _, found in shown],
            "arrayminus": [100 * (found.mean - found.low) for _, found in shown],
            "thickness": 1.5,
        },
        customdata=[
            f"{found.mean:.1%} ({found.low:.1%} – {found.high:.1%}), "
            f"{arm.n_steps:,.0f} steps, {arm.n_tokens:,.0f} tokens a pass"
            for arm, found in shown
        ],
        hovertemplate="%{y}: %{customdata}<extra></extra>",
        showlegend=False,
    )
    figure.update_layout(
        height=70 + 44 * len(shown),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        xaxis={"title": "Right answers, % (95% interval)", "zeroline": False},
    )
    return figure
