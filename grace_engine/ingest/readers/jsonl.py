"""Which records does a file of JSON lines hold?"""

import math
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

import orjson

from grace_engine.ingest.parsing import MOST_BYTES, not_an_object, rejected_json, too_large
from grace_engine.ingest.rows import Block, Reader, Row
from grace_engine.ingest.unpacking import opened
from grace_engine.records import Reject

_PASSED_OVER_AT_ONCE = 1 << 20
# Some thousands of records: starting on them costs nothing, and a few blocks are no memory.
_BLOCK = 1 << 22


def _rows(path: Path) -> Iterator[Row | Reject]:
    with opened(path) as file:
        yield from _rows_in(file, str(path))


def _blocks(path: Path) -> Iterator[Block]:
    with opened(path) as file:  # refuses UTF-16, passes a byte order mark
        begin = end = file.tell()
        line = 1
        while data := file.read(_BLOCK):
            size = data.rfind(b"\n") + 1
            if size:
                yield Block(path=str(path), begin=begin, end=end + size, line=line)
                begin, line = end + size, line + data.count(b"\n")
            end += len(data)
        if end > begin:
            yield Block(path=str(path), begin=begin, end=end, line=line)


def _rows_of_block(block: Block) -> Iterator[Row | Reject]:
    with Path(block.path).open("rb") as file:
        file.seek(block.begin)
        yield from _rows_in(file, block.path, block.line, block.end - block.begin)


def _rows_in(
    file: BufferedReader, name: str, first: int = 1, size: float = math.inf
) -> Iterator[Row | Reject]:
    """The rows of the next ``size`` bytes of a file, whose lines count from ``first``.

    A line is read as far as a record may go: no line is held whole whatever its length.
    """
    number = first - 1
    while size > 0 and (line := file.readline(MOST_BYTES + 1)):
        number += 1
        size -= len(line)
        if len(line) > MOST_BYTES:
            yield too_large(name, number, line)
            size -= _pass_line(file, line)
            continue
        raw = line.removesuffix(b"\n").removesuffix(b"\r")
        if not raw or raw.isspace():
            continue
        try:
            fields = orjson.loads(raw)
        except orjson.JSONDecodeError as fault:
            yield rejected_json(name, number, raw, fault)
            continue
        if isinstance(fields, dict):
            yield Row(path=name, line=number, raw=raw, fields=fields)
        else:
            yield not_an_object(name, number, raw, fields)


def _pass_line(file: BufferedReader, line: bytes) -> int:
    """Read on behind the end of a line that has begun; the bytes passed."""
    passed = 0
    while line and not line.endswith(b"\n"):
        line = file.readline(_PASSED_OVER_AT_ONCE)
        passed += len(line)
    return passed


READER = Reader(
    endings=(".jsonl", ".ndjson", ".json-lines"),
    rows=_rows,
    is_text=True,
    blocks=_blocks,
    rows_of_block=_rows_of_block,
)
