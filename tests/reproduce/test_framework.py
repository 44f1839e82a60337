"""Is a finished cell done once, kept whole, and never mixed with cells of other settings?"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grace_engine.errors import InputError, NotFoundError, ReadError, ResourceError
from grace_engine.progress import Silent
from grace_engine.reproduce import folder_of, read_results, results, run, write_results
from tests.conftest import SAMPLE
from tests.reproduce.counting import Counting

KILLED = """
import sys
from pathlib import Path
from grace_engine.progress import Silent
from grace_engine.reproduce import run
from tests.reproduce.counting import Counting
run(Counting(Path(sys.argv[1]), ends_at="ccc"), Path(sys.argv[2]), Silent())
"""


def lengths(found) -> dict[str, int]:
    return {cell: one["length"] for cell, one in found.found.items()}


def test_each_cell_is_done_once_and_kept(tmp_path: Path) -> None:
    task = Counting(tmp_path / "log")
    found = run(task, tmp_path / "root", Silent())
    assert lengths(found) == {"a": 1, "bb": 2, "ccc": 3, "dddd": 4}
    assert not found.missing
    assert found.made_with["torch"]
    assert run(task, tmp_path / "root", Silent()) == found
    assert task.done() == ["a", "bb", "ccc", "dddd"]


@pytest.mark.long
def test_killed_between_cells_it_goes_on_and_does_none_twice(tmp_path: Path) -> None:
    log, root = tmp_path / "log", tmp_path / "root"
    arguments = [sys.executable, "-c", KILLED, str(log), str(root)]
    assert subprocess.run(arguments, cwd=SAMPLE.parent, timeout=120).returncode == 9
    task = Counting(log)
    assert task.done() == ["a", "bb"]
    assert results(task, root).missing == ("ccc", "dddd")
    assert results(task, root).progress == "2 of 4 cells"
    found = run(task, root, Silent())
    assert task.done() == ["a", "bb", "ccc", "dddd"]
    assert lengths(found) == lengths(run(Counting(tmp_path / "other"), tmp_path / "anew", Silent()))


def test_a_cell_that_is_interrupted_leaves_nothing_and_begins_anew(tmp_path: Path) -> None:
    task = Counting(tmp_path / "log", raises_at="bb")
    with pytest.raises(KeyboardInterrupt):
        run(task, tmp_path / "root", Silent())
    assert list(results(task, tmp_path / "root").found) == ["a"]
    assert not list((folder_of(task, tmp_path / "root") / "scratch").iterdir())
    found = run(Counting(tmp_path / "log"), tmp_path / "root", Silent())
    assert not found.missing
    assert task.done() == ["a", "bb", "ccc", "dddd"]


def test_a_file_that_was_not_written_to_its_end_is_no_cell(tmp_path: Path) -> None:
    task = Counting(tmp_path / "log")
    cells = folder_of(task, tmp_path / "root") / "cells"
    cells.mkdir(parents=True)
    (cells / ".a.json.part").write_text('{"cell": "a", "fo')
    assert results(task, tmp_path / "root").missing == task.cells
    assert not run(task, tmp_path / "root", Silent()).missing


def test_other_settings_are_another_folder(tmp_path: Path) -> None:
    run(Counting(tmp_path / "log"), tmp_path / "root", Silent())
    other = Counting(tmp_path / "log", base=10)
    assert results(other, tmp_path / "root").missing == other.cells
    assert lengths(run(other, tmp_path / "root", Silent()))["a"] == 11
    assert lengths(results(Counting(tmp_path / "log"), tmp_path / "root"))["a"] == 1


def test_more_cells_of_the_same_settings_find_those_that_are_finished(tmp_path: Path) -> None:
    run(Counting(tmp_path / "log", ("a", "bb")), tmp_path / "root", Silent())
    more = Counting(tmp_path / "log", ("a", "e", "bb"))
    assert list(run(more, tmp_path / "root", Silent()).found) == ["a", "e", "bb"]
    assert more.done() == ["a", "bb", "e"]


@pytest.mark.long
def test_several_processes_do_each_cell_once(tmp_path: Path) -> None:
    task = Counting(tmp_path / "log", [f"cell-{i}" for i in range(8)])
    found = run(task, tmp_path / "root", Silent(), processes=2)
    assert sorted(task.done()) == sorted(task.cells)
    assert os.getpid() not in {one["process"] for one in found.found.values()}
    assert list(found.found) == list(task.cells)


@pytest.mark.long
def test_a_killed_process_is_a_sentence_and_what_is_finished_is_kept(tmp_path: Path) -> None:
    task = Counting(tmp_path / "log", ends_at="dddd")
    with pytest.raises(ResourceError, match="--processes 1"):
        run(task, tmp_path / "root", Silent(), processes=2)
    found = run(Counting(tmp_path / "log"), tmp_path / "root", Silent())
    assert not found.missing
    assert sorted(task.done()) == sorted(task.cells)


def test_names_that_are_no_files_and_cells_asked_for_twice_are_refused(tmp_path: Path) -> None:
    for cells in (["../a"], ["a", "b", "a"], [".hidden"]):
        with pytest.raises(InputError):
            run(Counting(tmp_path / "log", cells), tmp_path / "root", Silent())
    with pytest.raises(InputError, match="use 1 or more"):
        run(Counting(tmp_path / "log"), tmp_path / "root", Silent(), processes=0)


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    task = Counting(tmp_path / "log", ("a", "bb"))
    found = run(task, tmp_path / "root", Silent())
    write_results(found, tmp_path / "kept.json")
    assert read_results(tmp_path / "kept.json", "counting") == found
    with pytest.raises(ReadError, match="of counting, not of subset"):
        read_results(tmp_path / "kept.json", "subset")
    with pytest.raises(NotFoundError):
        read_results(tmp_path / "none.json", "counting")
    (tmp_path / "other.json").write_text('{"a": 1}')
    with pytest.raises(ReadError, match="does not hold results"):
        read_results(tmp_path / "other.json", "counting")
    (tmp_path / "torn.json").write_text('{"a": ')
    with pytest.raises(ReadError, match="is not JSON"):
        read_results(tmp_path / "torn.json", "counting")
