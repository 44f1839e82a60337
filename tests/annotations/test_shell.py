"""Does the shell say and show what curators say of traces?"""

import json
from typing import Any

import pytest

from grace_engine import api, store


@pytest.fixture(autouse=True)
def _ada(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRACE_AUTHOR", "ada")


@pytest.fixture
def ids(own_workspace: api.Workspace) -> list[str]:
    return store.trace_ids(own_workspace)


@pytest.fixture
def say(grace, own_workspace):
    """Run a command on the workspace with --json; its document."""

    def run(*arguments: object) -> dict[str, Any]:
        status, out, err = grace(*arguments, "-w", own_workspace.root, "--json")
        assert status == 0, err
        return json.loads(out)

    return run


def test_a_verdict_an_override_and_their_withdrawal_are_commands(say, ids) -> None:
    found = say(
        "mark", ids[0][:10], "--as", "wrong", "--step", 2, "--note", "7 · 8", "--author", "b"
    )
    assert found["action"] == 1
    (entry,) = found["entries"]
    assert (entry["trace_id"], entry["step"], entry["word"], entry["author"]) == (
        ids[0], 2, "wrong", "b",
    )  # fmt: skip
    say("mark", ids[1], "--as", "too long")
    say("keep", ids[2])
    assert len(say("drop", *ids[3:6], "--reason", "doubtful")["entries"]) == 3
    listed = say("annotations")
    assert [(e["trace_id"], e["step"], e["word"]) for e in listed["annotations"]] == [
        (ids[0], 2, "wrong"), (ids[1], None, "too long"), (ids[2], None, "keep"),
        *((name, None, "drop") for name in ids[3:6]),
    ]  # fmt: skip
    assert (listed["version"], listed["can_undo"], listed["can_redo"]) == (6, True, False)
    say("withdraw", ids[0], "--step", 2)
    say("withdraw", ids[1], "--verdict")
    say("withdraw", *ids[2:6])
    assert say("annotations")["annotations"] == []
    log = say("annotations", "--log")["log"]
    assert [e["seq"] for e in log] == list(range(1, 13))
    assert len(say("annotations", "--log", "--trace", ids[0][:10])["log"]) == 2


def test_undo_and_redo_say_what_they_did_and_when_there_is_nothing(say, grace, ids, own_workspace):
    say("mark", ids[0], "--as", "good", "--step", 1)
    assert say("undo", "--author", "ben") == {"undone": None}
    assert say("undo")["undone"] == f"Undone: “good” on step 1 of trace {ids[0]}."
    assert say("redo")["redone"].startswith("Done again: “good”")
    _, _, err = grace("redo", "-w", own_workspace.root)
    assert "nothing of yours to do again" in err


def test_tables_show_the_state_and_the_log_on_whole_lines(say, grace, ids, own_workspace) -> None:
    say("mark", ids[0], "--as", "[red]wrong[/red]", "--note", "line one\nline two")
    say("drop", ids[1])
    say("undo")
    api.look(own_workspace, ids[0])
    status, out, err = grace("annotations", "-w", own_workspace.root)
    assert status == 0
    assert "[red]wrong[/red]" in out
    assert "line one line two" in out
    assert "drop" not in out
    assert "ada looked at 1 traces." in err
    out = grace("annotations", "--log", "-w", own_workspace.root)[1]
    assert "undo 2" in out
    assert "drop" in out
    out = grace("annotations", "--trace", ids[1], "-w", own_workspace.root)[1]
    assert ids[0] not in out


def test_faults_are_sentences(grace, ids, own_workspace) -> None:
    for command, said in (
        (["mark", "zzz", "--as", "good"], "no trace 'zzz'"),
        (["mark", ids[0], "--as", "good", "--step", "99"], "there is no step 99"),
        (["mark", ids[0], "--as", ""], "needs a word"),
        (["withdraw", *ids[:2], "--step", "1"], "one trace at a time"),
        (["withdraw", ids[0]], "override to withdraw"),
        (["annotations", "--trace", "zzz"], "no trace 'zzz'"),
    ):
        status, _, err = grace(*command, "-w", own_workspace.root)
        assert status == 1, command
        assert said in err


def test_the_workspace_counts_annotations(say, grace, ids, own_workspace) -> None:
    assert "annotations" not in grace("workspace", "-w", own_workspace.root)[2]
    say("mark", ids[0], "--as", "good")
    say("drop", *ids[:3])
    assert say("workspace")["annotations"] == {"override": 3, "verdict": 1}
    err = grace("workspace", "-w", own_workspace.root)[2]
    assert "4 annotations in the log: 3 of kind override, 1 of kind verdict." in err


def test_what_no_longer_shows_is_counted(say, grace, ids, own_workspace) -> None:
    say("mark", ids[0], "--as", "good")
    api.delete_dataset(own_workspace, "solutions")
    assert "1 verdicts and overrides are not shown" in grace(
        "annotations", "-w", own_workspace.root
    )[2]  # fmt: skip
