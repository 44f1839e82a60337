"""How does a report tell of what a judge model said?"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from grace_engine.quantities import counted
from grace_engine.report.judged import JudgedSubject
from grace_engine.report.subjects import DatasetReport, Share, Spread
from grace_engine.report.wording import no_interval

HEAD = ("subject", "metric", "mean of traces", "of all steps", "traces", "steps", "failed")
"""Columns of ``judged_rows``."""

MEANING = (
    "Share of labels that are positive, with 95% intervals in which all traces of a prompt are one "
    "group: the mean of traces (macro) and the share of all steps (micro). The paper does not say "
    "which of both it prints."
)


def judged_rows(report: DatasetReport) -> list[list[str]]:
    """A row a subject and metric, as texts."""
    return [
        [
            name, metric.name, share_text(metric.macro), share_text(metric.micro),
            f"{metric.n_traces:,}", f"{metric.n_steps:,}", f"{metric.n_failed:,}",
        ]
        for name, judged in report.judged.items()
        for metric in judged.metrics
    ]  # fmt: skip


def judged_sentences(report: DatasetReport) -> Iterator[str]:
    """Who judged how much of each subject, and what it cost."""
    whole = {subject.name: subject.n_traces for subject in report.subjects}
    for name, judged in report.judged.items():
        spent = cost_text(judged.cost, judged.n_priced, judged.n_requests)
        cost = f" and cost {spent}" if spent else ""
        yield (
            f"{judged.judge.model} (judge {judged.judge.id}) read {judged.n_traces:,} of "
            f"{whole[name]:,} traces of {name}; that took {judged.n_requests:,} requests, "
            f"{judged.tokens:,} tokens{cost}.{_unlabelled(judged)}"
        )


def _unlabelled(judged: JudgedSubject) -> str:
    """Which metrics have fewer traces than were read, and why."""
    missing = {
        metric.name: judged.n_traces - metric.n_traces
        for metric in judged.metrics
        if metric.n_traces < judged.n_traces
    }
    if not missing:
        return ""
    said = ", ".join(f"{name} of {counted(n, 'trace')}" for name, n in missing.items())
    return f" No label was found of {said}: it failed, or was not asked yet."


def judged_document(report: DatasetReport) -> dict[str, Any]:
    """The same as JSON values."""
    return {
        name: {
            "judge": judged.judge.id,
            "model": judged.judge.model,
            "n_traces": judged.n_traces,
            "n_requests": judged.n_requests,
            "tokens": judged.tokens,
            "cost": judged.cost,
            "n_priced": judged.n_priced,
            "metrics": [asdict(metric) for metric in judged.metrics],
        }
        for name, judged in report.judged.items()
    }


def cost_text(cost: float | None, n_priced: int, n_requests: int) -> str:
    """``0.4879``, or ``0.4879 for 785 of them`` where others had no price; "" without one."""
    if cost is None:
        return ""
    return f"{cost:.4g}" + (f" for {n_priced:,} of them" if n_priced < n_requests else "")


def share_text(share: Share | Spread) -> str:
    """``92.1% (90.0% to 94.2%)``."""
    if share.low is None or share.high is None:
        return f"{share.mean:.1%} ({no_interval(share)})"
    return f"{share.mean:.1%} ({share.low:.1%} to {share.high:.1%})"
