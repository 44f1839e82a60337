"""How does it look which signals find what is known to be bad?"""

import altair as alt
import pandas as pd

_SERIES = ["#0b3c70", "#d67628", "#00745c", "#8b3f86", "#4d545e", "#c9a227", "#3f82ba", "#a33b3b"]
_AREA = alt.Scale(
    domain=[0.0, 0.25, 0.5, 0.75, 1.0],
    range=["#8a3a02", "#f2c294", "#f3f3f1", "#a6c9e6", "#0b3c70"],
    interpolate="rgb",
)
_INK, _MUTED = "#14171c", "#4d545e"


def areas_chart(areas: pd.DataFrame, title: str) -> alt.LayerChart:
    """Rankings × kinds of error, coloured by area under the ROC curve, .5 in the middle.

    Args:
        areas: Columns ``ranking``, ``kind``, ``auc``, ``low``, ``high``; rows in reading order.
        title: What was told from what.
    """
    rankings, kinds = list(dict.fromkeys(areas["ranking"])), list(dict.fromkeys(areas["kind"]))
    base = alt.Chart(areas.assign(text=[f"{auc:.2f}" for auc in areas["auc"]])).encode(
        x=alt.X("kind:N", title=None, sort=kinds, axis=alt.Axis(orient="top", labelAngle=-25)),
        y=alt.Y("ranking:N", title=None, sort=rankings, axis=alt.Axis(labelLimit=360)),
    )
    cells = base.mark_rect(stroke="#ffffff").encode(
        fill=alt.Fill("auc:Q", scale=_AREA, legend=alt.Legend(title="Area under the ROC curve")),
        tooltip=["ranking", "kind", *(alt.Tooltip(f"{x}:Q", format=".3f") for x in _INTERVAL)],
    )
    numbers = base.mark_text(fontSize=11).encode(
        text="text:N",
        color=alt.when("datum.auc < 0.15 || datum.auc > 0.85")
        .then(alt.value("#ffffff"))
        .otherwise(alt.value(_INK)),
    )
    sized = {"width": alt.Step(74), "height": alt.Step(22)}
    return _dressed(alt.layer(cells, numbers).properties(**sized), title)


def purity_chart(purity: pd.DataFrame, pool: float, title: str) -> alt.LayerChart:
    """Share of good traces in the top of each ranking against the pool.

    Args:
        purity: Columns ``model``, ``ranking``, ``top`` (0 to 1), ``good`` (0 to 1).
        pool: Share of good traces in all.
        title: What was ranked.
    """
    rankings = list(dict.fromkeys(purity["ranking"]))
    axis = alt.Axis(format="%", values=sorted(set(purity["top"]) - {0.05}))
    lines = (
        alt.Chart(purity)
        .mark_line(point=alt.OverlayMarkDef(size=46), strokeWidth=2)
        .encode(
            x=alt.X("top:Q", title="Top of the ranking", axis=axis),
            y=alt.Y("good:Q", title="Good traces in it", axis=alt.Axis(format="%")).scale(
                zero=True
            ),
            color=alt.Color(
                "ranking:N",
                sort=rankings,
                scale=alt.Scale(domain=rankings, range=_cycled(len(rankings))),
                legend=alt.Legend(title=None, labelLimit=360),
            ),
            strokeDash=alt.StrokeDash(
                "model:N",
                legend=alt.Legend(
                    title=None,
                    labelLimit=360,
                    symbolType="stroke",
                    symbolSize=400,
                    symbolStrokeColor=_INK,
                ),
            ),
            tooltip=["model", "ranking", "top", "good"],
        )
    )
    line = pd.DataFrame({"pool": [pool], "what": [f"pool {pool:.0%}"], "at": [purity["top"].max()]})
    rule = alt.Chart(line).mark_rule(color=_MUTED, strokeDash=[4, 4]).encode(y="pool:Q")
    name = (
        alt.Chart(line)
        .mark_text(align="right", dy=10, color=_MUTED)
        .encode(y="pool:Q", x="at:Q", text="what:N")
    )
    return _dressed(alt.layer(lines, rule, name).properties(width=380, height=280), title)


def profiles_chart(points: pd.DataFrame, title: str) -> alt.LayerChart:
    """Signals × kinds of error: the course of a signal around the first bad step.

    Args:
        points: Columns of ``ProfilePoint``.
        title: Of which model and proxy.
    """
    data = points.assign(
        low=points["mean"] - points["error"],
        high=points["mean"] + points["error"],
        kind=points["kind"].str.replace("_", " "),
    )
    signals, kinds = list(dict.fromkeys(data["signal"])), list(dict.fromkeys(data["kind"]))
    base = alt.Chart(data).encode(x=alt.X("offset:Q", title=None, axis=alt.Axis(tickMinStep=1)))
    clean = base.mark_line(color=_MUTED, strokeDash=[4, 4]).encode(y="mean(clean):Q")
    course = base.mark_line(color=_SERIES[0], point=alt.OverlayMarkDef(color=_SERIES[0], size=28))
    spread = base.mark_rule(color=_SERIES[0]).encode(y=alt.Y("low:Q", title=None), y2="high:Q")
    at = base.transform_filter("datum.offset === 0").mark_point(
        color=_SERIES[1], filled=True, size=80, opacity=1
    )
    layered = alt.layer(clean, spread, course.encode(y="mean:Q"), at.encode(y="mean:Q")).properties(
        width=118, height=84
    )
    faceted = layered.facet(
        row=alt.Row("signal:N", sort=signals, title=None),
        column=alt.Column("kind:N", sort=kinds, title=None),
        spacing=10,
    ).resolve_scale(y="independent")
    note = "Mean and standard error by steps after it; dashed: all steps of clean traces."
    return _dressed(faceted, title, note)


_INTERVAL = ("auc", "low", "high")


def _dressed(chart: alt.LayerChart | alt.FacetChart, title: str, note: str = "") -> alt.LayerChart:
    """A title, and colours that hold on white and on a light page."""
    dressed: alt.LayerChart = (
        chart.properties(
            title=alt.TitleParams(
                title,
                subtitle=note,
                anchor="start",
                fontSize=13,
                color=_INK,
                subtitleColor=_MUTED,
                offset=12,
            ),
            background="#ffffff",
            padding=12,
        )
        .configure_axis(labelColor=_INK, titleColor=_INK, labelFontSize=11, gridColor="#e6e8eb")
        .configure_header(labelColor=_INK, labelFontSize=11)
        .configure_view(stroke=None)
        .configure_legend(labelColor=_INK, titleColor=_INK, labelFontSize=11)
    )
    return dressed


def _cycled(n: int) -> list[str]:
    return [_SERIES[index % len(_SERIES)] for index in range(n)]
