"""Which traces does a curator mean: every filter of the address, as one mask over the run's traces?

Pure: frames and sets in, masks out. A filter that says nothing lets everything through; those that
say something must all agree.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from grace_engine.api import ADJECTIVES, Annotations, StepJudge
from grace_engine.figures.frames import CHECK, CORRECT, checked_correct, plain, said_correct
from grace_engine.figures.overview import deciles
from grace_engine.records import JUDGE_METRICS, OUTCOMES, Selection
from grace_engine.signals import SignalTable

RANGES = {
    "value": "Value",
    "n_steps": "Steps",
    "n_tokens": "Tokens",
    "answer_loss": "Answer loss",
    "peak_loss": "Peak loss",
    "alignment": "Mean alignment",
    "consistency": "Mean consistency",
    "mean_loss": "Mean loss",
    "fresh_loss": "Mean fresh loss",
    "norm": "Mean norm",
    "margin": "Margin to the cut",
    "judge_worst": "Lowest judge score",
    "judge_mean": "Mean judge score",
}
"""Numbers of every trace that can be bounded, with their names for people."""

OF_JUDGES = ("judge_worst", "judge_mean")
"""Those that a judge model gives: of a step, the share of its labels that are positive."""

RANGE = "range."
"""Prefix of the parameter that bounds a label that is a number: ``range.label.level=3..``."""

CHOICES: dict[str, dict[str, str]] = {
    "correct": {"right": "Correct", "wrong": "Wrong", "unknown": "Unlabelled"},
    "verdict": {"with": "With verdicts", "without": "Without"},
    "looked": {"no": "Not yet", "yes": "Looked at"},
    "override": {"keep": "Kept", "drop": "Dropped", "none": "Neither"},
    "inside": {"in": "In it", "out": "Left out"},
    "odd": {
        "high-wrong": "High, but wrong",
        "low-right": "Low, but right",
        "disagree": "Data and check disagree",
    },
    "check": {outcome.replace(" ", "-"): outcome.capitalize() for outcome in OUTCOMES}
    | {"none": "Not checked"},
    "doubt": {
        "any": "Any",
        **{name: f"Not {ADJECTIVES[name]}" for name in JUDGE_METRICS},
        "none": "None",
        "unread": "Not judged",
    },
}
"""Filters that are one of a few, with the names of what they let through."""

_ALONE = {
    ("correct", "right"): "Correct answer",
    ("correct", "wrong"): "Wrong answer",
    ("correct", "unknown"): "Answer unlabelled",
    ("verdict", "without"): "Without verdicts",
    ("looked", "no"): "Not looked at yet",
    ("override", "none"): "Neither kept nor dropped",
    ("inside", "in"): "In selection",
    ("inside", "out"): "Left out of",
}
"""What a choice is called where its title does not stand beside it."""

LABEL = "label."
"""Prefix of label columns and of their parameters in the address."""

MOST_VALUES = 30
"""A label with more values than this is no filter: search for it instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the address asks for.

    Attributes:
        text: Words, or a regular expression, in prompt, steps or answer; "" for any.
        regex: How ``text`` is read.
        datasets: Names; all when empty.
        labels: Label → values as text, any of which is meant.
        ranges: Name in ``RANGES`` or column of a label → lowest and highest value, both included;
            None is open.
        choices: Name in ``CHOICES`` → what to let through.
        selection: Id of the saved selection that ``inside`` and margins are about.
        decile: Tenth of the run's values, 10 the best; 0 for all.
    """

    text: str = ""
    regex: bool = False
    datasets: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)
    selection: str = ""
    decile: int = 0


def read(address: Mapping[str, Sequence[str]]) -> Filters:
    """Filters from the parameters of an address; what makes no sense there filters nothing."""

    def one(name: str) -> str:
        values = address.get(name, ())
        return values[-1] if values else ""

    ranges = {name: parse_range(one(name)) for name in RANGES}
    ranges |= {
        name.removeprefix(RANGE): parse_range(one(name))
        for name in address
        if name.startswith(RANGE + LABEL)
    }
    decile = one("decile")
    return Filters(
        text=one("q"),
        regex=one("regex") == "1",
        datasets=tuple(address.get("dataset", ())),
        labels={
            name.removeprefix(LABEL): tuple(values)
            for name, values in address.items()
            if name.startswith(LABEL) and values
        },
        ranges={name: ends for name, ends in ranges.items() if ends != (None, None)},
        choices={name: one(name) for name, known in CHOICES.items() if one(name) in known},
        selection=one("selection"),
        decile=int(decile) if decile.isdecimal() and 1 <= int(decile[:3]) <= 10 else 0,
    )


def parse_range(text: str) -> tuple[float | None, float | None]:
    """``0.1..0.5``, ``..0.5`` or ``0.1..`` as two ends; (None, None) for anything else."""
    low, dots, high = text.partition("..")
    try:
        ends = tuple(float(end) if end else None for end in (low, high)) if dots else ()
    except ValueError:
        return None, None
    if len(ends) != 2 or any(end is not None and not math.isfinite(end) for end in ends):
        return None, None
    return ends[0], ends[1]


def range_text(low: float | None, high: float | None) -> str:
    """Two ends as ``parse_range`` reads them; "" where both are open."""
    if low is None and high is None:
        return ""
    return "..".join("" if end is None else f"{end:.10g}" for end in (low, high))


def annotated(
    facts: pd.DataFrame, annotations: Annotations, looked: Collection[str] = ()
) -> pd.DataFrame:
    """``figures.frames.facts`` with columns ``judged``, ``override`` and ``looked``.

    Args:
        facts: A row a trace.
        annotations: What curators said.
        looked: Further traces that were looked at, not in the log yet.
    """
    ids = facts["trace_id"]
    override = np.full(len(ids), "", dtype=object)
    forced = ids.isin(annotations.overrides).to_numpy()
    override[forced] = [annotations.overrides[str(name)].word for name in ids[forced]]
    return facts.assign(
        judged=ids.isin(annotations.verdicts).to_numpy(),
        override=override,
        looked=ids.isin(annotations.looked.union(looked)).to_numpy(),
    )


def with_looked(rows: pd.DataFrame, looked: Collection[str]) -> pd.DataFrame:
    """Rows of ``annotated`` with further traces that were looked at, not in the log yet."""
    if not looked:
        return rows
    return rows.assign(looked=(rows["looked"] | rows["trace_id"].isin(looked)).to_numpy())


def with_judge(rows: pd.DataFrame, judged: StepJudge, signals: SignalTable) -> pd.DataFrame:
    """Rows with ``judge_mean`` and ``judge_worst``, and ``doubt_METRIC`` for each metric.

    NaN where the judge has read no step of the trace, False where it doubts none.
    """
    means, lowest = judged.by_trace(signals)
    doubts = {f"doubt_{name}": judged.by_trace(signals, name)[1] == 0.0 for name in JUDGE_METRICS}
    return rows.assign(judge_mean=means, judge_worst=lowest, **doubts)


def with_margin(rows: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """Rows with ``margin``: the value less the cut, both as the selection had them.

    The cut is the lowest value that the budget took, of its stratum where there are strata; those
    kept by hand play no part. NaN where the selection did not rank the trace, or took none.
    """
    ranked = [choice for choice in selection.choices if choice.value is not None]
    values = rows["trace_id"].map({choice.trace_id: choice.value for choice in ranked})
    taken = {one.trace_id for one in ranked if one.selected and not one.is_by_hand}
    chosen = values.where(rows["trace_id"].isin(taken)).astype(float)
    strata = rows[selection.per] if selection.per in rows else pd.Series(0, index=rows.index)
    cuts = chosen.groupby(strata, dropna=False).transform("min")
    return rows.assign(margin=values.to_numpy(float) - cuts.to_numpy(float))


def mask(
    rows: pd.DataFrame,
    filters: Filters,
    found: Collection[str] | None = None,
    inside: Collection[str] | None = None,
) -> npt.NDArray[np.bool_]:
    """``[N]`` which rows of ``annotated`` the filters let through.

    Args:
        rows: All traces of the run: deciles and quartiles are of all of them.
        filters: What is asked for.
        found: Traces that hold the text; None where no text is asked for.
        inside: Traces of the selection; None where none is chosen.
    """
    kept = np.ones(len(rows), dtype=bool)
    ids = rows["trace_id"]
    if found is not None:
        kept &= ids.isin(found).to_numpy()
    if filters.datasets:
        kept &= rows["dataset"].isin(filters.datasets).to_numpy()
    for name, values in filters.labels.items():
        if LABEL + name in rows:
            kept &= rows[LABEL + name].map(label_text).isin(values).to_numpy()
    for name, (low, high) in filters.ranges.items():
        if name not in rows:
            continue
        numbers = pd.to_numeric(rows[name], errors="coerce").to_numpy(float)
        kept &= numbers >= (-np.inf if low is None else low)
        kept &= numbers <= (np.inf if high is None else high)
    if filters.decile:
        kept &= deciles(rows["value"].to_numpy(float)) == filters.decile
    for name, choice in filters.choices.items():
        if name == "inside":
            if inside is not None:
                kept &= ids.isin(inside).to_numpy() == (choice == "in")
        else:
            kept &= _chosen(rows, name, choice)
    return kept


def contradictions(rows: pd.DataFrame) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """``[N]`` high but wrong and ``[N]`` low but right.

    High is the top quarter of the run's traces by mean alignment of their steps, low the bottom
    quarter, both ends included.
    """
    alignment = rows["alignment"].to_numpy(float)
    known = alignment[~np.isnan(alignment)]
    low, high = np.quantile(known, [0.25, 0.75]) if len(known) else (np.nan, np.nan)
    right, wrong = (_is(rows["correct"], known) for known in (True, False))
    return (alignment >= high) & wrong, (alignment <= low) & right


def disagreements(rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """``[N]`` where the data and the check of the answer both say something, and not the same."""
    said, checked = said_correct(rows), checked_correct(rows)
    return np.array(
        [None not in pair and pair[0] is not pair[1] for pair in zip(said, checked, strict=True)],
        dtype=bool,
    )


def label_values(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Labels that can be a filter, with their values as text, except whether it is correct."""
    found = {}
    for column in rows.columns:
        if column.startswith(LABEL) and column != CORRECT:
            values = sorted({label_text(value) for value in rows[column]} - {""})
            if 2 <= len(values) <= MOST_VALUES:
                found[column.removeprefix(LABEL)] = values
    return found


