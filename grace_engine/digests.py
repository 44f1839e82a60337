"""What is the digest of these bytes?"""

import hashlib
from pathlib import Path


def file_digest(path: Path) -> str:
    """Hex BLAKE2b digest (16 bytes) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def text_digest(text: str, *, size: int = 16) -> str:
    """Hex BLAKE2b digest (``size`` bytes) of a text in UTF-8."""
    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()
