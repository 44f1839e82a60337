"""What does a reader hand on?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from grace_engine.records import Reject

_EXCERPT_LENGTH = 200


@dataclass(slots=True, kw_only=True)  # not frozen, which makes a new one take some times longer
class Row:
    """One record of a file.

    Attributes:
        path: The file, as the user named it.
        line: 1-based number of its line (JSONL, CSV: the line that it begins in), its row (Parquet,
            Arrow), its place in the list (JSON) or its sample (Inspect logs).
        raw: The record's bytes: the line without its line break, untouched, or the row as JSON.
        fields: What ``raw`` holds, as JSON values.
    """

    path: str
    line: int
    raw: bytes
    fields: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of a file that can be read without the rest.

    Attributes:
        path: The file, as the user named it.
        begin: Its first byte.
        end: One past its last.
        line: Number of its first line, from 1.
    """

    path: str
    begin: int
    end: int
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How files with certain endings are read.

    Attributes:
        endings: Such as ``.jsonl``, in lower case.
        rows: Streams the rows of a regular file that is not empty. Raises ``ReadError`` for a file
            that is not what its ending says; a single bad row is yielded as a ``Reject``.
        is_text: Whether the file may also be packed, with ``.gz`` or ``.zst`` after its ending.
        blocks: Splits a file that is not packed, where that can be done without reading records.
        rows_of_block: The rows of one of them.
    """

    endings: tuple[str, ...]
    rows: Callable[[Path], Iterator[Row | Reject]]
    is_text: bool = False
    blocks: Callable[[Path], Iterator[Block]] | None = None
    rows_of_block: Callable[[Block], Iterator[Row | Reject]] | None = None


def excerpt_of(raw: bytes) -> str:
    """The first characters of a record, fit to be stored and shown whatever the bytes are."""
    return raw[:_EXCERPT_LENGTH].decode("utf-8", errors="replace").replace("\0", "\ufffd")
