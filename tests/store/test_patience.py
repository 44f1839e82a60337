"""Is waiting for the database told, and does a long run wait long without keeping readers out?"""

import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from grace_engine.errors import StoreBusyError
from grace_engine.store import Workspace, count_traces, database, open_workspace, patience, patient

StartPython = Callable[..., "subprocess.Popen[str]"]

# Another program than the studio has the file open until a line comes.
HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "to read")
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "TOLD_SECONDS", 0.1)
    monkeypatch.setattr(database, "_OPEN_SECONDS", 0.1)


@pytest.fixture
def hasty(workspace: Workspace) -> Workspace:
    return open_workspace(workspace.root, create=False, busy_timeout=0.3)


def hold(start_python: StartPython, workspace: Workspace, how: str) -> "subprocess.Popen[str]":
    holder = start_python(HOLD, workspace.database.path, how)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def add_dataset(workspace: Workspace) -> None:
    with workspace.database.unit() as connection:
        connection.execute("INSERT INTO datasets VALUES ('late', '', 'lines')")


def test_a_long_run_outlasts_who_holds_the_file_and_says_whom_it_waits_for(
    hasty: Workspace, start_python: StartPython
) -> None:
    holder = hold(start_python, hasty, "to write")
    waits: list[str] = []
    goes_on: list[str] = []
    told = threading.Event()

    def wait(sentence: str) -> None:
        waits.append(sentence)
        told.set()

    releasing = threading.Timer(1.0, lambda: told.wait(30) and holder.communicate("\n"))
    releasing.start()
    with patient(wait, goes_on.append, seconds=60):
        assert count_traces(hasty) == 0
    releasing.join()

    assert len(waits) == 1
    assert waits[0].startswith("Waiting since ")
    assert f"for process {holder.pid} (" in waits[0]
    assert waits[0].endswith(f"which holds the workspace {hasty.database.path}.")
    assert [sentence[:30] for sentence in goes_on] == ["The workspace is free again af"]


def test_a_short_command_says_whom_it_waits_for_and_gives_up_in_its_own_time(
    hasty: Workspace, start_python: StartPython
) -> None:
    holder = hold(start_python, hasty, "to write")
    waits: list[str] = []

    with patient(waits.append), pytest.raises(StoreBusyError, match=r"within 0\.3 s"):
        count_traces(hasty)

    assert len(waits) == 1
    holder.communicate("\n")


def test_who_is_interrupted_waits_no_longer_than_usual(
    hasty: Workspace, start_python: StartPython
) -> None:
    holder = hold(start_python, hasty, "to write")

    def store_the_rest() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            add_dataset(hasty)

    with patient(lambda _: None, seconds=600), pytest.raises(StoreBusyError):
        store_the_rest()
    holder.communicate("\n")


def test_readers_are_let_in_while_a_writer_waits_long_for_another_program(
    workspace: Workspace, start_python: StartPython
) -> None:
    holder = hold(start_python, workspace, "to read")
    patient_writer = open_workspace(workspace.root, create=False, busy_timeout=60)
    told = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        with patient(lambda _: told.set(), seconds=600):
            writing = pool.submit(add_dataset, patient_writer)
            assert told.wait(30)
        reader = open_workspace(workspace.root, create=False, busy_timeout=5)
        try:
            assert count_traces(reader) == 0
            assert not writing.done()
        finally:
            holder.communicate("\n")
        writing.result()
