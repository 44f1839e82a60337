"""How does the shell train on a selection, and watch it?"""

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from grace_engine import api
from grace_engine.cli import console, trained
from grace_engine.cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    OverwriteOption,
    WorkspaceOption,
)
from grace_engine.errors import InputError
from grace_engine.jobs import Job
from grace_engine.quantities import counted

_LOOK = 0.5  # seconds between two looks at a run folder
_SHOWN = 3  # examples of a preview
_BESIDE_RESUME = ("what", "workspace", "resume", "background", "as_json")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train)


@console.speaks
def train(
    context: typer.Context,
    what: Annotated[str, typer.Argument(help="A selection, or a file of traces.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    method: Annotated[str, typer.Option(help="sft.")] = "sft",
    preset: Annotated[
        str, typer.Option(help="cpu: a small model on this machine; paper: GRACE's settings.")
    ] = "cpu",
    model: Annotated[
        str, typer.Option(help="Folder or hub id of a causal LM; a shipped one when left out.")
    ] = "",
    revision: Annotated[str, typer.Option(help="Branch, tag or commit of a hub id.")] = "",
    lora: Annotated[str, typer.Option(help="Train adapters: r=8,alpha=32. none: all weights.")] = (
        ""
    ),
    epochs: Annotated[float | None, typer.Option(help="Passes over the examples.")] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Highest learning rate.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples of one forward pass.")] = None,
    accumulation: Annotated[
        int | None, typer.Option(help="Forward passes of one optimizer step.")
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(help="Tokens of an example above which its end is cut.")
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(help="auto (bfloat16 where the device computes in it), float32, bfloat16."),
    ] = None,
    gradient_checkpointing: Annotated[
        bool | None,
        typer.Option(
            "--gradient-checkpointing/--no-gradient-checkpointing",
            help="Compute activations twice to hold fewer of them; as the preset when left out.",
        ),
    ] = None,
    accept_cut: Annotated[
        bool, typer.Option("--accept-cut", help="Train although examples lose their end.")
    ] = False,
    against: Annotated[
        str, typer.Option(help="Other arms, with commas: random, full, untrained.")
    ] = "",
    seeds: Annotated[int, typer.Option(help="Trainings of each arm.")] = 1,
    budgets: Annotated[
        str,
        typer.Option(
            help="Percents of the pool, with commas, such as 5,10,20,50,100: the selection's "
            "ranking is cut there, and a random draw of as many tokens trained beside it."
        ),
    ] = "",
    evaluate_on: Annotated[
        str,
        typer.Option("--eval", help="Dataset or file of problems with reference answers."),
    ] = "",
    problems: Annotated[int, typer.Option(help="Most problems of --eval; 0 for all.")] = 0,
    max_new_tokens: Annotated[int, typer.Option(help="Tokens of one answer.")] = 512,
    pass_k: Annotated[
        int, typer.Option("--pass-k", help="Judge by pass@k of sampled answers; 0: greedily.")
    ] = 0,
    samples: Annotated[
        int, typer.Option(help="Sampled answers to each problem, at least k; 0 for k.")
    ] = 0,
    temperature: Annotated[float, typer.Option(help="Of sampled answers.")] = 0.8,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    n_processes: Annotated[
        int,
        typer.Option(
            "--n-processes",
            help="Processes that train together under accelerate launch, each on a device of its "
            "own; 0: one for each visible CUDA device, one elsewhere.",
        ),
    ] = 0,
    log_to: Annotated[
        str, typer.Option("--log-to", help="tensorboard or trackio files, beside the studio's own.")
    ] = "",
    executor: Annotated[
        str, typer.Option(help="local, or slurm: a job of the cluster, through submitit.")
    ] = "local",
    slurm: Annotated[
        str,
        typer.Option(help="Its options: partition=gpu,gpus_per_node=1,timeout_min=240."),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be trained on, and stop.")
    ] = False,
    background: Annotated[
        bool, typer.Option("--background", help="Go on without this shell: see grace runs.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the last run that trained on this.")
    ] = False,
    export_config: Annotated[
        str,
        typer.Option(
            "--export-config",
            help="Train elsewhere: write the rows and the configuration of trl, llamafactory or "
            "axolotl to --to, and stop.",
        ),
    ] = "",
    to: Annotated[Path | None, typer.Option("--to", help="Folder of --export-config.")] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune on a selection with TRL, and hold it against a random one, the pool, the model."""
    from grace_engine.training import Asking, Lora, percents, preset as preset_of

    given: dict[str, Any] = {
        "epochs": epochs,
        "learning_rate": lr,
        "batch_size": batch_size,
        "accumulation": accumulation,
        "max_length": max_length,
        "dtype": dtype,
        "gradient_checkpointing": gradient_checkpointing,
    }
    if lora:
        given["lora"] = Lora.parse(lora) if lora != "none" else None
    settings = preset_of(
        preset,
        model=model,
        revision=revision,
        method=method,
        accept_cut=accept_cut,
        device=device,
        n_processes=n_processes,
        log_to=log_to,
        **{name: value for name, value in given.items() if value is not None or name == "lora"},
    )
    if not evaluate_on and (problems or pass_k):
        raise InputError(
            "--problems and --pass-k are about the problems of --eval: name a dataset or a file."
        )
    request = api.TrainRequest(
        what=str(Path(what).absolute()) if Path(what).is_file() else what,
        settings=settings,
        against=tuple(filter(None, (name.strip() for name in against.split(",")))),
        n_seeds=seeds,
        budgets=percents(budgets),
        evaluate_on=str(Path(evaluate_on).absolute())
        if Path(evaluate_on).is_file()
        else evaluate_on,
        n_problems=problems,
        max_new_tokens=max_new_tokens,
        executor=executor,  # type: ignore[arg-type]
        slurm=api.parse_options(slurm),
        asking=Asking(k=pass_k, samples=samples, temperature=temperature),
    )
    opened = api.open_workspace(workspace, create=False)
    if export_config:
        _hand_over(opened, request, export_config, to, overwrite=overwrite, as_json=as_json)
        return
    if resume:
        job = api.last_training(opened, request.what)
        _require_nothing_else(context, job)
        job = job if job.is_active else api.resume_job(opened, job.id)
    else:
        with console.progress() as bars:
            plan = api.plan_training(opened, request, bars)
        expected = str(api.expected_time(opened, plan))
        _say(plan, expected, api.counted_otherwise(opened, plan))
        if dry_run:
            _show_examples(plan)
            refused = ""
            try:
                plan.require_whole()
            except InputError as fault:
                refused = str(fault)
                console.note(f"It would be refused. {refused}")
            if as_json:
                console.emit_json({**_plan_json(plan), "refused": refused})
            return
        plan.require_whole()
        job = api.start_training(opened, request)
    console.note(f"Run {job.id}: grace logs, grace cancel {job.id}, grace resume {job.id}.")
    if not background:
        job = _follow(opened, job)
        if job.state != "finished":
            raise InputError(f"Run {job.id} did not finish. {job.says}")
    trained.report(job, as_json=as_json, finished=not background)


def _require_nothing_else(context: typer.Context, job: Job) -> None:
    """Refuse settings beside ``--resume``: the run that goes on has its own."""
    others = [
        option.opts[0]
        for option in context.command.params
        if option.name not in _BESIDE_RESUME
        and getattr(context.get_parameter_source(str(option.name)), "name", "") == "COMMANDLINE"
    ]
    if others:
        raise InputError(
            f"Run {job.id} goes on by the settings that it began with: leave out "
            f"{', '.join(others)}, or leave out --resume and begin anew."
        )


def _hand_over(
    workspace: "api.Workspace",
    request: "api.TrainRequest",
    tool: str,
    to: Path | None,
    *,
    overwrite: bool,
    as_json: bool,
) -> None:
    if to is None:
        raise InputError("Say where to write the configuration: --to FOLDER.")
    with console.progress() as bars:
        done = api.hand_over(workspace, request, tool, to, bars, overwrite=overwrite)  # type: ignore[arg-type]
    console.note(f"{done.n_rows:,} examples and the configuration → {done.folder}")
    console.note(f"There: {done.command}")
    if as_json:
        console.emit_json(asdict(done) | {"folder": str(done.folder)})


def _say(plan: "api.TrainPlan", expected: str, otherwise: str) -> None:
    from grace_engine.training import counted_cells

    subset, settings = plan.subset, plan.request.settings
    how = f"LoRA {settings.lora}" if settings.lora else "all weights"
    if plan.overlap is not None:
        console.note(str(plan.overlap))
    console.note(
        f"{plan.model}, {how}, {settings.epochs:g} × at a rate of {settings.learning_rate:g}: "
        f"max. {settings.max_length:,} tokens an example: {subset.cut}."
    )
    for size in api.arm_sizes(plan):
        console.note(f"{size.name}: {size}.")
    if otherwise:
        console.note(otherwise)
    if subset.rejected:
        reasons = ", ".join(f"{n:,} {why}" for why, n in subset.rejected_by_reason.items())
        console.note(
            f"{counted(len(subset.rejected), 'trace')} cannot be shown to the model: {reasons}."
        )
    console.note(
        f"{counted_cells(len(plan.cells), evaluated=bool(plan.problems))}: "
        f"{', '.join(cell.name for cell in plan.cells)}. Memory about "
        f"{console.size(subset.memory)} ({subset.memory_basis})."
    )
    if plan.problems:
        console.note(
            f"Judged on {counted(len(plan.problems), 'problem')} by {plan.request.asking.measure}: "
            f"{plan.request.asking}."
        )
    else:
        left_out = f"; left out: {', '.join(plan.left_out)}" if plan.left_out else ""
        console.note(
            f"Nothing is evaluated, so no arm is compared{left_out}: name problems with --eval."
        )
    console.note(f"Time: {expected}.")


def _show_examples(plan: "api.TrainPlan") -> None:
    for example in plan.subset.examples[:_SHOWN]:
        given, learned = example.token_ids[: example.n_given], example.token_ids[example.n_given :]
        console.note(f"— {example.trace_id}, given ({len(given):,} tokens):")
        console.note(plan.tokenizer.decode(given))
        console.note(f"  learned ({len(learned):,} tokens):")
        console.note(plan.tokenizer.decode(learned))


def _plan_json(plan: "api.TrainPlan") -> Mapping[str, Any]:
    def look(found: Any) -> dict[str, Any]:
        return {
            "n_examples": len(found.examples),
            "n_rejected": len(found.rejected),
            "rejected_by_reason": found.rejected_by_reason,
            "n_cut": found.n_cut,
            "n_masked": found.n_masked,
            "n_tokens": found.n_tokens,
            "n_learned": found.n_learned,
            "n_steps": found.n_steps,
            "memory_bytes_estimate": found.memory,
            "memory_basis": found.memory_basis,
        }

    return {
        "model": plan.model,
        "settings": plan.request.settings.document(),
        "subset": look(plan.subset),
        "pool": look(plan.pool) if plan.pool else None,
        "arms": [asdict(size) for size in api.arm_sizes(plan)],
        "left_out": list(plan.left_out),
        "n_problems": len(plan.problems),
        "overlap": list(plan.overlap.ids) if plan.overlap else [],
        "cells": [cell.name for cell in plan.cells],
        "steps": {cell.name: api.n_steps_of(plan, cell) for cell in plan.cells},
        "measure": plan.request.asking.measure,
    }


def _follow(workspace: "api.Workspace", job: Job) -> Job:
    """Show a run's progress until it ends; Ctrl-C asks it to end and waits for its checkpoint."""
    phase, done, said = "", 0, ""
    with console.progress() as bars:
        while job.is_active:
            status = job.status
            if status.message not in ("", said):
                said = status.message
                bars.say(said)
            if status.phase != phase or status.done < done:
                phase, done = status.phase, status.done
                bars.begin(phase, status.total, status.unit, done=done)
            if status.done > done:
                bars.advance(status.done - done)
                done = status.done
            try:
                time.sleep(_LOOK)
            except KeyboardInterrupt:
                api.cancel_job(workspace, job.id)
                bars.say(f"Run {job.id} was asked to end: it writes a checkpoint.")
            job = api.get_job(workspace, job.id)
    return job
