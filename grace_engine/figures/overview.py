"""Where in good and in poor traces do the steps stand out: score decile × step position?"""

import altair as alt
import numpy as np
import numpy.typing as npt
import pandas as pd

from grace_engine.figures.frames import Scored
from grace_engine.figures.heatmap import SAVING, legend
from grace_engine.figures.palette import COSINES, NAMES, ColourScale

SELECTION = "decile"
"""Name of the strip's selection: a list with one ``{decile, place, turn}``."""

POSITIONS = 16
"""Step columns; the last one holds all later steps."""


def deciles(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """``[N]`` values → their tenth, from 1 (lowest) to 10, ties in order; 0 where there is none."""
    found = np.zeros(len(values), dtype=np.int64)
    known = np.flatnonzero(~np.isnan(values))
    above = np.empty(len(known), dtype=np.int64)
    above[np.argsort(values[known], kind="stable")] = np.arange(len(known))[::-1]
    found[known] = 10 - above * 10 // max(len(known), 1)
    return found


def overview_cells(
    view: Scored, signal: str, meant: npt.NDArray[np.bool_] | None = None
) -> pd.DataFrame:
    """Mean of ``signal`` a decile of trace values and step position.

    Deciles are of all traces; means are over the steps of the ``meant`` ``[N]`` ones alone.

    Columns: ``decile``, ``place`` (from 1; ``POSITIONS`` stands for it and all later ones),
    ``position`` as people read it, ``value`` and ``steps``, the number of steps behind it.
    """
    n_steps = view.signals.n_steps
    row = np.repeat(np.arange(len(n_steps)), n_steps)
    place = np.arange(len(row)) - view.signals.offsets[row] + 1
    values = view.step_values(signal)
    decile = deciles(view.values)[row]
    kept = ~np.isnan(values) & (decile > 0)
    if meant is not None:
        kept &= meant[row]
    bins = (decile[kept] - 1) * POSITIONS + np.minimum(place[kept], POSITIONS) - 1
    counts = np.bincount(bins, minlength=10 * POSITIONS)
    sums = np.bincount(bins, weights=values[kept], minlength=10 * POSITIONS)
    filled = np.flatnonzero(counts)
    later = int(place[kept].max(initial=1)) > POSITIONS
    places = filled % POSITIONS + 1
    return pd.DataFrame(
        {
            "decile": filled // POSITIONS + 1,
            "place": places,
            "position": [f"{p}+" if later and p == POSITIONS else str(p) for p in places],
            "value": sums[filled] / counts[filled],
            "steps": counts[filled],
        }
    )


def overview_chart(
    cells: pd.DataFrame, scale: ColourScale, *, chosen: int = 0, dark: bool = False, turn: int = 0
) -> alt.Chart:
    """The strip: a row a decile, best on top, a column a step position; a click selects a row.

    Args:
        cells: As ``overview_cells`` makes them.
        scale: Colours of the signal.
        chosen: The decile to outline; 0 for none.
        dark: Whether the page is dark.
        turn: Any number that changes when the choice moved by other means than a click.
    """
    ink, muted = ("#ffffff", "#c3c8d0") if dark else ("#14171c", "#4d545e")
    number = "+.3f" if scale.signal in COSINES else ".3g"
    positions = cells.sort_values("place")["position"].drop_duplicates().tolist()
    chart: alt.Chart = (
        alt.Chart(cells.assign(turn=turn))
        .mark_rect(cursor="pointer")
        .encode(
            x=alt.X(
                "position:O",
                title="Step",
                sort=positions,
                axis=alt.Axis(orient="top", labelAngle=0, ticks=False, domain=False),
                scale=alt.Scale(paddingInner=0.06),
            ),
            y=alt.Y(
                "decile:O",
                title="Tenth of trace values",
                axis=alt.Axis(ticks=False, domain=False),
                scale=alt.Scale(domain=list(range(10, 0, -1)), paddingInner=0.12),
            ),
            fill=alt.Fill(
                "value:Q",
                scale=alt.Scale(
                    domain=scale.domain, range=list(scale.stops), clamp=True, interpolate="rgb"
                ),
                legend=legend(scale, [f"Mean {NAMES[scale.signal].lower()} · {scale.note}"]),
            ),
            stroke=alt.condition(
                f"datum.decile === {int(chosen)}", alt.value(ink), alt.value("transparent")
            ),
            strokeWidth=alt.value(2),
            tooltip=[
                alt.Tooltip("decile:O", title="Tenth (10 is best)"),
                alt.Tooltip("position:O", title="Step"),
                alt.Tooltip("value:Q", title=f"Mean {NAMES[scale.signal].lower()}", format=number),
                alt.Tooltip("steps:Q", title="Steps", format=","),
            ],
        )
        .add_params(
            alt.selection_point(
                name=SELECTION, fields=["decile", "place", "turn"], on="click", toggle="false"
            )
        )
        .configure_axis(labelColor=muted, titleColor=muted)
        .configure_legend(labelColor=muted, titleColor=muted)
        .configure_title(color=ink, fontSize=13, anchor="start")
        .properties(
            height=alt.Step(15),
            usermeta=SAVING,
            title=f"{NAMES[scale.signal]} by tenth of trace values and step",
        )
    )
    return chart
