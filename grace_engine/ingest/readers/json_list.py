"""Which records does a JSON file hold: a list of objects, one inside an object, or one object?"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import orjson

from grace_engine.errors import ReadError
from grace_engine.ingest.json_text import CutOffError, JsonText, MisplacedError
from grace_engine.ingest.parsing import MOST_BYTES, rejected, row_of_json, row_of_values, too_large
from grace_engine.ingest.readers.jsonl import READER as JSON_LINES
from grace_engine.ingest.rows import Reader, Row
from grace_engine.ingest.unpacking import opened
from grace_engine.records import Reject

# Lists of objects that are a part of a record, or say something of all records: the turns of a
# chat, the steps of a trace, the columns of a table, the means of a log.
_PARTS = {
    *("messages", "conversations", "conversation", "turns", "steps", "completions", "choices"),
    *("tools", "features", "columns", "reductions"),
}


def _rows(path: Path) -> Iterator[Row | Reject]:
    if _is_json_lines(path):
        yield from JSON_LINES.rows(path)
        return
    number = 0
    try:
        with opened(path) as file:
            for row in _rows_of_text(path, JsonText(file.read, MOST_BYTES)):
                number = row.line
                yield row
    except CutOffError:
        detail = "the file ends inside of this record or of its list"
        yield rejected(str(path), number + 1, b"", "not-json", detail)
    except MisplacedError as fault:
        raise ReadError(f"{path} is not JSON: {fault}. Correct it or write it again.") from fault


def _rows_of_text(path: Path, text: JsonText) -> Iterator[Row | Reject]:
    begun = text.peek()
    if begun == b"[":
        yield from _records(str(path), text)
    elif begun == b"{":
        yield from _records_inside(path, text)
    elif begun:
        raise ReadError(
            f"{path} is not JSON records: it begins with neither a list nor an object. Correct its "
            "ending, or write it again."
        )
    if text.peek():
        raise ReadError(f"{path} goes on after its JSON has ended: take the rest out.")


def _is_json_lines(path: Path) -> bool:
    """Whether the first line is an object by itself and more than white space follows it."""
    with opened(path) as file:
        line = file.readline(MOST_BYTES + 1)
        if not (line.startswith(b"{") and line.endswith(b"\n")):
            return False
        if not file.read(1024).strip():
            return False
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _records_inside(path: Path, text: JsonText) -> Iterator[Row | Reject]:
    """The records in the one list of objects that an object holds; else the object itself."""
    with opened(path) as file:
        lists = _lists_of_objects(JsonText(file.read, MOST_BYTES))
    if len(lists) > 1:
        raise ReadError(
            f"{path} holds {len(lists)} lists of objects ({', '.join(map(repr, lists))}): save the "
            "one that you want as a file of its own."
        )
    if not lists:
        yield _record(str(path), 1, *text.value())
        return
    text.take(b"{")
    for field in text.names():
        if _name_of(field) == lists[0]:
            yield from _records(str(path), text)
        else:
            text.value()


def _lists_of_objects(text: JsonText) -> list[str]:
    """Names of the fields that hold a list of what may be records, as far as the text goes."""
    found = []
    text.take(b"{")
    with suppress(CutOffError):
        for field in text.names():
            if text.peek() != b"[":
                text.value()
                continue
            text.take(b"[")
            name = _name_of(field)
            if text.peek() == b"{" and name not in _PARTS:
                found.append(name)
            for _ in text.elements():
                pass
    return found


def _records(path: str, text: JsonText) -> Iterator[Row | Reject]:
    text.take(b"[")
    for number, (raw, is_whole) in enumerate(text.elements(), start=1):
        yield _unwrapped(_record(path, number, raw, is_whole))


def _record(path: str, line: int, raw: bytes, is_whole: bool) -> Row | Reject:
    return row_of_json(path, line, raw) if is_whole else too_large(path, line, raw)


def _unwrapped(row: Row | Reject) -> Row | Reject:
    """The record inside of a row of the Hugging Face viewer: ``{"row_idx": 0, "row": {...}}``."""
    if isinstance(row, Reject) or "row_idx" not in row.fields:
        return row
    inner = row.fields.get("row")
    if not isinstance(inner, dict):
        return row
    if cut := row.fields.get("truncated_cells"):
        detail = f"the viewer has cut the texts in {cut}: download the data itself"
        return rejected(row.path, row.line, row.raw, "truncated-cells", detail)
    return row_of_values(row.path, row.line, inner)


def _name_of(field: bytes) -> str:
    try:
        return str(orjson.loads(field))
    except orjson.JSONDecodeError:
        return field.decode("utf-8", errors="replace")


READER = Reader(endings=(".json",), rows=_rows, is_text=True)
