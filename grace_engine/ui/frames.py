"""Which rows and cells of a run does a page show, in which order?"""

import unicodedata
from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from grace_engine.api import RunView
from grace_engine.figures.palette import COSINES, SIGNALS

PAGE_SIZES = (25, 50, 100, 200)
"""Rows a page; beyond 200 a click on the heatmap takes too long."""

STEP_WINDOW = 40
"""Most step columns that a heatmap shows at once; narrower cells cannot be hit."""

TEXT_STEPS = 100
"""Most steps of one trace that are shown at once as text and chart."""

CLEAN = "clean"
"""Kind of a step that the data calls good."""

CORRECT = "label.is_correct"
"""Column that says whether a trace's answer is right."""

_SORTS = {"value": "Value", "n_steps": "Steps", "n_tokens": "Tokens", "trace_id": "Trace id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWindow:
    """The steps that a heatmap shows, counted from 1, both ends included."""

    first: int
    last: int


def sort_options(traces: pd.DataFrame) -> dict[str, str]:
    """Columns that rows can be sorted by, with their names for people."""
    labels = [name for name in traces.columns if name.startswith("label.")]
    return _SORTS | {name: f"Label {plain(name.removeprefix('label.'), 24)}" for name in labels}


def ranked_rows(view: RunView, sort: str = "value", *, descending: bool = True) -> pd.DataFrame:
    """All traces of a run in reading order, one row each.

    Traces without the sorted value come last, ties go by trace id. Beside the columns of
    ``view.traces`` a row has ``value``, ``correct`` (True, False or None) and ``index``, its
    trace's place in ``view.signals``.
    """
    rows = view.traces.assign(value=view.values, index=np.arange(len(view.traces)))
    rows["correct"] = _verdicts(rows)
    order = np.lexsort((rows["trace_id"].to_numpy(str), *_keys(rows[sort], descending=descending)))
    return rows.iloc[order].reset_index(drop=True)


def page_count(n_rows: int, size: int) -> int:
    """Pages that ``n_rows`` fill; at least one."""
    return max(1, -(-n_rows // size))


def page_rows(rows: pd.DataFrame, page: int, size: int) -> pd.DataFrame:
    """The rows of a page, counted from 1, with a ``row`` label that is unique among them."""
    shown = rows.iloc[(page - 1) * size : page * size].reset_index(drop=True)
    names = [row_name(*fields) for fields in zip(*(shown[name] for name in _NAMED), strict=True)]
    return shown.assign(row=_unique(names, shown["trace_id"].tolist()))


def row_name(variant: str, line: int, trace_id: str, correct: bool | None) -> str:
    """A short label: a mark for right or wrong, then variant and line, or line and short id."""
    mark = "" if correct is None else "✓ " if correct else "✗ "
    return f"{mark}{plain(variant, 20) or trace_id[:8]} · {line}"


def window_holding(step: int) -> int:
    """Number, from 1, of the window of ``STEP_WINDOW`` steps that holds ``step``."""
    return (max(step, 1) - 1) // STEP_WINDOW + 1


def step_window(number: int, longest: int) -> StepWindow:
    """The steps of a window, where the longest trace has ``longest``."""
    first = (number - 1) * STEP_WINDOW + 1
    return StepWindow(first=first, last=min(first + STEP_WINDOW - 1, longest))


def cells(
    view: RunView,
    rows: pd.DataFrame,
    signal: str,
    window: StepWindow,
    kinds: npt.NDArray[np.object_] | None = None,
) -> pd.DataFrame:
    """One row per trace of ``rows`` and step of ``window``.

    Columns: ``trace_id``, ``row``, ``step`` (from 1), ``of`` (steps of the trace), ``value`` of
    ``signal`` (NaN without one), ``label`` and ``bad`` by the ``kinds`` ``[S]`` of steps and, for a
    tooltip, all signals, tokens and the trace's value.
    """
    starts = view.signals.offsets[rows["index"].to_numpy(int)]
    n_steps = rows["n_steps"].to_numpy(int)
    counts = np.clip(np.minimum(n_steps, window.last) - window.first + 1, 0, None)
    row = np.repeat(np.arange(len(rows)), counts)
    step = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts) + window.first
    flat = starts[row] + step - 1
    labels = [""] * len(flat) if kinds is None else kinds[flat].tolist()
    frame = {
        "trace_id": rows["trace_id"].to_numpy()[row],
        "row": rows["row"].to_numpy()[row],
        "step": step,
        "of": n_steps[row],
        "value": view.step_values(signal)[flat],
        "label": [plain(str(kind), 40) or "–" for kind in labels],
        "bad": [kind not in ("", CLEAN) for kind in labels],
        "tokens": view.signals.n_tokens[flat],
        "trace_value": np.array(number_texts(rows["value"].to_numpy(float), "score"))[row],
    }
    texts = {name: number_texts(view.step_values(name)[flat], name) for name in SIGNALS}
    return pd.DataFrame(frame | {f"{name}_text": text for name, text in texts.items()})


def text_block(step: int) -> slice:
    """Places, from 0, of the ``TEXT_STEPS`` steps around step ``step`` that are shown as text."""
    first = (max(step, 1) - 1) // TEXT_STEPS * TEXT_STEPS
    return slice(first, first + TEXT_STEPS)


def step_table(view: RunView, index: int) -> pd.DataFrame:
    """Every step of one trace with its numbers: step, signals, tokens."""
    where = view.signals.steps_of(index)
    numbers = {name: view.step_values(name)[where] for name in SIGNALS}
    n_tokens = view.signals.n_tokens[where]
    return pd.DataFrame({"step": np.arange(len(n_tokens)) + 1, **numbers, "tokens": n_tokens})


def number_texts(values: npt.NDArray[np.float64], signal: str) -> list[str]:
    """Numbers as a person reads them: cosines with their sign, a dash where there is none."""
    form = "{:+.3f}" if signal in COSINES else "{:.3g}"
    return ["–" if np.isnan(v) else form.format(v).replace("-", "−") for v in values]


def plain(text: str, limit: int) -> str:
    """``text`` on one line without control and direction marks, cut at ``limit`` characters."""
    line = " ".join(text.split())
    shown = "".join(char for char in line if unicodedata.category(char)[0] != "C")
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


_NAMED = ("variant", "line", "trace_id", "correct")


def _unique(names: list[str], trace_ids: list[str]) -> list[str]:
    """Names with as much of the id as keeps rows apart: equal labels would share one row."""
    labels = names
    for length in (6, None):
        count = Counter(labels)
        labels = [
            label if count[label] == 1 else f"{name} #{trace_id[:length]}"
            for label, name, trace_id in zip(labels, names, trace_ids, strict=True)
        ]
    return labels


def _verdicts(rows: pd.DataFrame) -> pd.Series:
    """True, False, or None where the data says nothing or something else."""
    given = rows[CORRECT] if CORRECT in rows else pd.Series(None, index=rows.index, dtype=object)
    known = [bool(v) if isinstance(v, bool | np.bool_) else None for v in given]
    return pd.Series(known, index=rows.index, dtype=object)


def _keys(column: pd.Series, *, descending: bool) -> tuple[npt.NDArray[np.floating], ...]:
    """Sort keys for ``lexsort``, the most important last: has a value, then its rank."""
    missing = column.isna().to_numpy()
    if column.dtype == object:
        numbers = pd.to_numeric(column, errors="coerce")
        column = column.astype(str) if numbers.isna().sum() > missing.sum() else numbers
    ranks = column.where(~missing).rank(method="dense", ascending=not descending)
    return ranks.fillna(0.0).to_numpy(float), missing.astype(float)
