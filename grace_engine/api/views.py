"""What is there to see of a scoring run and of one of its traces?"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from grace_engine import store
from grace_engine.config import Weights, require_one_of
from grace_engine.errors import InputError, NotFoundError
from grace_engine.records import ScoringRun, Segment, StepGram, Trace
from grace_engine.signals import (
    GramTable,
    SignalTable,
    signals_of,
    step_scores,
    trace_tokens,
    trace_values,
    unpack,
)
from grace_engine.store import RunTrace, Workspace

if TYPE_CHECKING:
    import altair as alt

    from grace_engine.api.judged_steps import StepJudge

STEP_SIGNALS = ("alignment", "consistency", "score", "nll", "fresh_loss", "norm")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunView:
    """All scored traces of a run under some weights: N traces, S steps.

    Attributes:
        run: The run.
        weights: How signals became values.
        signals: Signals of every step.
        scores: ``[S]`` step scores; NaN where a step does not count.
        values: ``[N]`` trace values; NaN where a trace has none.
        traces: N rows in the order of ``signals.trace_ids``: ``trace_id``, ``dataset``,
            ``variant``, ``path``, ``line``, ``n_steps``, ``n_tokens`` (steps and answer),
            ``answer_check`` (one of ``OUTCOMES``; None where it was not checked) and a column
            ``label.NAME`` for each label.
        judged: What a judge model says of the steps, where that was asked for.
    """

    run: ScoringRun
    weights: Weights
    signals: SignalTable
    scores: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    traces: pd.DataFrame
    judged: "StepJudge | None" = None

    def step_values(self, signal: str) -> npt.NDArray[np.float64]:
        """``[S]`` of one of ``STEP_SIGNALS``, or of what the judge says."""
        found = {
            "alignment": self.signals.alignment,
            "consistency": self.signals.consistency,
            "score": self.scores,
            "nll": self.signals.nll,
            "fresh_loss": self.signals.fresh_loss,
            "norm": self.signals.norm,
        }
        if self.judged is not None:
            found |= self.judged.values
        require_one_of("Signal", signal, tuple(found))
        return found[signal]

    def numbers_of(self, trace_id: str) -> list[dict[str, float | int | None]]:
        """The signals of each step of one trace, by name; None where a number does not exist."""
        return self.numbers_at(int(np.searchsorted(self.signals.trace_ids, trace_id)))

    def numbers_at(self, place: int) -> list[dict[str, float | int | None]]:
        """The same of the trace at a place in ``signals.trace_ids``."""
        where = self.signals.steps_of(place)
        columns = {name: nullable(self.step_values(name)[where]) for name in STEP_SIGNALS}
        counts = self.signals.n_tokens[where].tolist()
        return [
            {name: column[k] for name, column in columns.items()} | {"n_tokens": counts[k]}
            for k in range(len(counts))
        ]

    def heatmap(
        self, signal: str = "score", rows: int = 50, *, dark: bool = False
    ) -> "alt.Chart | alt.LayerChart":
        """The best ``rows`` traces by value, step by step: a figure for notebooks and files.

        Raises:
            InputError: There is no such signal, or the run has none of a judge.
        """
        from grace_engine.figures import frames, heatmap, palette

        known = palette.SIGNALS if self.judged is None else palette.NAMES
        if signal not in known:
            raise InputError(f"There is no signal {signal!r} here: use one of {', '.join(known)}.")
        shown = frames.page_rows(frames.ranked_rows(self), 1, rows)
        window = frames.StepWindow(first=1, last=int(shown["n_steps"].max()))
        limit = palette.colour_limits(self.signals).get(signal, 1.0)
        return heatmap.heatmap(
            frames.cells(self, shown, signal, window),
            shown["row"].tolist(),
            window,
            palette.colour_scale(signal, limit, dark=dark),
            dark=dark,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TraceView:
    """One trace under one run and some weights.

    Attributes:
        run: The run.
        weights: How signals became scores.
        trace: The trace as ingested.
        seen: As the model saw it: rendered text and segments.
        gram: ``[K+1, K+1]`` inner products of segment gradients, the answer last.
        signals: Signals of its K steps and its answer's loss.
        scores: ``[K]`` step scores; NaN where a step does not count.
        value: The trace's value; NaN where it has none.
    """

    run: ScoringRun
    weights: Weights
    trace: Trace
    seen: RunTrace
    gram: npt.NDArray[np.float64]
    signals: SignalTable
    scores: npt.NDArray[np.float64]
    value: float

    @property
    def answer(self) -> str:
        """The answer that was aimed at: the trace's own, or the reference in its place."""
        return aimed_at(self.trace, self.run)

    def as_json(self) -> dict[str, Any]:
        """The document of ``grace show --json``; numbers that do not exist are null."""
        answer, segments = self.trace.answer, self.seen.segments
        in_source = not answer.appended and self.answer == answer.text
        return {
            "trace_id": self.trace.id,
            "run": self.run.id,
            "model": self.run.model,
            "proxy": self.run.proxy,
            "entropy_discount": self.run.entropy_discount,
            "text": self.seen.rendered,
            "steps": [
                {"start": step.start, "end": step.end, **_ranges(segment), "label": step.label}
                for step, segment in zip(self.trace.steps, segments, strict=False)
            ],
            "answer": {
                "start": answer.start if in_source else None,
                "end": answer.end if in_source else None,
                **_ranges(segments[-1]),
                "text": self.answer,
            },
            "gram": self.gram.tolist(),
            "alignment": nullable(self.signals.alignment),
            "consistency": nullable(self.signals.consistency),
            "nll": [*nullable(self.signals.nll), float(self.signals.answer_nll[0])],
            "fresh_loss": nullable(self.signals.fresh_loss),
            "norm": nullable(self.signals.norm),
            "n_tokens": [*self.signals.n_tokens.tolist(), int(self.signals.answer_tokens[0])],
            "score": nullable(self.scores),
            "value": nullable(np.array([self.value]))[0],
            "zero_gradient": self.signals.zero.tolist(),
            "weights": weights_json(self.weights),
            "target": self.run.target,
            "dataset": self.trace.dataset,
            "variant": self.trace.variant,
            "source": {"path": self.trace.record.path, "line": self.trace.record.line},
            "source_text": self.trace.text,
            "prompt": self.trace.prompt,
            "reference": self.trace.reference,
            "labels": dict(self.trace.labels),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class UnscoredTrace:
    """A trace that a run could not score.

    Attributes:
        run: Id of the run.
        trace_id: The trace.
        path: The file that it came from.
        line: 1-based line or row number there.
        variant: Which trace of its record.
        reason: Stable kebab-case code.
        detail: What was seen, for a person to read.
    """

    run: str
    trace_id: str
    path: str
    line: int
    variant: str
    reason: str
    detail: str


def aimed_at(trace: Trace, run: ScoringRun) -> str:
    """The answer that a run holds the steps of a trace against."""
    if run.target == "reference" and trace.reference is not None:
        return trace.reference.strip()
    return trace.answer.text


def weights_json(weights: Weights) -> dict[str, Any]:
    """Weights as plain values; ``history`` in the form that ``History.parse`` reads."""
    return {
        "alpha": weights.alpha,
        "history": str(weights.history),
        "aggregate": weights.aggregate,
        "history_only": weights.history_only,
    }


def nullable(values: npt.NDArray[np.float64]) -> list[float | None]:
    """Floats with None for NaN, which JSON does not have."""
    return [None if np.isnan(value) else float(value) for value in values]


def run_view(workspace: Workspace, run: str = "latest", weights: Weights | None = None) -> RunView:
    """Signals, scores and values of every scored trace of a run, from stored Grams alone.

    Raises:
        NotFoundError: No such run.
    """
    weights = weights or Weights()
    found = store.get_run(workspace, run)
    signals = signals_of(store.read_grams(workspace, found.id).table, weights.history)
    return view_of(found, weights, signals, listing(workspace, found))


def listing(workspace: Workspace, run: ScoringRun) -> pd.DataFrame:
    """A row a trace of the run's datasets, indexed by trace id, labels as columns."""
    traces = store.labels_of(workspace, run.datasets, run=run.id).rename(columns={"id": "trace_id"})
    listed = _with_label_columns(traces).set_index("trace_id")
    checks = store.answer_checks(workspace, run.datasets).set_index("trace_id")["outcome"]
    found = checks.reindex(listed.index).astype(object)
    return listed.assign(answer_check=found.where(found.notna(), None))


def view_of(
    run: ScoringRun, weights: Weights, signals: SignalTable, listed: pd.DataFrame
) -> RunView:
    """Scores and values under weights, from signals with the same history: no store, no model."""
    scores = step_scores(signals, weights)
    traces = listed.loc[signals.trace_ids.tolist()].reset_index()
    traces["n_steps"] = signals.n_steps
    traces["n_tokens"] = trace_tokens(signals)
    return RunView(
        run=run,
        weights=weights,
        signals=signals,
        scores=scores,
        values=trace_values(scores, signals, weights),
        traces=traces,
    )


def reweighted(view: RunView, weights: Weights) -> RunView:
    """The same run under weights with the same history: ``view_of`` without listing it anew.

    Raises:
        InputError: The history is another one, which needs the Grams.
    """
    if weights.history != view.signals.history:
        raise InputError(
            f"These signals are those of history {view.signals.history}, not of "
            f"{weights.history}: ask for the run's view again."
        )
    scores = step_scores(view.signals, weights)
    values = trace_values(scores, view.signals, weights)
    return replace(view, weights=weights, scores=scores, values=values)


def trace_view(
    workspace: Workspace, trace: str, run: str = "latest", weights: Weights | None = None
) -> TraceView:
    """One trace as the model saw it, with its Gram, signals and scores.

    Raises:
        NotFoundError: No such trace or run, or the run has not scored the trace.
    """
    weights = weights or Weights()
    found = store.get_run(workspace, run)
    source = store.get_trace(workspace, trace, found.id)
    seen = store.get_run_trace(workspace, found.id, source.id)
    if seen.gram is None:
        raise NotFoundError(
            f"Run {found.id} could not score trace {source.id}: {seen.reason}, {seen.detail}"
        )
    signals = signals_of(one_gram(source.id, seen.gram), weights.history)
    scores = step_scores(signals, weights)
    return TraceView(
        run=found,
        weights=weights,
        trace=source,
        seen=seen,
        gram=unpack(np.array(seen.gram.packed), len(seen.gram.n_tokens)),
        signals=signals,
        scores=scores,
        value=float(trace_values(scores, signals, weights)[0]),
    )


def ingested_trace(workspace: Workspace, trace: str) -> Trace:
    """A trace as it was ingested, scored or not.

    Raises:
        NotFoundError: No such trace.
    """
    return store.get_trace(workspace, trace)


def unscored(workspace: Workspace, dataset: str = "", run: str = "") -> list[UnscoredTrace]:
    """The traces that scoring runs, or one of them, could not score, of one dataset or of all."""
    listed = store.labels_of(workspace, [dataset] if dataset else []).set_index("id")
    return [
        UnscoredTrace(
            run=each.id,
            trace_id=item.trace_id,
            path=str(listed.at[item.trace_id, "path"]),
            line=int(str(listed.at[item.trace_id, "line"])),
            variant=str(listed.at[item.trace_id, "variant"]),
            reason=item.reason,
            detail=item.detail,
        )
        for each in store.list_runs(workspace)
        if each.n_rejected and run in ("", each.id)
        for item in store.failed_traces(workspace, each.id)
        if item.trace_id in listed.index
    ]


def one_gram(trace_id: str, gram: StepGram) -> GramTable:
    """A table of one trace."""
    return GramTable(
        trace_ids=np.array([trace_id], dtype=object),
        n_segments=np.array([len(gram.n_tokens)]),
        packed=np.array(gram.packed, dtype=np.float32),
        n_tokens=np.array(gram.n_tokens),
        nll=np.array(gram.nll),
    )


def _with_label_columns(traces: pd.DataFrame) -> pd.DataFrame:
    labels = pd.DataFrame(list(traces["labels"]), index=traces.index).add_prefix("label.")
    return pd.concat([traces.drop(columns="labels"), labels], axis=1)


def _ranges(segment: Segment) -> dict[str, int]:
    return {
        "rendered_start": segment.rendered_start,
        "rendered_end": segment.rendered_end,
        "token_start": segment.token_start,
        "token_end": segment.token_end,
    }
