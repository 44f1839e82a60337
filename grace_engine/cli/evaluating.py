"""How does the shell hold signals against what is known to be bad?"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from grace_engine import api
from grace_engine.cli import console, evaluations
from grace_engine.cli.options import DEFAULT_WORKSPACE, HistoryOption, JsonOption, WorkspaceOption
from grace_engine.config import History, Weights
from grace_engine.errors import InputError, NotFoundError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)


@console.speaks
def evaluate(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    run: Annotated[
        list[str] | None,
        typer.Option(help="Scoring run; may be given again, or `all`. Default: latest."),
    ] = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="Only this dataset; may be given again.")
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            help="A trace label, `steps` (the data's), `verdicts` (curators'), `judge` (a judge "
            "model's; `judge:ID` names one, `judge:ID:METRIC` its labels of one metric), or a file "
            "(.jsonl, .csv, .parquet) with trace_id, label and, for steps, step; may be given "
            "again. Default: what the data says, and verdicts in its place."
        ),
    ] = None,
    history: HistoryOption = "uniform",
    sample: Annotated[
        bool,
        typer.Option(
            "--sample",
            help="Score the shipped traces under both shipped models with every proxy, and "
            "evaluate those runs.",
        ),
    ] = False,
    figures: Annotated[
        Path | None, typer.Option(help="Folder to write figures to, as SVG.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Tables as Markdown.")] = False,
    resamples: Annotated[int, typer.Option(min=0, help="Bootstrap draws of traces.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Hold signals against labels: which errors do they find, how clean is the top?"""
    if sample and run:
        raise InputError("--sample evaluates its own runs: leave out --run, or --sample.")
    opened = api.open_workspace(workspace, create=sample)
    weights = Weights(history=History.parse(history))
    found: list[api.Evaluation] = []
    with console.progress() as bars:
        runs = api.score_sample(opened, bars) if sample else _runs(opened, run or ["latest"])
        bars.begin("Evaluating", len(runs), "runs")
        for wanted in runs:
            try:
                found += api.evaluate(
                    opened,
                    wanted,
                    datasets=dataset or (),
                    labels=labels or (),
                    weights=weights,
                    resamples=resamples,
                    seed=seed,
                )
            except NotFoundError as fault:
                # Of several runs one may know less than the others.
                if len(runs) == 1 or (wanted == runs[-1] and not found):
                    raise
                console.note(str(fault))
            bars.advance(1)
    if figures is not None:
        for path in api.write_figures(found, figures):
            console.note(f"Wrote {path}.")
    if as_json:
        console.emit_json({"evaluations": [_without_nan(asdict(one)) for one in found]})
        return
    for name in dict.fromkeys(one.dataset for one in found):
        evaluations.say(name, [one for one in found if one.dataset == name], markdown)


def _runs(workspace: "api.Workspace", wanted: list[str]) -> list[str]:
    if "all" not in wanted:
        return wanted
    return [run.id for run in api.list_runs(workspace) if run.n_scored]


def _without_nan(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and value != value else value
