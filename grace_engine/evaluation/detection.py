"""How well does each signal find the steps and the traces that labels call bad?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grace_engine.config import Weights
from grace_engine.evaluation.ranking import (
    Bools,
    Floats,
    average_precision,
    bootstrap_weights,
    roc_auc,
)
from grace_engine.signals import SignalTable, step_scores, trace_values

ALPHAS = (0.0, 0.3, 0.5, 0.7, 1.0)
CLEAN = "clean"
_RESAMPLES = 500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledRun:
    """A run's signals beside what is known of its steps and traces: N traces, S steps.

    Attributes:
        signals: Signals of every step.
        kinds: ``[N]`` kind of each trace: ``clean``, a kind of error, or "" where it is unknown.
        bad_steps: ``[S]`` whether a step is labelled bad.
    """

    signals: SignalTable
    kinds: npt.NDArray[np.object_]
    bad_steps: Bools

    def take(self, kept: Bools) -> "LabelledRun":
        """The traces for which ``kept`` ``[N]`` is true."""
        return LabelledRun(
            signals=self.signals.take(kept),
            kinds=self.kinds[kept],
            bad_steps=self.bad_steps[np.repeat(kept, self.signals.n_steps)],
        )

    @property
    def owners(self) -> npt.NDArray[np.int64]:
        """``[S]`` index of each step's trace."""
        return np.repeat(np.arange(len(self.kinds)), self.signals.n_steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """How well one signal finds one kind of error.

    Attributes:
        kind: Kind of error.
        signal: Such as ``alignment`` or ``score α=0.7``.
        where: ``within`` a trace (mean over traces), ``across`` all steps, or ``trace``.
        n_bad: Bad steps, or bad traces.
        n_good: Others that they are told from.
        auc: Area under the ROC curve; .5 is chance.
        auc_interval: 95% bootstrap interval over traces.
        precision: Average precision; chance is the share of the bad.
        precision_interval: 95% bootstrap interval over traces.
    """

    kind: str
    signal: str
    where: str
    n_bad: int
    n_good: int
    auc: float
    auc_interval: tuple[float, float]
    precision: float
    precision_interval: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRank:
    """Where the most suspicious bad step of a trace stands among all its steps.

    Attributes:
        kind: Kind of error.
        signal: The signal.
        n_traces: Traces with a bad step.
        mean_rank: 1 is the most suspicious; ties share their mean rank.
        first: Share of traces where it is the most suspicious of all.
        chance: That share for a random order.
    """

    kind: str
    signal: str
    n_traces: int
    mean_rank: float
    first: float
    chance: float


def step_suspicion(signals: SignalTable) -> dict[str, Floats]:
    """``[S]`` by signal, higher is more suspicious; NaN where a signal does not exist."""
    found: dict[str, Floats] = {
        "alignment": -signals.alignment,
        "consistency": -signals.consistency,
    }
    for alpha in ALPHAS:
        weights = Weights(alpha=alpha, history=signals.history)
        found[f"score α={alpha:g}"] = -step_scores(signals, weights)
    return found | {"loss": signals.nll, "norm": signals.norm}


def trace_suspicion(signals: SignalTable) -> dict[str, Floats]:
    """``[N]`` by signal, higher is more suspicious."""
    found: dict[str, Floats] = {}
    for alpha in ALPHAS:
        weights = Weights(alpha=alpha, history=signals.history)
        found[f"value α={alpha:g}"] = -trace_values(step_scores(signals, weights), signals, weights)
    lowest = Weights(alpha=0.7, history=signals.history, aggregate="min")
    found["min α=0.7"] = -trace_values(step_scores(signals, lowest), signals, lowest)
    counts = np.add.reduceat(signals.n_tokens, signals.offsets[:-1]) + signals.answer_tokens
    losses = np.add.reduceat(signals.nll * signals.n_tokens, signals.offsets[:-1])
    found["loss"] = (losses + signals.answer_nll * signals.answer_tokens) / counts
    found["answer loss"] = signals.answer_nll
    return found


def detect_steps(
    run: LabelledRun, *, resamples: int = _RESAMPLES, seed: int = 0
) -> list[Detection]:
    """How well each signal finds the bad steps of each kind, within traces and across them.

    Within a trace its bad steps are told from its other steps, and the mean over traces is given.
    Across, the bad steps of a kind are told from every step that is not labelled bad in the traces
    of that kind and in clean ones.
    """
    found = []
    for kind in error_kinds(run):
        for signal, suspicion in step_suspicion(run.signals).items():
            found.append(_within(run, kind, signal, suspicion, resamples, seed))
            among = np.isin(run.kinds[run.owners], [kind, CLEAN]) & ~np.isnan(suspicion)
            bad = run.bad_steps & (run.kinds[run.owners] == kind)
            found.append(
                _detection(
                    kind, signal, "across", suspicion[among], bad[among], run.owners[among],
                    resamples, seed,
                )
            )  # fmt: skip
    return [detection for detection in found if detection.n_bad and detection.n_good]


def detect_traces(
    run: LabelledRun, bad: Mapping[str, Bools], *, resamples: int = _RESAMPLES, seed: int = 0
) -> list[Detection]:
    """How well each trace value tells bad traces from good ones.

    Args:
        run: The run.
        bad: By name of the question, ``[N]`` which traces are bad.
        resamples: Bootstrap draws.
        seed: Of the draws.
    """
    owners = np.arange(len(run.kinds))
    found = []
    for name, which in bad.items():
        for signal, suspicion in trace_suspicion(run.signals).items():
            kept = ~np.isnan(suspicion)
            found.append(
                _detection(
                    name, signal, "trace", suspicion[kept], which[kept], owners[: kept.sum()],
                    resamples, seed,
                )
            )  # fmt: skip
    return [detection for detection in found if detection.n_bad and detection.n_good]


def step_ranks(run: LabelledRun) -> list[StepRank]:
    """Where each signal puts the bad step of a trace among all its steps."""
    found = []
    for kind in error_kinds(run):
        for signal, suspicion in step_suspicion(run.signals).items():
            ranks, first, chance = [], [], []
            for values, bad in _traces_of_kind(run, kind, suspicion):
                if bad.any():
                    worst = values[bad].max()
                    above, level = int((values > worst).sum()), int((values == worst).sum())
                    ranks.append(above + (level + 1) / 2)
                    first.append(above == 0)
                    chance.append(float(bad.mean()))
            if ranks:
                found.append(
                    StepRank(
                        kind=kind,
                        signal=signal,
                        n_traces=len(ranks),
                        mean_rank=float(np.mean(ranks)),
                        first=float(np.mean(first)),
                        chance=float(np.mean(chance)),
                    )
                )
    return found


def error_kinds(run: LabelledRun) -> list[str]:
    """Kinds of error in order of name; a trace without a kind is neither clean nor bad."""
    return sorted({str(kind) for kind in run.kinds} - {CLEAN, ""})


def _within(
    run: LabelledRun, kind: str, signal: str, suspicion: Floats, resamples: int, seed: int
) -> Detection:
    areas, precisions, n_bad, n_good = [], [], 0, 0
    for values, bad in _traces_of_kind(run, kind, suspicion):
        if bad.any() and not bad.all():
            once = np.ones((1, len(values)))
            areas.append(roc_auc(values, bad, once)[0])
            precisions.append(average_precision(values, bad, once)[0])
            n_bad, n_good = n_bad + int(bad.sum()), n_good + int((~bad).sum())
    draws = bootstrap_weights(np.arange(len(areas)), resamples, seed)
    auc, auc_interval = _mean_with_interval(areas, draws)
    precision, precision_interval = _mean_with_interval(precisions, draws)
    return Detection(
        kind=kind,
        signal=signal,
        where="within",
        n_bad=n_bad,
        n_good=n_good,
        auc=auc,
        auc_interval=auc_interval,
        precision=precision,
        precision_interval=precision_interval,
    )


def _detection(
    kind: str,
    signal: str,
    where: str,
    suspicion: Floats,
    bad: Bools,
    owners: npt.NDArray[np.int64],
    resamples: int,
    seed: int,
) -> Detection:
    compact = np.unique(owners, return_inverse=True)[1]
    weights = bootstrap_weights(compact, resamples, seed)
    areas = roc_auc(suspicion, bad, weights)
    precisions = average_precision(suspicion, bad, weights)
    return Detection(
        kind=kind,
        signal=signal,
        where=where,
        n_bad=int(bad.sum()),
        n_good=int((~bad).sum()),
        auc=float(areas[0]),
        auc_interval=_interval(areas[1:]),
        precision=float(precisions[0]),
        precision_interval=_interval(precisions[1:]),
    )


def _traces_of_kind(
    run: LabelledRun, kind: str, suspicion: Floats
) -> Iterator[tuple[Floats, Bools]]:
    """Suspicion and badness of the steps of each trace of a kind, where the signal exists."""
    for index in np.flatnonzero(run.kinds == kind):
        where = run.signals.steps_of(int(index))
        values = suspicion[where]
        kept = ~np.isnan(values)
        yield values[kept], run.bad_steps[where][kept]


def _mean_with_interval(
    values: Sequence[float], draws: Floats
) -> tuple[float, tuple[float, float]]:
    if not values:
        return float("nan"), (float("nan"), float("nan"))
    means = draws @ np.array(values) / draws.sum(axis=1)
    return float(means[0]), _interval(means[1:])


def _interval(values: Floats) -> tuple[float, float]:
    kept = values[~np.isnan(values)]
    if len(kept) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(kept, [0.025, 0.975])
    return float(low), float(high)
