"""How do a trace's sum, a choice's bias and a budget's yield look?

Plotly reads a part of HTML in its texts, and what is drawn here names datasets and labels: every
such text passes through ``_safe``.
"""

import html
import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from grace_engine.figures.frames import minus, plain, step_ticks
from grace_engine.figures.palette import LINES, SIGNALS, colour_scale
from grace_engine.quantities import percent

MOST_BARS = 24
"""Most rows of the chart of differences; those of the largest differences."""

MOST_POINTS = 1000
"""Most traces of each kind in the chart of a comparison; those of the best rank."""

_GREY = "#8a9099"
_NAMED = 60
_CURVES = {
    "value": "Mean value",
    "share_correct": "Share correct",
    "pass_rate": "Mean pass rate",
    "tokens": "Tokens",
}
_SHARES = ("share_correct", "pass_rate")


def why_chart(steps: pd.DataFrame, value: float, cut: float | None, *, dark: bool) -> Any:
    """The sum that made a trace's value as a waterfall: each step adds to those before it.

    Args:
        steps: As ``api.Why.steps``: ``step``, ``from_alignment``, ``from_consistency``, ``part``,
            ``alignment``, ``consistency``, ``score`` and ``weight``.
        value: The sum.
        cut: Lowest value that was taken, drawn as a line; None without one.
        dark: Whether the page is dark.
    """
    figure = go.Figure()
    before = steps["part"].cumsum() - steps["part"]
    hover = [
        f"score {_signed(score)} × weight {weight:.3g} = {_signed(part)}"
        for score, weight, part in zip(steps["score"], steps["weight"], steps["part"], strict=True)
    ]
    for name, base in (
        ("alignment", before),
        ("consistency", before + steps["from_alignment"]),
    ):
        figure.add_bar(
            x=steps["step"],
            y=steps[f"from_{name}"],
            base=base,
            name=f"From {SIGNALS[name].lower()}",
            width=0.36,
            offset=-0.38 if name == "alignment" else 0.02,
            marker={"color": LINES[name][dark], "line": {"width": 0}},
            customdata=[
                [_signed(part), minus(f"{cosine:+.3f}")]
                for part, cosine in zip(steps[f"from_{name}"], steps[name], strict=True)
            ],
            text=hover,
            textposition="none",
            hovertemplate=f"{SIGNALS[name]} %{{customdata[1]}} adds %{{customdata[0]}}"
            "<br>%{text}<extra>Step %{x}</extra>",
        )
    last = int(steps["step"].iloc[-1])
    figure.add_bar(
        x=[last + 1],
        y=[value],
        name="Value",
        width=0.74,
        marker={"color": _GREY, "line": {"width": 0}},
        hovertemplate=f"Value {_signed(value)}<extra></extra>",
    )
    if cut is not None:
        figure.add_hline(
            y=cut,
            line={"color": _ink(dark), "dash": "dash", "width": 1.5},
            annotation={"text": f"cut {_signed(cut)}", "font": {"size": 12}},
            annotation_position="top left",
        )
    ticks = step_ticks(1, last)
    figure.update_xaxes(
        title={"text": "Step"},
        tickvals=[*ticks, last + 1],
        ticktext=[*map(str, ticks), "Value"],
        range=[0.3, max(last + 1, 8) + 0.7],
        showgrid=False,
    )
    figure.update_yaxes(zeroline=True, zerolinecolor=_GREY, nticks=6)
    figure.update_layout(
        barmode="overlay",
        height=280,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    return figure


def differences(numbers: pd.DataFrame, categories: pd.DataFrame) -> pd.DataFrame:
    """``Bias.numbers`` and ``Bias.categories`` as rows of one chart.

    Columns ``what``, ``difference`` (standardised), ``chosen`` and ``left`` (mean of a count, share
    of a category, as text), ``of`` (``counts`` or the column); the first column's rows first.
    """
    rows = [
        (
            str(name).capitalize(),
            row["difference"],
            f"mean {row['chosen_mean']:,.1f}",
            f"mean {row['left_mean']:,.1f}",
            "counts",
        )
        for name, row in numbers.iterrows()
    ]
    rows += [
        (
            f"{str(row['column']).removeprefix('label.')}: {row['category']}",
            row["difference"],
            percent(row["share_chosen"]),
            percent(row["share_left"]),
            row["column"],
        )
        for row in categories.to_dict("records")
    ]
    return pd.DataFrame(rows, columns=["what", "difference", "chosen", "left", "of"])


def bias_chart(rows: pd.DataFrame, *, dark: bool) -> Any:
    """``differences`` as bars: blue to the right where there is more of it among the chosen."""
    known = rows[rows["difference"].notna()]
    largest = known["difference"].abs().nlargest(MOST_BARS).index
    shown = known.loc[sorted(largest)]
    stops = colour_scale("score", 1.0, dark=dark).stops
    at = np.arange(len(shown))
    # Room for the numbers beside the longest bars.
    reach = max(0.5, float(shown["difference"].abs().max()) * 1.6) if len(shown) else 0.5
    figure = go.Figure()
    for low, high in ((-0.2, 0.2),):
        figure.add_vrect(
            x0=low, x1=high, fillcolor=_GREY, opacity=0.15, line_width=0, layer="below"
        )
    figure.add_bar(
        x=shown["difference"],
        y=at,
        orientation="h",
        marker={"color": [stops[5] if d > 0 else stops[1] for d in shown["difference"]]},
        customdata=[
            (_safe(what), _safe(chosen), _safe(left))
            for what, chosen, left in zip(
                shown["what"], shown["chosen"], shown["left"], strict=True
            )
        ],
        hovertemplate="%{customdata[0]}<br>difference %{text}<br>chosen %{customdata[1]}, "
        "left out %{customdata[2]}<extra></extra>",
        text=[minus(f"{d:+.2f}") for d in shown["difference"]],
        textposition="outside",
        cliponaxis=False,
    )
    figure.update_yaxes(
        tickvals=at,
        ticktext=[_safe(what, 34) for what in shown["what"]],
        autorange="reversed",
        showgrid=False,
    )
    figure.update_xaxes(
        title={"text": "← fewer among the chosen · more →"},
        range=[-reach, reach],
        zeroline=True,
        zerolinecolor=_GREY,
    )
    figure.update_layout(
        height=90 + 24 * max(len(shown), 3),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        bargap=0.3,
        showlegend=False,
    )
    return figure


def curve_chart(
    curve: pd.DataFrame, now: dict[str, float], unit: str = "traces", *, dark: bool
) -> Any:
    """Value, tokens and what was measured against the share that is in, the present one marked.

    Args:
        curve: As ``api.budget_curve`` or ``api.problem_curve`` makes it.
        now: ``share`` that is in, and its ``value``, ``tokens``, and ``share_correct`` or
            ``pass_rate``; NaN where a number does not exist.
        unit: What is chosen: traces or problems.
        dark: Whether the page is dark.
    """
    names = [name for name in _CURVES if name in curve and curve[name].notna().any()]
    stops = colour_scale("score", 1.0, dark=dark).stops
    figure = make_subplots(
        rows=1,
        cols=len(names),
        subplot_titles=[_CURVES[name] for name in names],
        horizontal_spacing=0.07,
    )
    for place, name in enumerate(names, start=1):
        number = {"value": "%{y:+.4f}", "tokens": "%{y:,}"}.get(name, "%{y:.1%}")
        figure.add_scatter(
            x=curve["share"],
            y=curve[name],
            mode="lines+markers",
            line={"color": stops[5], "width": 2},
            marker={"size": 5},
            customdata=curve["n"],
            hovertemplate=f"{number} at %{{x:.0%}} (%{{customdata:,}} {unit})<extra></extra>",
            row=1,
            col=place,
        )
        figure.add_vline(
            x=now["share"],
            line={"color": stops[1], "dash": "dash", "width": 1.5},
            row=1,
            col=place,
        )
        if not math.isnan(now[name]):
            figure.add_scatter(
                x=[now["share"]],
                y=[now[name]],
                mode="markers",
                marker={"color": stops[1], "size": 11, "symbol": "diamond"},
                hovertemplate=f"now: {number} at %{{x:.1%}}<extra></extra>",
                row=1,
                col=place,
            )
        figure.update_yaxes(
            row=1, col=place, tickformat=".0%" if name in _SHARES else None, nticks=6
        )
        if name == "tokens":
            figure.update_yaxes(row=1, col=place, rangemode="tozero")
    figure.update_xaxes(
        tickformat=".0%", title={"text": f"Share of the {unit}"}, range=[0, 1.02], dtick=0.25
    )
    figure.update_layout(height=320, margin={"l": 8, "r": 8, "t": 32, "b": 8}, showlegend=False)
    return figure


def comparison_chart(traces: pd.DataFrame, names: tuple[str, str], *, dark: bool) -> Any:
    """Ranks in two choices of the traces that either took: who is in both, or in one alone.

    What one side did not rank stands nowhere here.

    Args:
        traces: As ``Comparison.traces``, the best rank first.
        names: What a and b are called.
        dark: Whether the page is dark.
    """
    stops = colour_scale("score", 1.0, dark=dark).stops
    a, b = (_safe(name, 40) for name in names)
    ranked = traces[traces["rank_a"].notna() & traces["rank_b"].notna()]
    figure = go.Figure()
    for title, colour, symbol, kept in (
        ("In both", _GREY, "circle", ranked["in_a"] & ranked["in_b"]),
        (f"Only in {a}", stops[5], "triangle-up", ranked["in_a"] & ~ranked["in_b"]),
        (f"Only in {b}", stops[1], "triangle-down", ~ranked["in_a"] & ranked["in_b"]),
    ):
        part = ranked[kept]
        shown = part.head(MOST_POINTS)
        cut = f" (first {MOST_POINTS:,})" if len(part) > len(shown) else ""
        figure.add_scatter(
            x=shown["rank_a"].astype(int),
            y=shown["rank_b"].astype(int),
            name=f"{title}: {len(part):,}{cut}",
            mode="markers",
            marker={"color": colour, "size": 7, "symbol": symbol},
            cliponaxis=False,  # those of rank 1 lie on the axis
            customdata=[_safe(trace) for trace in shown.index],
            hovertemplate="%{customdata}<br>rank %{x:,} and %{y:,}<extra></extra>",
        )
    figure.update_xaxes(title={"text": f"Rank in {a}"}, rangemode="tozero")
    figure.update_yaxes(title={"text": f"Rank in {b}"}, autorange="reversed", rangemode="tozero")
    figure.update_layout(
        height=340,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    return figure


def _safe(text: object, limit: int = _NAMED) -> str:
    """Text for Plotly: on one line, no longer than ``limit`` and without markup."""
    return html.escape(plain(str(text), limit))


def _signed(number: float) -> str:
    return "–" if math.isnan(number) else minus(f"{number:+.4f}")


def _ink(dark: bool) -> str:
    return "#e8eaed" if dark else "#1f2329"