def number_labels(rows: pd.DataFrame) -> list[str]:
    """Columns of labels that are numbers wherever they are given."""
    found = []
    for column in rows.columns:
        if column.startswith(LABEL):
            given = rows[column].dropna()
            numeric = pd.api.types.is_numeric_dtype(given.infer_objects())
            if len(given) and numeric and not given.map(lambda v: isinstance(v, bool)).any():
                found.append(column)
    return found


def range_title(name: str) -> str:
    """A bounded number as people call it."""
    return RANGES.get(name) or f"Label {plain(name.removeprefix(LABEL), 24)}"


def range_parameter(name: str) -> str:
    """The parameter that bounds a number; a label's own name lists its values."""
    return name if name in RANGES else RANGE + name


def label_text(value: object) -> str:
    """A label as text; "" where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value)


def chips(filters: Filters, selection: str = "") -> dict[str, str]:
    """What is asked for, in words that stand alone, by the parameter that asks for it.

    Args:
        filters: What is asked for.
        selection: What people call the selection that it may be about.
    """
    said: dict[str, str] = {}
    if filters.text:
        said["q"] = f"{'/' if filters.regex else '“'}{plain(filters.text, 24)}" + (
            "/" if filters.regex else "”"
        )
    if filters.datasets:
        said["dataset"] = plain(", ".join(filters.datasets), 30)
    for name, values in filters.labels.items():
        said[LABEL + name] = f"{plain(name, 16)}: {plain(', '.join(values), 30)}"
    for name, (low, high) in filters.ranges.items():
        ends = [f"≥ {low:g}" if low is not None else "", f"≤ {high:g}" if high is not None else ""]
        said[range_parameter(name)] = f"{range_title(name)} {' '.join(filter(None, ends))}"
    said |= {
        name: _ALONE.get((name, choice), CHOICES[name][choice])
        for name, choice in filters.choices.items()
    }
    if "inside" in said:
        said["inside"] += f" {plain(selection, 30) or 'no saved selection'}"
    for name, title in (("check", "Answer check"), ("doubt", "Judge’s doubts")):
        if name in said:
            said[name] = f"{title}: {said[name].lower()}"
    if filters.decile:
        said["decile"] = f"Tenth {filters.decile} of 10"
    return said


def _chosen(rows: pd.DataFrame, name: str, choice: str) -> npt.NDArray[np.bool_]:
    if name == "correct":
        known = {"right": True, "wrong": False, "unknown": None}[choice]
        return _is(rows["correct"], known)
    if name == "verdict":
        return _equal(rows["judged"], choice == "with")
    if name == "looked":
        return _equal(rows["looked"], choice == "yes")
    if name == "override":
        wanted = "" if choice == "none" else choice
        return _equal(rows["override"], wanted)
    if name == "check":
        sought = None if choice == "none" else choice.replace("-", " ")
        return np.array([outcome == sought for outcome in rows[CHECK]], dtype=bool)
    if name == "doubt":
        return _doubted(rows, choice)
    if choice == "disagree":
        return disagreements(rows)
    high_wrong, low_right = contradictions(rows)
    return high_wrong if choice == "high-wrong" else low_right


def _doubted(rows: pd.DataFrame, choice: str) -> npt.NDArray[np.bool_]:
    """Which traces have a step of which a judge says this; all where no judge was asked."""
    if "judge_worst" not in rows:
        return np.ones(len(rows), dtype=bool)
    if choice in JUDGE_METRICS:
        return rows[f"doubt_{choice}"].to_numpy(bool)
    worst = rows["judge_worst"].to_numpy(float)
    means = {"any": worst < 1.0, "none": worst == 1.0, "unread": np.isnan(worst)}
    return np.asarray(means[choice], dtype=bool)


def _equal(column: pd.Series, wanted: object) -> npt.NDArray[np.bool_]:
    return np.asarray(column == wanted, dtype=bool)


def _is(column: pd.Series, wanted: bool | None) -> npt.NDArray[np.bool_]:
    return np.array([value is wanted for value in column], dtype=bool)
