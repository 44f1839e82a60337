"""Which row does a user mean by an id, or by the first characters of one?"""

import duckdb

from grace_engine.errors import InputError, NotFoundError

_SHOWN = 5


def by_prefix(
    connection: duckdb.DuckDBPyConnection, query: str, wanted: str, *, kind: str, listed_by: str
) -> str:
    """The one id that is ``wanted`` or begins with it.

    Args:
        connection: Of the unit of work.
        query: Selects the ids that begin with its one parameter.
        wanted: What the user typed.
        kind: The noun, such as ``trace``.
        listed_by: The command that lists the ids.

    Raises:
        NotFoundError: No id begins with it.
        InputError: Several ids do.
    """
    found = sorted(row[0] for row in connection.execute(query, [wanted]).fetchall())
    if not wanted or not found:
        raise NotFoundError(
            f"There is no {kind} {wanted!r} in this workspace. {listed_by} lists what there is."
        )
    if len(found) > 1 and found[0] != wanted:
        shown = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
        raise InputError(
            f"{wanted!r} is the beginning of {len(found)} {kind} ids ({shown}): "
            "type more characters."
        )
    return str(found[0])
