"""Do all commands take the flags that README promises of every one?"""

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from grace_engine.cli import app


def commands(group: Any, before: str = "") -> Iterator[tuple[str, set[str]]]:
    """Every command by its words, with its flags."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name, {flag for each in command.params for flag in each.opts}


ALL = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", ALL)
def test_every_command_takes_a_workspace_and_all_but_the_app_give_json(name: str) -> None:
    assert {"--workspace", "-w"} <= ALL[name]
    assert ("--json" in ALL[name]) == (name != "app")


def test_the_help_of_a_mapping_names_all_its_roles(grace: Any) -> None:
    _, out, _ = grace("ingest", "--help")

    shown = "".join(char for char in out if char not in "│ \n")
    assert "prompt=FIELD,trace=FIELDand" in shown
    assert "answer=FIELD,reference=FIELD,label.NAME=FIELD." in shown
