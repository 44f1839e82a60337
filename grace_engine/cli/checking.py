"""How does the shell hold answers against the references of the data?"""

from dataclasses import asdict
from typing import Annotated

import typer

from grace_engine import api
from grace_engine.cli import console, running
from grace_engine.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


@console.speaks
def check(
    datasets: Annotated[
        list[str] | None, typer.Argument(help="Datasets; all when none is named.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    again: Annotated[
        bool, typer.Option("--again", help="Check what was checked before, too.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(help="Seconds of processor time that one answer may take.")
    ] = 5.0,
    background: Annotated[
        bool,
        typer.Option(
            "--background", help="Go on without this shell: see grace runs, grace cancel."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check answers against their references with math-verify; nothing is checked twice."""
    opened = api.open_workspace(workspace, create=False)
    names = tuple(datasets or ())
    if background:
        job = api.start_checking(opened, names, timeout=timeout, again=again)
        console.note(f"Run {job.id} goes on in the background: grace runs, grace cancel {job.id}.")
        if as_json:
            console.emit_json(running.document(job))
        return
    with console.progress() as bars:
        report = api.check_answers(opened, names, timeout=timeout, again=again, progress=bars)
    counts = api.check_counts(opened, names)
    if as_json:
        by_dataset = {each.dataset: asdict(each) for each in counts}
        console.emit_json(asdict(report) | {"datasets": by_dataset})
        return
    rate = report.n_checked / report.seconds
    console.note(
        f"{report.n_checked:,} answers checked in {console.duration(report.seconds)} "
        f"({rate:,.1f} a second); {sum(report.by_outcome.values()) - report.n_checked:,} were "
        f"checked before."
    )
    console.table(
        "Checked answers",
        ["dataset", "traces", "with a reference", *report.by_outcome],
        [
            (
                each.dataset,
                each.n_traces,
                each.n_with_reference,
                *(each.by_outcome.get(outcome, 0) for outcome in report.by_outcome),
            )
            for each in counts
        ],
    )
