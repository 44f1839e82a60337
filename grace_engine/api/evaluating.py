"""How well do a run's signals find what is known to be bad?"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from grace_engine.api.annotating import Annotations, annotations
from grace_engine.api.labels import labelled, labels_for, labels_of_steps
from grace_engine.api.views import RunView, run_view
from grace_engine.config import Weights
from grace_engine.errors import NotFoundError
from grace_engine.evaluation import (
    Detection,
    Kinds,
    LabelledRun,
    ProfilePoint,
    Purity,
    StepRank,
    Untold,
    detect_steps,
    detect_traces,
    error_kinds,
    profiles,
    purity_of_top,
    step_ranks,
    trace_suspicion,
    untold,
)
from grace_engine.quantities import counted
from grace_engine.records import CLEAN, Annotation, ScoringRun
from grace_engine.store import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a run's signals find in one dataset.

    Attributes:
        run: The run.
        dataset: Name of the dataset.
        history: Weights of earlier steps that the signals were computed with.
        n_traces: Scored traces of it.
        n_labelled_steps: Steps that carry a label.
        n_traces_with_steps: Traces with such a step.
        n_labelled_traces: By trace label, the traces that it says something of.
        n_verdicts: Labels of steps and traces that are curators' verdicts.
        verdicts: Those by word, the most frequent first.
        authors: Those by who gave them, the busiest first.
        notes: Labels that could not be used, for a person to read.
        untold: Errors that are labelled, but have nothing good to be told from.
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
    n_traces_with_steps: int
    n_labelled_traces: dict[str, int]
    n_verdicts: int
    verdicts: dict[str, int]
    authors: dict[str, int]
    notes: tuple[str, ...]
    untold: tuple[Untold, ...]
    steps: tuple[Detection, ...]
    ranks: tuple[StepRank, ...]
    traces: tuple[Detection, ...]
    purity: tuple[Purity, ...]
    profiles: tuple[ProfilePoint, ...]
    by_label: dict[str, dict[str, dict[str, float | None]]]


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
            ``label`` and, for labels of steps, ``step`` counted from 1; ``steps`` for the step
            labels of the data, ``verdicts`` for those of curators, ``judge`` for those of a judge
            model (``judge:ID``, ``judge:ID:METRIC``). By default the first two, the trace
            label ``kind``, and every label that is true or false; a verdict takes the place of the
            data's label of its step, and one on a trace is its label ``verdict``.
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
    given = labels_for(workspace, view, labels)
    found, notes = [], list(given.notes)
    for name in sorted(datasets or present):
        known = labelled(view, given, (view.traces["dataset"] == name).to_numpy())
        said = [v for t in known.signals.trace_ids.tolist() for v in given.verdicts.get(t, ())]
        if error_kinds(known.step_kinds) or known.trace_kinds:
            found.append(_evaluation(view, name, known, said, resamples, seed))
        elif said:
            notes.append(
                f"{name} is not evaluated: of its {counted(len(said), 'verdict')} none names an "
                "error."
            )
    if not found and labels:
        raise NotFoundError(
            f"Of the labels {', '.join(labels)} none that reaches a trace of run {view.run.id} "
            "names an error, so there is nothing to tell from what is good."
        )
    if not found:
        raise NotFoundError(
            f"No trace of run {view.run.id} carries a label that says what is right or wrong: no "
            "step labels, no verdicts, no `kind`, and nothing that is true or false, such as "
            "`is_correct`. Name another label, or a file of labels, with --labels."
        )
    return [replace(one, notes=tuple(notes)) for one in found]


def step_kinds(workspace: Workspace, view: RunView, said: Annotations | None = None) -> Kinds:
    """``[S]`` what data and curators say of each step: ``clean``, a kind of error, or "".

    Args:
        workspace: Where the run is.
        view: The run.
        said: What curators say, where it is read already.
    """
    labels = labels_of_steps(workspace, view, said or annotations(workspace, run=view.run.id))
    return labelled(view, labels, np.ones(len(view.values), dtype=bool)).step_kinds


def scorer_names(found: Sequence[Evaluation]) -> dict[str, tuple[str, str]]:
    """By run, its model and gradient in a few words, and its id where these say too little."""
    runs = {one.run.id: one.run for one in found}
    names = {
        key: (Path(run.model).name, ", ".join(filter(None, (run.gradient, run.setting))))
        for key, run in runs.items()
    }
    seen = Counter(names.values())
    return {
        key: name if seen[name] == 1 else (name[0], f"{name[1]}, {key}")
        for key, name in names.items()
    }


def one_a_model(found: Sequence[Evaluation]) -> list[Evaluation]:
    """The evaluation of most traces of each model: its losses are the same under every proxy.

    They are others with another adapter, number type, target, template or ownership of tokens.
    """
    fullest: dict[tuple[str, ...], Evaluation] = {}
    for one in found:
        same = (one.run.model, one.run.setting, one.run.template, one.run.reasoning_key)
        known = fullest.get(same)
        if known is None or one.n_traces > known.n_traces:
            fullest[same] = one
    return list(fullest.values())


def _evaluation(
    view: RunView,
    dataset: str,
    known: LabelledRun,
    said: Sequence[Annotation],
    resamples: int,
    seed: int,
) -> Evaluation:
    suspicion = trace_suspicion(known.signals)
    # Without a good trace there is neither a share of them nor a mean value.
    told = {name: kinds for name, kinds in known.trace_kinds.items() if (kinds == CLEAN).any()}
    return Evaluation(
        run=view.run,
        dataset=dataset,
        history=str(view.weights.history),
        n_traces=len(known.signals.trace_ids),
        n_verdicts=len(said),
        verdicts=dict(Counter(one.word for one in said).most_common()),
        authors=dict(Counter(one.author for one in said).most_common()),
        notes=(),
        untold=tuple(untold(known)),
        n_labelled_steps=int((known.step_kinds != "").sum()),
        n_traces_with_steps=len(np.unique(known.owners[known.step_kinds != ""])),
        n_labelled_traces={
            label: int((kinds != "").sum()) for label, kinds in known.trace_kinds.items()
        },
        steps=tuple(detect_steps(known, resamples=resamples, seed=seed)),
        ranks=tuple(step_ranks(known)),
        traces=tuple(detect_traces(known, resamples=resamples, seed=seed)),
        purity=tuple(
            purity_of_top(label, name, values[kinds != ""], kinds[kinds != ""] == CLEAN)
            for label, kinds in told.items()
            for name, values in suspicion.items()
        ),
        profiles=tuple(profiles(known)),
        by_label={
            label: {
                name: {
                    "good": _mean(-values[kinds == CLEAN]),
                    "bad": _mean(-values[(kinds != CLEAN) & (kinds != "")]),
                }
                for name, values in suspicion.items()
                if name.startswith("value")
            }
            for label, kinds in told.items()
        },
    )


def _mean(values: np.ndarray) -> float | None:
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if len(kept) else None
