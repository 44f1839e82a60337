"""How does the shell have problems answered, and policy gradients taken of the answers?"""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
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
from grace_engine.policy.reasons import told_reasons
from grace_engine.quantities import counted
from grace_engine.records import PolicyRun, RolloutSet

ModelOption = Annotated[str, typer.Option("--model", help="Folder or hub id of a causal LM.")]
RevisionOption = Annotated[str, typer.Option(help="Branch, tag or commit of a hub id.")]
AdapterOption = Annotated[str, typer.Option(help="Folder or hub id of a PEFT adapter.")]
DtypeOption = Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
TrustOption = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run Python code that comes with the model.")
]
RetryOption = Annotated[
    bool, typer.Option("--retry-failed", help="Try problems again that came to nothing before.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(rollout)
    app.command("ingest-rollouts")(ingest_rollouts)
    app.command()(gradients)
    app.command()(rollouts)


@console.speaks
def rollout(
    problems: Annotated[
        str, typer.Argument(help="A dataset of the workspace, or a file: what it poses is asked.")
    ],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    model: ModelOption = "",
    revision: RevisionOption = "",
    adapter: AdapterOption = "",
    n: Annotated[int, typer.Option("-n", help="Rollouts of each problem, 2 or more.")] = 16,
    temperature: Annotated[float, typer.Option(help="Of sampling; 1 is the policy itself.")] = 1.0,
    top_p: Annotated[float, typer.Option(help="Of sampling; 1 leaves all tokens.")] = 1.0,
    max_new_tokens: Annotated[int, typer.Option(help="Tokens after which one is cut.")] = 512,
    seed: Annotated[int, typer.Option(help="Of sampling.")] = 0,
    reward: Annotated[
        str, typer.Option(help="check (answers against references), or module:function.")
    ] = "check",
    timeout: Annotated[float, typer.Option(help="Seconds that one reward may take.")] = 5.0,
    sample: Annotated[int, typer.Option(help="Only that many problems; 0 for all.")] = 0,
    rows_per_batch: Annotated[int, typer.Option(help="Rollouts that are sampled at once.")] = 64,
    endpoint: Annotated[
        str,
        typer.Option(
            help="Server that speaks the OpenAI protocol, such as http://localhost:8000/v1: it "
            "answers under the name of --model. Key: $OPENAI_API_KEY."
        ),
    ] = "",
    dtype: DtypeOption = "auto",
    device: DeviceOption = "auto",
    trust_remote_code: TrustOption = False,
    retry_failed: RetryOption = False,
    dry_run: DryRunOption = False,
    background: BackgroundOption = False,
    as_json: JsonOption = False,
) -> None:
    """Have a model answer problems several times, and reward it; nothing is asked twice."""
    settings = api.RolloutSettings(
        model=model,
        revision=revision,
        adapter=adapter,
        n=n,
        temperature=temperature,
        top_p=top_p,
        max_new_tokens=max_new_tokens,
        seed=seed,
        reward=reward,
        timeout=timeout,
        sample=sample,
        rows_per_batch=rows_per_batch,
        dtype=dtype,  # type: ignore[arg-type]
        device=device,
        trust_remote_code=trust_remote_code,
        retry_failed=retry_failed,
        endpoint=endpoint,
    )
    opened = api.open_workspace(workspace, create=Path(problems).is_file())
    if background and not dry_run:
        running.say_started(api.start_rollouts(opened, problems, settings), as_json=as_json)
        return
    plan = api.plan_rollout(opened, problems, settings)
    console.note(
        f"Set {plan.rollouts.id}: {n} rollouts each of {counted(plan.n_problems, 'problem')} of "
        f"{plan.rollouts.name} by {plan.settings.model}, {plan.n_pending:,} to do."
    )
    if plan.n_folded:
        console.note(
            f"{counted(plan.n_folded, 'repeat')} of a prompt in {plan.rollouts.name}: each prompt "
            "is asked once."
        )
    if plan.unusable:
        reasons = Counter(one.reason for one in plan.unusable)
        console.note(
            f"{counted(len(plan.unusable), 'problem')} cannot be asked: "
            f"{told_reasons(dict(reasons.most_common()))}."
        )
    if dry_run:
        if as_json:
            console.emit_json({"set": plan.rollouts.id, "n_pending": plan.n_pending})
        return
    with console.progress() as bars:
        report = api.rollout(opened, problems, settings, bars, planned=plan)
    outcomes = ", ".join(f"{count:,} {what}" for what, count in report.by_outcome.items())
    unknown = ", their tokens are not known" if report.n_asked else ""
    console.note(
        f"{counted(report.n_asked, 'problem')} asked in {console.duration(report.seconds)}"
        + (f", {report.n_tokens:,} tokens" if report.n_tokens else unknown)
        + (f"; rollouts: {outcomes}" if outcomes else "")
        + (f"; problems without any: {told_reasons(report.by_reason)}" if report.by_reason else "")
        + f"; {report.n_before:,} were asked before. "
        f"Next: grace gradients {report.rollouts.id}, or grace curate --run {report.rollouts.id} "
        "--strategy accgreedy."
    )
    if as_json:
        console.emit_json(asdict(report))


@console.speaks
def ingest_rollouts(
    file: Annotated[Path, typer.Argument(help="A row a rollout, or a group a row, with rewards.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    name: Annotated[str, typer.Option(help="Of the set; that of the file when left out.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Take in rollouts that were made and rewarded elsewhere; nothing enters twice."""
    found = api.ingest_rollouts(api.open_workspace(workspace, create=True), file, name)
    console.note(
        f"Set {found.rollouts.id} ({found.rollouts.name}): {counted(found.n_added, 'problem')} "
        f"added, {found.n_present:,} there before, {counted(found.rollouts.n_rollouts, 'rollout')}."
    )
    if found.n_joined:
        console.note(
            f"The rollouts of {counted(found.n_joined, 'problem')} stand in more than one row: "
            "they are one group now."
        )
    if found.rejects:
        reasons = Counter(one.reason for one in found.rejects)
        console.note(
            f"{counted(len(found.rejects), 'row')} rejected ("
            f"{', '.join(f'{count:,} {why}' for why, count in reasons.most_common())}; see grace "
            "rejects)."
        )
    if as_json:
        console.emit_json(asdict(found))


@console.speaks
def gradients(
    rollouts: Annotated[str, typer.Argument(help="Set of rollouts: id, name or latest.")] = (
        "latest"
    ),
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    target: Annotated[
        str, typer.Option(help="Set of rollouts of the problems that training is for.")
    ] = "",
    kind: Annotated[
        str,
        typer.Option(
            help="representation (forward only), lm_head (exact, of the output layer), lora or "
            "full (by autograd)."
        ),
    ] = "representation",
    without_deviation: Annotated[
        bool,
        typer.Option(
            "--without-deviation",
            help="Leave advantages undivided by the standard deviation of their group.",
        ),
    ] = False,
    projection: Annotated[
        int,
        typer.Option(
            help="Numbers kept of each gradient, for learnalign and align; 0 keeps none where "
            "there is a target, else 8192."
        ),
    ] = 0,
    split_half: Annotated[
        bool,
        typer.Option(
            "--split-half",
            help="Take gradients of two halves of the rollouts, too: how sure is a score?",
        ),
    ] = False,
    rank: Annotated[int, typer.Option(help="Of lora.")] = 8,
    seed: Annotated[int, typer.Option(help="Of lora and of the projection.")] = 0,
    model: Annotated[
        str,
        typer.Option(
            help="Folder or hub id; by default the model that made the rollouts, or the shipped "
            "one where they do not name any."
        ),
    ] = "",
    revision: RevisionOption = "",
    adapter: AdapterOption = "",
    tokens_per_batch: Annotated[int, typer.Option(help="Padded tokens of one batch.")] = 8192,
    max_length: Annotated[
        int, typer.Option(help="Longest prompt with rollout, in tokens; 0 takes the model's limit.")
    ] = 0,
    dtype: DtypeOption = "auto",
    device: DeviceOption = "auto",
    trust_remote_code: TrustOption = False,
    retry_failed: RetryOption = False,
    background: BackgroundOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take policy gradients of problems, held against a target set; nothing is computed twice."""
    settings = api.GradientSettings(
        model=model,
        revision=revision,
        adapter=adapter,
        kind=kind,  # type: ignore[arg-type]
        target=target,
        normalise=not without_deviation,
        rank=rank,
        projection=projection,
        seed=seed,
        split_half=split_half,
        tokens_per_batch=tokens_per_batch,
        max_length=max_length,
        dtype=dtype,  # type: ignore[arg-type]
        device=device,
        trust_remote_code=trust_remote_code,
        retry_failed=retry_failed,
    )
    opened = api.open_workspace(workspace, create=False)
    if told := api.said_of_model(opened, rollouts, settings):
        console.note(told)
    if background:
        running.say_started(api.start_gradients(opened, rollouts, settings), as_json=as_json)
        return
    plan = api.plan_gradient(opened, rollouts, settings)
    against = ""
    if plan.target is not None:
        against = (
            f" against {counted(len(plan.target.problem_ids), 'problem')} of {plan.target.name} "
            f"({plan.target.n_without:,} more have no gradient)"
        )
    console.note(
        f"Run {plan.run.id}: {plan.run.kind} gradients of {counted(len(plan.pending), 'problem')} "
        f"of {plan.rollouts.name}{against}; {plan.n_done:,} done before."
    )
    if plan.n_shared:
        console.note(
            f"{counted(plan.n_shared, 'candidate')} with the prompt of a target problem: its own "
            "gradient is part of the mean that it is held against. grace drop leaves it out."
        )
    with console.progress() as bars:
        report = api.gradients(opened, rollouts, settings, bars, planned=plan)
    reasons = told_reasons(report.by_reason)
    console.note(
        f"{counted(report.n_computed, 'gradient')} computed in {console.duration(report.seconds)}, "
        f"{counted(report.n_without, 'problem')} found to have none"
        + (f" ({reasons})" if reasons else "")
        + f". Next: grace curate --run {report.run.id} --strategy "
        f"{'gradalign' if plan.target else 'learnalign'}."
    )
    if as_json:
        console.emit_json(asdict(report))


@console.speaks
def rollouts(workspace: WorkspaceOption = DEFAULT_WORKSPACE, as_json: JsonOption = False) -> None:
    """List sets of rollouts, and the policy gradients that were taken of them."""
    opened = api.open_workspace(workspace, create=False)
    sets, runs = api.list_rollout_sets(opened), api.list_policy_runs(opened)
    if as_json:
        console.emit_json({"sets": [asdict(o) for o in sets], "runs": [asdict(r) for r in runs]})
        return
    if not sets:
        console.note(
            "This workspace holds no rollouts yet: grace rollout PROBLEMS makes some, grace "
            "ingest-rollouts FILE takes in those made elsewhere."
        )
        return
    console.table(
        "Sets of rollouts",
        ["set", "name", "model", "problems", "failed", "rollouts", "temperature", "reward"],
        [_set_row(one) for one in sets],
    )
    if runs:
        console.table(
            "Policy gradients",
            ["run", "of", "against", "model", "kind", "std", "gradients", "without", "kept"],
            [_run_row(one) for one in runs],
        )


def _set_row(one: RolloutSet) -> tuple[Any, ...]:
    model = Path(one.model).name or "from a file"
    temperature = one.temperature if one.source == "sampled" else None
    return (
        one.id, one.name, model, one.n_problems, one.n_failed, one.n_rollouts, temperature,
        one.reward,
    )  # fmt: skip


def _run_row(one: PolicyRun) -> tuple[Any, ...]:
    kept = "all" if one.kind == "representation" else str(one.projection or "none")
    return (
        one.id, one.set_id, one.target_id or None, Path(one.model).name, one.kind, one.normalise,
        one.n_done, one.n_without, kept,
    )  # fmt: skip
