"""Which records does a CSV or TSV file hold, and what is said of rows that are none?"""

from pathlib import Path

import pytest

from grace_engine.errors import ReadError
from grace_engine.ingest import Row, read_rows
from grace_engine.records import Reject


def rows_of(folder: Path, content: bytes, name: str = "rows.csv") -> list[Row | Reject]:
    (folder / name).write_bytes(content)
    return list(read_rows(folder / name))


def seen(rows: list[Row | Reject]) -> list[tuple[int, object]]:
    return [(r.line, r.reason if isinstance(r, Reject) else r.fields) for r in rows]


def test_quotes_line_breaks_and_empty_cells_are_read_with_the_line_they_begin_in(
    tmp_path: Path,
) -> None:
    content = b'q, a \r\n"1,\n1?","say ""2"""\r\n\r\n,x\r\n\xc3\xa9,\0\r\n'
    rows = rows_of(tmp_path, content)
    assert seen(rows) == [
        (2, {"q": "1,\n1?", "a": 'say "2"'}),
        (5, {"q": "", "a": "x"}),
        (6, {"q": "é", "a": "\0"}),
    ]
    assert rows[0].raw == b'{"q":"1,\\n1?","a":"say \\"2\\""}'


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv"])
@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_the_header_says_what_parts_the_cells(tmp_path: Path, name: str, sign: str) -> None:
    others = ",;\t".replace(sign, "")
    content = sign.join(['"q, of; all"', "a", "b"]) + "\n" + sign.join([f'"{others}"', "2", "3"])
    rows = rows_of(tmp_path, content.encode(), name)
    assert seen(rows) == [(2, {"q, of; all": others, "a": "2", "b": "3"})]


def test_one_column_and_names_left_out_are_fields_too(tmp_path: Path) -> None:
    assert seen(rows_of(tmp_path, b"\xef\xbb\xbfq\n1\n")) == [(2, {"q": "1"})]
    assert seen(rows_of(tmp_path, b",q\n0,1\n")) == [(2, {"column 1": "0", "q": "1"})]


def test_rows_that_do_not_fit_the_header_are_rejected_alone(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, b'a,b\n1\n1,2,3\n"x"y,1\n\xff,1\n1,2\n')
    assert seen(rows) == [
        (2, "ragged-row"), (3, "ragged-row"), (4, "not-csv"), (5, "not-utf8"),
        (6, {"a": "1", "b": "2"}),
    ]  # fmt: skip
    details = [row.detail for row in rows if isinstance(row, Reject)]
    assert details[:2] == [
        "the row has 1 cells, and the header 2",
        "the row has 3 cells, and the header 2",
    ]
    assert details[3] == "byte 1 of the record is not UTF-8"
    assert rows[1].excerpt == "1,2,3\n"


def test_a_quote_that_is_never_closed_is_said_even_in_the_last_row(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, b'a,b\n1,2\n1,"half a te')
    assert seen(rows) == [(2, {"a": "1", "b": "2"}), (3, "not-csv")]
    assert "unexpected end of data" in rows[1].detail


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b,a\n1,2,3\n", "2 columns named 'a'"),
        (b'a,"b\n1,2\n', "header that cannot be read: unexpected end"),
        (b"\xff,b\n1,2\n", "has no header: byte 1 of the record is not UTF-8"),
        (b"a\rb\r", "header that cannot be read: new-line"),
        (b"a,b\n", "holds no rows"),
        (b"\n\n", "holds no rows"),
        ("a,b\n1,2\n".encode("utf-16-le"), "UTF-16"),
    ],
)
def test_a_table_without_a_usable_header_is_refused(
    tmp_path: Path, content: bytes, said: str
) -> None:
    with pytest.raises(ReadError, match=said):
        rows_of(tmp_path, content)
