"""How does the shell explain a choice, and compare it with others?"""

import math
from typing import Annotated, Any

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
    PerOption,
    SeedOption,
    WithoutDuplicatesOption,
    WorkspaceOption,
    ZeroOption,
    config_from,
    weights_from,
)

SelectionArgument = Annotated[str, typer.Argument(help="Selection id, name or latest.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (why, curve, bias, compare):
        app.command()(command)
    app.command("rename-selection")(rename_selection)


@console.speaks
def why(
    trace: Annotated[
        str, typer.Argument(help="Id of a trace or problem, or a unique beginning of one.")
    ],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    selection: Annotated[
        str, typer.Option(help="Explain by this selection's run and settings, not by the flags.")
    ] = "",
    run: ChosenRunOption = "latest",
    budget: BudgetOption = "20%",
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
    as_json: JsonOption = False,
) -> None:
    """Why a trace or problem is in or out: its value, its margin, and what would flip it."""
    opened = api.open_workspace(workspace, create=False)
    if selection:
        chosen = api.get_selection(opened, selection)
        run, config, weights = chosen.run_id, api.config_of(chosen), api.weights_of(chosen)
    else:
        weights = weights_from(alpha, history, aggregate, history_only)
        config = config_from(
            strategy,
            seed,
            per,
            cap,
            without_duplicates,
            no_overrides,
            budget,
            band=band,
            zero_without_variance=zero_without_variance,
        )
    if api.chooses_problems(run, config.strategy):
        problems = api.problem_view(opened, run)
        told = api.why_problem(problems, config, api.annotations(opened), trace).as_json()
        if as_json:
            console.emit_json(told)
        else:
            console.pairs(told)
        return
    view = api.run_view(opened, run, weights)
    twins = api.duplicates_in(opened, view, config)
    found = api.why(view, config, api.annotations(opened), trace, twins)
    if as_json:
        console.emit_json(found.as_json())
        return
    document = found.as_json()
    console.pairs({name: document[name] for name in document if name != "steps"})
    if document["steps"]:
        console.table(
            "The sum that made its value",
            ["step", "alignment", "consistency", "score", "weight", "from alignment",
             "from consistency", "part"],
            [tuple(row.values()) for row in document["steps"]],
        )  # fmt: skip


@console.speaks
def curve(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
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
    as_json: JsonOption = False,
) -> None:
    """Value, tokens and share correct (of problems the pass rate) of budgets from 1% to 100%."""
    opened = api.open_workspace(workspace, create=False)
    config = config_from(
        strategy,
        seed,
        per,
        cap,
        without_duplicates,
        no_overrides,
        band=band,
        zero_without_variance=zero_without_variance,
    )
    if api.chooses_problems(run, config.strategy):
        problems = api.problem_view(opened, run)
        found = api.problem_curve(problems, config, api.annotations(opened))
        _say_curve(problems.id, api.frame_records(found), "pass rate", as_json=as_json)
        return
    view = api.run_view(opened, run, weights_from(alpha, history, aggregate, history_only))
    twins = api.duplicates_in(opened, view, config)
    rows = api.frame_records(api.budget_curve(view, config, api.annotations(opened), twins))
    _say_curve(view.run.id, rows, "share correct", as_json=as_json)


def _say_curve(run: str, rows: list[dict[str, Any]], last: str, *, as_json: bool) -> None:
    if as_json:
        console.emit_json({"run": run, "budgets": rows})
        return
    console.table(
        f"Budgets of run {run}",
        ["share", "taken", "mean value", "lowest value", "tokens", last],
        [tuple(row.values()) for row in rows],
    )


@console.speaks
def bias(
    selection: SelectionArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """How a selection differs from what it left out: length, datasets, labels, correctness."""
    opened = api.open_workspace(workspace, create=False)
    chosen = api.get_selection(opened, selection)
    view = api.run_view(opened, chosen.run_id, api.weights_of(chosen))
    found = api.bias_of_selection(view, chosen)
    numbers = api.frame_records(found.numbers.rename_axis("count").reset_index())
    categories = api.frame_records(found.categories)
    if as_json:
        console.emit_json(
            {
                "selection": chosen.id,
                "n_chosen": found.n_chosen,
                "n_left": found.n_left,
                "numbers": numbers,
                "categories": categories,
                "skipped": found.skipped,
                "warnings": found.warnings,
            }
        )
        return
    for title, rows in (("Counts", numbers), ("Categories", categories)):
        if rows:
            console.table(title, list(rows[0]), [tuple(row.values()) for row in rows])
    if found.skipped:
        console.note(f"Too many different values to list: {', '.join(found.skipped)}.")
    for warning in found.warnings:
        console.note(warning)


@console.speaks
def compare(
    a: SelectionArgument,
    b: SelectionArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    limit: Annotated[int, typer.Option(min=0, help="Rows of each table; 0 for all.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Who is in one selection and not in the other, of one run or of two."""
    opened = api.open_workspace(workspace, create=False)
    first, second = (api.get_selection(opened, wanted) for wanted in (a, b))
    found = api.compare(first, second)
    totals = {
        "a": first.id,
        "b": second.id,
        **{name: _number(getattr(found, name)) for name in found.__slots__ if name != "traces"},
    }
    parts = {"only_a": found.only_a, "only_b": found.only_b, "both": found.both}
    rows = {
        name: [_row(row) for row in api.frame_records(part.reset_index())]
        for name, part in parts.items()
    }
    if as_json:
        console.emit_json(totals | {"traces": rows})
        return
    console.pairs(totals)
    for name, title in (("only_a", f"Only in {first.id}"), ("only_b", f"Only in {second.id}")):
        shown = rows[name][:limit] if limit else rows[name]
        if shown:
            console.table(title, list(shown[0]), [tuple(row.values()) for row in shown])
        if len(shown) < len(rows[name]):
            console.note(f"{len(rows[name]) - len(shown):,} more: --limit 0 shows all.")


@console.speaks
def rename_selection(
    selection: SelectionArgument,
    name: Annotated[str, typer.Argument(help='The new name; "" for none.')],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Give a selection another name; its id stays."""
    found = api.rename_selection(api.open_workspace(workspace, create=False), selection, name)
    console.note(f"Selection {found} is named {name.strip()!r}.")
    if as_json:
        console.emit_json({"selection": found, "name": name.strip()})


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """A compared trace without what the name of its list says."""
    return {name: value for name, value in row.items() if name not in ("in_a", "in_b")}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
