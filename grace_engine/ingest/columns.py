"""Which records do batches of columns hold?"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from grace_engine.errors import ReadError
from grace_engine.ingest.parsing import MOST_BYTES, row_of_values, too_large
from grace_engine.ingest.rows import Row
from grace_engine.records import Reject

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 256
"""Rows held at a time: enough to hide the cost of a batch, few enough for rows of a megabyte."""

# Columns of so many bytes become rows of Python values one at a time.
_MOST_AT_ONCE = 64 << 20

# What pyarrow raises for values outside of Python's range: text that is not UTF-8, the year 10000,
# an unknown time zone, two struct fields of one name.
_NO_VALUE = (ValueError, ArithmeticError, LookupError)


def rows_of_batches(path: Path, batches: Iterable["pa.RecordBatch"]) -> Iterator[Row | Reject]:
    """The rows of all batches, numbered from 1."""
    name, line = str(path), 0
    for batch in batches:
        for start in range(0, batch.num_rows, MOST_ROWS):
            for values in _values_of(batch.slice(start, MOST_ROWS)):
                line += 1
                yield _row(name, line, values)


def refuse_duplicates(path: Path, names: list[str]) -> None:
    """Refuse columns that would hide one another in a row; ``ReadError``."""
    for name, count in Counter(names).items():
        if count > 1:
            raise ReadError(f"{path} has {count} columns named {name!r}: rename all but one.")


def first_line(fault: Exception) -> str:
    """What a fault says, without what it says at length."""
    return str(fault).partition("\n")[0].rstrip(". ") or type(fault).__name__


def _values_of(batch: "pa.RecordBatch") -> Iterator[dict[str, object] | Exception | None]:
    """The rows of a batch; in place of one without values the fault, of one too large None."""
    if batch.num_rows == 1 and batch.nbytes > MOST_BYTES:
        yield None
        return
    if batch.num_rows == 1 or batch.nbytes <= _MOST_AT_ONCE:
        try:
            batch.validate(full=True)  # a damaged file may point outside of its own columns
            values = batch.to_pylist()
        except _NO_VALUE as fault:
            if batch.num_rows == 1:
                yield fault
                return
        else:
            yield from values
            return
    for index in range(batch.num_rows):
        yield from _values_of(batch.slice(index, 1))


def _row(path: str, line: int, values: dict[str, object] | Exception | None) -> Row | Reject:
    if values is None:
        return too_large(path, line, b"")
    if not isinstance(values, Exception):
        return row_of_values(path, line, values)
    if isinstance(values, UnicodeDecodeError) or "UTF8" in str(values):
        detail = "a text in the row is not UTF-8"
        return Reject(path=path, line=line, reason="not-utf8", detail=detail)
    detail = f"a value in the row cannot be written as JSON: {first_line(values)}"
    return Reject(path=path, line=line, reason="not-json", detail=detail)
