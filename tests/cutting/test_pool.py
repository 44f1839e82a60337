"""Do several processes cut a file as one would, and end with whoever asked them to?"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from grace_engine import ingest, store
from grace_engine.api import reading
from grace_engine.config import IngestConfig
from grace_engine.cutting import Chunk, Pool, Recipe, chunks_of, chunks_of_file
from grace_engine.errors import ReadError, ResourceError, StoreError
from grace_engine.ingest.readers import jsonl
from grace_engine.records import Trace
from grace_engine.store import Source, Workspace, add_staged, intake

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three hundred GSM8K-like rows, two of them broken, a blank line, one line twice."""
    rows = [
        json.dumps({"question": f"What is {n} + 1?", "answer": f"Take {n}.\nAdd 1.\n#### {n + 1}"})
        for n in range(300)
    ]
    rows[7], rows[211], rows[250] = '{"question": ', "", rows[3]
    rows[299] = json.dumps({"question": "Why?", "answer": "#### "})
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def recipe(folder: Path, schema: str = "gsm8k") -> Recipe:
    folder.mkdir()
    return Recipe(dataset="d", schema=schema, mapping="", segmenter="auto", folder=folder)


def source(path: Path) -> Source:
    return Source(path=str(path), digest="d", size=1, schema_name="gsm8k", segmenter="auto")


@pytest.mark.parametrize("processes", [1, 2])
def test_a_file_in_blocks_enters_as_a_file_read_in_one_go(
    tmp_path: Path, file: Path, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "_BLOCK", 2_000)
    workspace = Workspace(tmp_path / "workspace")

    def fill(folder: Path) -> Counter[str]:
        cut = Recipe(dataset="d", schema="gsm8k", mapping="", segmenter="auto", folder=folder)
        chunks = list(chunks_of_file(file))
        assert len(chunks) > 5
        with Pool(processes) as pool:
            staged = list(pool.stage(cut, chunks))
        assert sum(each.n_items for each in staged) == 299
        return sum((Counter(each.reasons) for each in staged), Counter())

    count = add_staged(workspace, "d", source(file), fill)
    found = [trace for batch in store.iter_traces(workspace) for trace in batch]
    segmenter = ingest.parse_segmenter("auto")
    wanted = [
        item
        for item in ingest.traces_of(file, dataset="d", segmenter=segmenter)
        if isinstance(item, Trace)
    ]
    # Line 251 repeats line 4.
    assert found == [trace for trace in wanted if trace.record.line != 251]
    assert (count.added, count.by_reason) == (
        296,
        {"not-json": 1, "empty-answer": 1, "duplicate-record": 1},
    )
    lines = {reject.line: reject.reason for reject in store.rejects(workspace)}
    assert lines == {8: "not-json", 251: "duplicate-record", 300: "empty-answer"}


def test_blocks_end_with_lines_and_know_the_number_of_their_first(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "_BLOCK", 700)
    blocks = list(ingest.split(file) or ())
    content = file.read_bytes()
    assert b"".join(content[b.begin : b.end] for b in blocks) == content
    assert all(content[b.end - 1 : b.end] == b"\n" for b in blocks[:-1])
    assert [b.line for b in blocks] == [content.count(b"\n", 0, b.begin) + 1 for b in blocks]
    whole = [row.line for row in ingest.read_rows(file)]
    assert [row.line for block in blocks for row in ingest.read_block(block)] == whole


