"""Which labels of steps and traces are signals held against, and who says so?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from grace_engine import store
from grace_engine.api.annotating import Annotations, annotations
from grace_engine.api.judged_steps import JUDGE
from grace_engine.api.views import RunView
from grace_engine.errors import InputError, NotFoundError
from grace_engine.evaluation import (
    BAD,
    GOOD_WORDS,
    STEPS,
    Kinds,
    LabelledRun,
    error_kinds,
    kinds_of,
)
from grace_engine.quantities import counted
from grace_engine.records import CLEAN, JUDGE_METRICS, Annotation, Label
from grace_engine.store import Workspace

VERDICTS = "verdicts"
"""What asks for curators' verdicts alone, beside ``steps`` for the labels of the data alone."""

_VERDICT, _KIND, _PREFIX = "verdict", "kind", "label."
_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".jsonl": lambda path: pd.read_json(path, lines=True, dtype=False),
    ".csv": lambda path: pd.read_csv(path, dtype={"trace_id": str}),
    ".parquet": pd.read_parquet,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenLabels:
    """Labels by trace id: of every step, and of traces by name.

    Attributes:
        steps: A label a step, None where a step has none.
        traces: By name, and by trace.
        verdicts: By trace, those of these that are curators' verdicts.
        notes: What could not be used, for a person to read.
    """

    steps: Mapping[str, Sequence[Label]]
    traces: Mapping[str, Mapping[str, Label]]
    verdicts: Mapping[str, Sequence[Annotation]]
    notes: tuple[str, ...] = ()


def labels_for(workspace: Workspace, view: RunView, wanted: Sequence[str] = ()) -> GivenLabels:
    """The labels that were asked for by name; without a name what the data and curators say.

    A verdict takes the place of any other label of its step.

    Raises:
        NotFoundError: No such label.
        InputError: A file of labels cannot be read.
    """
    columns = {
        name.removeprefix(_PREFIX): dict(
            zip(view.traces["trace_id"], view.traces[name], strict=True)
        )
        for name in view.traces.columns
        if name.startswith(_PREFIX)
    }
    if not wanted:
        named = sorted(columns, key=lambda name: name != _KIND)
        chosen = {n: columns[n] for n in named if n == _KIND or _is_boolean(columns[n])}
        found = store.step_labels(workspace, view.run.datasets, view.run.id)
        return _with_verdicts(view, annotations(workspace, run=view.run.id), found, chosen)
    steps: dict[str, Sequence[Label]] = {}
    traces: dict[str, Mapping[str, Label]] = {}
    notes: list[str] = []
    for name in wanted:
        if name == STEPS:
            steps |= store.step_labels(workspace, view.run.datasets, view.run.id)
        elif Path(name).suffix.lower() in _READERS:
            notes.append(_read_labels(Path(name), _step_counts(view), steps, traces))
        elif name in columns:
            traces[name] = columns[name]
        elif name.partition(":")[0] == JUDGE:
            judged, who = judge_labels(workspace, view, name)
            steps |= judged
            notes.append(who)
        elif name != VERDICTS:
            raise NotFoundError(
                f"There is no trace label {name!r} in run {view.run.id}. There are: "
                f"{', '.join([STEPS, VERDICTS, JUDGE, *sorted(columns)])}; or name a .jsonl, .csv "
                "or .parquet file."
            )
    for name, of in traces.items():
        _require_good(name, of)
    said = tuple(filter(None, notes))
    if VERDICTS in wanted:
        return replace(
            _with_verdicts(view, annotations(workspace, run=view.run.id), steps, traces), notes=said
        )
    return GivenLabels(steps=steps, traces=traces, verdicts={}, notes=said)


