"""How well do a run's signals find what is known to be bad?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grace_engine import store
from grace_engine.api.views import RunView, run_view
from grace_engine.config import Weights
from grace_engine.errors import NotFoundError
from grace_engine.evaluation import (
    Detection,
    LabelledRun,
    Purity,
    StepRank,
    detect_steps,
    detect_traces,
    purity_of_top,
    step_ranks,
)
from grace_engine.evaluation.detection import CLEAN, trace_suspicion
from grace_engine.records import Label
from grace_engine.store import Workspace

KIND, CORRECT = "label.kind", "label.is_correct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a run's signals find.

    Attributes:
        run: Id of the run.
        model: As the user named it.
        proxy: What stood for the gradient.
        n_traces: Scored traces.
        n_labelled_steps: Steps that carry a label.
        steps: How well each signal finds bad steps, by kind of error.
        ranks: Where the bad step stands in its trace.
        traces: How well each value tells bad traces from good ones.
        purity: How clean the top of each ranking is, where traces have kinds or correctness.
        by_correctness: Mean value of correct and of incorrect traces, by signal.
    """

    run: str
    model: str
    proxy: str
    n_traces: int
    n_labelled_steps: int
    steps: tuple[Detection, ...]
    ranks: tuple[StepRank, ...]
    traces: tuple[Detection, ...]
    purity: tuple[Purity, ...]
    by_correctness: dict[str, dict[str, float | None]]


def evaluate(
    workspace: Workspace, run: str = "latest", *, resamples: int = 500, seed: int = 0
) -> Evaluation:
    """Hold a run's signals against the labels of its steps and traces.

    Labels are those of the data: ``kind`` and step labels of planted sets, ``is_correct``.

    Raises:
        NotFoundError: No such run, or none of its traces carries such a label.
    """
    view = run_view(workspace, run, Weights())
    step_labels = store.step_labels(workspace, view.run.datasets)
    labelled, correct = _labelled(view, step_labels), _correct(view)
    clean = labelled.kinds == CLEAN
    kinds = sorted({str(kind) for kind in labelled.kinds} - {CLEAN, ""})
    if not kinds and np.isnan(correct).all():
        raise NotFoundError(
            f"No trace of run {view.run.id} carries a label that says what is right: neither "
            "`kind` with step labels, nor `is_correct`."
        )
    questions = [(kind, labelled.kinds == kind, clean) for kind in kinds]
    questions.append(("incorrect answer", correct == 0, correct == 1))
    traces: list[Detection] = []
    for name, bad, good in questions:
        among = bad | good
        traces += detect_traces(
            labelled.take(among), {name: bad[among]}, resamples=resamples, seed=seed
        )
    suspicion = trace_suspicion(labelled.signals)
    known = ~np.isnan(correct) if not kinds else np.array([bool(k) for k in labelled.kinds])
    good = (clean if kinds else correct == 1)[known]
    return Evaluation(
        run=view.run.id,
        model=view.run.model,
        proxy=view.run.proxy,
        n_traces=len(view.values),
        n_labelled_steps=sum(len(step_labels.get(name, [])) for name in view.signals.trace_ids),
        steps=tuple(detect_steps(labelled, resamples=resamples, seed=seed)),
        ranks=tuple(step_ranks(labelled)),
        traces=tuple(traces),
        purity=tuple(
            purity_of_top(name, values[known], good) for name, values in suspicion.items()
        ),
        by_correctness={
            name: {
                "correct": _mean(-values[correct == 1]),
                "incorrect": _mean(-values[correct == 0]),
            }
            for name, values in suspicion.items()
            if name.startswith("value")
        },
    )


def _labelled(view: RunView, step_labels: Mapping[str, list[Label]]) -> LabelledRun:
    n_steps = view.signals.n_steps
    bad = np.zeros(int(n_steps.sum()), dtype=bool)
    for index, name in enumerate(view.signals.trace_ids):
        labels = step_labels.get(name, [])
        if len(labels) == n_steps[index]:
            bad[view.signals.steps_of(index)] = [x not in (None, CLEAN) for x in labels]
    given = view.traces[KIND] if KIND in view.traces else [None] * len(n_steps)
    kinds = np.array([kind if isinstance(kind, str) else "" for kind in given], dtype=object)
    return LabelledRun(signals=view.signals, kinds=kinds, bad_steps=bad)


def _correct(view: RunView) -> npt.NDArray[np.float64]:
    """``[N]`` 1 for correct, 0 for incorrect, NaN where it is not known."""
    if CORRECT not in view.traces:
        return np.full(len(view.values), np.nan)
    return np.array([float(x) if isinstance(x, bool) else np.nan for x in view.traces[CORRECT]])


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if len(kept) else None
