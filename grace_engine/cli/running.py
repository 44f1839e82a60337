"""How does the shell list background runs, end one, and take one up again?"""

import time
from dataclasses import asdict
from typing import Annotated, Any

import typer

from grace_engine import api
from grace_engine.cli import console
from grace_engine.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption
from grace_engine.jobs import Job


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(runs)
    app.command()(cancel)
    app.command()(resume)


@console.speaks
def runs(workspace: WorkspaceOption = DEFAULT_WORKSPACE, as_json: JsonOption = False) -> None:
    """List what runs or ran in the background, the latest first."""
    found = api.list_jobs(api.open_workspace(workspace, create=False))
    if as_json:
        console.emit_json({"runs": [document(job) for job in found]})
        return
    if not found:
        console.note("Nothing has run in the background yet: grace score --background starts.")
        return
    console.table(
        "Background runs",
        ["run", "state", "done", "began", "what", "says"],
        [
            (
                job.id,
                "cancelling" if job.cancelling else job.state,
                _done(job),
                time.strftime("%Y-%m-%d %H:%M", time.localtime(job.status.began_at)),
                job.spec.title,
                job.says,
            )
            for job in found
        ],
    )


@console.speaks
def cancel(
    run: Annotated[str, typer.Argument(help="Run id, a unique beginning of one, or latest.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Ask a background run to end; what it has finished is kept."""
    job, asked = api.cancel_job(api.open_workspace(workspace, create=False), run)
    if asked:
        console.note(f"Run {job.id} was asked to end; what it has finished is kept.")
    else:
        console.note(f"Run {job.id} has ended already: {job.state}.")
    if as_json:
        console.emit_json({"cancelled": asked, **document(job)})


@console.speaks
def resume(
    run: Annotated[str, typer.Argument(help="Run id, a unique beginning of one, or latest.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Do again what a background run was asked to; it goes on where that one ended."""
    job = api.resume_job(api.open_workspace(workspace, create=False), run)
    console.note(f"Run {job.id} goes on with it in the background.")
    if as_json:
        console.emit_json(document(job))


def say_started(job: Job, *, as_json: bool) -> None:
    """That a run goes on without this shell, and how to see and end it."""
    console.note(f"Run {job.id} goes on in the background: grace runs, grace cancel {job.id}.")
    if as_json:
        console.emit_json(document(job))


def document(job: Job) -> dict[str, Any]:
    """A run as ``--json`` shows it."""
    return {
        "id": job.id,
        "state": job.state,
        "cancelling": job.cancelling,
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
    rate = f", {status.rate:,.1f}/s" if job.is_active and status.rate else ""
    return f"{status.phase}: {status.done:,}{total} {status.unit}{rate}"
