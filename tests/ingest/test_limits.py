"""Does a record that is too large cost no more than a sentence, and a long file no more memory?"""

import gzip
import json
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grace_engine.errors import ReadError
from grace_engine.ingest import Row, parsing, read_rows
from grace_engine.ingest.readers import READERS
from grace_engine.records import Reject

Write = Callable[[Path, Iterable[dict[str, str]]], object]


def as_lines(path: Path, rows: Iterable[dict[str, str]]) -> None:
    with path.open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def as_packed_lines(path: Path, rows: Iterable[dict[str, str]]) -> None:
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def as_zstd_lines(path: Path, rows: Iterable[dict[str, str]]) -> None:
    with pa.CompressedOutputStream(str(path), "zstd") as file:
        for row in rows:
            file.write(json.dumps(row).encode() + b"\n")


def as_list(path: Path, rows: Iterable[dict[str, str]]) -> None:
    with path.open("w") as file:
        file.write("[\n")
        file.writelines(f"{',' * (n > 0)}{json.dumps(row)}\n" for n, row in enumerate(rows))
        file.write("]")


def as_table(path: Path, rows: Iterable[dict[str, str]]) -> None:
    with path.open("w") as file:
        file.write("q,a\n")
        file.writelines(f'"{row["q"]}","{row["a"]}"\n' for row in rows)


def as_parquet(path: Path, rows: Iterable[dict[str, str]]) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows)), path, row_group_size=500)


def as_arrow(path: Path, rows: Iterable[dict[str, str]]) -> None:
    table = pa.Table.from_pylist(list(rows))
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=500)


def as_log(path: Path, rows: Iterable[dict[str, str]]) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for n, row in enumerate(rows):
            file.writestr(f"samples/{n:06}.json", json.dumps(row))


WRITERS: dict[str, Write] = {
    ".jsonl": as_lines,
    ".jsonl.gz": as_packed_lines,
    ".jsonl.zst": as_zstd_lines,
    ".json": as_list,
    ".csv": as_table,
    ".parquet": as_parquet,
    ".arrow": as_arrow,
    ".eval": as_log,
}


def test_every_reader_has_a_writer_here() -> None:
    assert {READERS[ending].rows for ending in WRITERS} == {each.rows for each in READERS.values()}


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """The most bytes that Python and Arrow together held at a time inside of the block."""
    tracemalloc.start()
    before, most = pa.total_allocated_bytes(), 0

    def look() -> int:
        nonlocal most
        held, peak = tracemalloc.get_traced_memory()
        most = max(most, peak, held + pa.total_allocated_bytes() - before)
        return most

    try:
        yield look
    finally:
        tracemalloc.stop()


@pytest.mark.long
@pytest.mark.parametrize("ending", WRITERS)
def test_ten_times_the_rows_take_no_more_memory(tmp_path: Path, ending: str) -> None:
    def peak(n: int) -> int:
        path = tmp_path / f"{n}{ending}"
        rows = ({"q": f"What is {k}?", "a": f"{k} is {k}. " * 40} for k in range(n))
        WRITERS[ending](path, rows)
        with traced() as look:
            for number, _ in enumerate(read_rows(path)):
                if number % 64 == 0:
                    look()
            return look()

    peak(10)
    short, long = peak(1500), peak(15_000)
    # A zip ends with the list of what is in it: 660 bytes a sample, held while it is open.
    allowed = 700 * 13_500 if ending == ".eval" else 0
    assert long < 1.3 * short + allowed


@pytest.fixture
def most(monkeypatch: pytest.MonkeyPatch) -> int:
    """A limit small enough to be passed in every format."""
    small = 100_000
    for name in ("jsonl", "json_list", "delimited", "inspect_log"):
        monkeypatch.setattr(f"grace_engine.ingest.readers.{name}.MOST_BYTES", small)
    monkeypatch.setattr("grace_engine.ingest.parsing.MOST_BYTES", small)
    monkeypatch.setattr("grace_engine.ingest.columns.MOST_BYTES", small)
    return small


@pytest.mark.parametrize("ending", WRITERS)
def test_a_record_that_is_too_large_is_rejected_and_reading_goes_on(
    tmp_path: Path, most: int, ending: str
) -> None:
    path = tmp_path / f"rows{ending}"
    sizes = [10, most - 2000, most + 1, 3 * most, 20]
    WRITERS[ending](path, ({"q": "Q", "a": "x" * size} for size in sizes))

    rows = list(read_rows(path))

    first = 2 if ending == ".csv" else 1
    assert [row.line for row in rows] == [first + n for n in range(5)]
    assert [len(row.fields["a"]) if isinstance(row, Row) else row.reason for row in rows] == [
        10, most - 2000, "record-too-large", "record-too-large", 20,
    ]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv", ".jsonl.gz"])
def test_a_line_of_50_mb_is_never_held_whole(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rows{ending}"

    def peak(megabytes: int) -> int:
        rows = [{"q": "Q", "a": "before"}, {"q": "Q", "a": ""}, {"q": "Q", "a": "after"}]
        # Not of one letter, which would be packed to a bomb.
        block = "".join(f"{n:x} " for n in range(150_000))[:1_000_000]
        rows[1]["a"] = block * megabytes
        WRITERS[ending](path, rows)
        with traced() as look:
            before, bad, after = read_rows(path)
            assert isinstance(bad, Reject)
            assert bad.reason == "record-too-large"
            assert bad.detail == f"the record has more than {parsing.MOST_BYTES >> 20} MiB"
            assert (before.fields["a"], after.fields["a"]) == ("before", "after")
            return look()

    assert peak(120) < 1.1 * peak(50)


def test_a_cell_that_goes_on_over_lines_without_end_is_a_missing_quote(
    tmp_path: Path, most: int
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('q,a\n1,"' + "word\n" * most + '"\n2,3\n')
    with pytest.raises(ReadError, match="a cell in line 2 that goes on for more than"):
        list(read_rows(path))


def test_lists_inside_lists_without_end_are_rejected_alone(tmp_path: Path) -> None:
    deep = ["[" * n + "]" * n for n in (100, 300, 2000, 500_000)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"a":{each}}}\n' for each in deep))
    rows = list(read_rows(path))
    assert [getattr(row, "reason", "") for row in rows] == [
        "", "", "nested-too-deep", "nested-too-deep",
    ]  # fmt: skip
    path = tmp_path / "rows.eval"
    with zipfile.ZipFile(path, "w") as file:
        for n, each in enumerate(deep):
            file.writestr(f"samples/{n}.json", f'{{"a":{each}}}')
    assert [getattr(row, "reason", "") for row in read_rows(path)] == [
        "", "nested-too-deep", "nested-too-deep", "nested-too-deep",
    ]  # fmt: skip
