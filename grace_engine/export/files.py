"""How is a file written so that it is there whole, or not at all?"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from grace_engine.errors import InputError, ResourceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A written file.

    Attributes:
        path: Where it is.
        sha256: Hex digest of its bytes.
        n_lines: Its lines.
        n_bytes: Its size.
        unchanged: Whether the very same bytes stood there before.
    """

    path: Path
    sha256: str
    n_lines: int
    n_bytes: int
    unchanged: bool = False


def digest_of(parts: Iterable[bytes]) -> str:
    """Hex digest of the file that these parts make, one after another."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def publish(
    path: Path, lines: Iterable[bytes], *, overwrite: bool = False, line_end: bytes = b"\n"
) -> Published:
    """Write lines beside the target and rename: readers see the old file or the whole new one.

    With a ``line_end`` of nothing these are parts of any file, one after another.

    Raises:
        InputError: Another file stands there and ``overwrite`` is off, or the folder is missing.
        ResourceError: The disk is full or cannot be written; nothing is left behind.
    """
    if path.is_dir() or not path.parent.is_dir():
        what = "is a folder" if path.is_dir() else f"cannot be written: no folder {path.parent}"
        raise InputError(f"{path} {what}. Name a file in a folder that exists.")
    digest, n_lines, n_bytes = hashlib.sha256(), 0, 0
    part: Path | None = None
    try:
        with NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", suffix=".part", delete=False
        ) as file:
            part = Path(file.name)
            for line in lines:
                file.write(line + line_end)
                digest.update(line + line_end)
                n_lines, n_bytes = n_lines + 1, n_bytes + len(line) + len(line_end)
            file.flush()
            os.fsync(file.fileno())
        found = digest.hexdigest()
        if path.exists():
            if _sha256(path) == found:
                return Published(
                    path=path, sha256=found, n_lines=n_lines, n_bytes=n_bytes, unchanged=True
                )
            if not overwrite:
                there = f"{path} exists and holds something else."
                raise InputError(
                    f"{there} Name another file, or say --overwrite to replace it.",
                    on_page=f"{there} Tick “Replace another export” to replace it.",
                )
        # A temporary file is private; an exported one gets the rights that any new file would.
        part.chmod(0o666 & ~_umask())
        part.replace(path)
        return Published(path=path, sha256=found, n_lines=n_lines, n_bytes=n_bytes)
    except OSError as error:
        raise ResourceError(
            f"{path} cannot be written: {error.strerror}. Nothing was left behind; free some "
            "space or name another folder."
        ) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
