"""What is written down beside the database, so that its loss does not lose what people decided?

``journal/annotations.jsonl``: every entry of the log of annotations. ``journal/contents.jsonl``:
datasets, sources, runs and selections as they come, change and go, a line each.
``journal/choices``: what each selection decided. Grams are not there: a model computes them again.
A line is written before its unit of work is committed, so nothing is stored that is not there.
"""

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import orjson

from grace_engine.store.faults import in_sentences
from grace_engine.store.workspace import Workspace

Row: TypeAlias = dict[str, Any]

KEYS = {"datasets": "name", "sources": "source_id", "runs": "run_id", "selections": "selection_id"}
"""Tables of ``contents.jsonl`` and what tells their rows apart."""

ANNOTATIONS, CONTENTS, CHOICES = "annotations.jsonl", "contents.jsonl", "choices"
# Bytes that hold the last whole line of the annotations: a note has 2,000 characters at most.
_TAIL = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What a journal says, read as a whole.

    Attributes:
        contents: Rows by table and key, as they were last; deleted ones are not there.
        annotations: Entries of the log in order of ``seq``.
        n_unreadable: Lines that are none: the last one of a machine that went down while writing.
    """

    contents: dict[str, dict[str, Row]] = field(default_factory=dict)
    annotations: list[Row] = field(default_factory=list)
    n_unreadable: int = 0


def keep(workspace: Workspace, connection: duckdb.DuckDBPyConnection, table: str, key: str) -> None:
    """Write down one row of ``table`` as it stands in this unit of work."""
    path = workspace.journal / CONTENTS
    if path.exists():
        _append(path, [_line(table, row) for row in _rows(connection, table, key)])
    else:
        begin(workspace, connection)


def forget(
    workspace: Workspace, connection: duckdb.DuckDBPyConnection, table: str, key: str
) -> None:
    """Write down that a row has gone; with a dataset its sources go, with a selection its choices.

    Call it after the deletion.
    """
    folder = workspace.journal
    if not (folder / CONTENTS).exists():
        begin(workspace, connection)
        return
    _append(folder / CONTENTS, [orjson.dumps({"table": table, "gone": key})])
    if table == "selections":
        choices_of(workspace, key).unlink(missing_ok=True)


@contextmanager
def gone_on_failure(workspace: Workspace, table: str, key: str) -> Iterator[None]:
    """Write down that a row has gone where the unit of work inside, which keeps it, fails.

    A process that is killed between the two leaves a row that the database does not hold.
    """
    try:
        yield
    except BaseException:
        path = workspace.journal / CONTENTS
        with suppress(OSError):
            if path.exists():
                _append(path, [orjson.dumps({"table": table, "gone": key})])
        raise


def keep_choices(
    workspace: Workspace, connection: duckdb.DuckDBPyConnection, selection: str
) -> None:
    """Write down what a selection decided on every trace."""
    path = choices_of(workspace, selection)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    connection.sql(
        "SELECT * FROM selection_choices WHERE selection_id = $selection",
        params={"selection": selection},
    ).write_parquet(str(part), compression="zstd")
    part.replace(path)


def keep_annotations(
    workspace: Workspace, connection: duckdb.DuckDBPyConnection, before: int
) -> None:
    """Write down the entries of the log that are not there yet.

    Args:
        workspace: Where they are.
        connection: Of the unit of work that added some.
        before: The last entry before it. A journal that is ahead of it wrote down what then came
            to nothing: it is kept aside, and a new one begins.
    """
    path = workspace.journal / ANNOTATIONS
    last = _last_entry(path)
    if last > before:
        set_aside(workspace, f"ahead-at-{last}")
    if last > before or not (workspace.journal / CONTENTS).exists():
        begin(workspace, connection)
    else:
        _append(path, _entries(connection, last))


def begin(workspace: Workspace, connection: duckdb.DuckDBPyConnection) -> None:
    """Write down everything that the database holds, in a journal that has nothing yet."""
    lines = [_line(table, row) for table in KEYS for row in _rows(connection, table, None)]
    for (selection,) in connection.execute("SELECT selection_id FROM selections").fetchall():
        keep_choices(workspace, connection, selection)
    _append(workspace.journal / ANNOTATIONS, _entries(connection, 0))
    _append(workspace.journal / CONTENTS, lines)


def read_journal(workspace: Workspace) -> Journal | None:
    """What the journal of a workspace says; None where there is none."""
    folder = workspace.journal
    if not (folder / CONTENTS).exists() and not (folder / ANNOTATIONS).exists():
        return None
    with in_sentences(folder):
        lines, n_bad = _read(folder / CONTENTS)
        entries, n_bad_entries = _read(folder / ANNOTATIONS)
    contents: dict[str, dict[str, Row]] = {table: {} for table in KEYS}
    for line in lines:
        table = str(line["table"])
        if "gone" in line:
            contents[table].pop(line["gone"], None)
            if table == "datasets":
                gone = [k for k, s in contents["sources"].items() if s["dataset"] == line["gone"]]
                for key in gone:
                    del contents["sources"][key]
        else:
            contents[table][line["row"][KEYS[table]]] = line["row"]
    by_seq = {entry["seq"]: entry for entry in entries}
    return Journal(
        contents=contents,
        annotations=[by_seq[seq] for seq in sorted(by_seq)],
        n_unreadable=n_bad + n_bad_entries,
    )


def set_aside(workspace: Workspace, ending: str) -> None:
    """Rename the journal: it is of another database than the one that is there now."""
    folder = workspace.journal
    kept = folder.with_name(f"{folder.name}.{ending}-{secrets.token_hex(2)}")
    if folder.exists():
        with in_sentences(folder):
            folder.rename(kept)


def choices_of(workspace: Workspace, selection: str) -> Path:
    """The Parquet file with what a selection decided."""
    return workspace.journal / CHOICES / f"{selection}.parquet"


def _line(table: str, row: Row) -> bytes:
    return orjson.dumps({"table": table, "row": row})


def _entries(connection: duckdb.DuckDBPyConnection, last: int) -> list[bytes]:
    """Lines of the log's entries after ``last``."""
    query = "SELECT * FROM annotations WHERE seq > $last ORDER BY seq"
    return [orjson.dumps(row) for row in _table(connection, query, last=last)]


