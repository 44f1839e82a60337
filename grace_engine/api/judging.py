"""How are steps judged by a model that somebody serves, and what did it say?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from grace_engine import report, store
from grace_engine.api.selected import selection_beside
from grace_engine.errors import InputError
from grace_engine.judging import (
    METRICS,
    JudgePlan,
    JudgeReport,
    JudgeSettings,
    plan_judging as _plan,
)
from grace_engine.judging.running import run_judging
from grace_engine.progress import Progress, Silent
from grace_engine.records import JUDGE_METRICS, JudgedStep
from grace_engine.report import JudgedMetric
from grace_engine.store import Workspace

__all__ = [
    "JudgePlan",
    "JudgeReport",
    "JudgeSettings",
    "JudgedDataset",
    "judge",
    "judge_averages",
    "judged_datasets",
    "judged_on",
    "judging_json",
    "plan_judging",
    "worst_steps",
]


def judge(
    workspace: Workspace,
    what: str,
    settings: JudgeSettings,
    progress: Progress | None = None,
    *,
    planned: JudgePlan | None = None,
) -> JudgeReport:
    """Have a served model judge the steps of a dataset's or selection's traces.

    What was asked before is not asked again; a run that was killed, or met its limit, goes on.

    Args:
        workspace: Where traces are and judgements go.
        what: A dataset, or a selection's id or name; a dataset comes first.
        settings: Who judges what, of how many, at which cost.
        progress: Told how far it is, and what was spent.
        planned: What ``plan_judging`` gave.

    Raises:
        NotFoundError: There is no such dataset or selection.
        InputError: It holds nothing, or the server refuses whoever asks.
        ResourceError: The server does not answer.
    """
    plan = planned or plan_judging(workspace, what, settings)
    return run_judging(workspace, plan, progress or Silent())


def plan_judging(workspace: Workspace, what: str, settings: JudgeSettings) -> JudgePlan:
    """Find what ``judge`` would ask and about what it would take, without asking anybody."""
    return _plan(workspace, what, traces_in(workspace, what), settings)


def traces_in(workspace: Workspace, what: str) -> list[str]:
    """Ids of the traces of a dataset, or of those that a selection chose and that are here.

    Raises:
        NotFoundError: It is neither.
        InputError: It holds none.
    """
    known = {info.name for info in store.datasets(workspace)}
    if what in known:
        ids = store.trace_ids(workspace, [what])
    else:
        chosen = selection_beside(workspace, what, known)
        wanted = [choice.trace_id for choice in chosen.choices if choice.selected]
        ids = store.labels_of(workspace, ids=wanted)["id"].tolist()
    if not ids:
        raise InputError(f"{what} holds no traces, so there is nothing to judge.")
    return ids


def judge_averages(
    workspace: Workspace, ids: Sequence[str], judge: str = store.MOST_READ
) -> list[JudgedMetric]:
    """What a judge's labels of some traces come to, macro and micro, with intervals.

    Raises:
        NotFoundError: There is no such judge.
    """
    found = store.chosen_judge(workspace, judge, ids)
    listed = store.labels_of(workspace, ids=ids)
    frame = store.judged_frame(workspace, found.id, ids)
    return report.averages(
        frame, listed["id"].tolist(), listed["prompt_digest"].to_numpy(dtype=object)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedDataset:
    """How much of a dataset a judge has read, and what that comes to.

    Attributes:
        dataset: Its name.
        n_read: Its traces that were read.
        n_traces: All of them.
        metrics: Averages over those that were read.
    """

    dataset: str
    n_read: int
    n_traces: int
    metrics: tuple[JudgedMetric, ...]


def judged_datasets(workspace: Workspace, judge: str = store.MOST_READ) -> list[JudgedDataset]:
    """The datasets of which a judge has read anything.

    Raises:
        NotFoundError: There is no such judge.
    """
    found = store.chosen_judge(workspace, judge)
    frame = store.judged_frame(workspace, found.id)
    listed = store.labels_of(workspace, ids=frame["trace_id"].unique().tolist())
    whole = {info.name: info.n_traces for info in store.datasets(workspace)}
    return [
        JudgedDataset(
            dataset=str(name),
            n_read=len(own),
            n_traces=whole[str(name)],
            metrics=tuple(
                report.averages(
                    frame[frame["trace_id"].isin(own["id"])],
                    own["id"].tolist(),
                    own["prompt_digest"].to_numpy(dtype=object),
                )
            ),
        )
        for name, own in listed.groupby("dataset", sort=True)
    ]


def judged_on(
    workspace: Workspace, trace_id: str, judge: str = store.MOST_READ, run: str | None = None
) -> list[JudgedStep]:
    """What a judge says of the steps of one trace, cut as now or as ``run`` saw them.

    By default it is the judge that has read most of the run's traces, or of all. Nothing where no
    judge has read anything yet.

    Raises:
        NotFoundError: A judge is named that is not there.
    """
    if judge in (store.LATEST, store.MOST_READ) and not store.list_judges(workspace):
        return []
    found = store.chosen_judge(workspace, judge, run=run)
    return store.judged_steps(workspace, found.id, [trace_id], run)


def worst_steps(
    workspace: Workspace, judge: str = store.MOST_READ, limit: int = 20, metric: str = ""
) -> list[JudgedStep]:
    """The steps that a judge thinks least of, the worst first; only those with a negative label.

    Args:
        workspace: Where they are.
        judge: Its id, a unique beginning of it, ``latest``, or ``most-read``.
        limit: How many; 0 for all.
        metric: Only those that are negative by this one; "" for any.

    Raises:
        NotFoundError: There is no such judge.
        InputError: There is no such metric.
    """
    if metric and metric not in JUDGE_METRICS:
        raise InputError(f"Metric {metric!r} is not known: use {', '.join(JUDGE_METRICS)}.")
    steps = store.judged_steps(workspace, store.chosen_judge(workspace, judge).id)
    bad = [one for one in steps if (metric in one.negative if metric else one.negative)]
    bad.sort(key=lambda one: (one.score, -len(one.negative), one.trace_id, one.step))
    return bad[:limit] if limit else bad


def judging_json(found: JudgeReport, metrics: Sequence[JudgedMetric]) -> dict[str, Any]:
    """A report as JSON values."""
    document = asdict(found)
    document["n_traces"] = len(document.pop("trace_ids"))
    return document | {
        "metrics": [asdict(one) | {"title": METRICS[one.name].title} for one in metrics]
    }
