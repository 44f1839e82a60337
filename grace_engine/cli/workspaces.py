"""How does the shell say what a workspace holds, and delete or compact it?"""

from dataclasses import asdict
from pathlib import PurePath
from typing import Annotated, Any

import typer

from grace_engine import api
from grace_engine.cli import console
from grace_engine.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption
from grace_engine.records import JUDGES, POLICY_RUNS, SETS

group = typer.Typer(
    help="What is stored and its size; check, backup, restore, rebuild; delete; compact.",
    invoke_without_command=True,
)


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(group, name="workspace")


@group.callback()
@console.speaks
def show(
    context: typer.Context,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """What is stored and its size."""
    if context.invoked_subcommand is not None:
        context.obj = workspace
        return
    opened = api.open_workspace(workspace, create=False)
    found, trained = api.usage(opened), api.how_trained(opened)
    if as_json:
        document: dict[str, Any] = asdict(found)
        for chosen in document["selections"]:
            del chosen["choices"]
            said = trained.get(chosen["id"])
            chosen["trained"] = asdict(said) if said else None
        console.emit_json(document)
        return
    console.table(
        "Datasets",
        ["dataset", "traces", "problems", "rejected", "segmenter", "text and records"],
        [
            (
                d.name,
                d.n_traces,
                d.n_problems,
                d.n_rejected,
                d.segmenter,
                _size(found.dataset_bytes, d.name),
            )
            for d in found.datasets
        ],
    )
    console.table(
        "Scoring runs",
        ["run", "model", "proxy", "datasets", "scored", "rejected", "not reached", "Grams"],
        [
            (
                r.id,
                PurePath(r.model).name,
                r.gradient,
                ", ".join(r.datasets),
                r.n_scored,
                r.n_rejected,
                r.n_pending,
                _size(found.run_bytes, r.id),
            )
            for r in found.runs
        ],
    )
    console.table(
        "Selections",
        ["selection", "name", "run", "strategy", "budget", "made", "trained"],
        [
            (
                *(s.id, s.name, s.run_id, s.strategy, s.budget, s.created_at),
                str(trained.get(s.id, api.NOT_TRAINED)),
            )
            for s in found.selections
        ],
    )
    if found.annotations:
        kinds = ", ".join(f"{n:,} of kind {kind}" for kind, n in found.annotations.items())
        console.note(f"{sum(found.annotations.values()):,} annotations in the log: {kinds}.")
    console.note(
        f"Database {console.size(found.file_bytes)}, folder {console.size(found.folder_bytes)} "
        "(sizes of rows are before compression)."
    )


@group.command("delete-run")
@console.speaks
def delete_run(
    run: Annotated[str, typer.Argument(help="Run id, or a unique beginning of one.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Delete a scoring run, a judge (j-…), policy gradients (g-…), or rollouts (o-…) with these."""
    opened = api.open_workspace(workspace, create=False)
    delete = api.delete_run
    if run.startswith(SETS):
        delete = api.delete_rollout_set
    elif run.startswith(POLICY_RUNS):
        delete = api.delete_policy_run
    elif run.startswith(JUDGES):
        delete = api.delete_judge
    _done("run", delete(opened, run), as_json)


@group.command("delete-dataset")
@console.speaks
def delete_dataset(
    dataset: Annotated[str, typer.Argument(help="Name of the dataset.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Delete a dataset with its traces, rejects and scores."""
    api.delete_dataset(api.open_workspace(workspace, create=False), dataset)
    _done("dataset", dataset, as_json)


@group.command("delete-selection")
@console.speaks
def delete_selection(
    selection: Annotated[str, typer.Argument(help="Selection id or name.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Forget a selection; exported files stay."""
    opened = api.open_workspace(workspace, create=False)
    _done("selection", api.delete_selection(opened, selection), as_json)


@group.command("compact")
@console.speaks
def compact(workspace: WorkspaceOption = DEFAULT_WORKSPACE, as_json: JsonOption = False) -> None:
    """Give back the disk space of what was deleted."""
    found = api.compact(api.open_workspace(workspace, create=False))
    before, after = found.bytes_before, found.bytes_after
    console.note(f"{console.size(before)} before, {console.size(after)} after.")
    if as_json:
        console.emit_json({"bytes_before": before, "bytes_after": after})


def _done(kind: str, name: str, as_json: bool) -> None:
    console.note(f"Deleted {kind} {name}. `grace workspace compact` gives its disk space back.")
    if as_json:
        console.emit_json({"deleted": {kind: name}})


def _size(sizes: dict[str, int], name: str) -> str:
    return console.size(sizes.get(name, 0))
