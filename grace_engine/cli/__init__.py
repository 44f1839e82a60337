"""Which commands does ``grace`` have?"""

from importlib.metadata import version
from typing import Annotated

import typer

from grace_engine.cli import (
    annotating,
    checking,
    choosing,
    comparing,
    console,
    correlating,
    duplicating,
    evaluating,
    judging,
    looking,
    previewing,
    reading,
    reporting,
    reproducing,
    rolling,
    running,
    scoring,
    studio,
    tending,
    trained,
    training,
    workspaces,
)

app = typer.Typer(
    name="grace",
    help=(
        "Score the steps of reasoning traces by the gradients of your own model, look at them, "
        "choose what to train on, and export it."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    previewing,
    reading,
    checking,
    scoring,
    running,
    looking,
    annotating,
    evaluating,
    judging,
    duplicating,
    rolling,
    choosing,
    comparing,
    reporting,
    correlating,
    training,
    trained,
    reproducing,
    workspaces,
    tending,
    studio,
):
    module.register(app)


def _say_version(asked: bool) -> None:
    if asked:
        console.out.print(version("grace-studio"))
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and stop.", callback=_say_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Score the steps of reasoning traces by the gradients of your own model."""


def main() -> None:
    """Run the command line."""
    app()
