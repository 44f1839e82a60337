"""Which page of rows, and which part of long traces, is on the screen?"""

import pandas as pd

from grace_engine.figures.frames import CHECK, StepWindow, is_checked, plain

PAGE_SIZES = (25, 50, 100, 200)
"""Rows a page; beyond 200 a click on the heatmap takes too long."""

STEP_WINDOW = 40
"""Most step columns that a heatmap shows at once; narrower cells cannot be hit."""

TEXT_STEPS = 100
"""Most steps of one trace that are shown at once as text and chart."""

_SORTS = {
    "value": "Value",
    "margin": "Margin to the cut",
    "n_steps": "Steps",
    "n_tokens": "Tokens",
    "answer_loss": "Answer loss",
    "peak_loss": "Peak loss",
    "mean_loss": "Mean loss",
    "alignment": "Mean alignment",
    "trace_id": "Trace id",
}


def sort_options(rows: pd.DataFrame) -> dict[str, str]:
    """Columns that rows can be sorted by, with their names for people."""
    labels = [name for name in rows.columns if name.startswith("label.")]
    checked = {CHECK: "Answer check"} if is_checked(rows) else {}
    judged = {"judge_worst": "Lowest judge score", "judge_mean": "Mean judge score"}
    return (
        _SORTS
        | checked
        | (judged if "judge_worst" in rows else {})
        | {name: f"Label {plain(name.removeprefix('label.'), 24)}" for name in labels}
    )


def page_count(n_rows: int, size: int) -> int:
    """Pages that ``n_rows`` fill; at least one."""
    return max(1, -(-n_rows // size))


def window_holding(step: int) -> int:
    """Number, from 1, of the window of ``STEP_WINDOW`` steps that holds ``step``."""
    return (max(step, 1) - 1) // STEP_WINDOW + 1


def step_window(number: int, longest: int) -> StepWindow:
    """The steps of a window, where the longest trace has ``longest``."""
    first = (number - 1) * STEP_WINDOW + 1
    return StepWindow(first=first, last=min(first + STEP_WINDOW - 1, longest))


def text_block(step: int) -> slice:
    """Places, from 0, of the ``TEXT_STEPS`` steps around step ``step`` that are shown as text."""
    first = (max(step, 1) - 1) // TEXT_STEPS * TEXT_STEPS
    return slice(first, first + TEXT_STEPS)
