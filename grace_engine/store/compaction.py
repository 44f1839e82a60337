"""How does a workspace give deleted space back to the disk?"""

from dataclasses import dataclass

from grace_engine.store.deletion import drop_loose
from grace_engine.store.engine import merge
from grace_engine.store.migrations import copy_database
from grace_engine.store.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction:
    """Size of the database file.

    Attributes:
        bytes_before: Before it was compacted.
        bytes_after: Afterwards.
    """

    bytes_before: int
    bytes_after: int


def compact(workspace: Workspace) -> Compaction:
    """Write the database anew without its holes, which DuckDB never gives back, and swap it in.

    The old file stays open, hence held, until the new one has its name; whoever waited for the old
    one notices and opens the new one. Needs free disk of the size of the result.
    """
    before = workspace.database.size()
    with workspace.database.exclusive() as connection:
        drop_loose(connection)
        connection.execute("SET force_compression = 'zstd'")  # the smallest: time is no matter here
        merge(connection)  # else its log would be taken for the new file's
        copy_database(connection, workspace.database.path)
    return Compaction(bytes_before=before, bytes_after=workspace.database.size())
