"""How does the shell score a workspace, and say beforehand what that will take?"""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from grace_engine import api
from grace_engine.cli import console, running
from grace_engine.cli.options import (
    DEFAULT_WORKSPACE,
    BackgroundOption,
    JsonOption,
    WorkspaceOption,
)
from grace_engine.config import ScoreConfig
from grace_engine.quantities import counted


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(score)


@console.speaks
def score(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    model: Annotated[
        str, typer.Option(help="Folder or hub id of a causal LM; the shipped one when left out.")
    ] = "",
    revision: Annotated[str, typer.Option(help="Branch, tag or commit of a hub id.")] = "",
    adapter: Annotated[str, typer.Option(help="Folder or hub id of a PEFT adapter.")] = "",
    dataset: Annotated[
        list[str] | None, typer.Option(help="Only this dataset; may be given again.")
    ] = None,
    proxy: Annotated[
        str, typer.Option(help="What stands for a step's gradient: upstream, lm_head or exact.")
    ] = "upstream",
    parameters: Annotated[
        list[str] | None,
        typer.Option(help="Name pattern of parameters for exact; may be given again."),
    ] = None,
    entropy_discount: Annotated[
        float,
        typer.Option(help="c of a token's weight exp(-c·entropy of its prediction); 0: all alike."),
    ] = 0.0,
    target: Annotated[str, typer.Option(help="Whose answer is aimed at: own or reference.")] = (
        "own"
    ),
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    tokens_per_batch: Annotated[int, typer.Option(help="Padded tokens of one batch.")] = 8192,
    sample: Annotated[int, typer.Option(help="Score only that many traces; 0 for all.")] = 0,
    max_length: Annotated[
        int, typer.Option(help="Longest trace in tokens; 0 takes the model's limit.")
    ] = 0,
    with_marks: Annotated[
        bool, typer.Option("--with-marks", help="Step and answer marks count as segment text.")
    ] = False,
    with_end_token: Annotated[
        bool, typer.Option("--with-end-token", help="The end token belongs to the answer.")
    ] = False,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run Python code that comes with the model.")
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Try traces again that could not be scored before."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and stop.")
    ] = False,
    background: BackgroundOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compute the step Grams of all traces; what is stored already is not computed again."""
    config = ScoreConfig(
        model=model,
        revision=revision,
        adapter=adapter,
        proxy=proxy,  # type: ignore[arg-type]
        parameters=tuple(parameters or ()),
        entropy_discount=entropy_discount,
        target=target,  # type: ignore[arg-type]
        dtype=dtype,  # type: ignore[arg-type]
        device=device,
        tokens_per_batch=tokens_per_batch,
        sample=sample,
        datasets=tuple(dataset or ()),
        max_length=max_length,
        with_marks=with_marks,
        with_end_token=with_end_token,
        trust_remote_code=trust_remote_code,
        retry_failed=retry_failed,
    )
    opened = api.open_workspace(workspace, create=False)
    if background and not dry_run:
        job = api.start_scoring(opened, config)
        running.say_started(job, as_json=as_json)
        return
    with console.progress() as bars:
        planned = api.plan(opened, config, bars)
    expected = api.expected_scoring(opened, planned) if planned.pending else None
    _say_plan(planned, expected)
    document: dict[str, Any] = {"run": planned.run.id, "plan": _plan_json(planned, expected)}
    if dry_run:
        if as_json:
            console.emit_json(document)
        return
    with console.progress() as bars:
        report = api.score(opened, config, bars, planned=planned)
    rate = report.n_scored / report.seconds if report.seconds else 0.0
    reasons = ", ".join(f"{n} {reason}" for reason, n in report.by_reason.items())
    console.note(
        f"Run {report.run.id}: {report.n_scored:,} traces scored now"
        + (f" in {console.duration(report.seconds)} ({rate:,.1f} a second)" if rate else "")
        + f", {report.n_cached:,} were cached, {report.n_rejected:,} rejected now"
        + (f" ({reasons})" if reasons else "")
        + f"; {report.run.n_scored:,} scored in all, {report.run.n_pending:,} not reached."
    )
    if as_json:
        console.emit_json(document | {"report": asdict(report)})


def _say_plan(planned: "api.ScoringPlan", expected: "api.Estimate | None") -> None:
    discount = planned.run.entropy_discount
    console.note(
        f"Run {planned.run.id}: {planned.config.proxy} gradients of {planned.config.model} "
        f"({planned.run.dtype}, {planned.device}, {planned.run.template} template"
        + (f", entropy discount {discount:g})." if discount else ").")
    )
    console.note(
        f"{counted(planned.n_traces, 'trace')}: {planned.n_cached:,} cached, "
        f"{len(planned.rejected) + planned.n_left:,} cannot be scored{_left(planned)}, "
        f"{len(planned.pending):,} to run ({planned.n_tokens:,} tokens)."
    )
    if expected is not None:
        console.note(
            f"About {console.duration(max(1.0, expected.seconds))} and "
            f"{console.size(expected.disk_bytes)} of disk ({expected.basis})."
        )


def _left(planned: "api.ScoringPlan") -> str:
    """Of those that cannot be scored, how many are not tried again."""
    if not planned.n_left:
        return ""
    return f" ({planned.n_left:,} of them failed before: --retry-failed tries again)"


def _plan_json(planned: "api.ScoringPlan", expected: "api.Estimate | None") -> dict[str, Any]:
    return {
        "n_traces": planned.n_traces,
        "n_cached": planned.n_cached,
        "n_left": planned.n_left,
        "n_pending": len(planned.pending),
        "n_rejected": len(planned.rejected),
        "n_tokens": planned.n_tokens,
        "estimate": asdict(expected) if expected else None,
    }
