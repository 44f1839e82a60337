"""Which records does a JSON file hold, whatever its layout?"""

import json
import math
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from grace_engine.errors import ReadError
from grace_engine.ingest import Row, read_rows
from grace_engine.ingest.json_text import CutOffError, JsonText, MisplacedError
from grace_engine.records import Reject

Read = Callable[..., list[Row | Reject]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads the rows of a file of this content."""

    def rows(content: bytes, name: str = "rows.json") -> list[Row | Reject]:
        path = tmp_path / name
        path.write_bytes(content)
        return list(read_rows(path))

    return rows


def seen(rows: list[Row | Reject]) -> list[tuple[int, object]]:
    return [(r.line, r.reason if isinstance(r, Reject) else r.fields) for r in rows]


def test_a_list_of_objects_is_read_in_order_and_written_compact(read: Read) -> None:
    first, second = read(b' [ {"a": 1.50,\n "b": "\xc3\xa9]}\\"" } ,\r\n{"a":[{}],"b":null}]\n')
    assert (first.line, first.raw) == (1, b'{"a":1.5,"b":"\xc3\xa9]}\\""}')
    assert (second.line, second.fields) == (2, {"a": [{}], "b": None})


@pytest.mark.parametrize(
    "content",
    [
        b'{"data": [{"a": 1}, {"a": 2}]}',
        b'{"n": 2, "rows": [{"a": 1}, {"a": 2}], "note": "[{", "tags": ["x"]}',
        b'{"rows": [{"row_idx": 0, "row": {"a": 1}, "truncated_cells": []},'
        b' {"row_idx": 1, "row": {"a": 2}, "truncated_cells": []}],'
        b' "features": [{"name": "a"}], "num_rows_total": 2}',
        b'{"status": "success", "samples": [{"a": 1}, {"a": 2}], "reductions": [{"b": 1}]}',
    ],
    ids=["data", "rows among others", "the viewer of the hub", "an Inspect log"],
)
def test_the_one_list_of_objects_inside_an_object_holds_the_records(
    read: Read, content: bytes
) -> None:
    assert seen(read(content)) == [(1, {"a": 1}), (2, {"a": 2})]


@pytest.mark.parametrize(
    "record",
    [
        {"problem": "1+1?", "level": "Level 1", "solution": "2"},
        {"id": 7, "messages": [{"role": "user", "content": "1+1?"}]},
        {"id": 7, "conversations": [{"from": "human", "value": "1+1?"}]},
        {"problem": "1+1?", "steps": [{"text": "Add.", "rating": 1}], "tags": ["x", "y"]},
        {},
    ],
)
def test_an_object_without_such_a_list_is_one_record(read: Read, record: dict[str, object]) -> None:
    assert seen(read(json.dumps(record, indent=2).encode())) == [(1, record)]


def test_two_lists_of_objects_are_a_question_to_the_user(read: Read) -> None:
    with pytest.raises(ReadError, match=r"2 lists of objects \('train', 'test'\): save the one"):
        read(b'{"train": [{"a": 1}], "test": [{"a": 2}]}')


def test_cells_that_the_viewer_has_cut_are_not_taken_for_whole_texts(read: Read) -> None:
    (reject,) = read(b'{"rows":[{"row_idx":0,"row":{"a":"x"},"truncated_cells":["a"]}]}')
    assert reject.reason == "truncated-cells"
    assert "['a']" in reject.detail


def test_json_lines_under_the_ending_of_json_are_read_as_such(read: Read) -> None:
    rows = read(b'{"a": 1 }\n\nnonsense\n{"a":2}\n')
    assert seen(rows) == [(1, {"a": 1}), (3, "not-json"), (4, {"a": 2})]
    assert rows[0].raw == b'{"a": 1 }'
    assert seen(read(b'{"data":[{"a":1}]}\n \n')) == [(1, {"a": 1})]


def test_a_bad_record_of_a_list_is_rejected_alone(read: Read) -> None:
    rows = read(b'[{"a":1}, 7, [1], {"a":tru}, {"a":"\xff"}, {"a":"\\ud800"}, {"a":NaN}, {"a":2}]')
    assert seen(rows) == [
        (1, {"a": 1}), (2, "not-an-object"), (3, "not-an-object"), (4, "not-json"),
        (5, "not-utf8"), (6, "not-json"), (7, "not-json"), (8, {"a": 2}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'[{"a":1},{"a":2},{"a', 3),
        (b'[{"a":1},{"a":2}', 3),
        (b'[{"a":1},{"a":2},', 3),
        (b'{"data":[{"a":1},{"a":2},{"a":"x', 3),
        (b'{"data":[{"a":1},{"a":2}],"n":', 3),
        (b'{"a":1,"b":"x', 1),
        (b"[", 1),
        (b'{"data"', 1),
    ],
)
def test_a_file_that_breaks_off_gives_what_was_whole_and_says_so(
    read: Read, content: bytes, line: int
) -> None:
    *rows, last = read(content)
    assert seen(rows) == [(n, {"a": n}) for n in range(1, line)]
    assert (last.line, last.reason) == (line, "not-json")
    assert last.detail == "the file ends inside of this record or of its list"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'[{"a":1} {"a":2}]', ", or ] should stand at byte 10, not"),
        (b'[{"a":1}}', ", or ] should stand at byte 9"),
        (b"[,]", "a value should stand at byte 2"),
        (b'{"a" 1}', ": should stand at byte 6"),
        (b"{a: 1}", '" should stand at byte 2'),
        (b"[{}] []", "goes on after its JSON has ended"),
        (b" \n\n ", "holds no rows"),
        (b"[]", "holds no rows"),
        (b'{"rows": []} x', "goes on after its JSON has ended"),
    ],
)
def test_text_that_is_no_json_is_named_with_the_place(
    read: Read, content: bytes, said: str
) -> None:
    with pytest.raises(ReadError, match=said.replace("{", r"\{").replace("[", r"\[")):
        read(content)


@pytest.mark.parametrize("content", [b"Once upon a time", b"7", b'"text"', b"\x89PNG\r\n", b"\0"])
def test_what_begins_with_no_bracket_holds_no_records(read: Read, content: bytes) -> None:
    with pytest.raises(ReadError, match="begins with neither a list nor an object"):
        read(content)


def test_nesting_without_end_is_one_bad_record_in_little_memory(read: Read) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    rows = read(b'[{"a":1},{"a":' + deep + b'},{"a":' + b"[" * 300 + b"]" * 300 + b"}]")
    assert seen(rows) == [(1, {"a": 1}), (2, "nested-too-deep"), (3, "nested-too-deep")]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.text(alphabet='"\\[]{},: \n', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text('a"\\]}', max_size=4), inner)
    ),
    max_leaves=12,
)


@given(
    values=st.lists(VALUES, max_size=5),
    indent=st.sampled_from([None, 0, 3]),
    is_ascii=st.booleans(),
    block=st.integers(1, 7),
)
@settings(max_examples=300, deadline=None)
def test_a_list_is_cut_where_the_json_parser_of_python_finds_its_values(
    values: list[object], indent: int | None, is_ascii: bool, block: int
) -> None:
    written = json.dumps(values, indent=indent, ensure_ascii=is_ascii).encode()
    file = BytesIO(written)
    text = JsonText(lambda _: file.read(block), most=1000_000)

    text.take(b"[")
    found = [json.loads(raw) for raw, is_whole in text.elements() if is_whole]

    assert found == values
    assert text.peek() == b""
    assert all(math.isfinite(each) for each in found if isinstance(each, float))


@given(content=st.text('"\\[]{},: 1a', max_size=30), block=st.integers(1, 5))
@settings(max_examples=300, deadline=None)
def test_any_text_is_cut_to_its_end_or_refused(content: str, block: int) -> None:
    file = BytesIO(content.encode())
    text = JsonText(lambda _: file.read(block), most=4)
    try:
        while text.peek():
            raw, is_whole = text.value()
            assert len(raw) <= 4 or not is_whole
    except CutOffError:
        assert file.read() == b""
    except MisplacedError as fault:
        text_of = str(fault)
        assert text_of.startswith(("a value", ",", '"', ":"))
