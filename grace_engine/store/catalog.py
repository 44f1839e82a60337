"""What was ingested into which dataset, and what of it was refused?"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from grace_engine.errors import NotFoundError
from grace_engine.records import Reject
from grace_engine.store.intake import Source
from grace_engine.store.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInfo:
    """One dataset of a workspace.

    Attributes:
        name: Its name.
        segmenter: How its traces are cut, as the user named it.
        n_traces: Traces that it holds.
        n_problems: Problems that it holds without a trace.
        n_rejected: Records or traces that could not be used.
        sources: The files it was ingested from, in order of arrival.
        created_at: ISO 8601, UTC.
    """

    name: str
    segmenter: str
    n_traces: int
    n_problems: int
    n_rejected: int
    sources: tuple[str, ...]
    created_at: str


def datasets(workspace: Workspace) -> list[DatasetInfo]:
    """All datasets, by name."""
    with workspace.database.reading() as connection:
        rows = connection.execute(
            "SELECT name, segmenter, "
            "(SELECT count(*) FROM traces WHERE dataset = name), "
            "(SELECT count(*) FROM problems WHERE dataset = name), "
            "(SELECT count(*) FROM rejects WHERE dataset = name AND line > 0), "
            "(SELECT list(path ORDER BY ingested_at, path) FROM sources WHERE dataset = name), "
            "created_at FROM datasets ORDER BY name"
        ).fetchall()
    return [
        DatasetInfo(
            name=name,
            segmenter=segmenter,
            n_traces=n_traces,
            n_problems=n_problems,
            n_rejected=n_rejected,
            sources=tuple(sources or ()),
            created_at=created_at,
        )
        for name, segmenter, n_traces, n_problems, n_rejected, sources, created_at in rows
    ]


def list_sources(workspace: Workspace, names: Sequence[str] = ()) -> list[tuple[str, Source]]:
    """Dataset and source of every file that was ingested, in order of arrival."""
    with workspace.database.reading() as connection:
        require_datasets(connection, names)
        rows = connection.execute(
            "SELECT dataset, path, digest, bytes, schema_name, mapping, segmenter FROM sources "
            "WHERE $every OR list_contains($names::VARCHAR[], dataset) ORDER BY ingested_at, path",
            {"every": not names, "names": list(names)},
        ).fetchall()
    return [
        (
            dataset,
            Source(
                path=path,
                digest=digest,
                size=size,
                schema_name=schema_name,
                mapping=json.loads(mapping),
                segmenter=segmenter,
            ),
        )
        for dataset, path, digest, size, schema_name, mapping, segmenter in rows
    ]


def rejects(workspace: Workspace, dataset: str | None = None) -> list[Reject]:
    """Records, traces and whole files that could not be used, of one dataset or of all.

    By file and line; a file that was refused as a whole has line 0.
    """
    with workspace.database.reading() as connection:
        rows = connection.execute(
            "SELECT path, line, variant, reason, detail, excerpt FROM rejects "
            "WHERE $dataset IS NULL OR dataset = $dataset ORDER BY dataset, path, line, variant",
            {"dataset": dataset},
        ).fetchall()
        if dataset is not None and not rows:  # where all files were refused there is no dataset
            require_datasets(connection, [dataset])
    return [
        Reject(path=path, line=line, variant=variant, reason=reason, detail=detail, excerpt=excerpt)
        for path, line, variant, reason, detail, excerpt in rows
    ]


def require_datasets(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
    """``NotFoundError`` for a name that is no dataset of the workspace."""
    if not names:
        return
    known = [
        row[0] for row in connection.execute("SELECT name FROM datasets ORDER BY 1").fetchall()
    ]
    for name in names:
        if name not in known:
            raise NotFoundError(
                f"There is no dataset {name!r} in this workspace. "
                + (f"It holds {', '.join(known)}." if known else "It holds none: ingest a file.")
            )
