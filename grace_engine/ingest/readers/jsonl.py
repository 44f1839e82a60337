"""Which records does a file of JSON lines hold?"""

import codecs
from collections.abc import Iterator
from pathlib import Path

import orjson

from grace_engine.errors import ReadError
from grace_engine.ingest.rows import Reader, Row, excerpt_of
from grace_engine.records import Reject

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _rows(path: Path) -> Iterator[Row | Reject]:
    name = str(path)
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            raw = line.removesuffix(b"\n").removesuffix(b"\r")
            if number == 1:
                if raw.startswith(_UTF16_MARKS):
                    raise ReadError(f"{path} is written in UTF-16: save it as UTF-8.")
                # The mark belongs to the file, not to its first record.
                raw = raw.removeprefix(codecs.BOM_UTF8)
            if not raw or raw.isspace():
                continue
            try:
                fields = orjson.loads(raw)
            except orjson.JSONDecodeError as fault:
                yield _rejected(name, number, raw, *_fault_of(raw, fault))
                continue
            if isinstance(fields, dict):
                yield Row(path=name, line=number, raw=raw, fields=fields)
            else:
                seen = "an array" if isinstance(fields, list) else "a single value"
                detail = f"the line is {seen}, not an object with named fields"
                yield _rejected(name, number, raw, "not-an-object", detail)


def _fault_of(raw: bytes, fault: orjson.JSONDecodeError) -> tuple[str, str]:
    """Reason code and detail of a line that could not be parsed."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as undecodable:
        return "not-utf8", f"byte {undecodable.start + 1} of the line is not UTF-8"
    return "not-json", f"{fault.msg}, at character {fault.pos + 1} of the line"


def _rejected(path: str, line: int, raw: bytes, reason: str, detail: str) -> Reject:
    return Reject(path=path, line=line, reason=reason, detail=detail, excerpt=excerpt_of(raw))


READER = Reader(endings=(".jsonl", ".ndjson", ".json-lines"), rows=_rows)
