"""How does the shell have steps judged by a served model, and show what it says?"""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from grace_engine import api
from grace_engine.cli import console, running
from grace_engine.cli.options import (
    DEFAULT_WORKSPACE,
    BackgroundOption,
    JsonOption,
    WorkspaceOption,
)
from grace_engine.errors import InputError
from grace_engine.quantities import counted
from grace_engine.records import JUDGE_METRICS

if TYPE_CHECKING:
    from grace_engine.records import Judge
    from grace_engine.report import JudgedMetric


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(judge)
    app.command()(judges)


@console.speaks
def judge(
    what: Annotated[str, typer.Argument(help="A dataset, or a selection's id or name.")],
    endpoint: Annotated[
        str,
        typer.Option(help="Server that speaks the OpenAI protocol: http://localhost:8000/v1."),
    ],
    judge_model: Annotated[
        str, typer.Option(help="The model that judges, as the server names it.")
    ],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    metrics: Annotated[
        str,
        typer.Option(
            help="What is asked of each step, apart by commas. Left out, all of them: "
            f"{','.join(JUDGE_METRICS)}.",
            show_default=False,
        ),
    ] = ",".join(JUDGE_METRICS),
    sample: Annotated[int, typer.Option(min=0, help="Only that many traces; 0 for all.")] = 0,
    per: Annotated[
        str, typer.Option(help="Draw them from each value of a column alike: dataset, label.level.")
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="Of the draw.")] = 0,
    concurrency: Annotated[int, typer.Option(help="Requests under way at once.")] = 8,
    requests_per_minute: Annotated[float, typer.Option(help="Most of them; 0 for no limit.")] = 0.0,
    max_tokens: Annotated[
        int,
        typer.Option(
            help="Stop before these traces have taken more tokens, earlier runs included; 0: never."
        ),
    ] = 0,
    max_cost: Annotated[
        float, typer.Option(help="The same of their cost by --price-in and --price-out.")
    ] = 0.0,
    price_in: Annotated[float, typer.Option(help="Of a million tokens that are read.")] = 0.0,
    price_out: Annotated[float, typer.Option(help="Of a million tokens that are written.")] = 0.0,
    temperature: Annotated[float, typer.Option(help="Of the judge; 0: its likeliest reply.")] = 0.0,
    reply_tokens: Annotated[int, typer.Option(help="Longest reply, in tokens.")] = 1024,
    attempts: Annotated[
        int, typer.Option(help="How often one thing is asked until a reply is of use.")
    ] = 3,
    context: Annotated[
        int, typer.Option(help="Most characters of earlier steps beside a step.")
    ] = 12_000,
    timeout: Annotated[float, typer.Option(help="Seconds that one reply may take.")] = 120.0,
    key_env: Annotated[
        str, typer.Option(help="Variable of the environment that holds the server's key.")
    ] = "OPENAI_API_KEY",
    extra: Annotated[
        str,
        typer.Option(
            help="Further fields of each request as JSON; null takes one away: "
            '{"max_tokens": null, "max_completion_tokens": 2048}.'
        ),
    ] = "",
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again what came to nothing before.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be asked, and stop.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Begin without asking.")] = False,
    background: BackgroundOption = False,
    as_json: JsonOption = False,
) -> None:
    """Have a served model judge steps: are they true, right, coherent, and of use?"""
    settings = api.JudgeSettings(
        endpoint=endpoint,
        model=judge_model,
        metrics=tuple(name.strip() for name in metrics.split(",") if name.strip()),
        sample=sample,
        per=per,
        seed=seed,
        concurrency=concurrency,
        requests_per_minute=requests_per_minute,
        max_tokens=max_tokens,
        max_cost=max_cost,
        price_in=price_in,
        price_out=price_out,
        temperature=temperature,
        reply_tokens=reply_tokens,
        attempts=attempts,
        context=context,
        timeout=timeout,
        key_env=key_env,
        extra=_fields(extra),
        retry_failed=retry_failed,
    )
    opened = api.open_workspace(workspace, create=False)
    plan = api.plan_judging(opened, what, settings)
    _say_plan(plan)
    if dry_run:
        if as_json:
            console.emit_json(_plan_json(plan))
        return
    if plan.n_pending and not (yes or as_json or background) and sys.stdin.isatty():
        typer.confirm("Go on?", abort=True, err=True)
    if background:
        running.say_started(api.start_judging(opened, what, settings), as_json=as_json)
        return
    with console.progress() as bars:
        found = api.judge(opened, what, settings, bars, planned=plan)
    averages = api.judge_averages(opened, found.trace_ids, found.judge.id)
    _say_found(found, settings)
    if as_json:
        console.emit_json(api.judging_json(found, averages))
        return
    _say_averages(what, found, averages)


