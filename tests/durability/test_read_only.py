"""Is a workspace that cannot be written still one to read, with a sentence for what cannot be?"""

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from streamlit.testing.v1 import AppTest

from grace_engine import api
from grace_engine.disk import disk_fault
from grace_engine.errors import StoreError
from grace_engine.store import Database

Grace = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def frozen(scored_workspace: api.Workspace, make_disk) -> Path:
    """A scored workspace on a disk that was mounted to be read alone."""
    disk = make_disk("60m")
    root = disk.root / "workspace"
    shutil.copytree(scored_workspace.root, root)
    api.mark(api.open_workspace(root, create=False), first_trace(scored_workspace), "wrong")
    disk.remount("ro")
    return root


def first_trace(workspace: api.Workspace) -> str:
    return str(api.run_view(workspace).traces["trace_id"][0])


def test_commands_that_read_answer_as_ever(
    frozen: Path, scored_workspace: api.Workspace, grace: Grace, tmp_path: Path
) -> None:
    trace = first_trace(scored_workspace)
    for command in (
        ["workspace"],
        ["traces", "--limit", "3"],
        ["show", trace],
        ["annotations"],
        ["runs"],
        ["export-steps", "--to", tmp_path / "steps.parquet"],
    ):
        there = grace(*command, "--json", "--workspace", frozen)
        assert there[0] == 0, there[2]
        assert json.loads(there[1])
    with pytest.raises(OSError, match="Read-only"):
        (frozen / "try").write_text("")


@pytest.mark.long
@pytest.mark.parametrize("page", ["inspect", "curate", "data"])
def test_pages_show_it(frozen: Path, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    monkeypatch.setenv("GRACE_WORKSPACE", str(frozen))
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    assert [error.value for error in app.error] == []


@pytest.mark.parametrize(
    "command",
    [
        ["mark", "{trace}", "--as", "wrong"],
        ["curate", "--budget", "20%", "--name", "x"],
        ["ingest", "{file}"],
        ["workspace", "delete-dataset", "solutions"],
        ["workspace", "compact"],
        ["check"],
        ["check", "--background"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_commands_that_change_it_say_one_sentence(
    frozen: Path,
    scored_workspace: api.Workspace,
    sample_file: Path,
    grace: Grace,
    command: list[str],
) -> None:
    trace = first_trace(scored_workspace)
    filled = [part.format(trace=trace, file=sample_file) for part in command]
    status, out, err = grace(*filled, "--workspace", frozen)
    assert (status, out) == (1, "")
    said = [line for line in err.splitlines() if line.startswith("error:")]
    assert len(said) == 1
    assert "cannot be written" in said[0]
    assert str(frozen) in said[0]
    assert "Invalid Input Error" not in said[0]
    assert "Traceback" not in err


def test_an_older_workspace_that_cannot_be_written_says_why_it_is_not_migrated(
    own_workspace: api.Workspace, make_disk, aged: Callable[[api.Workspace, int], None]
) -> None:
    aged(own_workspace, 4)
    disk = make_disk("60m")
    shutil.copytree(own_workspace.root, disk.root / "old")
    disk.remount("ro")
    with pytest.raises(StoreError, match=r"older version.*cannot be migrated.*open the copy"):
        api.datasets(api.open_workspace(disk.root / "old", create=False))


def test_a_reader_that_cannot_write_its_number_is_not_taken_for_the_last_writer(
    own_workspace: api.Workspace,
) -> None:
    api.datasets(own_workspace)
    lock = own_workspace.database.path.with_name("grace.duckdb.lock")
    with own_workspace.database.unit():
        assert lock.read_text().strip() == str(os.getpid())
    assert lock.read_text().strip() == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_without_write_permission_is_read_and_not_written(
    own_workspace: api.Workspace,
) -> None:
    own_workspace.database.path.chmod(0o444)
    assert api.datasets(own_workspace)
    with pytest.raises(StoreError, match="cannot be written"):
        api.delete_dataset(own_workspace, "solutions")


def test_what_the_database_says_of_a_file_that_is_closed_to_it_is_not_repeated(
    tmp_path: Path,
) -> None:
    said = 'Invalid Input Error: Cannot execute statement of type "INSERT" in read-only mode!'
    assert str(disk_fault(duckdb.InvalidInputException(said), tmp_path / "grace.duckdb")) == (
        f"The workspace file {tmp_path / 'grace.duckdb'} cannot be written. Make it writable, or "
        "name another workspace."
    )


def test_answers_are_not_checked_where_that_cannot_be_stored(
    own_workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Database, "is_read_only", property(lambda _: True))
    monkeypatch.setattr("grace_engine.api.checking.Checker", None)  # none is begun
    with pytest.raises(StoreError, match="cannot be written"):
        api.check_answers(own_workspace)


def test_a_fault_of_the_disk_is_told_in_its_words_and_names_what_it_is_of(tmp_path: Path) -> None:
    fault = OSError(errno.EROFS, "Read-only file system", str(tmp_path))
    assert str(disk_fault(fault, tmp_path)) == (
        f"The workspace folder {tmp_path} cannot be written (Read-only file system). Make it "
        "writable, or name another workspace."
    )
    assert "The workspace file" in str(disk_fault(fault, tmp_path / "grace.duckdb"))
