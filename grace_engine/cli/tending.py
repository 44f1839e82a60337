"""How does the shell check a workspace, back it up, restore it and bring a damaged one back?"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from grace_engine import api
from grace_engine.cli import console
from grace_engine.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption
from grace_engine.cli.workspaces import group
from grace_engine.quantities import counted


def register(_app: typer.Typer) -> None:
    """Add the commands to those of ``grace workspace``."""
    for command in (check, backup, restore, rebuild):
        group.command()(command)


@console.speaks
def check(workspace: WorkspaceOption = DEFAULT_WORKSPACE, as_json: JsonOption = False) -> None:
    """Read everything that is stored; say what is wrong and what to do. Status 1 where it is."""
    health = api.check_workspace(api.open_workspace(workspace, create=False))
    for finding in health.findings:
        sentence = f"{finding.what} {finding.advice}"
        (console.fault if finding.is_fault else console.note)(sentence)
    for backup in health.backups:
        console.note(f"Backup {backup.path} of {backup.made_at}, {console.size(backup.n_bytes)}.")
    if health.is_sound:
        console.note(
            f"Every table was read, and all fits together; {console.size(health.free_bytes)} free."
        )
    if as_json:
        console.emit_json(
            {
                "is_sound": health.is_sound,
                "findings": [asdict(finding) for finding in health.findings],
                "backups": [_document(backup) for backup in health.backups],
                "free_bytes": health.free_bytes,
            }
        )
    if not health.is_sound:
        raise SystemExit(1)


@console.speaks
def backup(
    to: Annotated[
        Path | None, typer.Option(help="The file; grace.duckdb.DATE.bak in the workspace if none.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Copy the database, at one moment, to a file; others may go on working."""
    made = api.back_up(api.open_workspace(workspace, create=False), to)
    console.note(
        f"{console.size(made.n_bytes)} written to {made.path}. "
        f"grace workspace restore {made.path} takes it back."
    )
    if as_json:
        console.emit_json(_document(made))


@console.speaks
def restore(
    backup: Annotated[Path, typer.Argument(help="A backup: grace workspace check lists them.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Put a backup in the place of the database, which is kept beside it."""
    kept = api.restore(api.open_workspace(workspace, create=False), backup)
    console.note(f"{backup} is the workspace now; what was there is kept as {kept}.")
    if as_json:
        console.emit_json({"restored": str(backup), "kept": str(kept)})


@console.speaks
def rebuild(workspace: WorkspaceOption = DEFAULT_WORKSPACE, as_json: JsonOption = False) -> None:
    """Bring back a damaged or lost database: what it, backups, the journal and sources hold."""
    with console.progress() as bars:
        done = api.rebuild(workspace, bars)
    if done.found_nothing_to_do:
        console.note("The database can be read to its end and lacks nothing: nothing was changed.")
    else:
        _say(done)
    if as_json:
        console.emit_json(_rebuilt(done))


def _say(done: "api.Rebuilt") -> None:
    if done.salvage:
        for where, why in done.salvage.damage.items():
            console.note(f"{where} cannot be read ({why}).")
        console.note(f"The damaged file is kept as {done.salvage.kept}.")
    for kind, came in _came_back(done).items():
        console.note(f"{kind.capitalize()}: {', '.join(came)}.")
    if done.untold:
        console.note(
            f"In no file any more, if there were any: {', '.join(done.untold)}. A backup that lies "
            "elsewhere may have them: grace workspace restore FILE."
        )
    for what, why in done.missing:
        console.fault(f"{what} did not come back: {why}. Put it where it was, and run this again.")
    for command in done.commands:
        console.note(f"Grams have to be computed again: {command}")


def _came_back(done: "api.Rebuilt") -> dict[str, list[str]]:
    """Of each kind of thing that came back, from where."""
    back = done.recovered
    added = sum(each.count.added for each in done.ingested if each.count)
    came = {
        kind: [f"read from {origin}"]
        for kind, origin in (done.salvage.origins if done.salvage else {}).items()
        if origin and kind in done.held
    }
    files = counted(len({each.path for each in done.ingested}), "source file")
    for kind, count, what in (
        ("traces", added, f"{counted(added, 'trace')} ingested again from {files}"),
        ("scores", len(back.runs), f"{counted(len(back.runs), 'run')} from the journal"),
        (
            "selections",
            len(back.selections),
            f"{counted(len(back.selections), 'selection')} from the journal",
        ),
        (
            "annotations",
            back.n_annotations,
            f"{counted(back.n_annotations, 'annotation')} from the journal",
        ),
    ):
        if count:
            came.setdefault(kind, []).append(what)
    return came


def _rebuilt(done: "api.Rebuilt") -> dict[str, Any]:
    saved = done.salvage
    return {
        "damage": dict(saved.damage) if saved else {},
        "kept": str(saved.kept) if saved else None,
        "origins": {k: str(v) if v else None for k, v in saved.origins.items()} if saved else {},
        "annotations": done.recovered.n_annotations,
        "selections": list(done.recovered.selections),
        "runs": [run["run_id"] for run in done.recovered.runs],
        "ingested": [each.path for each in done.ingested],
        "missing": [{"what": what, "why": why} for what, why in done.missing],
        "commands": list(done.commands),
        "untold": list(done.untold),
    }


def _document(backup: Any) -> dict[str, Any]:
    return {"path": str(backup.path), "n_bytes": backup.n_bytes, "made_at": backup.made_at}
