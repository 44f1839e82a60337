"""Which bytes does a text file hold, once it is unpacked?"""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from grace_engine.errors import ReadError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PACKED = (".gz", ".zst")
"""Endings that may follow the ending of a text file."""

MOST_UNPACKED = 200
"""Times its own size that a file may unpack to. Reasoning traces come to a tenth, lists of the same
record to a hundredth; what is a bomb comes to a thousandth."""

ALWAYS_UNPACKED = 16 << 20
"""Bytes that any file may unpack to: they take no time, and a small file may be of one record."""

_BLOCK = 1 << 18
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class _Bytes(Protocol):
    def readinto(self, into: "WriteableBuffer", /) -> int | None: ...


@contextmanager
def opened(path: Path) -> Iterator[io.BufferedReader]:
    """A text file's bytes after its byte order mark, unpacked as its last ending says.

    Raises:
        ReadError: It is in UTF-16. While it is read: it is cut off, damaged, not packed as its
            ending says, or unpacks to more than a file may.
        OSError: It cannot be opened.
    """
    with path.open("rb", buffering=0) as raw, io.BufferedReader(raw, _BLOCK) as file:
        packed = path.suffix.lower()
        text: io.BufferedReader[Any] = file
        if packed == ".gz":
            text = io.BufferedReader(_Unpacked(path, gzip.GzipFile(fileobj=file)), _BLOCK)
        elif packed == ".zst":
            # Local, as everywhere: a third of a second. The zstandard package takes a file that is
            # cut off for a whole one.
            import pyarrow as pa

            source = pa.CompressedInputStream(file, "zstd")
            text = io.BufferedReader(_Unpacked(path, source), _BLOCK)
        _pass_mark(path, text)
        yield text


def check_unpacked(path: Path, size: int, unpacked: int) -> None:
    """Refuse a file of ``size`` bytes that has unpacked to far more; ``ReadError``."""
    if unpacked > max(ALWAYS_UNPACKED, MOST_UNPACKED * size):
        raise ReadError(
            f"{path} unpacks to more than {MOST_UNPACKED} times its {size:,} bytes, as files do "
            "that are made to fill a disk: unpack it yourself if it is meant."
        )


class _Unpacked(io.RawIOBase):
    """What a packed file holds, as far as it can be trusted."""

    def __init__(self, path: Path, source: _Bytes) -> None:
        self._path, self._source = path, source
        self._size, self._given = path.stat().st_size, 0

    def readable(self) -> bool:
        return True

    def readinto(self, into: "WriteableBuffer") -> int:
        try:
            n = self._source.readinto(into) or 0
        except (EOFError, OSError, zlib.error) as fault:
            if isinstance(fault, EOFError) or "Truncated" in str(fault):
                raise ReadError(
                    f"{self._path} is cut off: its packed content ends before its end. Download "
                    "or copy it again."
                ) from fault
            raise ReadError(
                f"{self._path} cannot be unpacked: {fault}. Download it again, or correct its "
                "ending."
            ) from fault
        self._given += n
        check_unpacked(self._path, self._size, self._given)
        return n


def _pass_mark(path: Path, text: io.BufferedReader) -> None:
    """Leave out a byte order mark, which belongs to the file and not to its first record."""
    start = text.peek(4)[:4]
    # Without a mark it shows by NULs beside the ASCII signs that JSON and most tables begin with.
    nulls = [byte == 0 for byte in start]
    if start.startswith(_UTF16_MARKS) or nulls in ([False, True] * 2, [True, False] * 2):
        raise ReadError(f"{path} is written in UTF-16: save it as UTF-8.")
    if start.startswith(codecs.BOM_UTF8):
        text.read(len(codecs.BOM_UTF8))
