"""What would every other budget give? The curve of traces and of problems."""

import math

import pandas as pd
import streamlit as st

from grace_engine.figures.selection import curve_chart
from grace_engine.selection import Taken
from grace_engine.ui import charts, tables


def curve(
    found: pd.DataFrame, taken: Taken, measured: tuple[str, float], unit: str, *, dark: bool
) -> None:
    """Mean value, what was measured and tokens against the budget, the present choice marked.

    Args:
        found: As ``api.budget_curve`` or ``api.problem_curve`` makes it.
        taken: The present choice.
        measured: The last column of ``found`` and the mean of the present choice; NaN without one.
        unit: What is chosen: traces or problems.
        dark: Whether the page is dark.
    """
    if not len(found):
        st.info(
            f"More {unit} are kept by hand than any share allows.",
            title="There is no curve to draw",
            icon=":material/lightbulb:",
        )
        return
    name, mean = measured
    now = {
        "share": taken.n_selected / len(taken.order),
        "value": float(pd.Series(taken.values[taken.selected]).mean()),
        name: mean,
        "tokens": math.nan if found["tokens"].isna().all() else float(taken.tokens),
    }
    charts.chart(
        curve_chart(found, now, unit, dark=dark),
        key="curve-chart",
        pixels=True,
        alt=f"Mean value, {name.replace('_', ' ')} and tokens against the share of the {unit}",
    )
    tables.save_csv("Curve as CSV", "budget-curve", lambda: found)
