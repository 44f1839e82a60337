"""How does the shell say which metrics of datasets go with training results?"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from grace_engine import api
from grace_engine.cli import console
from grace_engine.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption
from grace_engine.errors import InputError
from grace_engine.evidence import Correlation


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(correlate)


@console.speaks
def correlate(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="CSV (a row a dataset, or a dataset and model) or JSON of metrics and results."
        ),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    results: Annotated[
        str,
        typer.Option(
            help="Columns of the CSV file that are results, with commas; else those that begin "
            "with result."
        ),
    ] = "",
    paper: Annotated[
        bool,
        typer.Option("--paper", help="The published table of arXiv 2605.13290 as the input."),
    ] = False,
    trained: Annotated[
        bool,
        typer.Option("--trained", help="What trainings of this workspace found, as the input."),
    ] = False,
    long: Annotated[
        bool, typer.Option("--long", help="A row a correlation, with its leave-one-out spread.")
    ] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Tables as Markdown.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Rank correlations of dataset metrics with training results, with exact p and their spread."""
    if paper + trained + (file is not None) != 1:
        raise InputError(
            "Name one input: a CSV or JSON file of metrics and results, --trained or --paper."
        )
    if trained:
        with console.progress() as bars:
            opened = api.open_workspace(workspace, create=False)
            report = api.training_evidence(opened, progress=bars)
    elif file is None:
        report = api.correlate_published()
    else:
        names = [name.strip() for name in results.split(",") if name.strip()]
        report = api.correlate_file(file, names)
    if as_json:
        console.emit_json(_document(report))
        return
    for model in report.evidence.results:
        say = _say_long if long else _say
        say(report, model, markdown=markdown)
    n = len(report.evidence.datasets)
    least = min((cell.smallest_p for cell in report.found.cells), default=1.0)
    console.note(
        f"Spearman's ρ over {n} datasets, in brackets the two-sided p over all orders; with {n} "
        f"datasets no p can be below {least:.3g}. --long shows how ρ moves with one left out."
    )
    if trained:
        console.note(f"From the trainings {report.source}.")
    _say_printed(report)


def _say(report: "api.EvidenceReport", model: str, *, markdown: bool) -> None:
    wanted = list(report.evidence.results[model])
    cells = {(c.metric, c.result): c for c in report.found.cells if c.model == model}
    means = {mean.metric: mean.rho for mean in report.found.averages if mean.model == model}
    unprinted = _unprinted(report)
    over = f" over {len(report.averaged)}" if report.averaged else ""
    console.table(
        model,
        ["metric", *wanted, f"mean ρ{over}"],
        [
            (
                _marked(metric, unprinted),
                *(_cell(cells[metric, result]) for result in wanted),
                _rho(means[metric]),
            )
            for metric in report.evidence.metrics
        ],
        markdown=markdown,
    )


def _say_long(report: "api.EvidenceReport", model: str, *, markdown: bool) -> None:
    unprinted = _unprinted(report)
    console.table(
        model,
        ["metric", "result", "datasets", "ρ", "p", "one left out", "moved most by"],
        [
            (
                _marked(c.metric, unprinted),
                c.result,
                c.n,
                _rho(c.rho),
                _p(c),
                _spread(c),
                c.leans_on or None,
            )
            for c in report.found.cells
            if c.model == model
        ],
        markdown=markdown,
    )


def _unprinted(report: "api.EvidenceReport") -> list[str]:
    """Metrics of a published table of which it prints no correlation; none where nothing is."""
    if not report.printed:
        return []
    printed = {cell.metric for cell in report.printed}
    return [metric for metric in report.evidence.metrics if metric not in printed]


def _marked(metric: str, unprinted: list[str]) -> str:
    return f"{metric} *" if metric in unprinted else metric


def _cell(cell: Correlation) -> str:
    return "–" if cell.rho is None else f"{_rho(cell.rho)} ({_p(cell)})"


def _p(cell: Correlation) -> str:
    if cell.p is None:
        return "–"
    about = "" if cell.is_exact else "≈"
    return f"{about}<.001" if cell.p < 0.0005 else f"{about}{cell.p:.3f}".replace("0.", ".")


def _spread(cell: Correlation) -> str:
    return "–" if cell.low is None else f"{_rho(cell.low)} to {_rho(cell.high)}"


def _rho(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f}".replace("-", "−")


def _say_printed(report: "api.EvidenceReport") -> None:
    """How many of the printed cells come out again, and those that do not."""
    if not report.printed:
        return
    n_results = len(next(iter(report.evidence.results.values())))
    console.note(
        f"The mean ρ is over {len(report.averaged)} of the {n_results} benchmarks, as in the "
        f"paper: {', '.join(report.averaged)}."
    )
    if unprinted := _unprinted(report):
        console.note(
            f"Computed here, and not printed by the paper (marked *): {', '.join(unprinted)}."
        )
    differing = [cell for cell in report.printed if cell.differs]
    console.note(
        f"{len(report.printed) - len(differing)} of {len(report.printed)} printed correlations "
        f"come out again to two decimals. {report.source}"
    )
    for cell in differing:
        console.note(
            f"{cell.model}, {cell.metric}, {cell.result}: printed {_rho(cell.printed)}, "
            f"recomputed {_rho(cell.recomputed)}."
        )


def _document(report: "api.EvidenceReport") -> dict[str, object]:
    differing = [asdict(cell) for cell in report.printed if cell.differs]
    printed = (
        {
            "n_printed": len(report.printed),
            "differing": differing,
            "not_printed": _unprinted(report),
            "averaged": list(report.averaged),
        }
        if report.printed
        else {}
    )
    return {
        "source": report.source,
        "datasets": list(report.evidence.datasets),
        "correlations": [asdict(cell) for cell in report.found.cells],
        "averages": [asdict(mean) for mean in report.found.averages],
        **printed,
    }
