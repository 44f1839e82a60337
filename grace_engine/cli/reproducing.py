"""How does the shell try a published claim again, at a size that fits here?"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from grace_engine.cli import console
from grace_engine.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption
from grace_engine.config import POLICY_KINDS, require_one_of
from grace_engine.errors import InputError

if TYPE_CHECKING:
    from grace_engine.reproduce import (
        ChoiceRequest,
        NoiseRequest,
        Reproduction,
        Results,
        ResultTable,
    )

_ROOT = "reproductions"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Try a published claim again at a size that fits here; what is finished is kept.",
        no_args_is_help=True,
    )
    group.command()(subset)
    group.command()(supervision)
    group.command("noisy-rewards")(noisy_rewards)
    group.command()(unbalanced)
    group.command("gradient-noise")(gradient_noise)
    group.callback()(_root)
    app.add_typer(group, name="reproduce")


def _root() -> None:
    """Try a published claim again at a size that fits here; what is finished is kept."""


SeedsOption = Annotated[int, typer.Option(min=1, help="Draws, each a cell of its own.")]
RolloutsOption = Annotated[
    str, typer.Option(help="Rollouts of each candidate, a column each, with commas.")
]
KindsOption = Annotated[str, typer.Option(help="Kinds of gradients, with commas; all by default.")]
ProcessesOption = Annotated[
    int, typer.Option(min=1, help="Cells done at once, on one thread each if above 1.")
]
OnlyReportOption = Annotated[
    bool, typer.Option("--only-report", help="Tell what is finished, and compute nothing.")
]
FromOption = Annotated[
    Path | None, typer.Option("--from", help="Tell what a file of --to FILE.json holds.")
]
ToOption = Annotated[
    Path | None, typer.Option(help="Write the tables (.md) or all results (.json).")
]
CandidatesOption = Annotated[
    int | None, typer.Option(min=10, help="Problems that are chosen from.")
]
TargetsOption = Annotated[int | None, typer.Option(min=2, help="Problems of the target set.")]


@console.speaks
def subset(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    full: Annotated[
        bool, typer.Option("--full", help="More budgets, seeds and arms: many hours on a CPU.")
    ] = False,
    seeds: Annotated[int | None, typer.Option(help="Trainings of each arm.")] = None,
    traces: Annotated[int | None, typer.Option(help="Traces of each pool.")] = None,
    problems: Annotated[int | None, typer.Option(help="Held-out problems.")] = None,
    budgets: Annotated[str, typer.Option(help="Shares of a pool's tokens: 10,20.")] = "",
    arms: Annotated[
        str,
        typer.Option(
            help="Ways to choose, with commas, such as random,lm_head-0.7,full; all when left out. "
            "A name that is none lists them."
        ),
    ] = "",
    processes: ProcessesOption = 2,
    only_report: OnlyReportOption = False,
    results_file: FromOption = None,
    to: ToOption = None,
    as_json: JsonOption = False,
) -> None:
    """Is a subset that GRACE chooses worth more than others of its size?"""
    from grace_engine import reproduce

    request = reproduce.FULL if full else reproduce.SubsetRequest()
    pool = replace(request.pool, n_traces=request.pool.n_traces if traces is None else traces)
    request = replace(
        request,
        pool=pool,
        n_problems=request.n_problems if problems is None else problems,
        n_seeds=request.n_seeds if seeds is None else seeds,
        percents=_percents(budgets) or request.percents,
        arms=_parts(arms) or request.arms,
    )
    task = reproduce.Subset(request)
    found = _found(task, workspace, processes, only_report, results_file, to)
    _say(found, reproduce.subset_tables(found), to, as_json=as_json)


@console.speaks
def supervision(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    seeds: Annotated[
        int | None, typer.Option(help="Trainings of each model on each dataset.")
    ] = None,
    problems: Annotated[int | None, typer.Option(help="Held-out problems.")] = None,
    tokens: Annotated[
        int | None, typer.Option(help="Tokens of each dataset that a model reads.")
    ] = None,
    variants: Annotated[
        str, typer.Option(help="Datasets, with commas, such as detailed,lengthy; all by default.")
    ] = "",
    sizes: Annotated[str, typer.Option(help="Models: shipped,smaller.")] = "",
    processes: ProcessesOption = 2,
    only_report: OnlyReportOption = False,
    results_file: FromOption = None,
    to: ToOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which properties of a dataset go with what a model learns from it?"""
    from grace_engine import reproduce

    request = reproduce.SupervisionRequest()
    pool = replace(request.pool, n_tokens=request.pool.n_tokens if tokens is None else tokens)
    request = replace(
        request,
        pool=pool,
        n_problems=request.n_problems if problems is None else problems,
        n_seeds=request.n_seeds if seeds is None else seeds,
        variants=_parts(variants) or request.variants,
        sizes=_parts(sizes) or request.sizes,
    )
    task = reproduce.Supervision(request)
    found = _found(task, workspace, processes, only_report, results_file, to)
    _say(found, reproduce.supervision_tables(found), to, as_json=as_json)