def test_a_line_that_is_longer_than_a_block_is_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "_BLOCK", 50)
    path = tmp_path / "a.jsonl"
    rows = [{"a": 1}, {"a": "x" * 500}, {"a": 2}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    blocks = list(ingest.split(path) or ())
    assert [row.fields for b in blocks for row in ingest.read_block(b)] == rows


def test_a_byte_order_mark_belongs_to_no_block(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\n')
    (block,) = ingest.split(path) or ()
    assert [row.raw for row in ingest.read_block(block)] == [b'{"a": 1}']


def test_packed_files_and_other_readers_are_not_split(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "a.csv", "a.json"):
        (tmp_path / name).write_bytes(b"x")
        assert ingest.split(tmp_path / name) is None
    with pytest.raises(ReadError, match="does not exist"):
        list(chunks_of_file(tmp_path / "none.jsonl"))


def test_a_process_that_is_killed_ends_the_work_in_a_sentence(tmp_path: Path, file: Path) -> None:
    rows = list(ingest.read_rows(file))
    chunks = [Chunk(number=n, path="x", rows=next(chunks_of("x", rows)).rows) for n in range(400)]
    with Pool(2) as pool:
        staged = pool.stage(recipe(tmp_path / "s"), chunks)
        next(staged)
        for child in psutil.Process().children(recursive=True):
            child.kill()
        with pytest.raises(ResourceError, match="grace ingest --processes 1"):
            list(staged)


def test_a_full_disk_in_a_process_is_its_sentence_here(tmp_path: Path, file: Path) -> None:
    chunks = list(islice(chunks_of("x", ingest.read_rows(file)), 1)) * 2
    gone = recipe(tmp_path / "s")
    gone.folder.rmdir()
    with Pool(2) as pool, pytest.raises(StoreError, match=r"cannot be written|No such file"):
        list(pool.stage(gone, chunks))


def test_no_process_is_left_where_the_block_ends_early(tmp_path: Path, file: Path) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    chunks = list(chunks_of("x", ingest.read_rows(file))) * 50
    with Pool(2) as pool:
        next(pool.stage(recipe(tmp_path / "s"), chunks))
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


def test_processes_that_were_started_early_are_those_that_work(tmp_path: Path, file: Path) -> None:
    chunks = list(chunks_of("x", ingest.read_rows(file))) * 50
    with Pool(2) as pool:
        pool.start()
        started = {child.pid for child in psutil.Process().children(recursive=True)}
        assert sum(staged.n_items for staged in pool.stage(recipe(tmp_path / "s"), chunks)) > 0
        assert {child.pid for child in psutil.Process().children(recursive=True)} == started
    assert not started & {child.pid for child in psutil.Process().children(recursive=True)}


def test_a_process_that_cuts_has_no_libraries_that_it_does_not_use(
    tmp_path: Path, file: Path
) -> None:
    chunks = list(chunks_of("x", ingest.read_rows(file))) * 4
    before = set(psutil.Process().children(recursive=True))
    with Pool(2) as pool:
        list(pool.stage(recipe(tmp_path / "s"), chunks))
        for child in set(psutil.Process().children(recursive=True)) - before:
            loaded = {Path(each.path).name for each in child.memory_maps() if ".so" in each.path}
            assert any("arrow" in name for name in loaded)
            folders = {part for each in child.memory_maps() for part in Path(each.path).parts}
            assert not folders & {"pandas", "torch", "duckdb", "_duckdb"}


def test_an_ingest_has_its_processes_ready_and_ends_them_before_the_database_works(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    before = set(psutil.Process().children(recursive=True))

    def watch(module: ModuleType, name: str) -> None:
        function = getattr(module, name)

        def watched(*arguments: object) -> object:
            seen.append(len(set(psutil.Process().children(recursive=True)) - before))
            return function(*arguments)

        monkeypatch.setattr(module, name, watched)

    monkeypatch.setattr(jsonl, "_BLOCK", 2_000)
    monkeypatch.setattr(reading, "_LARGE", 0)
    watch(reading, "file_digest")
    watch(intake, "_enter")
    workspace = Workspace(tmp_path / "workspace")
    (result,) = reading.ingest(workspace, [file], IngestConfig(processes=2))
    assert result.count is not None
    assert (result.count.added, seen) == (296, [2, 0])


_ASKS = """
import sys
from pathlib import Path
from grace_engine.cutting import *
recipe = Recipe(dataset="d", schema="gsm8k", mapping="", segmenter="auto", folder=Path(sys.argv[1]))
row = b'{"question": "What?", "answer": "So.\\\\n#### 1"}'
def chunks():
    for number in range(10**9):
        yield Chunk(number=number, path="x", rows=((1, row),))
with Pool(2) as pool:
    for _ in pool.stage(recipe, chunks()):
        print("on", flush=True)
"""


def test_processes_end_with_one_that_is_killed(tmp_path: Path) -> None:
    asking = subprocess.Popen(
        [sys.executable, "-c", _ASKS, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert asking.stdout is not None
    assert asking.stdout.readline() == b"on\n"
    children = psutil.Process(asking.pid).children(recursive=True)
    assert len(children) == 2
    os.kill(asking.pid, signal.SIGKILL)
    asking.communicate()
    deadline = time.monotonic() + 60
    while any(_lives(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_lives(child) for child in children)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
