"""Which records does a file of JSON lines hold?"""

from collections.abc import Iterator
from functools import partial
from io import BufferedReader
from pathlib import Path

import orjson

from grace_engine.ingest.parsing import MOST_BYTES, not_an_object, rejected_json, too_large
from grace_engine.ingest.rows import Reader, Row
from grace_engine.ingest.unpacking import opened
from grace_engine.records import Reject

_PASSED_OVER_AT_ONCE = 1 << 20


def _rows(path: Path) -> Iterator[Row | Reject]:
    # Local names: this loop is the one that a million records go through.
    name, most, loads = str(path), MOST_BYTES, orjson.loads
    with opened(path) as file:
        # A line is read as far as a record may go: no line is held whole whatever its length.
        lines = iter(partial(file.readline, most + 1), b"")
        for number, line in enumerate(lines, start=1):
            if len(line) > most:
                yield too_large(name, number, line)
                _pass_line(file, line)
                continue
            raw = line.removesuffix(b"\n").removesuffix(b"\r")
            try:
                fields = loads(raw)
            except orjson.JSONDecodeError as fault:
                if raw and not raw.isspace():
                    yield rejected_json(name, number, raw, fault)
                continue
            if isinstance(fields, dict):
                yield Row(path=name, line=number, raw=raw, fields=fields)
            else:
                yield not_an_object(name, number, raw, fields)


def _pass_line(file: BufferedReader, line: bytes) -> None:
    """Read on behind the end of a line that has begun."""
    while line and not line.endswith(b"\n"):
        line = file.readline(_PASSED_OVER_AT_ONCE)


READER = Reader(endings=(".jsonl", ".ndjson", ".json-lines"), rows=_rows, is_text=True)