@console.speaks
def judges(
    judge: Annotated[
        str,
        typer.Argument(
            help="Id of a judge, or latest; all where left out, and steps by the one that has "
            "read most."
        ),
    ] = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    worst: Annotated[
        int, typer.Option(min=0, help="Show so many of the steps that it thinks least of.")
    ] = 0,
    metric: Annotated[str, typer.Option(help=f"Of these only: {', '.join(JUDGE_METRICS)}.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List judges with what they read and cost, and the steps that one thinks least of."""
    opened = api.open_workspace(workspace, create=False)
    listed = [api.get_judge(opened, judge)] if judge else api.list_judges(opened)
    wanted = judge or next(iter(api.judge_reads(opened)), "latest")
    steps = api.worst_steps(opened, wanted, worst, metric) if worst or metric else []
    if as_json:
        console.emit_json(
            {
                "judges": [
                    asdict(one)
                    | {"datasets": [asdict(d) for d in api.judged_datasets(opened, one.id)]}
                    for one in listed
                ],
                "worst": [
                    asdict(one) | {"score": one.score, "negative": one.negative} for one in steps
                ],
            }
        )
        return
    if not listed:
        console.note(
            "No judge has read anything in this workspace yet: grace judge DATASET --endpoint URL "
            "--judge-model NAME asks one."
        )
        return
    from grace_engine.report.judge_tables import cost_text

    console.table(
        "Judges",
        ["judge", "model", "traces", "steps", "failed", "requests", "read", "written", "cost"],
        [
            (
                one.id, one.model, one.n_traces, one.n_steps, one.n_failed, one.n_requests,
                one.tokens_in, one.tokens_out,
                cost_text(one.cost, one.n_priced, one.n_requests) or None,
            )
            for one in listed
        ],
    )  # fmt: skip
    _say_read(opened, listed)
    if not (worst or metric):
        return
    meant = api.get_judge(opened, wanted)
    if steps:
        console.table(
            f"Steps that {meant.id} ({meant.model}, which read {counted(meant.n_traces, 'trace')}) "
            "thinks least of",
            ["trace", "step", "says", "negative", "why"],
            [
                (
                    one.trace_id, one.step, " ".join(one.claims), ", ".join(one.negative),
                    " ".join(one.reasons.get(name, "") for name in one.negative).strip(),
                )
                for one in steps
            ],
        )  # fmt: skip
    else:
        console.note(f"{meant.id} finds no step negative.")


def _say_read(opened: "api.Workspace", listed: "list[Judge]") -> None:
    """How much of which dataset each judge has read, and the mean of traces by metric."""
    found = [(one, part) for one in listed for part in api.judged_datasets(opened, one.id)]
    rows = []
    for one, part in found:
        means = {metric.name: f"{metric.macro.mean:.1%}" for metric in part.metrics}
        read = f"{part.n_read:,} of {part.n_traces:,}"
        rows.append((one.id, part.dataset, read, *(means.get(n, "–") for n in JUDGE_METRICS)))
    if rows:
        console.table(
            "What they read: share of positive labels, mean of the traces that were read",
            ["judge", "dataset", "traces", *JUDGE_METRICS],
            rows,
        )


def _fields(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as fault:
        raise InputError(f"--extra is not JSON: {fault}.") from fault
    if not isinstance(found, dict):
        raise InputError('--extra is no JSON object: write it as {"field": value}.')
    return found


def _say_plan(plan: "api.JudgePlan") -> None:
    settings = plan.settings
    drawn = len(plan.trace_ids)
    of = f" of {plan.n_whole:,}" if drawn < plan.n_whole else ""
    per = f", drawn per {settings.per}" if settings.per and of else ""
    console.note(
        f"Judge {plan.judge.id}: {settings.model} on {counted(plan.n_steps, 'step')} of {drawn:,}"
        f"{of} traces of {plan.what}{per}, by {', '.join(settings.metrics)}; {plan.n_done:,} done "
        f"before"
        + (f", {plan.n_failed:,} of them without success (--retry-failed)" if plan.n_failed else "")
        + "."
    )
    if plan.n_without:
        console.note(f"{counted(plan.n_without, 'trace')} have no step to judge.")
    if plan.n_pictured:
        console.note(
            f"{counted(plan.n_pictured, 'trace')} have pictures in their prompt, which the judge "
            "does not see."
        )
    if not plan.n_pending:
        return
    cost = "" if plan.cost is None else f", at a cost of about {plan.cost:.3g}"
    console.note(
        f"Expected: {plan.n_requests:,} requests, about {plan.tokens_in:,} tokens read and "
        f"{plan.tokens_out:,} written{cost}. That is an estimate: nobody knows the judge's "
        "tokenizer, and what has to be asked again comes on top."
    )
    limits = [f"{settings.max_tokens:,} tokens"] if settings.max_tokens else []
    limits += [f"a cost of {settings.max_cost:g}"] if settings.max_cost else []
    if limits:
        console.note(
            f"It stops before {' or '.join(limits)} would be spent on these traces; "
            f"{plan.tokens_before:,} tokens"
            + (f" (cost {plan.cost_before:.3g})" if plan.cost_before else "")
            + " were before."
        )


def _plan_json(plan: "api.JudgePlan") -> dict[str, Any]:
    names = (
        "what", "n_whole", "n_steps", "n_without", "n_pictured", "n_pending", "n_done", "n_failed",
        "n_requests", "tokens_in", "tokens_out", "tokens_before", "cost_before", "cost",
    )  # fmt: skip
    return {
        "judge": plan.judge.id,
        "n_traces": len(plan.trace_ids),
        **{name: getattr(plan, name) for name in names},
    }


def _say_found(found: "api.JudgeReport", settings: "api.JudgeSettings") -> None:
    reasons = ", ".join(f"{count:,} {why}" for why, count in found.by_reason.items())
    spent = (
        f"{found.requests_text}; {found.tokens_in:,} tokens read, "
        f"{found.tokens_out:,} written"
        + ("" if found.cost is None else f", cost {found.cost:.4g}")
        + (
            f" (the server did not count {found.n_estimated:,} of the requests: estimates)"
            if found.n_estimated
            else ""
        )
    )
    console.note(
        f"{counted(found.n_judged, 'step')} judged in {console.duration(found.seconds)}, "
        f"{found.n_before:,} were before, {found.n_failed:,} failed"
        + (f" ({reasons}; --retry-failed asks again)" if reasons else "")
        + f". {spent}."
    )
    if found.stopped:
        names = {"--max-tokens": settings.max_tokens, "--max-cost": settings.max_cost}
        which = " or ".join(name for name, limit in names.items() if limit)
        console.note(
            f"Stopped at the limit with {counted(found.n_left, 'step')} left: the same command "
            f"with a larger {which} goes on."
        )
    console.note(
        f"Next: grace judges {found.judge.id} --worst 20, grace report {found.what}, or Inspect."
    )


def _say_averages(what: str, found: "api.JudgeReport", averages: "list[JudgedMetric]") -> None:
    from grace_engine.report.judge_tables import share_text

    console.table(
        f"Share of positive labels by {found.judge.model} on {what} (95% interval)",
        ["metric", "mean of traces", "of all steps", "traces", "steps", "failed"],
        [
            (
                one.name, share_text(one.macro), share_text(one.micro), one.n_traces, one.n_steps,
                one.n_failed,
            )
            for one in averages
        ],
    )  # fmt: skip
