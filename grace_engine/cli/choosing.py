"""How does the shell choose a subset, export it, and write an export again?"""

from pathlib import Path
from typing import Annotated

import typer

from grace_engine import api
from grace_engine.cli import console
from grace_engine.cli.options import (
    DEFAULT_WORKSPACE,
    AggregateOption,
    AlphaOption,
    BandOption,
    BudgetOption,
    CapOption,
    ChoiceOption,
    ChosenRunOption,
    HistoryOnlyOption,
    HistoryOption,
    JsonOption,
    NoOverridesOption,
    OverwriteOption,
    PerOption,
    SeedOption,
    WithoutDuplicatesOption,
    WorkspaceOption,
    ZeroOption,
    weights_from,
)
from grace_engine.quantities import counted
from grace_engine.records import is_of_problems

# Settings that a choice of problems does not have.
_OF_TRACES = {
    "alpha",
    "history",
    "aggregate",
    "history_only",
    "cap_per_prompt",
    "without_duplicates",
    "duplicates_threshold",
    "duplicates_older",
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(curate)
    app.command()(export)
    app.command()(replay)


@console.speaks
def curate(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    budget: BudgetOption = "20%",
    run: ChosenRunOption = "latest",
    strategy: ChoiceOption = "grace",
    alpha: AlphaOption = 0.7,
    history: HistoryOption = "uniform",
    aggregate: AggregateOption = "mean",
    history_only: HistoryOnlyOption = False,
    seed: SeedOption = 0,
    band: BandOption = "0.25-0.75",
    zero_without_variance: ZeroOption = False,
    per: PerOption = "",
    cap: CapOption = 0,
    without_duplicates: WithoutDuplicatesOption = "",
    no_overrides: NoOverridesOption = False,
    name: Annotated[str, typer.Option(help="A name for the selection.")] = "",
    parent: Annotated[
        str, typer.Option(help="Selection (id, name or latest) that this is a branch of.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Choose traces or problems by value under a budget, each with its reason. Runs no model."""
    chosen = api.curate(
        api.open_workspace(workspace, create=False),
        budget,
        run=run,
        weights=weights_from(alpha, history, aggregate, history_only),
        strategy=strategy,  # type: ignore[arg-type]
        seed=seed,
        band=band,
        zero_without_variance=zero_without_variance,
        per=per,
        cap_per_prompt=cap,
        without_duplicates=without_duplicates,  # type: ignore[arg-type]
        overrides=not no_overrides,
        name=name,
        parent=parent,
    )
    if told := api.said_of_name(chosen):
        console.note(told)
    found = api.summary(chosen)
    if as_json:
        choices = [
            {field: getattr(choice, field) for field in choice.__slots__}
            for choice in chosen.choices
        ]
        console.emit_json(found | {"choices": choices})
        return
    of_problems = is_of_problems(chosen.run_id)
    if of_problems:
        found = {"n_problems" if n == "n_traces" else n: v for n, v in found.items()}
    console.pairs({n: v for n, v in found.items() if not (of_problems and n in _OF_TRACES)})
    if told := api.said_of_strata(chosen):
        console.note(told)
    if chosen.duplicates_older:
        console.note(
            f"Traces came or went since duplicates were looked for: grace duplicates --of "
            f"{chosen.without_duplicates} looks again."
        )
    cut = int(str(found["n_selected"]))
    near = chosen.choices[max(0, cut - 3) : cut + 3]
    console.table(
        "Nearest the cut",
        ["rank", "problem" if of_problems else "trace", "value", "in", "reason"],
        [(c.rank, c.trace_id, c.value, c.selected, c.reason) for c in near],
    )
    as_format = " --as trl-grpo" if of_problems else ""
    console.note(
        f"Export it: grace export {chosen.id} --to chosen.jsonl{as_format} --workspace {workspace}"
    )


@console.speaks
def export(
    selection: Annotated[str, typer.Argument(help="Selection id, name or latest.")],
    to: Annotated[Path, typer.Option("--to", help="File to write.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_format: Annotated[
        str,
        typer.Option(
            "--as",
            help="Of traces: original, messages, prompt-completion, sharegpt or alpaca. Of "
            "problems: trl-grpo, verl or open-instruct.",
        ),
    ] = "original",
    annotate: Annotated[
        bool, typer.Option("--annotate", help="Add scores, rank, reason, verdicts and overrides.")
    ] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write what was chosen to a file, with the manifest that makes the file again."""
    report = api.export(
        api.open_workspace(workspace, create=False),
        selection,
        to,
        as_format=as_format,  # type: ignore[arg-type]
        annotate=annotate,
        overwrite=overwrite,
    )
    _say(report, as_json=as_json)


@console.speaks
def replay(
    manifest: Annotated[
        Path, typer.Argument(help="The manifest.json, or NAME.manifest.json, beside an export.")
    ],
    to: Annotated[
        Path | None, typer.Option("--to", help="File to write; the exported one when left out.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write an exported file again, byte for byte, from the workspace or from its sources."""
    opened = None
    if (workspace / "grace.duckdb").exists():
        opened = api.open_workspace(workspace, create=False)
    _say(api.replay(manifest, workspace=opened, to=to, overwrite=overwrite), as_json=as_json)


def _say(report: "api.ExportReport", *, as_json: bool) -> None:
    console.note(
        f"{report.n_traces:,} {report.what} in {counted(report.n_lines, 'line')} "
        f"({console.size(report.n_bytes)}) "
        f"→ {report.path}" + (", the same bytes as were there" if report.unchanged else "")
    )
    if report.n_riding:
        console.note(
            f"{report.n_riding:,} traces that were not chosen stand in the same source records and "
            "ride along: --as messages (or another format) writes the chosen ones alone."
        )
    if report.n_other_answers:
        console.note(
            f"{report.n_other_answers:,} of them were scored against a reference answer "
            "(--target reference) and are exported with their own, other answer."
        )
    console.note(f"Read from the {report.source}, by {report.manifest}; sha256 {report.sha256}.")
    if as_json:
        console.emit_json(
            {name: getattr(report, name) for name in report.__slots__}
            | {"path": str(report.path), "manifest": str(report.manifest)}
        )
