"""How does a database outlive a process that is killed while it merges the log?

When DuckDB merges the write-ahead log it writes the blocks of its catalogue in place, and after
them the header that makes the new state count. A process that is killed within such a write leaves
a block of two halves, and DuckDB refuses the file. So the blocks' bytes are kept beside the file
until the log is merged: a rollback journal. Where a process died meanwhile, the next one puts them
back, and the log still has all that was committed.
"""

import fcntl
import os
import struct
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import duckdb

# A file of DuckDB begins with three headers, and its blocks follow. Of the last two headers, which
# are written in turn, the one with the higher number counts.
_HEADERS = 3 * 4096
_DIGEST = 32
_SIZES = struct.Struct("<QQ")  # bytes of a block, and how many follow

# The blocks that hold the catalogue: where one has room, what is new is written into it.
_BLOCKS = """
SELECT
    (SELECT block_size FROM pragma_database_size() WHERE database_name = $name),
    list(block_id ORDER BY block_id)
FROM pragma_metadata_info($name)
"""


class _Kept(NamedTuple):
    """The headers of a database file, and some of its blocks by the place where they begin."""

    headers: bytes
    blocks: dict[int, bytes]


def keep(connection: duckdb.DuckDBPyConnection, name: str, path: Path, file: int) -> None:
    """Keep beside ``path`` what a merge of its log would overwrite, until ``forget``.

    Args:
        connection: Has the file attached as ``name``.
        name: The database's name there.
        path: The file.
        file: Its descriptor, opened before DuckDB opened it and closed after DuckDB has closed it:
            when a process closes a file, all its locks on it go.

    Raises:
        OSError: It cannot be written; nothing is left of it.
    """
    [(size, numbers)] = connection.execute(_BLOCKS, {"name": name}).fetchall()
    read = {number: os.pread(file, size, _HEADERS + number * size) for number in numbers or ()}
    # One that is not in the file yet is overwritten by nothing.
    blocks = {number: block for number, block in read.items() if len(block) == size}
    content = b"".join(
        (
            _SIZES.pack(size, len(blocks)),
            struct.pack(f"<{len(blocks)}Q", *blocks),
            os.pread(file, _HEADERS, 0),
            *blocks.values(),
        )
    )
    try:
        with journal_of(path).open("wb") as kept:
            kept.write(blake2b(content, digest_size=_DIGEST).digest() + content)
            kept.flush()
            os.fsync(kept.fileno())
        _sync_folder(path.parent)
    except OSError:
        with suppress(OSError):
            forget(path)
        raise


def forget(path: Path) -> None:
    """The log is merged: what was kept is of no use any more."""
    journal_of(path).unlink(missing_ok=True)


def put_back(path: Path) -> bool:
    """Undo a merge that a process began at ``path`` and did not live to end.

    What was kept of another state of the file, or was not kept whole because the process died
    before its merge began, is dropped.

    Returns:
        Whether that is done; False while a process that is not the studio's holds the file.
    """
    try:
        kept = _read(journal_of(path).read_bytes())
    except FileNotFoundError:
        return True
    if kept is not None and path.exists():
        with path.open("r+b") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the lock that DuckDB takes
            except (BlockingIOError, PermissionError):
                return False
            if file.read(_HEADERS) == kept.headers:
                for place, block in kept.blocks.items():
                    file.seek(place)
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
    forget(path)
    return True


def journal_of(path: Path) -> Path:
    """The rollback journal of a database file."""
    return path.with_name(f"{path.name}.rollback")


def _read(journal: bytes) -> _Kept | None:
    """What a rollback journal holds; None where it was not written to its end."""
    digest, content = journal[:_DIGEST], journal[_DIGEST:]
    if blake2b(content, digest_size=_DIGEST).digest() != digest:
        return None
    size, count = _SIZES.unpack_from(content)
    numbers = struct.unpack_from(f"<{count}Q", content, _SIZES.size)
    at = _SIZES.size + 8 * count
    headers, blocks = content[at : at + _HEADERS], content[at + _HEADERS :]
    return _Kept(
        headers,
        {
            _HEADERS + number * size: blocks[index * size : (index + 1) * size]
            for index, number in enumerate(numbers)
        },
    )


def _sync_folder(folder: Path) -> None:
    """See to it that a file's name outlives a power failure, where the file system can."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(opened)
    finally:
        os.close(opened)
