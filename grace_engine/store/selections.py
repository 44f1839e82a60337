"""Which subsets did the curator save, and what was decided on every trace?"""

import json
from dataclasses import replace

import duckdb
import pyarrow as pa

from grace_engine.errors import InputError, NotFoundError
from grace_engine.records import Choice, Selection
from grace_engine.store import journal
from grace_engine.store.lookup import by_prefix
from grace_engine.store.migrations import now
from grace_engine.store.workspace import Workspace

LATEST = "latest"

_OUTSIDE_SPEC = {"id", "name", "run_id", "choices", "created_at", "refused_name"}
_CHOICES = pa.schema(
    {
        "trace_id": pa.string(),
        "record_digest": pa.string(),
        "value": pa.float64(),
        "rank": pa.int64(),
        "selected": pa.bool_(),
        "reason": pa.string(),
        "n_tokens": pa.int64(),
    }
)


def save_selection(workspace: Workspace, selection: Selection) -> Selection:
    """Store a selection, or mark a stored one (same id) as the latest.

    One that is saved again keeps the name that it has; ``refused_name`` is then the other one that
    was asked for. ``rename_selection`` gives another.

    Raises:
        InputError: Another selection has the name.
    """
    spec = {
        name: getattr(selection, name) for name in Selection.__slots__ if name not in _OUTSIDE_SPEC
    }
    columns = {
        name: [getattr(choice, name) for choice in selection.choices] for name in _CHOICES.names
    }
    with workspace.database.unit() as connection:
        _require_free(connection, selection.name, selection.id)
        before = connection.execute(
            "SELECT name FROM selections WHERE selection_id = ?", [selection.id]
        ).fetchall()
        had = str(before[0][0]) if before else ""
        asked = selection.name
        selection = replace(selection, name=had or asked)
        connection.execute(
            "INSERT INTO selections SELECT ?, ?, ?, ?, ?, "
            "(SELECT coalesce(max(touched), 0) + 1 FROM selections) "
            "ON CONFLICT DO UPDATE SET name = excluded.name, spec = excluded.spec, "
            "touched = excluded.touched",
            [selection.id, selection.name, selection.run_id, json.dumps(spec), now()],
        )
        connection.execute("DELETE FROM selection_choices WHERE selection_id = ?", [selection.id])
        connection.register("incoming", pa.table(columns, schema=_CHOICES))
        connection.execute(
            "INSERT INTO selection_choices SELECT ?, incoming.* FROM incoming", [selection.id]
        )
        journal.keep(workspace, connection, "selections", selection.id)
        journal.keep_choices(workspace, connection, selection.id)
        rows = connection.execute(
            "SELECT created_at FROM selections WHERE selection_id = ?", [selection.id]
        ).fetchall()
    refused = "" if asked == selection.name else asked
    return replace(selection, created_at=rows[0][0], refused_name=refused)


def get_selection(workspace: Workspace, wanted: str = LATEST) -> Selection:
    """The selection with this name, id or unique beginning of one, or the ``latest``.

    Raises:
        NotFoundError: There is none.
        InputError: Several begin so, or have this name: older versions of the studio let them.
    """
    with workspace.database.reading() as connection:
        found = _selection_id(connection, wanted)
        selection = next(one for one in _all(connection) if one.id == found)
        rows = connection.execute(
            "SELECT trace_id, record_digest, value, rank, selected, reason, n_tokens "
            "FROM selection_choices WHERE selection_id = ? ORDER BY rank, trace_id",
            [found],
        ).fetchall()
    names = _CHOICES.names
    choices = tuple(Choice(**dict(zip(names, row, strict=True))) for row in rows)
    return replace(selection, choices=choices)


def list_selections(workspace: Workspace) -> list[Selection]:
    """All selections without their choices, the latest first."""
    with workspace.database.reading() as connection:
        return _all(connection)


def selection_counts(workspace: Workspace) -> dict[str, tuple[int, int, int]]:
    """Of every selection by id: traces that are in, traces that it ranked, tokens that are in."""
    with workspace.database.reading() as connection:
        rows = connection.execute(
            "SELECT selection_id, count(*) FILTER (selected), count(*), "
            "coalesce(sum(n_tokens) FILTER (selected), 0)::BIGINT "
            "FROM selection_choices GROUP BY selection_id"
        ).fetchall()
    return {found: (chosen, ranked, tokens) for found, chosen, ranked, tokens in rows}


def rename_selection(workspace: Workspace, wanted: str, name: str) -> str:
    """Give a selection another name; its id.

    Raises:
        NotFoundError, InputError: As ``get_selection``, or another selection has the name.
    """
    with workspace.database.unit() as connection:
        found = _selection_id(connection, wanted)
        _require_free(connection, name, found)
        connection.execute("UPDATE selections SET name = ? WHERE selection_id = ?", [name, found])
        journal.keep(workspace, connection, "selections", found)
    return found


def delete_selection(workspace: Workspace, wanted: str) -> str:
    """Forget a selection; the id of the one that went."""
    with workspace.database.unit() as connection:
        found = _selection_id(connection, wanted)
        connection.execute("DELETE FROM selection_choices WHERE selection_id = ?", [found])
        connection.execute("DELETE FROM selections WHERE selection_id = ?", [found])
        journal.forget(workspace, connection, "selections", found)
    return found


def _selection_id(connection: duckdb.DuckDBPyConnection, wanted: str) -> str:
    if wanted == LATEST:
        latest = _all(connection)[:1]
        if not latest:
            raise NotFoundError("Nothing was selected in this workspace yet. Run grace curate.")
        return latest[0].id
    named = [one for one in _all(connection) if wanted and one.name == wanted]
    if len(named) > 1:
        raise InputError(
            f"{len(named)} selections are named {wanted!r}: {', '.join(map(_told, named))}. Say "
            "the id of one, and give the others other names."
        )
    if named:
        return named[0].id
    return by_prefix(
        connection,
        "SELECT selection_id FROM selections WHERE starts_with(selection_id, ?)",
        wanted,
        kind="selection",
        listed_by="grace workspace",
    )


def _require_free(connection: duckdb.DuckDBPyConnection, name: str, selection_id: str) -> None:
    """``InputError`` where a selection of another id has the name."""
    for other in _all(connection):
        if name and other.name == name and other.id != selection_id:
            raise InputError(
                f"The name {name!r} is taken by {_told(other)}: choose another name, or rename or "
                "delete that one."
            )


def _told(one: Selection) -> str:
    """Id, budget and date."""
    return f"{one.id} ({one.budget}, saved {one.created_at[:10]})"


def _all(connection: duckdb.DuckDBPyConnection) -> list[Selection]:
    rows = connection.execute(
        "SELECT selection_id, name, run_id, spec, created_at FROM selections ORDER BY touched DESC"
    ).fetchall()
    return [
        Selection(
            id=found,
            name=name,
            run_id=run_id,
            choices=(),
            created_at=created_at,
            **json.loads(spec),
        )
        for found, name, run_id, spec, created_at in rows
    ]
