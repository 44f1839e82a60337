"""Which records does a table of text hold, its cells parted by commas, semicolons or tabs?"""

import csv
from collections import Counter
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from grace_engine.errors import ReadError
from grace_engine.ingest.parsing import MOST_BYTES, not_utf8, rejected, row_of_values, too_large
from grace_engine.ingest.rows import Reader, Row
from grace_engine.ingest.unpacking import opened
from grace_engine.records import Reject

_DELIMITERS = ",;\t"
_PASSED_OVER_AT_ONCE = 1 << 20


class _UnusableError(Exception):
    """A line that ends the record it stands in."""

    def __init__(self, verdict: Reject) -> None:
        self.verdict = verdict


class _Lines:
    """The lines of a file as text, for ``csv.reader``; knows where the record at hand began."""

    def __init__(self, path: Path, file: BufferedReader) -> None:
        self._path, self._file = str(path), file
        self._number, self._held = 0, 0
        self.first, self.beginning = 0, b""

    def begin(self) -> None:
        """The next line begins a record."""
        self._held, self.first = 0, self._number + 1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._file.readline(MOST_BYTES + 1 - self._held)
        if not line:
            raise StopIteration
        self._number += 1
        self.beginning = line if not self._held else self.beginning
        self._held += len(line)
        if self._held > max(
            MOST_BYTES, len(line)
        ):  # where it ends is not known: a quote is missing
            raise ReadError(
                f"{self._path} has a cell in line {self.first:,} that goes on for more than "
                f"{MOST_BYTES >> 20} MiB: close its quotes."
            )
        if self._held > MOST_BYTES:
            while line and not line.endswith(b"\n"):
                line = self._file.readline(_PASSED_OVER_AT_ONCE)
            raise _UnusableError(too_large(self._path, self.first, self.beginning))
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as fault:
            raise _UnusableError(not_utf8(self._path, self.first, line, fault)) from None


def _rows(path: Path) -> Iterator[Row | Reject]:
    # One limit for all of the process; a cell may be as long as a record.
    csv.field_size_limit(MOST_BYTES)
    with opened(path) as file:
        lines = _Lines(path, file)
        try:
            names, delimiter = _header(path, lines)
        except _UnusableError as fault:
            raise ReadError(f"{path} has no header: {fault.verdict.detail}.") from None
        # Strict: a quote that is never closed is said, not guessed away.
        cells_of_rows = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            lines.begin()
            try:
                cells = next(cells_of_rows)
            except StopIteration:
                return
            except _UnusableError as fault:
                yield fault.verdict
            except csv.Error as fault:
                detail = f"the quotes of the row do not pair: {fault}"
                yield rejected(str(path), lines.first, lines.beginning, "not-csv", detail)
            else:
                if cells:  # not an empty line
                    yield _row(str(path), lines, names, cells)


def _header(path: Path, lines: _Lines) -> tuple[list[str], str]:
    """The columns' names, and the delimiter that parts the header into most cells."""
    for line in lines:
        if not line.strip():
            lines.begin()
            continue
        try:
            delimiter = max(_DELIMITERS, key=lambda d: len(next(csv.reader([line], delimiter=d))))
            cells = next(csv.reader([line], delimiter=delimiter, strict=True))
        except csv.Error as fault:
            raise ReadError(f"{path} has a header that cannot be read: {fault}.") from fault
        names = [name.strip() or f"column {n}" for n, name in enumerate(cells, start=1)]
        for name, count in Counter(names).items():
            if count > 1:
                raise ReadError(f"{path} has {count} columns named {name!r}: rename all but one.")
        return names, delimiter
    return [], ","


def _row(path: str, lines: _Lines, names: list[str], cells: list[str]) -> Row | Reject:
    if len(cells) == len(names):
        return row_of_values(path, lines.first, dict(zip(names, cells, strict=True)))
    detail = f"the row has {len(cells):,} cells, and the header {len(names):,}"
    return rejected(path, lines.first, lines.beginning, "ragged-row", detail)


READER = Reader(endings=(".csv", ".tsv"), rows=_rows, is_text=True)
