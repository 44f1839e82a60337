"""How does the shell take what a curator says of traces, take it back, and show it?"""

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from grace_engine import api
from grace_engine.cli import console
from grace_engine.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption
from grace_engine.errors import InputError

if TYPE_CHECKING:
    from grace_engine.records import Annotation

AuthorOption = Annotated[
    str,
    typer.Option(
        "--author",
        help="Who says so. Default: $GRACE_AUTHOR, or your name on this system.",
        show_default=False,
    ),
]
TraceArgument = Annotated[str, typer.Argument(help="Trace id, or a unique beginning of one.")]
TracesArgument = Annotated[
    list[str], typer.Argument(help="Trace ids, or unique beginnings of them.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; up to 2,000 characters.")]
StepOption = Annotated[int | None, typer.Option("--step", min=1, help="The step, counted from 1.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (mark, keep, drop, withdraw, undo, redo, annotations):
        app.command()(command)


@console.speaks
def mark(
    trace: TraceArgument,
    word: Annotated[
        str,
        typer.Option(
            "--as",
            help="good, wrong, irrelevant, redundant, or a word of your own; grace evaluate takes "
            "any word but good, correct, right, true, ok, clean and + for a kind of error.",
        ),
    ],
    step: StepOption = None,
    note: Annotated[str, typer.Option("--note", help="Up to 2,000 characters.")] = "",
    author: AuthorOption = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Put a verdict on a step, or without --step on the trace."""
    if not word:
        raise InputError("A verdict needs a word: --as good. grace withdraw takes one back.")
    opened = api.open_workspace(workspace, create=False)
    action = api.mark(opened, trace, word, step=step, note=note, author=author)
    _done(opened, action, as_json)


@console.speaks
def keep(
    traces: TracesArgument,
    reason: ReasonOption = "",
    author: AuthorOption = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Have traces in every selection, whatever their values."""
    opened = api.open_workspace(workspace, create=False)
    _done(opened, api.override(opened, traces, True, reason=reason, author=author), as_json)


@console.speaks
def drop(
    traces: TracesArgument,
    reason: ReasonOption = "",
    author: AuthorOption = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Have traces in no selection, whatever their values."""
    opened = api.open_workspace(workspace, create=False)
    _done(opened, api.override(opened, traces, False, reason=reason, author=author), as_json)


@console.speaks
def withdraw(
    traces: TracesArgument,
    step: StepOption = None,
    verdict: Annotated[
        bool, typer.Option("--verdict", help="The verdict on the trace as a whole.")
    ] = False,
    author: AuthorOption = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Take back the override of traces, or with --step or --verdict one trace's verdict."""
    opened = api.open_workspace(workspace, create=False)
    if step is None and not verdict:
        _done(opened, api.override(opened, traces, None, author=author), as_json)
        return
    if len(traces) > 1 or (step is not None and verdict):
        raise InputError(
            "A verdict is withdrawn from one trace at a time, from a step (--step) or from the "
            "trace itself (--verdict)."
        )
    _done(opened, api.mark(opened, traces[0], "", step=step, author=author), as_json)


@console.speaks
def undo(
    author: AuthorOption = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Take back your last verdict or override; again for the one before."""
    said = api.undo(api.open_workspace(workspace, create=False), author=author)
    _turned("undone", said, "There is nothing of yours to undo.", as_json)


@console.speaks
def redo(
    author: AuthorOption = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Do again what you undid last, unless you said something new since."""
    said = api.redo(api.open_workspace(workspace, create=False), author=author)
    _turned("redone", said, "There is nothing of yours to do again.", as_json)


@console.speaks
def annotations(
    trace: Annotated[
        str, typer.Option("--trace", help="Only this trace: its id, or a unique beginning.")
    ] = "",
    log: Annotated[
        bool, typer.Option("--log", help="Every entry ever made, also those undone since.")
    ] = False,
    author: AuthorOption = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """List the verdicts and overrides that stand, or the log of all that was said."""
    opened = api.open_workspace(workspace, create=False)
    if log:
        _say_log(api.annotation_log(opened, trace), as_json)
        return
    said = api.annotations(opened, author=author)
    entries = [entry for steps in said.verdicts.values() for entry in steps.values()]
    entries += said.overrides.values()
    if trace:
        whole = {entry.trace_id for entry in api.annotation_log(opened, trace)}
        entries = [entry for entry in entries if entry.trace_id in whole]
    entries.sort(key=lambda entry: entry.seq)
    if as_json:
        console.emit_json(
            {
                "version": said.version,
                "author": said.author,
                "annotations": [_document(entry) for entry in entries],
                "n_looked": len(said.looked),
                "n_unplaced": said.n_unplaced,
                "n_gone": said.n_gone,
                "can_undo": said.can_undo,
                "can_redo": said.can_redo,
            }
        )
        return
    _table(
        "Verdicts and overrides",
        ["trace", "step", "says", "note", "author", "time"],
        [(e.trace_id, e.step, e.word, e.note, e.author, e.created_at) for e in entries],
    )
    if said.looked:
        console.note(f"{said.author} looked at {len(said.looked):,} traces.")
    if said.n_unplaced:
        console.note(
            f"{said.n_unplaced:,} verdicts are not shown: steps were cut anew, and none has their "
            "text. They are in the log (--log)."
        )
    if said.n_gone:
        console.note(
            f"{said.n_gone:,} verdicts and overrides are not shown: their traces were deleted. "
            "They are in the log (--log)."
        )


def _say_log(entries: "list[Annotation]", as_json: bool) -> None:
    if as_json:
        console.emit_json({"log": [asdict(entry) for entry in entries]})
        return
    columns = ["#", "action", "kind", "trace", "step", "says", "note", "author", "time"]
    _table(
        "Log",
        columns,
        [
            (
                e.seq,
                e.action,
                f"{e.kind} {e.target}" if e.target else e.kind,
                e.trace_id,
                e.step,
                e.word or ("withdrawn" if e.kind in ("verdict", "override") else None),
                e.note,
                e.author,
                e.created_at,
            )
            for e in entries
        ],
    )


def _table(title: str, columns: list[str], rows: Iterable[tuple[object, ...]]) -> None:
    """A table without the parts of texts that would break its lines."""
    console.table(
        title,
        columns,
        [tuple(" ".join(x.split()) if isinstance(x, str) else x for x in row) for row in rows],
    )


def _document(entry: "Annotation") -> dict[str, object]:
    document = asdict(entry)
    del document["target"]  # of undo and redo, which never stand
    return document


def _done(workspace: "api.Workspace", action: int, as_json: bool) -> None:
    """Say what an action did, from its entries."""
    entries = api.annotation_log(workspace, action=action)
    if as_json:
        console.emit_json({"action": action, "entries": [_document(e) for e in entries]})
        return
    first = entries[0]
    where = f"trace {first.trace_id}" if len(entries) == 1 else f"{len(entries):,} traces"
    if first.step is not None:
        where = f"step {first.step} of {where}"
    what = f"{first.word!r}" if first.word else f"{first.kind} withdrawn"
    console.note(f"{where}: {what}, by {first.author}. grace undo takes it back.")


def _turned(name: str, said: str | None, otherwise: str, as_json: bool) -> None:
    console.note(said or otherwise)
    if as_json:
        console.emit_json({name: said})
