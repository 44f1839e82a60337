"""What does the process of a background run do? ``python -m grace_engine.api.child RUN_FOLDER``."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from grace_engine import api
from grace_engine.config import IngestConfig, ScoreConfig
from grace_engine.errors import InputError
from grace_engine.jobs import EXIT_STATUS, JobSpec, Reporter, carry_out
from grace_engine.jobs.folder import read_spec
from grace_engine.policy.reasons import told_reasons
from grace_engine.quantities import counted, duration, percent
from grace_engine.store import LONG_SECONDS, patient

Outcome = tuple[str, Mapping[str, Any]]


def main(folder: Path) -> int:
    """Do what the spec in ``folder`` asks for; the exit status."""
    spec = read_spec(folder)
    if spec is None:
        sys.stderr.write(f"error: {folder} holds no spec.json of a run.\n")
        return 2

    def work(reporter: Reporter) -> Outcome:
        # A run folder is WORKSPACE/runs/ID.
        workspace = api.open_workspace(folder.resolve().parents[1], create=True)
        kinds: dict[str, Callable[[api.Workspace, JobSpec, Reporter], Outcome]] = {
            "score": _score,
            "sample": _sample,
            "problem-sample": _problem_sample,
            "ingest": _ingest,
            "duplicates": _duplicates,
            "check": _check,
            "train": partial(_train, folder),
            "rollout": _rollout,
            "gradients": _gradients,
            "report": _report,
            "judge": _judge,
        }
        if spec.kind not in kinds:
            raise InputError(
                f"A run of kind {spec.kind!r} is not known to this version of the studio."
            )
        # What it holds in memory is not given up because someone looks into the database.
        with patient(reporter.wait, reporter.say, seconds=LONG_SECONDS):
            return kinds[spec.kind](workspace, spec, reporter)

    return EXIT_STATUS[carry_out(folder, os.getpid(), work)]


def _score(workspace: api.Workspace, spec: JobSpec, reporter: Reporter) -> Outcome:
    lists = ("parameters", "datasets")  # JSON has no tuples
    settings: dict[str, Any] = {k: tuple(v) if k in lists else v for k, v in spec.settings.items()}
    return _scored(api.score(workspace, ScoreConfig(**settings), reporter))


def _sample(workspace: api.Workspace, _spec: JobSpec, reporter: Reporter) -> Outcome:
    return _scored(api.prepare_sample(workspace, reporter).scored)


def _problem_sample(workspace: api.Workspace, _spec: JobSpec, reporter: Reporter) -> Outcome:
    return _taken(api.prepare_problem_sample(workspace, reporter))


def _scored(report: "api.ScoreReport") -> Outcome:
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in report.by_reason.items())
    message = (
        f"{counted(report.n_scored, 'trace')} scored in {duration(report.seconds)}, "
        f"{report.n_cached:,} were scored before, {report.n_rejected:,} cannot be scored"
        + (f" ({reasons})" if reasons else "")
        + "."
        + (
            f" {counted(report.n_left, 'trace')} failed before and would most likely fail again: "
            "grace score --retry-failed tries them."
            if report.n_left
            else ""
        )
    )
    result = {
        "run": report.run.id,
        "n_scored": report.n_scored,
        "n_cached": report.n_cached,
        "n_rejected": report.n_rejected,
        "n_left": report.n_left,
        "by_reason": dict(report.by_reason),
        "n_tokens": report.n_tokens,
        "seconds": report.seconds,
    }
    return message, result


def _ingest(workspace: api.Workspace, spec: JobSpec, reporter: Reporter) -> Outcome:
    settings = dict(spec.settings)
    paths = settings.pop("paths")
    reports = api.ingest(workspace, paths, IngestConfig(**settings), reporter)
    faults = [report.fault for report in reports if report.fault]
    if faults:
        raise InputError(" ".join(faults))
    counts = [(report.dataset, report.count) for report in reports if report.count]
    datasets = sorted({dataset for dataset, _ in counts})

    def total(what: str, of: str = "") -> int:
        return sum(getattr(count, what) for dataset, count in counts if of in ("", dataset))

    message = " ".join(
        f"{counted(total('added', name), 'trace')} added to {name}, "
        f"{total('already_present', name):,} were there before, "
        f"{total('rejected', name):,} rejected."
        for name in datasets
    )
    result = {
        "datasets": datasets,
        "n_added": total("added"),
        "n_present": total("already_present"),
        "n_rejected": total("rejected"),
    }
    return message, result


def _duplicates(workspace: api.Workspace, spec: JobSpec, reporter: Reporter) -> Outcome:
    found = api.find_duplicates(workspace, **spec.settings, progress=reporter)
    message = (
        f"{counted(found.n_groups, 'group')} of duplicate {found.of}, {found.n_spanning:,} across "
        f"datasets; {found.n_members:,} of {counted(found.n_traces, 'trace')} in a group."
    )
    return message, {"finding": found.id, "n_groups": found.n_groups}


def _train(folder: Path, workspace: api.Workspace, spec: JobSpec, reporter: Reporter) -> Outcome:
    request = api.request_of(spec.settings)
    train = api.train_on_cluster if request.executor == "slurm" else api.train
    report = train(workspace, request, folder, reporter)
    planned, n_cells = report.planned, len(report.cells)
    said = [f"{planned.finished(n_cells)} {'is' if planned.n_cells == 1 else 'are'} finished."]
    said += [f"{a.arm}: {a.measure} {percent(a.accuracy.mean)}." for a in report.arms if a.accuracy]
    return " ".join(said), {"selection": planned.selection, "n_cells": n_cells}


def _check(workspace: api.Workspace, spec: JobSpec, reporter: Reporter) -> Outcome:
    report = api.check_answers(workspace, progress=reporter, **spec.settings)
    counts = ", ".join(f"{n:,} {outcome}" for outcome, n in report.checked_now.items())
    n_before = sum(report.by_outcome.values()) - report.n_checked
    message = (
        f"{report.n_checked:,} answers checked in {duration(report.seconds)}: {counts}. "
        f"{n_before:,} were checked before, "
        f"{report.n_traces - report.n_with_reference:,} traces have no reference."
    )
    return message, asdict(report)


def _rollout(workspace: api.Workspace, spec: JobSpec, reporter: Reporter) -> Outcome:
    settings = dict(spec.settings)
    problems = settings.pop("problems")
    report = api.rollout(workspace, problems, api.RolloutSettings(**settings), reporter)
    counts = ", ".join(f"{n:,} {outcome}" for outcome, n in report.by_outcome.items())
    message = (
        f"{counted(report.n_asked, 'problem')} rolled out in {duration(report.seconds)}"
        + (f" ({counts})" if counts else "")
        + (f"; problems without any: {told_reasons(report.by_reason)}" if report.by_reason else "")
        + f", {report.n_before:,} were before, {report.n_unusable:,} cannot be asked."
    )
    return message, {"set": report.rollouts.id, "n_asked": report.n_asked}


def _gradients(workspace: api.Workspace, spec: JobSpec, reporter: Reporter) -> Outcome:
    settings = dict(spec.settings)
    rollouts = settings.pop("rollouts")
    return _taken(api.gradients(workspace, rollouts, api.GradientSettings(**settings), reporter))


def _taken(report: "api.GradientReport") -> Outcome:
    reasons = told_reasons(report.by_reason)
    message = (
        f"{counted(report.n_computed, 'gradient')} computed in {duration(report.seconds)}, "
        f"{report.n_before:,} were reached before, {report.n_without:,} problems have none"
        + (f" ({reasons})." if reasons else ".")
    )
    return message, {"run": report.run.id, "n_computed": report.n_computed}


def _report(workspace: api.Workspace, spec: JobSpec, reporter: Reporter) -> Outcome:
    from grace_engine.supervision import MeasureConfig

    settings = spec.settings
    first, *others = settings["names"]
    found = api.dataset_report(
        workspace,
        first,
        against=others,
        target_size=settings["target_size"],
        config=MeasureConfig(**settings["config"]),
        run=settings["run"],
        judge=settings["judge"],
        progress=reporter,
    )
    message = f"{counted(sum(s.n_traces for s in found.subjects), 'trace')} are measured."
    if settings["to"]:
        to = Path(settings["to"])
        api.write_report(found, to, overwrite=settings["overwrite"])
        message += f" The report stands in {to}."
    return message, {"names": [subject.name for subject in found.subjects], "to": settings["to"]}


def _judge(workspace: api.Workspace, spec: JobSpec, reporter: Reporter) -> Outcome:
    settings = dict(spec.settings)
    what = settings.pop("what")
    settings["metrics"] = tuple(settings["metrics"])
    report = api.judge(workspace, what, api.JudgeSettings(**settings), reporter)
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in report.by_reason.items())
    message = (
        f"{counted(report.n_judged, 'step')} judged in {duration(report.seconds)}, "
        f"{report.n_before:,} were before, {report.n_failed:,} failed"
        + (f" ({reasons})" if reasons else "")
        + f". {report.requests_text}; {report.tokens_in:,} tokens read, "
        f"{report.tokens_out:,} written"
        + ("." if report.cost is None else f", cost {report.cost:.4g}.")
        + (f" Stopped at the limit with {report.n_left:,} steps left." if report.stopped else "")
    )
    averages = api.judge_averages(workspace, report.trace_ids, report.judge.id)
    return message, api.judging_json(report, averages)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: python -m grace_engine.api.child RUN_FOLDER")
    sys.exit(main(Path(sys.argv[1])))
