"""Which commands does ``grace`` have?"""

import typer

from grace_engine.cli import choosing, judging, looking, reading, scoring, studio, workspaces

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
for module in (reading, scoring, looking, judging, choosing, workspaces, studio):
    module.register(app)


def main() -> None:
    """Run the command line."""
    app()