def judge_labels(
    workspace: Workspace, view: RunView, wanted: str = JUDGE
) -> tuple[dict[str, Sequence[Label]], str]:
    """What a judge says of each step, by trace: ``clean``, or the metrics that are negative.

    Beside it a sentence that says which judge it is, and how many traces of the run it has read.

    Args:
        workspace: Where the run is.
        view: The run: steps are as it saw them.
        wanted: ``judge`` for the one that has read most of the run's traces (of several, the
            latest), ``judge:ID`` for another, and ``judge:ID:METRIC`` for its labels of one
            metric alone.

    Raises:
        NotFoundError: There is no such judge, or it has read none of these steps.
        InputError: There is no such metric.
    """
    _, _, rest = wanted.partition(":")
    judge, _, metric = rest.partition(":")
    if metric and metric not in JUDGE_METRICS:
        raise InputError(
            f"{wanted} names no metric of a judge: use {', '.join(JUDGE_METRICS)} after the judge."
        )
    found = store.chosen_judge(workspace, judge or store.MOST_READ, run=view.run.id)
    counts = _step_counts(view)
    steps: dict[str, list[Label]] = {}
    for one in store.judged_steps(workspace, found.id, run=view.run.id):
        known = {metric: one.labels[metric]} if metric in one.labels else one.labels
        if one.trace_id not in counts or not known or (metric and metric not in known):
            continue
        own = steps.setdefault(one.trace_id, [None] * counts[one.trace_id])
        bad = [name for name in one.negative if name in known]
        own[one.step - 1] = ", ".join(bad) or CLEAN
    if not steps:
        raise NotFoundError(
            f"The judge {found.id} ({found.model}) has no such label on a step of run "
            f"{view.run.id}. Run grace judge on its dataset."
        )
    return dict(steps), (
        f"{wanted}: labels by {found.model} (judge {found.id}), which has read {len(steps):,} of "
        f"{counted(len(counts), 'trace')} of this run."
    )


def _require_good(name: str, of: Mapping[str, Label]) -> None:
    """Refuse a label whose words all name errors: nothing could be told from anything."""
    kinds = kinds_of([_plain(label) for label in of.values()])
    if error_kinds(kinds) and not (kinds == CLEAN).any():
        some = ", ".join(error_kinds(kinds)[:4])
        raise InputError(
            f"The label {name!r} calls no trace good: it says {some}. Good are "
            f"{', '.join(sorted(GOOD_WORDS))}, true, and numbers as in ratings."
        )


def labels_of_steps(workspace: Workspace, view: RunView, said: Annotations) -> GivenLabels:
    """What the data and curators say of steps."""
    return _with_verdicts(
        view, said, store.step_labels(workspace, view.run.datasets, view.run.id), {}
    )


def labelled(view: RunView, labels: GivenLabels, kept: np.ndarray) -> LabelledRun:
    """A run's signals of the ``kept`` ``[N]`` traces beside the labels."""
    signals = view.signals.take(kept)
    given: list[Label] = []
    for name, n_steps in zip(signals.trace_ids.tolist(), signals.n_steps.tolist(), strict=True):
        own = labels.steps.get(name, ())
        given += own if len(own) == n_steps else [None] * n_steps
    step_kinds = kinds_of(given)
    traces = {
        label: kinds_of([_plain(of.get(name)) for name in signals.trace_ids.tolist()])
        for label, of in labels.traces.items()
    }
    traces = {label: kinds for label, kinds in traces.items() if error_kinds(kinds)}
    if _KIND not in traces and error_kinds(step_kinds):
        traces[STEPS] = _kinds_by_steps(step_kinds, signals.offsets)
    return LabelledRun(signals=signals, step_kinds=step_kinds, trace_kinds=traces)


def _with_verdicts(
    view: RunView,
    said: Annotations,
    steps: Mapping[str, Sequence[Label]],
    traces: Mapping[str, Mapping[str, Label]],
) -> GivenLabels:
    """The labels with curators' verdicts in their places."""
    counts = _step_counts(view)
    all_steps, own, used = dict(steps), dict(traces.get(_VERDICT, {})), {}
    for trace, verdicts in said.verdicts.items():
        if trace not in counts:
            continue
        labels = list(all_steps.get(trace, [None] * counts[trace]))
        on_steps = {k: v for k, v in verdicts.items() if k is not None and k <= len(labels)}
        for step, verdict in on_steps.items():
            labels[step - 1] = verdict.word
        used[trace] = list(on_steps.values())
        if on_steps:
            all_steps[trace] = labels
        if None in verdicts:
            own[trace] = verdicts[None].word
            used[trace].append(verdicts[None])
    named = {**traces, _VERDICT: own} if own else traces
    return GivenLabels(steps=all_steps, traces=named, verdicts=used)


