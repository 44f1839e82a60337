"""Which rows does a file hold, and what is said of a file that cannot be read?"""

import datetime
import decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from grace_engine.errors import GraceError, ReadError
from grace_engine.ingest import READERS, Row, read_rows
from grace_engine.records import Reject


def _file(folder: Path, content: bytes, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_json_lines_keep_their_bytes_and_line_numbers(tmp_path: Path) -> None:
    path = _file(tmp_path, b'{"a": 1 }\n\n  \t\n{"b":"\xc3\xa9"}\r\n {"c":null}')
    rows = list(read_rows(path))
    assert [(row.line, row.raw, row.fields) for row in rows] == [
        (1, b'{"a": 1 }', {"a": 1}),
        (4, b'{"b":"\xc3\xa9"}', {"b": "é"}),
        (5, b' {"c":null}', {"c": None}),
    ]
    assert {row.path for row in rows} == {str(path)}


def test_a_byte_order_mark_belongs_to_the_file_not_to_its_first_row(tmp_path: Path) -> None:
    (row,) = read_rows(_file(tmp_path, b'\xef\xbb\xbf{"a":1}\n'))
    assert (row.raw, row.line) == (b'{"a":1}', 1)


def test_bad_lines_are_rejected_with_line_and_reason_and_the_rest_is_read(tmp_path: Path) -> None:
    lines = [b'{"a":1}', b"nonsense", b"[1]", b"7", b'{"a":"\xff"}', b"\0\0", b'{"a":2}', b'{"a":']
    rows = list(read_rows(_file(tmp_path, b"\n".join(lines))))
    seen = [(row.line, row.reason if isinstance(row, Reject) else row.fields["a"]) for row in rows]
    assert seen == [
        (1, 1), (2, "not-json"), (3, "not-an-object"), (4, "not-an-object"), (5, "not-utf8"),
        (6, "not-json"), (7, 2), (8, "not-json"),
    ]  # fmt: skip
    rejects = {row.line: row for row in rows if isinstance(row, Reject)}
    assert rejects[2].excerpt == "nonsense"
    assert rejects[3].detail == "the record is an array, not an object with named fields"
    assert rejects[5].detail == "byte 7 of the record is not UTF-8"
    assert rejects[6].excerpt == "\ufffd\ufffd"


def test_a_long_bad_line_is_excerpted(tmp_path: Path) -> None:
    (reject,) = read_rows(_file(tmp_path, b"x" * 100_000))
    assert len(reject.excerpt) == 200


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json-lines", "a.JSONL"])
def test_json_lines_have_several_endings(tmp_path: Path, name: str) -> None:
    assert len(list(read_rows(_file(tmp_path, b"{}\n", name)))) == 1


def _parquet(folder: Path, table: pa.Table, **options: object) -> Path:
    path = folder / "rows.parquet"
    pq.write_table(table, path, **options)
    return path


def test_parquet_rows_become_json_whatever_their_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "b": pa.array(["é", None]),
            "a": pa.array([1, 2**63 - 1]),
            "list": pa.array([["x"], []]),
            "struct": pa.array([{"y": 1.5}, {"y": None}]),
            "bytes": pa.array([b"\xff", b""]),
            "date": pa.array([datetime.date(2024, 2, 29), None]),
            "decimal": pa.array([decimal.Decimal("1.50"), None]),
            "nan": pa.array([float("nan"), 0.5]),
            "map": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
        }
    )
    first, second = read_rows(_parquet(tmp_path, table))
    assert isinstance(first, Row)
    assert first.raw.decode() == (
        '{"b":"é","a":1,"list":["x"],"struct":{"y":1.5},"bytes":"/w==","date":"2024-02-29",'
        '"decimal":"1.50","nan":null,"map":[["k",1]]}'
    )
    assert first.fields["struct"] == {"y": 1.5}
    assert (second.line, second.fields["a"]) == (2, 9223372036854775807)


def test_parquet_rows_are_counted_across_row_groups(tmp_path: Path) -> None:
    path = _parquet(tmp_path, pa.table({"n": list(range(1000))}), row_group_size=300)
    assert [(row.line, row.fields["n"]) for row in read_rows(path)] == [
        (n + 1, n) for n in range(1000)
    ]


