"""How well does each signal find the steps and the traces that labels call bad?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from grace_engine.evaluation.labels import BAD, LabelledRun, error_kinds
from grace_engine.evaluation.ranking import (
    Bools,
    Floats,
    average_precision,
    bootstrap_weights,
    roc_auc,
)
from grace_engine.evaluation.suspicion import step_suspicion, trace_suspicion
from grace_engine.records import CLEAN

STEPS = "steps"
"""Name of the trace label that says whether any labelled step is bad."""

_RESAMPLES = 500
# Weights of resampled items that are held at once.
_BLOCK = 1 << 24


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
        n_traces: Traces with a bad step and a good one.
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


def detect_steps(
    run: LabelledRun, *, resamples: int = _RESAMPLES, seed: int = 0
) -> list[Detection]:
    """How well each signal finds the bad steps of each kind, within traces and across them.

    Within a trace its bad steps are told from its clean ones, and the mean over traces is given.
    Across, the bad steps of a kind are told from every clean step of the traces that hold such a
    step and of those without a bad one. Steps without a label do not count.
    """
    owners, suspicions = run.owners, step_suspicion(run.signals)
    bad_somehow = np.isin(run.step_kinds, error_kinds(run.step_kinds))
    spoilt = np.bincount(owners, bad_somehow, len(run.signals.trace_ids)) > 0
    found = []
    for kind in error_kinds(run.step_kinds):
        bad = run.step_kinds == kind
        holds = np.bincount(owners, bad, len(spoilt)) > 0
        compared = bad | ((run.step_kinds == CLEAN) & (holds | ~spoilt)[owners])
        for signal, suspicion in suspicions.items():
            among = compared & ~np.isnan(suspicion)
            items = (suspicion[among], bad[among], owners[among])
            found.append(_within(kind, signal, *items, resamples, seed))
            found.append(_detection(kind, signal, "across", *items, resamples, seed))
    return [detection for detection in found if detection.n_bad and detection.n_good]


def detect_traces(
    run: LabelledRun, *, resamples: int = _RESAMPLES, seed: int = 0
) -> list[Detection]:
    """How well each value tells bad traces from good ones, by trace label and kind of error."""
    owners, suspicions = np.arange(len(run.signals.trace_ids)), trace_suspicion(run.signals)
    found = []
    for name, kinds in run.trace_kinds.items():
        for kind in error_kinds(kinds):
            bad = kinds == kind
            for signal, suspicion in suspicions.items():
                kept = (bad | (kinds == CLEAN)) & ~np.isnan(suspicion)
                found.append(
                    _detection(
                        question(name, kind), signal, "trace",
                        suspicion[kept], bad[kept], owners[kept], resamples, seed,
                    )
                )  # fmt: skip
    return [detection for detection in found if detection.n_bad and detection.n_good]


def question(name: str, kind: str) -> str:
    """What is asked of traces, for a person to read: a kind of error, or what is bad."""
    if kind != BAD:
        return kind
    return {"is_correct": "incorrect answer", STEPS: "a bad step"}.get(name, f"bad {name}")


def step_ranks(run: LabelledRun) -> list[StepRank]:
    """Where each signal puts the bad step of a trace among all its labelled steps.

    Traces all of whose labelled steps are bad have nothing for it to stand among.
    """
    owners, suspicions = run.owners, step_suspicion(run.signals)
    found = []
    for kind in error_kinds(run.step_kinds):
        bad = run.step_kinds == kind
        compared = bad | (run.step_kinds == CLEAN)
        for signal, suspicion in suspicions.items():
            ranks, first, chance = [], [], []
            among = compared & ~np.isnan(suspicion)
            for values, own in _by_trace(suspicion[among], bad[among], owners[among]):
                if own.all():
                    continue
                worst = values[own].max()
                above, level = int((values > worst).sum()), int((values == worst).sum())
                ranks.append(above + (level + 1) / 2)
                # Of steps that tie for the first place one is first, and none knows which.
                first.append((above == 0) * int((values[own] == worst).sum()) / level)
                chance.append(float(own.mean()))
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


def _within(
    kind: str,
    signal: str,
    suspicion: Floats,
    bad: Bools,
    owners: npt.NDArray[np.int64],
    resamples: int,
    seed: int,
) -> Detection:
    areas, precisions, n_bad, n_good = [], [], 0, 0
    for values, own in _by_trace(suspicion, bad, owners):
        if not own.all():
            once = np.ones((1, len(values)))
            areas.append(roc_auc(values, own, once)[0])
            precisions.append(average_precision(values, own, once)[0])
            n_bad, n_good = n_bad + int(own.sum()), n_good + int((~own).sum())
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
    per_block = max(1, _BLOCK // max(len(suspicion), 1))
    areas, precisions = [], []
    for block, first in enumerate(range(0, max(resamples, 1), per_block)):
        draws = bootstrap_weights(compact, min(per_block, resamples - first), seed + block)
        # Row 0 counts every item once; later blocks need it no more.
        draws = draws[1:] if first else draws
        areas.append(roc_auc(suspicion, bad, draws))
        precisions.append(average_precision(suspicion, bad, draws))
    area, precision = np.concatenate(areas), np.concatenate(precisions)
    return Detection(
        kind=kind,
        signal=signal,
        where=where,
        n_bad=int(bad.sum()),
        n_good=int((~bad).sum()),
        auc=float(area[0]),
        auc_interval=_interval(area[1:]),
        precision=float(precision[0]),
        precision_interval=_interval(precision[1:]),
    )


def _by_trace(
    suspicion: Floats, bad: Bools, owners: npt.NDArray[np.int64]
) -> Iterator[tuple[Floats, Bools]]:
    """Suspicion and badness of the steps of each trace with a bad one; owners rise."""
    bounds = np.flatnonzero(np.diff(owners, prepend=-1, append=-1))
    for first, end in pairwise(bounds):
        if bad[first:end].any():
            yield suspicion[first:end], bad[first:end]


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
