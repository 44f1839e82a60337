"""Does ``grace ingest`` ask which field is which where no schema fits, and only in a terminal?"""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from grace_engine import api, store
from grace_engine.records import Trace

ROW = {"aufgabe": "Was ist 6 mal 7?", "begründung": "Sechs mal sieben.\nDas ist 42.", "lösung": 42}
MAPPED = "prompt=aufgabe,trace=begründung,answer=lösung"


@pytest.fixture
def unknown(tmp_path: Path) -> Path:
    """A file that no schema fits."""
    path = tmp_path / "unknown.jsonl"
    path.write_text("".join(json.dumps({**ROW, "id": n}) + "\n" for n in range(2)))
    return path


def in_terminal(typed: str, *arguments: object) -> tuple[int, str]:
    """Run ``grace`` with a terminal as its input; exit status and what it said."""
    here, there = pty.openpty()
    os.write(here, typed.encode())
    command = [sys.executable, "-m", "grace_engine", *map(str, arguments)]
    done = subprocess.run(command, stdin=there, capture_output=True, text=True, timeout=120)
    os.close(here)
    os.close(there)
    return done.returncode, done.stdout + done.stderr


def held(workspace: Path) -> list[Trace]:
    opened = api.open_workspace(workspace, create=False)
    return [trace for batch in store.iter_traces(opened) for trace in batch]


def test_enter_accepts_the_guess(unknown: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    status, said = in_terminal("\n\n\n\n", "ingest", unknown, "-w", workspace)

    assert status == 0, said
    assert "No known format fits" in said
    assert "Was ist 6 mal 7?" in said
    assert "Field of the answer (- for none) [lösung]" in said
    assert [(t.prompt, t.text, t.answer.text) for t in held(workspace)] == [
        (ROW["aufgabe"], ROW["begründung"], "42")
    ] * 2


def test_what_is_typed_goes_before_the_guess_and_has_to_be_a_field(
    unknown: Path, tmp_path: Path
) -> None:
    workspace = tmp_path / "w"
    typed = "nothing\nbegründung\naufgabe\n-\nlösung\n"
    status, said = in_terminal(typed, "ingest", unknown, "-w", workspace)

    # Without an answer no trace can be made, but the records were read as was said.
    assert (status, "There is no field 'nothing'" in said) == (1, True)
    assert "2 no-answer" in said


def test_without_a_terminal_the_error_names_the_guess(grace, unknown: Path, tmp_path: Path) -> None:
    status, _, err = grace("ingest", unknown, "-w", tmp_path / "w")
    assert status == 1
    assert f"--map '{MAPPED}'" in err
    status, _, err = grace("ingest", unknown, "-w", tmp_path / "w", "--map", MAPPED)
    assert (status, "2 traces added" in err) == (0, True)


def test_json_is_never_asked_for(unknown: Path, tmp_path: Path) -> None:
    status, said = in_terminal("", "ingest", unknown, "-w", tmp_path / "w", "--json")
    assert (status, f"--map '{MAPPED}'" in said) == (1, True)


def test_files_with_the_same_fields_are_asked_for_once(unknown: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_bytes(unknown.read_bytes())
    missing = tmp_path / "missing.jsonl"
    arguments = ("ingest", unknown, missing, other, "-w", tmp_path / "w")
    status, said = in_terminal("\n\n\n\n", *arguments)
    assert (status, said.count("Field of the prompt")) == (1, 1)
    assert said.count("2 traces added") == 2
    assert "does not exist" in said
