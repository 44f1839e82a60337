"""How well do a run's signals find what is known to be bad?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from grace_engine import store
from grace_engine.api.views import RunView, run_view
from grace_engine.config import Weights
from grace_engine.errors import InputError, NotFoundError
from grace_engine.evaluation import (
    BAD,
    CLEAN,
    STEPS,
    Detection,
    Kinds,
    LabelledRun,
    ProfilePoint,
    Purity,
    StepRank,
    detect_steps,
    detect_traces,
    error_kinds,
    kinds_of,
    profiles,
    purity_of_top,
    step_ranks,
    trace_suspicion,
)
from grace_engine.records import Label, ScoringRun
from grace_engine.store import Workspace

_KIND, _PREFIX = "kind", "label."
_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".jsonl": lambda path: pd.read_json(path, lines=True, dtype=False),
    ".csv": lambda path: pd.read_csv(path, dtype={"trace_id": str}),
    ".parquet": pd.read_parquet,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a run's signals find in one dataset.

    Attributes:
        run: The run.
        dataset: Name of the dataset.
        history: Weights of earlier steps that the signals were computed with.
        n_traces: Scored traces of it.
        n_labelled_steps: Steps that carry a label.
        steps: How well each signal finds bad steps, by kind of error.
        ranks: Where the bad step stands in its trace.
        traces: How well each value tells bad traces from good ones, by kind of error.
        purity: How clean the top of each ranking is, by trace label.
        profiles: How each signal runs before, at and after the first bad step.
        by_label: Mean of each value among good and among bad traces, by trace label and signal.
    """

    run: ScoringRun
    dataset: str
    history: str
    n_traces: int
    n_labelled_steps: int
    steps: tuple[Detection, ...]
    ranks: tuple[StepRank, ...]
    traces: tuple[Detection, ...]
    purity: tuple[Purity, ...]
    profiles: tuple[ProfilePoint, ...]
    by_label: dict[str, dict[str, dict[str, float | None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Labels:
    """Labels by trace id: of every step, and of traces by name."""

    steps: Mapping[str, Sequence[Label]]
    traces: Mapping[str, Mapping[str, Label]]


def evaluate(
    workspace: Workspace,
    run: str = "latest",
    *,
    datasets: Sequence[str] = (),
    labels: Sequence[str] = (),
    weights: Weights | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> list[Evaluation]:
    """Hold a run's signals against labels, dataset by dataset.

    Args:
        workspace: The workspace.
        run: Id of the run, its beginning, or ``latest``.
        datasets: Which of the run's; every one that carries labels when empty.
        labels: Names of trace labels, or files (JSONL, CSV, Parquet) with columns ``trace_id``,
            ``label`` and, for labels of steps, ``step`` counted from 1. By default the step labels
            of the data, the trace label ``kind``, and every label that is true or false.
        weights: Their history is used; α takes several values by itself.
        resamples: Bootstrap draws of traces.
        seed: Of the draws.

    Raises:
        NotFoundError: No such run, dataset or label, or no trace carries a label.
        InputError: A file of labels cannot be read.
    """
    view = run_view(workspace, run, weights or Weights())
    present = list(dict.fromkeys(view.traces["dataset"]))
    unknown = [name for name in datasets if name not in present]
    if unknown:
        raise NotFoundError(
            f"Run {view.run.id} scored no traces of dataset {unknown[0]!r}: it scored "
            f"{', '.join(sorted(present)) or 'none'}."
        )
    given = _labels(workspace, view, labels)
    found = []
    for name in sorted(datasets or present):
        labelled = _labelled(view, given, (view.traces["dataset"] == name).to_numpy())
        if error_kinds(labelled.step_kinds) or labelled.trace_kinds:
            found.append(_evaluation(view, name, labelled, resamples, seed))
    if not found:
        raise NotFoundError(
            f"No trace of run {view.run.id} carries a label that says what is right or wrong: no "
            "step labels, no `kind`, and nothing that is true or false, such as `is_correct`. "
            "Name another label, or a file of labels, with --labels."
        )
    return found


def step_kinds(workspace: Workspace, view: RunView) -> Kinds:
    """``[S]`` what the data says of each step: ``clean``, a kind of error, or "" for nothing."""
    labels = _Labels(steps=store.step_labels(workspace, view.run.datasets), traces={})
    return _labelled(view, labels, np.ones(len(view.values), dtype=bool)).step_kinds


def scorer_name(run: ScoringRun) -> str:
    """Model and proxy of a run, and its entropy discount where it has one, on one short line."""
    return f"{Path(run.model).name} · {run.gradient}"


def one_a_model(found: Sequence[Evaluation]) -> list[Evaluation]:
    """The evaluation of most traces of each model: its losses are the same under every proxy."""
    fullest: dict[str, Evaluation] = {}
    for one in found:
        known = fullest.get(one.run.model)
        if known is None or one.n_traces > known.n_traces:
            fullest[one.run.model] = one
    return list(fullest.values())


def _evaluation(
    view: RunView, dataset: str, labelled: LabelledRun, resamples: int, seed: int
) -> Evaluation:
    suspicion = trace_suspicion(labelled.signals)
    return Evaluation(
        run=view.run,
        dataset=dataset,
        history=str(view.weights.history),
        n_traces=len(labelled.signals.trace_ids),
        n_labelled_steps=int((labelled.step_kinds != "").sum()),
        steps=tuple(detect_steps(labelled, resamples=resamples, seed=seed)),
        ranks=tuple(step_ranks(labelled)),
        traces=tuple(detect_traces(labelled, resamples=resamples, seed=seed)),
        purity=tuple(
            purity_of_top(label, name, values[kinds != ""], kinds[kinds != ""] == CLEAN)
            for label, kinds in labelled.trace_kinds.items()
            for name, values in suspicion.items()
        ),
        profiles=tuple(profiles(labelled)),
        by_label={
            label: {
                name: {
                    "good": _mean(-values[kinds == CLEAN]),
                    "bad": _mean(-values[(kinds != CLEAN) & (kinds != "")]),
                }
                for name, values in suspicion.items()
                if name.startswith("value")
            }
            for label, kinds in labelled.trace_kinds.items()
        },
    )


def _labels(workspace: Workspace, view: RunView, wanted: Sequence[str]) -> _Labels:
    """The labels that were asked for, or what the data says."""
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
        return _Labels(steps=store.step_labels(workspace, view.run.datasets), traces=chosen)
    steps: dict[str, Sequence[Label]] = {}
    traces: dict[str, Mapping[str, Label]] = {}
    counts = dict(zip(view.signals.trace_ids.tolist(), view.signals.n_steps.tolist(), strict=True))
    for name in wanted:
        if name == STEPS:
            steps |= store.step_labels(workspace, view.run.datasets)
        elif Path(name).suffix in _READERS:
            _read_labels(Path(name), counts, steps, traces)
        elif name in columns:
            traces[name] = columns[name]
        else:
            raise NotFoundError(
                f"There is no trace label {name!r} in run {view.run.id}. There are: "
                f"{', '.join([STEPS, *sorted(columns)])}; or name a .jsonl, .csv or .parquet file."
            )
    return _Labels(steps=steps, traces=traces)


def _read_labels(
    path: Path,
    counts: Mapping[str, int],
    steps: dict[str, Sequence[Label]],
    traces: dict[str, Mapping[str, Label]],
) -> None:
    """Add the labels of a file: of steps where it has a column ``step``, else of traces."""
    try:
        table = _READERS[path.suffix](path)
    except (OSError, ValueError) as error:
        raise InputError(f"The labels in {path} cannot be read: {error}") from error
    if not {"trace_id", "label"} <= set(table.columns):
        raise InputError(
            f"{path} has the columns {', '.join(map(str, table.columns))}: labels need `trace_id`, "
            "`label` and, for labels of steps, `step` counted from 1."
        )
    known = table[table["trace_id"].isin(list(counts))]
    if known.empty:
        raise InputError(f"None of the {len(table):,} trace ids in {path} is in this run.")
    if "step" not in table.columns:
        traces[path.stem] = dict(zip(known["trace_id"], map(_plain, known["label"]), strict=True))
        return
    for name, rows in known.groupby("trace_id"):
        own: list[Label] = list(steps.get(str(name), [None] * counts[str(name)]))
        for step, label in zip(rows["step"], rows["label"], strict=True):
            if not 1 <= step <= len(own):
                raise InputError(
                    f"{path} labels step {step} of trace {name}, which has {len(own)} steps."
                )
            own[int(step) - 1] = _plain(label)
        steps[str(name)] = own


def _plain(label: object) -> Label:
    value = label.item() if isinstance(label, np.generic) else label
    return value if isinstance(value, str | int | float | bool) and value == value else None


def _labelled(view: RunView, labels: _Labels, kept: np.ndarray) -> LabelledRun:
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


def _mean(values: np.ndarray) -> float | None:
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if len(kept) else None
