"""Which rows and cells of a run does a figure show, in which order?"""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from grace_engine.figures.palette import COSINES, JUDGE_SIGNALS, NAMES, SIGNALS
from grace_engine.marks import marks_named
from grace_engine.records import CLEAN
from grace_engine.signals import SignalTable, peak_losses

CORRECT = "label.is_correct"
"""Column in which the data says whether a trace's answer is right."""

CHECK = "answer_check"
"""Column that says what came out when the answer was held against its reference."""


class Scored(Protocol):
    """What is read of a run under some weights: N traces, S steps (``api.RunView`` is one)."""

    @property
    def signals(self) -> SignalTable:
        """Signals of every step."""

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """``[N]`` trace values."""

    @property
    def traces(self) -> pd.DataFrame:
        """N rows: ``trace_id``, ``variant``, ``line``, ``n_steps`` and more."""

    def step_values(self, signal: str) -> npt.NDArray[np.float64]:
        """``[S]`` of a signal."""


class Judged(Protocol):
    """What is read of a judge's labels of S steps (``api.StepJudge`` is one)."""

    @property
    def texts(self) -> npt.NDArray[np.object_]:
        """``[S]`` what it says in words."""

    @property
    def doubted(self) -> npt.NDArray[np.bool_]:
        """``[S]`` where a label is negative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWindow:
    """The steps that a heatmap shows, counted from 1, both ends included."""

    first: int
    last: int


def facts(view: Scored) -> pd.DataFrame:
    """A row a trace with the numbers that people sort and filter by.

    Beside the columns of ``view.traces``: ``value``, ``index`` (its place in ``view.signals``),
    ``correct`` (as ``correctness``), ``alignment``, ``consistency``, ``mean_loss``, ``fresh_loss``
    and ``norm`` (means over its steps; NaN where no step has one), ``answer_loss`` and
    ``peak_loss`` (nats a token).
    """
    signals, rows = view.signals, view.traces
    return rows.assign(
        value=view.values,
        index=np.arange(len(rows)),
        correct=correctness(rows),
        alignment=_means(signals.alignment, signals),
        consistency=_means(signals.consistency, signals),
        mean_loss=_means(signals.nll, signals),
        fresh_loss=_means(signals.fresh_loss, signals),
        norm=_means(signals.norm, signals),
        answer_loss=signals.answer_nll,
        peak_loss=peak_losses(signals),
    )


def correctness(rows: pd.DataFrame) -> pd.Series:
    """Whether each trace's answer is right: True, False, or None where nobody says.

    As the data has it; where the data says nothing, as the check of the answer found.
    """
    said, checked = said_correct(rows), checked_correct(rows)
    return said.where(said.notna(), checked)


def said_correct(rows: pd.DataFrame) -> pd.Series:
    """True, False, or None where the data says nothing or something else."""
    given = rows[CORRECT] if CORRECT in rows else pd.Series(None, index=rows.index, dtype=object)
    known = [bool(v) if isinstance(v, bool | np.bool_) else None for v in given]
    return pd.Series(known, index=rows.index, dtype=object)


def checked_correct(rows: pd.DataFrame) -> pd.Series:
    """True, False, or None where the check of the answer came to no verdict, or there is none."""
    found = rows[CHECK] if CHECK in rows else pd.Series(None, index=rows.index, dtype=object)
    known = [{"right": True, "wrong": False}.get(outcome) for outcome in found]
    return pd.Series(known, index=rows.index, dtype=object)


def is_checked(rows: pd.DataFrame) -> bool:
    """Whether any answer was checked."""
    return CHECK in rows and bool(rows[CHECK].notna().any())


def _means(of: npt.NDArray[np.float64], signals: SignalTable) -> npt.NDArray[np.float64]:
    """``[S]`` → ``[N]`` means over the steps that have a value; NaN where none has."""
    if not len(signals.n_steps):
        return np.zeros(0)
    known, starts = ~np.isnan(of), signals.offsets[:-1]
    counts = np.add.reduceat(known.astype(float), starts)
    sums = np.add.reduceat(np.where(known, of, 0.0), starts)
    means: npt.NDArray[np.float64] = np.divide(
        sums, counts, out=np.full(len(counts), np.nan), where=counts > 0
    )
    return means


def ranked_rows(view: Scored, sort: str = "value", *, descending: bool = True) -> pd.DataFrame:
    """``facts`` in reading order, as ``ranked`` sorts them."""
    return ranked(facts(view), sort, descending=descending)


def ranked(rows: pd.DataFrame, sort: str = "value", *, descending: bool = True) -> pd.DataFrame:
    """Rows in reading order: those without the sorted value last, ties by trace id."""
    ids = rows["trace_id"].to_numpy(object)
    order = reading_order(ids, rows[sort], descending=descending)
    return rows.iloc[order].reset_index(drop=True)


def reading_order(
    trace_ids: npt.NDArray[np.object_], column: pd.Series, *, descending: bool = True
) -> npt.NDArray[np.intp]:
    """``[N]`` places in reading order: those without a value last, ties by trace id."""
    keys = _keys(column, descending=descending)
    if bool(np.all(trace_ids[1:] >= trace_ids[:-1])):  # as runs are read; sorting texts is slow
        return np.lexsort(keys)  # stable
    return np.lexsort((trace_ids.astype(str), *keys))


def page_rows(rows: pd.DataFrame, page: int, size: int) -> pd.DataFrame:
    """The rows of a page, counted from 1, with a ``row`` label that is unique among them.

    Where ``rows`` have a column ``override``, the label ends in a sign for ``keep`` or ``drop``.
    """
    shown = rows.iloc[(page - 1) * size : page * size].reset_index(drop=True)
    names = [row_name(*fields) for fields in zip(*(shown[name] for name in _NAMED), strict=True)]
    labels = _unique(names, shown["trace_id"].tolist())
    if "override" in shown:
        signs = [_OVERRIDES.get(word, "") for word in shown["override"]]
        labels = [label + sign for label, sign in zip(labels, signs, strict=True)]
    return shown.assign(row=labels)


def row_name(variant: str, line: int, trace_id: str, correct: bool | None) -> str:
    """A short label: a mark for right or wrong, then variant and line, or line and short id."""
    mark = "" if correct is None else "✓ " if correct else "✗ "
    return f"{mark}{plain(variant, 20) or trace_id[:8]} · {line}"


def cells(
    view: Scored,
    rows: pd.DataFrame,
    signal: str,
    window: StepWindow,
    kinds: npt.NDArray[np.object_] | None = None,
    words: Mapping[tuple[str, int], str] | None = None,
    judged: Judged | None = None,
) -> pd.DataFrame:
    """One row per trace of ``rows`` and step of ``window``.

    Columns: ``trace_id``, ``row``, ``step`` (from 1), ``of`` (steps of the trace), ``value`` of
    ``signal`` (NaN without one), ``label`` and ``bad`` by the ``kinds`` ``[S]`` of steps,
    ``verdict`` by the ``words`` that curators gave (trace id, step), ``mark`` as it is drawn,
    ``judge`` and ``doubted`` by what a judge model says and, for a tooltip, all signals, tokens,
    the trace's value and ``sorted``, which rows may have: what they are sorted by, in words.
    """
    starts = view.signals.offsets[rows["index"].to_numpy(int)]
    n_steps = rows["n_steps"].to_numpy(int)
    counts = np.clip(np.minimum(n_steps, window.last) - window.first + 1, 0, None)
    row = np.repeat(np.arange(len(rows)), counts)
    step = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts) + window.first
    flat = starts[row] + step - 1
    labels = [""] * len(flat) if kinds is None else kinds[flat].tolist()
    ids = rows["trace_id"].to_numpy()[row]
    given = [""] * len(flat)
    if words:
        given = [words.get(key, "") for key in zip(ids.tolist(), step.tolist(), strict=True)]
    frame = {
        "trace_id": ids,
        "row": rows["row"].to_numpy()[row],
        "step": step,
        "of": n_steps[row],
        "value": view.step_values(signal)[flat],
        "label": [plain(str(kind), 40) or "–" for kind in labels],
        "bad": [kind not in ("", CLEAN) for kind in labels],
        "verdict": [plain(word, 40) or "–" for word in given],
        "mark": [verdict_mark(word) for word in given],
        "judge": ["–"] * len(flat) if judged is None else [t or "–" for t in judged.texts[flat]],
        "doubted": np.zeros(len(flat), dtype=bool) if judged is None else judged.doubted[flat],
        "tokens": view.signals.n_tokens[flat],
        "trace_value": np.array(number_texts(rows["value"].to_numpy(float), "score"))[row],
        "sorted": rows["sorted"].to_numpy(object)[row] if "sorted" in rows else "",
    }
    texts = {name: number_texts(view.step_values(name)[flat], name) for name in SIGNALS}
    return pd.DataFrame(frame | {f"{name}_text": text for name, text in texts.items()})


def verdict_mark(word: str) -> str:
    """The sign that stands for a curator's word; "" without one."""
    return _MARKS.get(word, "✎") if word else ""