def test_a_parquet_row_that_is_not_utf8_is_rejected_alone(tmp_path: Path) -> None:
    blobs = pa.array([b"a", b"\xff", b"c"], pa.binary())
    text = pa.StringArray.from_buffers(3, blobs.buffers()[1], blobs.buffers()[2])
    rows = list(read_rows(_parquet(tmp_path, pa.table({"t": text}))))
    assert [row.line for row in rows] == [1, 2, 3]
    assert [isinstance(row, Reject) and row.reason for row in rows] == [False, "not-utf8", False]


def test_a_parquet_value_outside_of_pythons_range_rejects_its_row_alone(tmp_path: Path) -> None:
    times = pa.array([0, 2**62], pa.timestamp("us"))  # 2**62 microseconds lie past the year 9999
    first, second = read_rows(_parquet(tmp_path, pa.table({"t": times})))
    assert first.raw == b'{"t":"1970-01-01T00:00:00"}'
    assert (second.line, second.reason) == (2, "not-json")


@pytest.fixture
def broken_files(tmp_path: Path) -> dict[str, Path]:
    """Files that cannot be read, by what is said of them."""
    twice = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(twice, tmp_path / "twice.parquet")
    whole = _parquet(tmp_path, pa.table({"n": list(range(5000))})).read_bytes()
    return {
        "does not exist": tmp_path / "missing.jsonl",
        "is a folder": tmp_path,
        "is empty": _file(tmp_path, b"", "empty.jsonl"),
        "holds no rows": _file(tmp_path, b"\n \n", "blank.jsonl"),
        "ending that cannot be read": _file(tmp_path, b"{}", "rows.txt"),
        "UTF-16": _file(tmp_path, '{"a":1}\n'.encode("utf-16"), "wide.jsonl"),
        "not a regular file": Path("/dev/null"),
        "read as Parquet": _file(tmp_path, whole[:-20], "cut.parquet"),
        "again": _file(tmp_path, b"PAR1" + whole[500:], "bent.parquet"),
        "2 columns named 'a'": tmp_path / "twice.parquet",
        "cannot be read: ": tmp_path / "empty.jsonl" / "below.jsonl",
        "null byte": Path("a\0b.jsonl"),
    }


@pytest.mark.parametrize(
    "said",
    [
        "does not exist",
        "is a folder",
        "is empty",
        "holds no rows",
        "ending that cannot be read",
        "UTF-16",
        "not a regular file",
        "read as Parquet",
        "again",
        "2 columns named 'a'",
        "cannot be read: ",
        "null byte",
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_cause(
    broken_files: dict[str, Path], said: str
) -> None:
    with pytest.raises(ReadError, match=said) as error:
        list(read_rows(broken_files[said]))
    assert str(broken_files[said]) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (PermissionError(13, "Permission denied"), "check the file's permissions"),
        (OSError(5, "Input/output error"), "Input/output error"),
    ],
)
def test_a_fault_on_opening_is_told_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: OSError, said: str
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise fault

    path = _file(tmp_path, b"{}")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ReadError, match=said):
        list(read_rows(path))


def test_every_ending_is_lower_case_and_begins_with_a_dot() -> None:
    text = {".jsonl", ".ndjson", ".json-lines", ".json", ".csv", ".tsv"}
    packed = {ending + behind for ending in text for behind in (".gz", ".zst")}
    assert set(READERS) == text | packed | {".parquet", ".arrow", ".eval"}


@example(where=327, value=128)  # in a column's name
@given(where=st.integers(0, 600), value=st.integers(0, 255))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_parquet_file_with_one_bad_byte_is_read_or_refused_in_words(
    tmp_path: Path, where: int, value: int
) -> None:
    path = tmp_path / "whole.parquet"
    if not path.exists():
        pq.write_table(pa.table({"q": ["What is it?"] * 20, "n": list(range(20))}), path)
    content = bytearray(path.read_bytes())
    content[where % len(content)] = value
    try:
        count = len(list(read_rows(_file(tmp_path, bytes(content), "bent.parquet"))))
    except GraceError as refused:
        count = str(refused).count("bent.parquet")
    assert count > 0
