"""How are rows of one shape written, in the form that a file's ending names?"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import orjson

from grace_engine.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

Rows: TypeAlias = Sequence[Mapping[str, object]]
_Write: TypeAlias = Callable[[Rows], None]

# Cells that begin so are run as formulas by spreadsheets.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(text: str) -> str:
    """A text as a cell of CSV that no spreadsheet runs: behind an apostrophe where it would."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def table_ending(path: Path) -> str:
    """The ending that says in which form a table is written.

    Raises:
        InputError: It is none of those that can be written.
    """
    ending = path.suffix.lower()
    if ending not in _WRITERS:
        raise InputError(
            f"{path} cannot be written as a table: name a file that ends with "
            f"{', '.join(_WRITERS)}."
        )
    return ending


@contextmanager
def table_writer(path: Path, ending: str, schema: "pa.Schema") -> Iterator[_Write]:
    """Opens a file and writes rows to it, batch by batch.

    Args:
        path: The file, whatever it is called.
        ending: As ``table_ending`` found it.
        schema: Names and types of the columns; a row may lack some, which are null.

    Raises:
        OSError: It cannot be written.
    """
    with _WRITERS[ending](path, schema) as write:
        yield write


@contextmanager
def _csv(path: Path, schema: "pa.Schema") -> Iterator[_Write]:
    """With a header; null is nothing between commas."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, schema.names)
        writer.writeheader()

        def write(rows: Rows) -> None:
            for row in rows:
                safe = {
                    name: safe_cell(value) if isinstance(value, str) else value
                    for name, value in row.items()
                }
                writer.writerow(safe)

        yield write


@contextmanager
def _jsonl(path: Path, schema: "pa.Schema") -> Iterator[_Write]:
    """Every row has every column; numbers that do not exist are null."""
    with path.open("wb") as file:

        def write(rows: Rows) -> None:
            for row in rows:
                file.write(orjson.dumps({name: row.get(name) for name in schema.names}) + b"\n")

        yield write


@contextmanager
def _parquet(path: Path, schema: "pa.Schema") -> Iterator[_Write]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, schema) as writer:

        def write(rows: Rows) -> None:
            writer.write_table(pa.Table.from_pylist(list(rows), schema=schema))

        yield write


_WRITERS = {".parquet": _parquet, ".csv": _csv, ".jsonl": _jsonl}
