"""Which files were refused as a whole, and not read since?

They stand among the rejects, with line 0 and without a source, which is a file that was read.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grace_engine.store.workspace import Workspace

REFUSED = "file-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedFile:
    """A file of which nothing was read.

    Attributes:
        path: As it was named.
        dataset: Where its traces would have gone.
        detail: Why it was refused, a sentence.
    """

    path: str
    dataset: str
    detail: str


def remember_refused(
    workspace: Workspace, *, refused: Sequence[RefusedFile], read: Sequence[str] = ()
) -> None:
    """Keep these refusals in the place of earlier ones of the same files.

    Those of files that were read now, or are no longer there, are forgotten.

    Args:
        workspace: Where they go.
        refused: Files that were refused now.
        read: Paths of files that were read now.
    """
    if not refused and not read:
        return
    places = {_place(each.path): each for each in refused}
    with workspace.database.unit() as connection:
        rows = connection.execute("SELECT path FROM rejects WHERE line = 0").fetchall()
        known = {path for (path,) in rows}
        gone = {path for path in known if not os.path.lexists(path)}
        connection.execute(
            "DELETE FROM rejects WHERE line = 0 AND list_contains($paths::VARCHAR[], path)",
            {"paths": sorted(gone | known & {*places, *map(_place, read)})},
        )
        for place, each in places.items():
            connection.execute(
                "INSERT INTO rejects VALUES (?, '', ?, 0, '', ?, ?, '')",
                [each.dataset, place, REFUSED, each.detail],
            )


def _place(path: str) -> str:
    """The same for every way to name a file; a link is not what it leads to."""
    named = Path(path)
    return str(named.parent.resolve() / named.name)
