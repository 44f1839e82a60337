"""Does the page name every state of a run, say what became of it, and offer what can be done?"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from grace_engine import api
from grace_engine.jobs import JobSpec, State, Status, folder, processes
from tests.pages.conftest import OpenPage

ACTIVE, ENDED = ["Cancel"], ["Remove"]
RESUMABLE = ["Resume", "Remove"]
# Of each state: what its process said last, the word and the sentence shown, the buttons.
SHOWN: dict[State, tuple[str, str, str, list[str]]] = {
    "queued": ("Waiting for it.", "Queued", "Waiting for it.", ACTIVE),
    "running": ("", "Running", "Scoring: 3 of 9 traces · failed: 2", ACTIVE),
    "no-progress": ("", "No progress", "has done nothing for 10 min", ACTIVE),
    "finished": ("All done.", "Finished", "All done.", ENDED),
    "cancelled": ("Cancelled. Kept.", "Cancelled", "Cancelled. Kept.", RESUMABLE),
    "failed": ("No such file.", "Failed", "No such file.", RESUMABLE),
    "died": ("Ended by SIGKILL.", "Died", "Ended by SIGKILL.", RESUMABLE),
    "killed-for-memory": ("Memory.", "Killed for memory", "Memory.", RESUMABLE),
    "disk-full": ("Full.", "Disk full", "Full.", RESUMABLE),
}


@pytest.fixture
def open_with(own_workspace: api.Workspace, open_data: OpenPage) -> Callable[[State, str], AppTest]:
    """Open the Data page over a workspace in which one run is in this state."""

    def open_at(state: State, message: str) -> AppTest:
        run(own_workspace.root, state, message)
        return open_data(own_workspace.root)

    return open_at


def run_id(number: int) -> str:
    return f"score-20260101-000000-{number:04}"


def run(workspace: Path, state: State, message: str, number: int = 1, asked: str = "") -> None:
    """A run folder in this state, of a process that lives: this one."""
    place = workspace / "runs" / run_id(number)
    place.mkdir(parents=True, exist_ok=True)
    me, clock = os.getpid(), time.monotonic()
    quiet = 600.0 if state == "no-progress" else 0.0
    status = Status(
        state="running" if state == "no-progress" else state,
        phase="" if state == "queued" else "Scoring",
        done=0 if state == "queued" else 3,
        total=9,
        unit="traces",
        failures={"not-finite": 2},
        message=message,
        number=number,
        began_at=time.time(),
        began_clock=clock - 700,
        progress_clock=clock - quiet,
        pid=me,
        pid_born=processes.born(me) or 0.0,
        boot=processes.boot(),
    )
    folder.write_status(place, status)
    settings = {"model": asked}
    folder.write_spec(place, JobSpec(kind="score", title="Score all traces", settings=settings))
    (place / "log.txt").write_text("12:00:00  Scoring: 9 traces\n")


def shown(app: AppTest) -> str:
    kinds = (app.text, app.markdown, app.caption, app.code)
    values = [str(each.value) for kind in kinds for each in kind]
    values += [each.proto.text for each in app.get("progress")]
    return "\n".join(values).replace("\\", "")


@pytest.mark.parametrize("state", SHOWN)
def test_a_state_has_its_word_its_sentence_its_buttons_and_the_log(
    open_with: Callable[[State, str], AppTest], state: State
) -> None:
    said, word, sentence, buttons = SHOWN[state]

    app = open_with(state, said)

    assert not app.exception
    assert f"**{word}**" in shown(app)
    assert sentence in shown(app)
    labels = [each.label for each in app.button]
    assert [label for label in labels if label in ("Cancel", "Resume", "Remove")] == buttons
    assert [each.label for each in app.expander if each.label == "Log"]
    assert "12:00:00 Scoring: 9 traces" in shown(app).replace("  ", " ")
    table = app.dataframe[-1].value
    assert table.loc[0, ["state", "failed"]].tolist() == [word.lower(), "2 (2 not-finite)"]


def test_a_run_is_removed_by_its_button(
    open_with: Callable[[State, str], AppTest], own_workspace: api.Workspace
) -> None:
    app = open_with("died", "Ended by SIGKILL.")

    next(each for each in app.button if each.label == "Remove").click().run()

    assert not app.exception
    assert api.list_jobs(own_workspace) == []
    assert "Ended by SIGKILL" not in shown(app)


def test_an_ended_run_is_hidden_and_stays_in_the_table(
    open_with: Callable[[State, str], AppTest], own_workspace: api.Workspace
) -> None:
    app = open_with("finished", "All done.")

    next(each for each in app.button if each.label == "Hide").click().run()

    assert not app.exception
    assert "**Finished**" not in shown(app)
    assert [job.state for job in api.list_jobs(own_workspace)] == ["finished"]
    assert app.dataframe[-1].value.loc[0, "state"] == "finished"


@pytest.mark.parametrize("page", ["dataset", "problems"])
def test_a_page_tells_of_ended_runs_of_its_own_kinds_and_of_all_that_run(
    open_with: Callable[[State, str], AppTest], page: str
) -> None:
    app = open_with("finished", "All done.")
    app.switch_page(f"pages/{page}.py").run()
    assert "**Finished**" not in shown(app)

    app = open_with("running", "")
    app.switch_page(f"pages/{page}.py").run()
    assert "**Running**" in shown(app)


def test_runs_that_ended_early_stay_at_the_top_beside_later_ones(
    own_workspace: api.Workspace, open_data: OpenPage
) -> None:
    root = own_workspace.root
    run(root, "cancelled", "Cancelled. Kept.", number=1, asked="a")
    run(root, "failed", "No such file.", number=2, asked="b")
    run(root, "died", "Killed once.", number=3, asked="c")
    run(root, "died", "Killed again.", number=4, asked="c")
    run(root, "running", "", number=5, asked="d")

    app = open_data(root)

    boxes = shown(app)
    assert "**Running**" in boxes
    for sentence in ("Cancelled. Kept.", "No such file.", "Killed again."):
        assert sentence in boxes
    assert "Killed once." not in boxes  # begun anew since
    assert [each.label for each in app.button].count("Resume") == 3
    assert next(each for each in app.expander if "Background runs" in each.label).proto.expanded

    app.button(key=f"hide-{run_id(1)}").click().run()
    assert "Cancelled. Kept." not in shown(app)
    run(root, "disk-full", "Full.", number=6, asked="e")
    run(root, "failed", "Out of order.", number=7, asked="f")
    app.run()
    assert "No such file." not in shown(app)
    assert "1 more run that ended" in shown(app)


def test_a_run_that_finished_under_ones_eyes_is_told_beside_one_that_runs(
    own_workspace: api.Workspace, open_data: OpenPage
) -> None:
    root = own_workspace.root
    run(root, "running", "", number=1, asked="a")
    run(root, "running", "", number=2, asked="b")
    app = open_data(root)
    assert "All done." not in shown(app)

    run(root, "finished", "All done.", number=1, asked="a")

    assert "All done." in shown(app.run())
    again = shown(open_data(root))
    assert "**Running**" in again
    assert "All done." not in again
    opened = [each for each in app.expander if "Background runs" in each.label]
    assert not opened[0].proto.expanded