def _rows(connection: duckdb.DuckDBPyConnection, table: str, key: str | None) -> list[Row]:
    where = f"$key IS NULL OR {KEYS[table]} = $key"
    return _table(connection, f"SELECT * FROM {table} WHERE {where}", key=key)  # noqa: S608


def _table(connection: duckdb.DuckDBPyConnection, query: str, **params: object) -> list[Row]:
    rows: list[Row] = connection.sql(query, params=params).to_arrow_table().to_pylist()
    return rows


def _append(path: Path, lines: Iterable[bytes]) -> None:
    """Add whole lines, down to the disk; what a torn line left is ended first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torn = b"" if _tail(path, 1) in (b"", b"\n") else b"\n"
    with path.open("ab") as file:
        file.write(torn + b"".join(line + b"\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())


def _last_entry(path: Path) -> int:
    """``seq`` of the last whole line; 0 where there is none."""
    return max((int(row["seq"]) for row in _parsed(_tail(path, _TAIL).splitlines())), default=0)


def _tail(path: Path, n_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - n_bytes))
            return file.read()
    except FileNotFoundError:
        return b""


def _read(path: Path) -> tuple[list[Row], int]:
    lines = path.read_bytes().splitlines() if path.exists() else []
    rows = list(_parsed(lines))
    return rows, len(lines) - len(rows)


def _parsed(lines: Iterable[bytes]) -> Iterator[Row]:
    for line in lines:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(row, dict):
            yield row
