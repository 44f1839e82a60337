"""What of a judge's labels stands in a report?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from grace_engine import report, store
from grace_engine.errors import NotFoundError
from grace_engine.judging import METRICS
from grace_engine.quantities import counted
from grace_engine.records import Judge
from grace_engine.report import Column, JudgedSubject, Subject
from grace_engine.store import Workspace

_TITLE = "Factuality, validity, coherence, utility"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSubjects:
    """One judge's labels of all subjects of a report.

    Attributes:
        of_subjects: By subject, what they come to; subjects without a label are not there.
        columns: A column a metric that any of them has.
        absent: What is missing, with the reason.
    """

    of_subjects: Mapping[str, JudgedSubject]
    columns: list[Column]
    absent: dict[str, str]

    def put_into(self, subject: Subject) -> Subject:
        """The subject with a number a trace and metric, NaN where nothing was judged."""
        judged = self.of_subjects.get(subject.name)
        if judged is None:
            none = {"the judge has read none of them": subject.n_traces}
            return replace(subject, why={**subject.why, **{c.name: none for c in self.columns}})
        shares = judged.shares.reindex(subject.numbers.index)
        n_unread = int(shares.isna().all(axis=1).sum())
        why = {name: {"not among those that were judged": n_unread} for name in shares.columns}
        return replace(
            subject,
            numbers=subject.numbers.assign(**{str(name): shares[name] for name in shares.columns}),
            why={**subject.why, **(why if n_unread else {})},
        )


def judged_subjects(
    workspace: Workspace, ids: Mapping[str, Sequence[str]], wanted: str
) -> JudgedSubjects:
    """What one judge says of several sets of traces: all by the same, so that they compare.

    Args:
        workspace: Where they are.
        ids: By subject, its traces.
        wanted: The judge's id, ``latest``, or ``most-read``: the one that has read most of the
            traces, and of several the one that was asked last.

    Raises:
        NotFoundError: A judge is named that is not there.
    """
    every = list(dict.fromkeys(trace for own in ids.values() for trace in own))
    judge = (
        store.chosen_judge(workspace, wanted, every)
        if wanted != store.MOST_READ or store.list_judges(workspace)
        else None
    )
    frame = store.judged_frame(workspace, judge.id, every) if judge else pd.DataFrame()
    best = {
        name: judged
        for name, own in ids.items()
        if judge and (judged := _judged(workspace, judge, frame, list(own))) is not None
    }
    if judge and best:
        names = dict.fromkeys(m.name for one in best.values() for m in one.metrics)
        labelled = report.n_labelled(frame)
        left = [METRICS[name].title for name in METRICS if name not in names]
        asks = f"{judge.model} was not asked for it; grace judge --metrics asks."
        return JudgedSubjects(
            of_subjects=best,
            columns=[_column(name, judge, labelled[name]) for name in METRICS if name in names],
            absent=dict.fromkeys(left, asks),
        )
    if judge and wanted != store.MOST_READ:
        raise NotFoundError(f"The judge {judge.id} has read none of these traces.")
    return JudgedSubjects(
        of_subjects={},
        columns=[],
        absent={
            _TITLE: "no judge model has read these; grace judge DATASET --endpoint URL "
            "--judge-model NAME asks one."
        },
    )


def _judged(
    workspace: Workspace, judge: Judge, frame: pd.DataFrame, ids: list[str]
) -> JudgedSubject | None:
    frame = frame[frame["trace_id"].isin(ids)]
    listed = store.labels_of(workspace, ids=ids)
    prompts = listed["prompt_digest"].to_numpy(dtype=object)
    metrics = report.averages(frame, listed["id"].tolist(), prompts)
    if not metrics:
        return None
    spent = store.spent_on(workspace, judge.id, ids)
    return JudgedSubject(
        judge=judge,
        metrics=tuple(metrics),
        shares=report.trace_shares(frame),
        n_traces=int(frame["trace_id"].nunique()),
        n_requests=spent.n_requests,
        tokens=spent.tokens,
        cost=spent.cost,
        n_priced=spent.n_priced,
    )


def _column(name: str, judge: Judge, n_steps: int) -> Column:
    metric = METRICS[name]
    return Column(
        name=name,
        title=metric.title,
        published=metric.published,
        how=f"{metric.how} Share of a trace's judged steps whose label is positive.",
        made_by=f"{judge.model}, judge {judge.id}, {counted(n_steps, 'step')}",
        bounds=(0.0, 1.0),
    )
