"""How does the shell prepare the sample workspace and open the studio in a browser?"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from grace_engine import api
from grace_engine.cli import console
from grace_engine.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption
from grace_engine.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(sample)
    app.command("app")(open_app)


@console.speaks
def sample(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    problems: Annotated[
        bool,
        typer.Option(
            "--problems", help="Roll out some shipped problems, too, and take policy gradients."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a workspace of the shipped traces, scored by the shipped model."""
    with console.progress() as bars:
        report = api.prepare_sample(api.open_workspace(workspace, create=True), bars)
    run = report.scored.run
    before = sum(file.count.already_present for file in report.ingested if file.count)
    console.note(
        f"Sample workspace {workspace}: {run.n_scored:,} traces (GSM8K model solutions and planted "
        f"errors) scored in run {run.id}" + (f"; {before:,} were there before." if before else ".")
    )
    found = {"workspace": str(workspace), "run": run.id, "n_scored": run.n_scored}
    if problems:
        with console.progress() as bars:
            taken = api.prepare_problem_sample(api.open_workspace(workspace, create=False), bars)
        console.note(
            f"{taken.run.n_done:,} problems have policy gradients in run {taken.run.id}, "
            f"{taken.run.n_without:,} have none. Next: grace curate --run {taken.run.id} "
            "--strategy gradalign, or the page Problems of grace app."
        )
        found["policy_run"] = taken.run.id
    if as_json:
        console.emit_json(found)


@console.speaks
def open_app(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port on the loopback address.")
    ] = 8501,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
    allow: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder whose files the pages may read, beside the workspace; may be given "
            "again. The current folder when left out."
        ),
    ] = None,
) -> None:
    """Open the studio on 127.0.0.1."""
    script = api.app_script()
    environment = os.environ | {
        "GRACE_WORKSPACE": str(Path(workspace).expanduser().resolve()),
        "GRACE_ALLOWED_PATHS": os.pathsep.join(_folders(allow or [Path.cwd()])),
    }
    settings = {
        "server.address": "127.0.0.1",
        "server.port": str(port),
        "server.headless": "false" if browser else "true",
        "browser.gatherUsageStats": "false",
        # A first start would ask for an e-mail address and wait.
        "server.showEmailPrompt": "false",
        # Streamlit's greeting, and with it a note on every page that offers to install a tool.
        "logger.hideWelcomeMessage": "true",
    }
    flags = [f"--{name}={value}" for name, value in settings.items()]
    console.note(f"The studio opens on http://127.0.0.1:{port} (Ctrl-C closes it).")
    command = [sys.executable, "-m", "streamlit", "run", str(script), *flags]
    # Streamlit reads its configuration (theme, limits) from the folder that it is started in.
    if os.name == "posix":
        # The server takes this process's place, so that it does not outlive whoever stops it.
        sys.stderr.flush()
        os.chdir(script.parent)
        os.execve(sys.executable, command, environment)  # noqa: S606 - an argument list, no shell
    done = subprocess.run(command, env=environment, cwd=script.parent, check=False)
    raise SystemExit(done.returncode)


def _folders(allowed: list[Path]) -> list[str]:
    """Absolute names of folders; ``InputError`` for what is none."""
    for path in allowed:
        if not path.expanduser().is_dir():
            raise InputError(f"{path} is not a folder: --allow names folders that pages may read.")
    return [str(path.expanduser().resolve()) for path in allowed]
