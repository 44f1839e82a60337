"""Which files may a page read, and where does an upload go?

A page reads in the workspace and in the folders that the app was started with
(``GRACE_ALLOWED_PATHS``; the folder that it was started in without it). A link that leads out of
them counts as the place that it leads to.
"""

import os
import re
import secrets
from hashlib import blake2b
from pathlib import Path

from grace_engine.errors import InputError, ReadError
from grace_engine.ingest import Found, FoundFile, discover

ALLOWED = "GRACE_ALLOWED_PATHS"
UPLOADS = "uploads"

_LONGEST_NAME = 100
_NO_NAME = re.compile(r"[^\w.\- ]|\s(?<! )", re.ASCII)


def allowed_folders(workspace: str) -> list[Path]:
    """The folders that pages may read, resolved; the workspace first."""
    named = [name for name in os.environ.get(ALLOWED, "").split(os.pathsep) if name]
    folders = [workspace, *(named or [os.curdir])]
    return list(dict.fromkeys(Path(name).expanduser().resolve() for name in folders))


def confined(typed: str, workspace: str) -> Path:
    """The real path of a file or folder that a user typed.

    What is relative is looked for in every allowed folder in turn, then in the workspace; where it
    is in none, it is meant in the first.

    Raises:
        InputError: It lies outside of the allowed folders, or leads out of them.
    """
    folders = allowed_folders(workspace)
    if "\0" in typed:
        raise InputError("A path cannot hold U+0000: type it again.")
    path = Path(typed.strip()).expanduser()
    try:
        found = [(folder / path).resolve() for folder in (*folders[1:], folders[0])]
    except (OSError, RuntimeError, ValueError) as fault:  # a loop of links, no home folder
        raise InputError(f"{typed} cannot be followed: {fault}.") from fault
    inside = [one for one in found if any(one.is_relative_to(folder) for folder in folders)]
    real = next((one for one in inside if one.exists()), found[0])
    if real in inside:
        return real
    leads = "" if real == path else f" leads to {real}, which"
    raise InputError(
        f"{typed}{leads} is outside of the folders that this page may read: "
        f"{', '.join(map(str, folders))}. Upload the file, copy it there, or start the studio with "
        "grace app --allow FOLDER."
    )


def confined_files(typed: str, workspace: str) -> Found:
    """The files that a typed file, folder or pattern stands for, each by its real path.

    Raises:
        InputError: One of them lies outside of the allowed folders, or leads out of them.
        ReadError: As ``discover``.
    """
    found = discover(confined(typed, workspace), follow=True)  # each file is confined below
    return Found(
        files=tuple(
            FoundFile(path=confined(str(file.path), workspace), dataset=file.dataset)
            for file in found.files
        ),
        passed_over=found.passed_over,
    )


def confined_name(name: str) -> str:
    """A name for an uploaded file: no folder, no sign that means something to a file system."""
    base = _NO_NAME.sub("_", name.replace("\\", "/").rpartition("/")[2]).strip(". ")
    stem, dot, ending = base.rpartition(".")
    if not dot:
        return base[:_LONGEST_NAME] or "upload"
    return f"{stem[: _LONGEST_NAME - len(ending[:16]) - 1] or 'upload'}.{ending[:16]}"


def keep_upload(workspace: str, name: str, content: bytes) -> Path:
    """Write an upload to ``uploads/DIGEST/NAME`` in the workspace; the same content only once.

    Raises:
        ReadError: There is no room, or the workspace cannot be written.
    """
    digest = blake2b(content, digest_size=8).hexdigest()
    path = Path(workspace).expanduser().resolve() / UPLOADS / digest / confined_name(name)
    try:
        if path.is_file() and path.stat().st_size == len(content):
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.parent / f".{secrets.token_hex(4)}.part"
        aside.write_bytes(content)
        aside.replace(path)
    except OSError as fault:
        raise ReadError(
            f"The upload cannot be kept in {path.parent} ({fault.strerror}). Make room there, or "
            "name the file by its path."
        ) from fault
    return path
