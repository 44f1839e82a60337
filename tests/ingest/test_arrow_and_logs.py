"""Which records do Arrow files and Inspect logs hold?"""

import zipfile
from pathlib import Path

import orjson
import pyarrow as pa
import pytest

from grace_engine.errors import ReadError
from grace_engine.ingest import read_rows
from grace_engine.ingest.readers import inspect_log
from grace_engine.records import Reject

TABLE = pa.table({"q": [f"{n}?" for n in range(1000)], "n": list(range(1000))})


def arrow(path: Path, table: pa.Table = TABLE, *, is_file: bool = False) -> Path:
    kind = pa.ipc.new_file if is_file else pa.ipc.new_stream
    with kind(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=300)
    return path


@pytest.mark.parametrize("is_file", [False, True])
def test_both_formats_of_arrow_give_rows_counted_across_batches(
    tmp_path: Path, is_file: bool
) -> None:
    rows = list(read_rows(arrow(tmp_path / "a.arrow", is_file=is_file)))
    assert [(row.line, row.fields["n"]) for row in rows] == [(n + 1, n) for n in range(1000)]
    assert rows[7].raw == b'{"q":"7?","n":7}'


def test_a_column_of_a_type_that_is_not_known_here_gives_what_it_stores(tmp_path: Path) -> None:
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    field = pa.field("image", image, metadata={"ARROW:extension:name": "datasets.features.Image"})
    column = pa.array([{"bytes": b"\xff", "path": "a.png"}], image)
    table = pa.Table.from_arrays([column], schema=pa.schema([field]))
    (row,) = read_rows(arrow(tmp_path / "a.arrow", table))
    assert row.fields == {"image": {"bytes": "/w==", "path": "a.png"}}


def test_an_arrow_row_that_is_not_utf8_is_rejected_alone(tmp_path: Path) -> None:
    blobs = pa.array([b"a", b"\xff", b"c"], pa.binary())
    text = pa.StringArray.from_buffers(3, blobs.buffers()[1], blobs.buffers()[2])
    rows = list(read_rows(arrow(tmp_path / "a.arrow", pa.table({"t": text}))))
    assert [isinstance(row, Reject) and row.reason for row in rows] == [False, "not-utf8", False]


@pytest.mark.parametrize("cut", [3, 100, 2000, -20])
def test_an_arrow_file_that_breaks_off_is_refused(tmp_path: Path, cut: int) -> None:
    whole = arrow(tmp_path / "whole.arrow", is_file=True).read_bytes()
    (tmp_path / "cut.arrow").write_bytes(whole[:cut])
    with pytest.raises(ReadError, match="cannot be read as Arrow"):
        list(read_rows(tmp_path / "cut.arrow"))


def test_a_stream_that_breaks_off_in_a_batch_is_refused(tmp_path: Path) -> None:
    whole = arrow(tmp_path / "whole.arrow").read_bytes()
    (tmp_path / "cut.arrow").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReadError, match="cannot be read as Arrow"):
        list(read_rows(tmp_path / "cut.arrow"))


def log(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def sample(number: int) -> bytes:
    return orjson.dumps({"id": number, "input": f"{number}?"}, option=orjson.OPT_INDENT_2)


def test_the_samples_of_a_log_are_rows_in_the_order_of_their_names(tmp_path: Path) -> None:
    members = {f"samples/{n}_epoch_1.json": sample(n) for n in (3, 1, 2)}
    rows = list(
        read_rows(
            log(
                tmp_path / "a.eval",
                {
                    "header.json": b"{}",
                    "_journal/start.json": b"{}",
                    **members,
                    "samples/4.txt": b"",
                },
            )
        )
    )
    assert [(row.line, row.raw) for row in rows] == [
        (1, b'{"id":1,"input":"1?"}'), (2, b'{"id":2,"input":"2?"}'),
        (3, b'{"id":3,"input":"3?"}'),
    ]  # fmt: skip


def test_a_bad_sample_is_rejected_alone(tmp_path: Path) -> None:
    members = {"samples/1.json": b"{", "samples/2.json": b"[]", "samples/3.json": sample(3)}
    rows = list(read_rows(log(tmp_path / "a.eval", members)))
    assert [getattr(row, "reason", "") for row in rows] == ["not-json", "not-an-object", ""]


def test_a_log_that_cannot_be_unpacked_is_refused_in_words(tmp_path: Path) -> None:
    members = {"samples/1.json": sample(1)}
    whole = log(tmp_path / "whole.eval", members).read_bytes()
    broken = {
        "none": b"no zip at all",
        "cut": whole[:-30],
        "bent": whole[:45] + bytes([whole[45] ^ 255]) + whole[46:],
        "locked": whole.replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
        ),
    }
    for name, content in broken.items():
        (tmp_path / f"{name}.eval").write_bytes(content)
        with pytest.raises(ReadError, match=f"{name}.eval cannot be read as an Inspect log"):
            list(read_rows(tmp_path / f"{name}.eval"))


def test_a_method_that_python_lacks_is_named_with_the_way_out(tmp_path: Path) -> None:
    path = log(tmp_path / "a.eval", {"samples/1.json": sample(1)}, zipfile.ZIP_LZMA)
    assert zipfile.ZIP_LZMA not in inspect_log._METHODS
    with pytest.raises(ReadError, match=r"method \(number 14\).*inspect log convert --to json"):
        list(read_rows(path))
