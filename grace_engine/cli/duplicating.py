"""How does the shell find duplicates and show them?"""

from dataclasses import asdict
from typing import Annotated

import typer

from grace_engine import api
from grace_engine.cli import console, running
from grace_engine.cli.options import (
    DEFAULT_WORKSPACE,
    BackgroundOption,
    DatasetsArgument,
    JsonOption,
    WorkspaceOption,
)
from grace_engine.quantities import counted
from grace_engine.records import DuplicateMember

_SHOWN = 90  # characters of a text


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(duplicates)


@console.speaks
def duplicates(
    datasets: DatasetsArgument = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    of: Annotated[
        str, typer.Option(help="What to compare: prompts (with images), or traces without prompts.")
    ] = "traces",
    threshold: Annotated[
        float, typer.Option(help="Jaccard similarity of near-duplicates, up to 1.")
    ] = 0.8,
    limit: Annotated[int, typer.Option(min=0, help="Groups that are shown; 0 for all.")] = 20,
    background: BackgroundOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find equal and nearly equal prompts or traces; groups that span datasets come first."""
    opened = api.open_workspace(workspace, create=False)
    names = tuple(datasets or ())
    if background:
        job = api.start_duplicates(opened, of, names, threshold)  # type: ignore[arg-type]
        running.say_started(job, as_json=as_json)
        return
    with console.progress() as bars:
        found = api.find_duplicates(opened, of, names, threshold, bars)  # type: ignore[arg-type]
    groups = api.duplicate_groups(opened, found, count=limit or max(found.n_groups, 1))
    if as_json:
        console.emit_json(asdict(found) | {"groups": [asdict(group) for group in groups]})
        return
    console.note(
        f"{counted(found.n_groups, 'group')} of {found.of} at {found.threshold:g} or more, "
        f"{found.n_spanning:,} of them across datasets, {found.n_near:,} of different texts: "
        f"{found.n_members:,} of "
        f"{found.n_traces:,} traces of {', '.join(found.datasets)} are in one."
    )
    if groups:
        console.table(
            f"Duplicate {found.of}",
            ["group", "traces", "different", "trace", "similarity", "dataset", "from", "text"],
            [
                (
                    group.number,
                    group.n_traces,
                    group.n_different,
                    member.trace_id[:12],
                    _likeness(member, place),
                    member.dataset,
                    f"line {member.line} {member.variant}".strip(),
                    " ".join(member.text.split())[:_SHOWN],
                )
                for group in groups
                for place, member in enumerate(group.members)
            ],
        )
    if len(groups) < found.n_groups:
        console.note(f"{found.n_groups - len(groups):,} more groups: --limit 0 shows all.")
    if groups:
        console.note(
            f"Leave them out of a choice: grace curate --without-duplicates {found.of} "
            f"--workspace {workspace}"
        )


def _likeness(member: DuplicateMember, place: int) -> str:
    """Similarity to the group's first trace."""
    if place == 0:
        return "–"
    return "exact" if member.exact else f"{member.similarity:.2f}"
