"""What is the digest of a large file that has perhaps not changed since it was last read?"""

from collections.abc import Callable
from pathlib import Path

from grace_engine.store.workspace import Workspace


def remembered_digest(workspace: Workspace, path: Path, compute: Callable[[Path], str]) -> str:
    """The digest of ``path``: the stored one while size, time and inode are the same.

    Otherwise ``compute`` reads the file, and its answer is stored unless the file changed under it.
    """
    path = path.resolve()
    before = _identity(path)
    with workspace.database.reading() as connection:
        rows = connection.execute(
            "SELECT digest FROM file_digests "
            "WHERE path = ? AND size = ? AND mtime_ns = ? AND inode = ?",
            [str(path), *before],
        ).fetchall()
    if rows:
        return str(rows[0][0])
    digest = compute(path)
    if _identity(path) == before:
        with workspace.database.unit() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO file_digests VALUES (?, ?, ?, ?, ?)",
                [str(path), *before, digest],
            )
    return digest


def _identity(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ino