def _step_counts(view: RunView) -> dict[str, int]:
    return dict(zip(view.signals.trace_ids.tolist(), view.signals.n_steps.tolist(), strict=True))


def _read_labels(
    path: Path,
    counts: Mapping[str, int],
    steps: dict[str, Sequence[Label]],
    traces: dict[str, Mapping[str, Label]],
) -> str:
    """Add the labels of a file: of steps where it has a column ``step``, else of traces.

    Returns:
        What of the file could not be used, for a person to read; "" where all of it was.
    """
    try:
        table = _READERS[path.suffix.lower()](path)
    except (OSError, ValueError) as error:
        raise InputError(f"The labels in {path} cannot be read: {error}") from error
    if not {"trace_id", "label"} <= set(table.columns):
        raise InputError(
            f"{path} has the columns {', '.join(map(str, table.columns))}: labels need `trace_id`, "
            "`label` and, for labels of steps, `step` counted from 1."
        )
    known = table[table["trace_id"].isin(list(counts))]
    known = known.assign(label=pd.Series(map(_plain, known["label"]), known.index, dtype=object))
    if known.empty:
        raise InputError(f"None of the {len(table):,} trace ids in {path} is in this run.")
    places = ["trace_id", "step"] if "step" in table.columns else ["trace_id"]
    said_twice = known.drop_duplicates([*places, "label"]).duplicated(places)
    if said_twice.any():
        again = known.drop_duplicates([*places, "label"])[said_twice].iloc[0]
        where = " ".join(f"{name} {again[name]}" for name in places)
        raise InputError(f"{path} gives {where} two different labels: keep one of them.")
    left = len(table) - len(known)
    note = f"{left:,} of the {len(table):,} labels in {path} are of traces that are not in the run."
    if "step" not in table.columns:
        traces[path.stem] = dict(zip(known["trace_id"], known["label"], strict=True))
        return note if left else ""
    for name, given, label in zip(known["trace_id"], known["step"], known["label"], strict=True):
        own: list[Label] = list(steps.get(name, [None] * counts[name]))
        own[_step_number(path, name, given, len(own)) - 1] = label
        steps[name] = own
    return note if left else ""


def _step_number(path: Path, trace: str, given: object, n_steps: int) -> int:
    """A step's number, from 1, as a file has it."""
    is_truth = isinstance(given, bool | np.bool_)
    number = np.nan if is_truth else float(pd.to_numeric(given, errors="coerce"))  # type: ignore[call-overload]
    if not np.isfinite(number) or number != int(number):
        raise InputError(
            f"{path} labels step {given!r} of trace {trace}: a step is a whole number from 1."
        )
    if not 1 <= number <= n_steps:
        raise InputError(
            f"{path} labels step {int(number)} of trace {trace}, which has {n_steps} steps."
        )
    return int(number)


def _plain(label: object) -> Label:
    value = label.item() if isinstance(label, np.generic) else label
    return value if isinstance(value, str | int | float | bool) and value == value else None


def _kinds_by_steps(step_kinds: Kinds, offsets: np.ndarray) -> Kinds:
    """``[N]`` bad where any step is, clean where all labelled steps are, else ""."""
    found = []
    for first, end in pairwise(offsets):
        own = step_kinds[first:end]
        found.append(BAD if error_kinds(own) else CLEAN if (own == CLEAN).any() else "")
    return np.array(found, dtype=object)


def _is_boolean(labels: Mapping[str, Label]) -> bool:
    known = [_plain(label) for label in labels.values()]
    return all(isinstance(x, bool) or x is None for x in known) and any(
        x is not None for x in known
    )
