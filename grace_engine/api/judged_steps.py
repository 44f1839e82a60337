"""What does a judge say of the steps of a scoring run, beside the run's own signals?"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from grace_engine import store
from grace_engine.api.views import RunView, nullable
from grace_engine.records import ATOMS, JUDGE_METRICS, Judge, JudgedStep
from grace_engine.signals import SignalTable
from grace_engine.store import Workspace

ADJECTIVES = {
    "factuality": "factual",
    "validity": "valid",
    "coherence": "coherent",
    "utility": "useful",
}
"""What a step with a negative label is not."""

JUDGE = "judge"
"""The signal that is the share of a step's labels that are positive."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepJudge:
    """What a judge says of the steps of a run's traces, S steps.

    Attributes:
        judge: The judge.
        values: By ``judge`` (share of a step's labels that are positive) and by metric: ``[S]``
            numbers from 0 to 1; NaN where there is no label.
        texts: ``[S]`` what it says in words; "" for nothing.
    """

    judge: Judge
    values: dict[str, npt.NDArray[np.float64]] = field(repr=False)
    texts: npt.NDArray[np.object_] = field(repr=False)

    @property
    def doubted(self) -> npt.NDArray[np.bool_]:
        """``[S]`` where a label is negative."""
        return np.asarray(self.values[JUDGE] < 1.0, dtype=bool)

    def by_trace(
        self, signals: SignalTable, signal: str = JUDGE
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """``[N]`` mean and ``[N]`` lowest value of each trace's steps; NaN where none has one."""
        values, starts = self.values[signal], signals.offsets[:-1]
        if not len(starts):
            return np.zeros(0), np.zeros(0)
        known = ~np.isnan(values)
        counts = np.add.reduceat(known.astype(float), starts)
        sums = np.add.reduceat(np.where(known, values, 0.0), starts)
        lowest = np.minimum.reduceat(np.where(known, values, np.inf), starts)
        means = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
        return means, np.where(counts > 0, lowest, np.nan)

    def said(self, signals: SignalTable) -> str:
        """Which judge it is, and how much of the run it has read, as the end of a sentence."""
        n_read = int((~np.isnan(self.by_trace(signals)[0])).sum())
        whole = len(signals.trace_ids)
        return (
            f"{self.judge.model} (judge {self.judge.id}), which has read {n_read:,} of {whole:,} "
            "traces of this run"
        )

    def of_traces(
        self, signals: SignalTable, places: npt.NDArray[np.intp]
    ) -> tuple[list[float | None], list[float | None]]:
        """``by_trace`` of the traces at these places, with None for NaN."""
        means, lowest = self.by_trace(signals)
        return nullable(means[places]), nullable(lowest[places])


def step_judge(
    workspace: Workspace, view: RunView, judge: str = store.MOST_READ
) -> StepJudge | None:
    """A judge's labels on the steps of a run's traces, as the run saw them.

    Args:
        workspace: Where they are.
        view: The run.
        judge: Its id, a unique beginning of it, ``latest``, or ``most-read``: the one that has
            read most of the run's traces, and of several the latest.

    Returns:
        None where no judge has read anything yet.

    Raises:
        NotFoundError: A judge is named that is not there.
    """
    if judge in (store.LATEST, store.MOST_READ) and not store.list_judges(workspace):
        return None
    found = store.chosen_judge(workspace, judge, run=view.run.id)
    signals = view.signals
    first = dict(zip(signals.trace_ids.tolist(), signals.offsets[:-1].tolist(), strict=True))
    n_steps = int(signals.offsets[-1])
    values = {name: np.full(n_steps, np.nan) for name in JUDGE_METRICS}
    failed: dict[int, list[str]] = {}
    frame = store.judged_frame(workspace, found.id, run=view.run.id)
    columns = (frame[name].tolist() for name in ("trace_id", "step", "part", "label", "failure"))
    for trace, step, part, label, failure in zip(*columns, strict=True):
        if trace not in first:
            continue
        place = first[trace] + step - 1
        if failure:
            failed.setdefault(place, []).append(part)
        elif part != ATOMS:
            values[part][place] = float(label)
    return StepJudge(
        judge=found, values={JUDGE: _shares(values), **values}, texts=_texts(values, failed)
    )


def judge_text(step: JudgedStep | None) -> str:
    """What a judge says of a step, in words; "" for nothing."""
    return "" if step is None else _text(step.negative, bool(step.labels), list(step.failures))


def _shares(values: dict[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    stacked = np.stack([values[name] for name in JUDGE_METRICS])
    known = ~np.isnan(stacked)
    counts = known.sum(axis=0)
    sums = np.where(known, stacked, 0.0).sum(axis=0)
    shares: npt.NDArray[np.float64] = np.divide(
        sums, counts, out=np.full(len(counts), np.nan), where=counts > 0
    )
    return shares


def _texts(
    values: dict[str, npt.NDArray[np.float64]], failed: dict[int, list[str]]
) -> npt.NDArray[np.object_]:
    n_steps = len(values[JUDGE_METRICS[0]])
    texts = np.full(n_steps, "", dtype=object)
    known = ~np.isnan(_shares(values))
    for place in sorted({*np.flatnonzero(known).tolist(), *failed}):
        negative = tuple(name for name in JUDGE_METRICS if values[name][place] == 0.0)
        texts[place] = _text(negative, bool(known[place]), failed.get(place, []))
    return texts


def _text(negative: tuple[str, ...], is_labelled: bool, failed: list[str]) -> str:
    said = [f"not {', '.join(ADJECTIVES[name] for name in negative)}"] if negative else []
    said += ["all positive"] if is_labelled and not negative else []
    said += [f"not found out: {', '.join(failed)}"] if failed else []
    return "; ".join(said)
