"""How does the shell hold answers against the references of the data?"""

from dataclasses import asdict
from typing import Annotated

import typer

from grace_engine import api
from grace_engine.cli import console, running
from grace_engine.cli.mapping import shortened
from grace_engine.cli.options import (
    DEFAULT_WORKSPACE,
    BackgroundOption,
    DatasetsArgument,
    JsonOption,
    LimitOption,
    WorkspaceOption,
)
from grace_engine.config import require_one_of
from grace_engine.errors import InputError
from grace_engine.records import OUTCOMES
from grace_engine.store import ListedCheck


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


@console.speaks
def check(
    datasets: DatasetsArgument = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    again: Annotated[
        bool, typer.Option("--again", help="Check what was checked before, too.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(help="Seconds of processor time that one answer may take.")
    ] = 5.0,
    listed: Annotated[
        list[str] | None,
        typer.Option(
            "--list",
            help="List the traces that came out so, too: right, wrong, not-parsed or timed-out; "
            "may be given again.",
        ),
    ] = None,
    limit: LimitOption = 20,
    background: BackgroundOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check answers against their references with math-verify; nothing is checked twice."""
    opened = api.open_workspace(workspace, create=False)
    names = tuple(datasets or ())
    outcomes = [_outcome(name) for name in listed or ()]
    if background and outcomes:
        raise InputError(
            "A check in the background lists nothing: leave out --list or --background."
        )
    if background:
        job = api.start_checking(opened, names, timeout=timeout, again=again)
        running.say_started(job, as_json=as_json)
        return
    with console.progress() as bars:
        report = api.check_answers(opened, names, timeout=timeout, again=again, progress=bars)
    counts = api.check_counts(opened, names)
    found = api.list_checks(opened, outcomes, names) if outcomes else []
    if as_json:
        by_dataset = {each.dataset: asdict(each) for each in counts}
        more = {"listed": [asdict(each) for each in found]} if outcomes else {}
        console.emit_json(asdict(report) | {"datasets": by_dataset} | more)
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
    if outcomes:
        _table(found, limit)


def _outcome(name: str) -> str:
    """The outcome that ``--list`` names; blanks may be typed as hyphens."""
    wanted = name.replace("-", " ")
    require_one_of("Outcome", wanted, OUTCOMES)
    return wanted


def _table(found: list[ListedCheck], limit: int) -> None:
    if not found:
        console.note("No trace came out so.")
        return
    shown = found[:limit] if limit else found
    console.table(
        "Traces",
        ["trace", "from", "outcome", "answer", "reference", "how"],
        [
            (
                each.trace_id,
                f"{each.dataset}, line {each.line} {each.variant}".rstrip(),
                each.outcome,
                shortened(each.answer),
                shortened(each.reference),
                f"{each.side}: {each.detail}" if each.side else each.detail,
            )
            for each in shown
        ],
    )
    if len(shown) < len(found):
        console.note(f"{len(found) - len(shown):,} more: --limit 0 shows all.")