@console.speaks
def noisy_rewards(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    seeds: SeedsOption = 5,
    candidates: CandidatesOption = None,
    targets: TargetsOption = None,
    rollouts: RolloutsOption = "",
    kinds: KindsOption = "",
    processes: ProcessesOption = 2,
    only_report: OnlyReportOption = False,
    results_file: FromOption = None,
    to: ToOption = None,
    as_json: JsonOption = False,
) -> None:
    """Are problems with coin flips for rewards left out (GradAlign)?"""
    from grace_engine import reproduce

    request = _asked(reproduce.NOISY, seeds, candidates, targets, rollouts, kinds)
    task = reproduce.NoisyRewards(request)
    found = _found(task, workspace, processes, only_report, results_file, to)
    _say(found, reproduce.choice_tables(found), to, as_json=as_json)


@console.speaks
def unbalanced(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    seeds: SeedsOption = 5,
    candidates: CandidatesOption = None,
    targets: TargetsOption = None,
    rollouts: RolloutsOption = "",
    kinds: KindsOption = "",
    processes: ProcessesOption = 2,
    only_report: OnlyReportOption = False,
    results_file: FromOption = None,
    to: ToOption = None,
    as_json: JsonOption = False,
) -> None:
    """Are the few problems of the target's task found among others (GradAlign)?"""
    from grace_engine import reproduce

    request = _asked(reproduce.UNBALANCED, seeds, candidates, targets, rollouts, kinds)
    task = reproduce.Unbalanced(request)
    found = _found(task, workspace, processes, only_report, results_file, to)
    _say(found, reproduce.choice_tables(found), to, as_json=as_json)


@console.speaks
def gradient_noise(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    seeds: SeedsOption = 5,
    candidates: CandidatesOption = None,
    targets: TargetsOption = None,
    rollouts: RolloutsOption = "",
    kinds: KindsOption = "",
    processes: ProcessesOption = 2,
    only_report: OnlyReportOption = False,
    results_file: FromOption = None,
    to: ToOption = None,
    as_json: JsonOption = False,
) -> None:
    """How alike are scores whose rollouts are drawn anew (GradAlign)?"""
    from grace_engine import reproduce

    request = _asked(reproduce.NoiseRequest(), seeds, candidates, targets, rollouts, kinds)
    task = reproduce.GradientNoise(request)
    found = _found(task, workspace, processes, only_report, results_file, to)
    _say(found, reproduce.noise_tables(found), to, as_json=as_json)


Request = TypeVar("Request", "ChoiceRequest", "NoiseRequest")


def _asked(
    request: Request,
    seeds: int,
    candidates: int | None,
    targets: int | None,
    rollouts: str,
    kinds: str,
) -> Request:
    """The size that flags ask for; ``InputError`` where one is none."""
    try:
        numbers = tuple(int(part) for part in rollouts.split(",") if part.strip())
    except ValueError:
        numbers = (0,)
    if any(n < 2 for n in numbers):
        raise InputError(f"Rollouts {rollouts!r} are not known: use numbers such as 16,32.")
    named = _parts(kinds)
    for kind in named:
        require_one_of("Kind", kind, POLICY_KINDS)
    return replace(
        request,
        n_seeds=seeds,
        n_candidates=request.n_candidates if candidates is None else candidates,
        n_target=request.n_target if targets is None else targets,
        rollouts=numbers or request.rollouts,
        kinds=named or request.kinds,  # type: ignore[arg-type]
    )


def _found(
    task: "Reproduction",
    workspace: Path,
    processes: int,
    only_report: bool,
    results_file: Path | None,
    to: Path | None,
) -> "Results":
    from grace_engine import reproduce

    _require_ending(to)
    if results_file is not None:
        return reproduce.read_results(results_file, task.name)
    root = workspace / _ROOT
    if only_report:
        return reproduce.results(task, root)
    with console.progress() as bars:
        return reproduce.run(task, root, bars, processes=processes)


def _require_ending(to: Path | None) -> None:
    if to is not None and to.suffix not in (".md", ".json"):
        raise InputError(f"{to} has an ending that cannot be written: use .md or .json.")


def _say(
    found: "Results", tables: "tuple[ResultTable, ...]", to: Path | None, *, as_json: bool
) -> None:
    from grace_engine.reproduce import write_results

    took = console.duration(found.processor_seconds)
    if found.missing:
        console.note(
            f"{found.progress} are finished, in {took} of processor time; the same command does "
            "the others."
        )
    else:
        console.note(f"{found.progress} are finished, in {took} of processor time.")
    if to is not None and to.suffix == ".json":
        write_results(found, to)
    elif to is not None:
        to.write_text("\n".join(table.markdown() for table in tables), encoding="utf-8")
    if to is not None:
        console.note(f"Written to {to}.")
    if as_json:
        drawn = [{"title": t.title, "columns": t.columns, "rows": t.rows} for t in tables]
        console.emit_json(found.document() | {"missing": found.missing, "tables": drawn})
        return
    if to is None:
        for table in tables:
            console.table(table.title, table.columns, table.rows)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _percents(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part.strip().rstrip("%")) for part in text.split(",") if part.strip())
    except ValueError:
        raise InputError(f"Budgets {text!r} are not known: use shares such as 10,20.") from None
