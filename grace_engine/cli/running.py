"""How does the shell list background runs, follow one, end one, and take one up again?"""

import sys
import time
from dataclasses import asdict
from typing import Annotated, Any

import typer

from grace_engine import api, jobs
from grace_engine.cli import console
from grace_engine.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption
from grace_engine.errors import InputError
from grace_engine.jobs import Job
from grace_engine.quantities import pace

RunArgument = Annotated[
    str, typer.Argument(help="Run id, a unique beginning of one, or latest.", show_default=False)
]
# Of the log, what a terminal would take for a command; a carriage return draws a bar anew.
_CONTROLS = {c: f"\\x{c:02x}" for c in (*range(32), *range(127, 160)) if chr(c) not in "\n\t\r"} | {
    ord("\r"): "\n"
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(runs)
    app.command()(logs)
    app.command()(cancel)
    app.command()(resume)
    app.command()(forget)


@console.speaks
def runs(workspace: WorkspaceOption = DEFAULT_WORKSPACE, as_json: JsonOption = False) -> None:
    """List what runs or ran in the background, the latest first."""
    found = api.list_jobs(api.open_workspace(workspace, create=False))
    strays = jobs.without_folder(workspace)
    if as_json:
        console.emit_json(
            {
                "runs": [document(job) for job in found],
                "without_folder": [{"id": name, "pid": pid} for pid, name in strays],
            }
        )
        return
    for pid, name in strays:
        console.note(
            f"{name} goes on although its folder was removed: what it stores is kept. `kill {pid}` "
            "ends it."
        )
    if not found:
        if strays:
            return
        console.note("Nothing has run in the background yet: grace score --background starts.")
        return
    console.table(
        "Background runs",
        ["run", "state", "done", "failed", "began", "what"],
        [
            (
                job.id,
                job.word,
                _done(job),
                job.failures,
                time.strftime("%Y-%m-%d %H:%M", time.localtime(job.status.began_at)),
                job.spec.title,
            )
            for job in found
        ],
    )
    console.pairs({job.id: job.says for job in found if job.says})


@console.speaks
def logs(
    run: RunArgument = "latest",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is added until the run ends.")
    ] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="Lines from the end; 0 for all.")
    ] = 100,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Print what a background run said and printed, and how it stands."""
    if follow and as_json:
        raise InputError("--json is one document and --follow has no end: use one of the two.")
    opened = api.open_workspace(workspace, create=False)
    job = api.get_job(opened, run)
    if as_json:
        log = jobs.last_lines(job, lines)
        console.emit_json(document(job) | {"events": jobs.read_events(job.folder), "log": log})
        return
    if not follow:
        _write(jobs.last_lines(job, lines))
    else:
        try:
            for text in jobs.follow(job, lines):
                _write(text)
        except KeyboardInterrupt:
            console.note(f"Run {job.id} goes on in the background.")
            raise SystemExit(console.INTERRUPTED) from None
        job = api.get_job(opened, job.id)
    console.note(f"Run {job.id}: {job.word}. {job.says}".rstrip())


@console.speaks
def cancel(
    run: RunArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Ask a background run to end; what it has finished is kept."""
    job, asked = api.cancel_job(api.open_workspace(workspace, create=False), run)
    if asked:
        console.note(f"Run {job.id} was asked to end; what it has finished is kept.")
    else:
        console.note(f"Run {job.id} has ended already: {job.word}.")
    if as_json:
        console.emit_json({"cancelled": asked, **document(job)})


@console.speaks
def resume(
    run: RunArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Go on with a background run that ended before its work was done."""
    job = api.resume_job(api.open_workspace(workspace, create=False), run)
    say_started(job, as_json=as_json)


@console.speaks
def forget(
    run: RunArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Remove the folder of a background run that has ended; what it stored stays."""
    job = api.forget_job(api.open_workspace(workspace, create=False), run)
    console.note(f"Run {job.id} is forgotten; what it stored in the workspace stays.")
    if as_json:
        console.emit_json({"forgotten": job.id})


def say_started(job: Job, *, as_json: bool) -> None:
    """That a run goes on without this shell, and how to see and end it."""
    console.note(
        f"Run {job.id} goes on in the background: grace runs, grace logs -f {job.id}, "
        f"grace cancel {job.id}."
    )
    if as_json:
        console.emit_json(document(job))


def document(job: Job) -> dict[str, Any]:
    """A run as ``--json`` shows it."""
    return {
        "id": job.id,
        "state": job.state,
        "cancelling": job.cancelling,
        "resumable": job.is_resumable,
        "says": job.says,
        "folder": str(job.folder),
        "spec": asdict(job.spec),
        "status": asdict(job.status),
    }


def _done(job: Job) -> str:
    status = job.status
    if not status.phase:
        return ""
    total = f" of {status.total:,}" if status.total else ""
    rate = f", {pace(status.rate, status.unit)}" if job.is_active and status.rate else ""
    return f"{status.phase}: {status.done:,}{total} {status.unit}{rate}"


def _write(text: str) -> None:
    """Write text of a log as it stands; nothing in it moves the terminal."""
    sys.stdout.write(text.replace("\r\n", "\n").translate(_CONTROLS))
    sys.stdout.flush()
