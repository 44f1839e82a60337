"""Which records does a Parquet file hold?"""

import base64
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from grace_engine.errors import ReadError
from grace_engine.ingest.rows import Reader, Row
from grace_engine.records import Reject

if TYPE_CHECKING:
    import pyarrow as pa

# Rows held at a time: enough to hide the cost of a batch, few enough for rows of a megabyte.
_BATCH_ROWS = 256

# What pyarrow raises for values outside of Python's range: text that is not UTF-8, the year 10000,
# an unknown time zone, two struct fields of one name.
_NO_VALUE = (ValueError, ArithmeticError, LookupError)


def _rows(path: Path) -> Iterator[Row | Reject]:
    # Takes a third of a second, which `grace --help` need not wait for.
    import pyarrow as pa
    import pyarrow.parquet as pq

    name, line = str(path), 0
    try:
        with pq.ParquetFile(path) as file:
            _refuse_duplicates(path, file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                for values in _values_of(batch):
                    line += 1
                    yield _row(name, line, values)
    # A column's name that is not UTF-8 is found when the names are asked for.
    except (pa.ArrowException, OSError, UnicodeDecodeError) as fault:
        raise ReadError(
            f"{path} cannot be read as Parquet: {_first_line(fault)}. Write or download it again."
        ) from fault


def _refuse_duplicates(path: Path, names: list[str]) -> None:
    """Refuse columns that would hide one another in a row."""
    for name, count in Counter(names).items():
        if count > 1:
            raise ReadError(f"{path} has {count} columns named {name!r}: rename all but one.")


def _values_of(batch: "pa.RecordBatch") -> list[dict[str, object] | Exception]:
    """The rows of a batch; in place of a row that Python has no values for, the fault."""
    try:
        return list(batch.to_pylist())
    except _NO_VALUE as fault:
        if batch.num_rows == 1:
            return [fault]
    return [_values_of(batch.slice(index, 1))[0] for index in range(batch.num_rows)]


def _row(path: str, line: int, values: dict[str, object] | Exception) -> Row | Reject:
    """One row as compact JSON, its columns in the file's order, and what that JSON holds.

    The fields are read back from the JSON, so that a stored record means the same as the row did.
    """
    if isinstance(values, UnicodeDecodeError):
        detail = "a text in the row is not UTF-8"
        return Reject(path=path, line=line, reason="not-utf8", detail=detail)
    if isinstance(values, Exception):
        detail = f"a value in the row cannot be written as JSON: {_first_line(values)}"
        return Reject(path=path, line=line, reason="not-json", detail=detail)
    raw = orjson.dumps(values, default=_json_value)
    return Row(path=path, line=line, raw=raw, fields=orjson.loads(raw))


def _json_value(value: object) -> str:
    """Bytes as base64; decimals, durations and the like as they print."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _first_line(fault: Exception) -> str:
    return str(fault).partition("\n")[0].rstrip(". ") or type(fault).__name__


READER = Reader(endings=(".parquet",), rows=_rows)