def step_table(view: Scored, index: int) -> pd.DataFrame:
    """Every step of one trace with its numbers: step, signals, those of a judge, tokens."""
    where = view.signals.steps_of(index)
    names = SIGNALS if getattr(view, "judged", None) is None else NAMES
    numbers = {name: view.step_values(name)[where] for name in names}
    n_tokens = view.signals.n_tokens[where]
    return pd.DataFrame({"step": np.arange(len(n_tokens)) + 1, **numbers, "tokens": n_tokens})


def step_ticks(first: int, last: int) -> list[int]:
    """At most twenty whole steps from ``first`` to ``last``, and none beyond them."""
    return list(range(first, last + 1, max(1, -(-(last - first + 1) // 20))))


def number_texts(values: npt.NDArray[np.float64], signal: str) -> list[str]:
    """Numbers as a person reads them: cosines with their sign, a dash where there is none."""
    form = "{:+.3f}" if signal in COSINES else "{:.2f}" if signal in JUDGE_SIGNALS else "{:.3g}"
    return ["–" if np.isnan(v) else minus(form.format(v)) for v in values]


def minus(number: str) -> str:
    """A number as text with a sign as wide as its plus, not a hyphen."""
    return number.replace("-", "−")


def plain(text: str, limit: int = 2000) -> str:
    """``text`` on one line: direction marks by name, no control marks, cut at ``limit``."""
    line = " ".join(text.split())
    shown = "".join(c for c in marks_named(line) if unicodedata.category(c)[0] != "C")
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


_MARKS = {"good": "✓", "wrong": "✗", "irrelevant": "○", "redundant": "="}

_OVERRIDES = {"keep": " ⊕", "drop": " ⊖"}

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


def _keys(column: pd.Series, *, descending: bool) -> tuple[npt.NDArray[Any], ...]:
    """Sort keys for ``lexsort``, the most important last: has a value, then its rank."""
    missing = column.isna().to_numpy()
    if column.dtype == np.float64:
        rising = -column.to_numpy() if descending else column.to_numpy()
        return (np.where(missing, 0.0, rising), missing) if missing.any() else (rising,)
    if column.dtype == object:
        numbers = pd.to_numeric(column, errors="coerce")
        column = column.astype(str) if numbers.isna().sum() > missing.sum() else numbers
    ranks = column.where(~missing).rank(method="dense", ascending=not descending)
    return ranks.fillna(0.0).to_numpy(float), missing
