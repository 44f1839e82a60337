"""Which rows does a file hold?

A reader is one module of this package that declares ``READER``; the file's ending chooses it.
"""

import stat
from collections.abc import Iterator
from pathlib import Path

from grace_engine.errors import ReadError
from grace_engine.ingest.plugins import declared
from grace_engine.ingest.rows import Block, Reader, Row
from grace_engine.ingest.unpacking import PACKED
from grace_engine.records import Reject

_READERS: tuple[Reader, ...] = declared(__name__, __path__, "READER")
READERS: dict[str, Reader] = {
    ending + packed: reader
    for reader in _READERS
    for ending in reader.endings
    for packed in ("", *(PACKED if reader.is_text else ()))
}


def read_rows(path: Path) -> Iterator[Row | Reject]:
    """Stream the rows of a file; memory does not grow with its length.

    Args:
        path: A file whose ending is one of ``READERS``.

    Yields:
        Rows, and a ``Reject`` in place of each row that cannot be read.

    Raises:
        ReadError: The file is missing, unreadable, empty, not a file, or not what its ending says.
    """
    reader = _reader_of(path)
    count = 0
    try:
        for row in reader.rows(path):
            count += 1
            yield row
    except PermissionError:
        raise ReadError(f"{path} may not be read: check the file's permissions.") from None
    except OSError as fault:
        raise ReadError(f"{path} cannot be read: {fault}.") from fault
    if count == 0:
        raise no_rows(path)


def split(path: Path) -> Iterator[Block] | None:
    """The blocks of a file that other processes can read side by side; None where it has none.

    Raises:
        ReadError: As ``read_rows``; that a file holds no rows is for the caller to see.
    """
    reader = _reader_of(path)
    if reader.blocks is None or path.suffix.lower() in PACKED:
        return None
    return reader.blocks(path)


def read_block(block: Block) -> Iterator[Row | Reject]:
    """The rows of a block that ``split`` made."""
    rows = READERS[Path(block.path).suffix.lower()].rows_of_block
    if rows is None:
        raise ValueError(f"{block.path} was not split by its reader")
    return rows(block)


def no_rows(path: Path) -> ReadError:
    """The error for a file without any row."""
    return ReadError(f"{path} holds no rows: there is nothing to read.")


def can_read(name: str) -> bool:
    """Whether there is a reader for files of this name."""
    return _reader_for(name) is not None


def readable_endings() -> str:
    """The endings that can be read, for a sentence."""
    alone = ", ".join(ending for each in _READERS for ending in each.endings)
    text = ", ".join(ending for each in _READERS if each.is_text for ending in each.endings)
    return f"{alone} (of these {text} also with {' or '.join(PACKED)} behind)"


def _reader_for(name: str) -> Reader | None:
    endings = Path(name.lower()).suffixes
    return next((READERS[e] for e in ("".join(endings[-2:]), *endings[-1:]) if e in READERS), None)


def absent(path: Path) -> ReadError:
    """The fault of a file that is not there."""
    return ReadError(f"{path} does not exist: check the name and the folder.")


def _reader_of(path: Path) -> Reader:
    """The reader for a path, once it is known to be a regular file with something in it."""
    try:
        found = path.stat()
    except FileNotFoundError:
        raise absent(path) from None
    except (OSError, ValueError) as fault:  # ValueError: a NUL in the name
        raise ReadError(f"{path} cannot be read: {fault}.") from fault
    if stat.S_ISDIR(found.st_mode):
        raise ReadError(f"{path} is a folder: name the files in it, such as {path}/*.jsonl.")
    if not stat.S_ISREG(found.st_mode):  # a pipe would be waited on for ever
        raise ReadError(f"{path} is not a regular file: save its content as one first.")
    if found.st_size == 0:
        raise ReadError(f"{path} is empty: there is nothing to read.")
    reader = _reader_for(path.name)
    if reader is None:
        raise ReadError(
            f"{path} has an ending that cannot be read: use one of {readable_endings()}."
        )
    return reader
