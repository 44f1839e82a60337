"""Which duplicates were found, and do they still speak of the data that is here?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from grace_engine.digests import text_digest
from grace_engine.records import DuplicateFinding, DuplicateGroup, DuplicateMember, Of
from grace_engine.store.catalog import require_datasets
from grace_engine.store.migrations import now
from grace_engine.store.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

MEMBERS = pa.schema(
    {
        "group_number": pa.int64(),
        "n_different": pa.int64(),
        "place": pa.int64(),
        "trace_id": pa.string(),
        "dataset": pa.string(),
        "similarity": pa.float64(),
        "exact": pa.bool_(),
    }
)
"""Columns of a finding's members, as they are stored."""

_COMPARED = {"prompts": "prompt", "traces": "text || appended"}

_TEXTS_AT = """
SELECT trace_id, dataset, {compared}, {images} FROM traces
WHERE position BETWEEN $first AND $last AND position IN (SELECT unnest($positions::BIGINT[]))
ORDER BY position
"""

# Order plays no part, so that nothing is sorted.
_DIGESTS = """
SELECT dataset, count(*), bit_xor(md5_number(trace_id))::VARCHAR FROM traces GROUP BY dataset
"""

_GROUPS = """
SELECT
    group_number, any_value(n_different), count(*), list(DISTINCT dataset ORDER BY dataset)
FROM duplicate_members
WHERE finding_id = $finding AND group_number BETWEEN $first AND $last
GROUP BY group_number
ORDER BY group_number
"""

_MEMBERS_WITH_TEXTS = """
SELECT
    group_number, trace_id, similarity, exact, members.dataset, path, traces.line, variant,
    {compared}
FROM duplicate_members AS members
JOIN traces USING (trace_id)
JOIN sources USING (source_id)
WHERE finding_id = $finding AND group_number BETWEEN $first AND $last AND place < $members
ORDER BY group_number, place
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """The traces that a search looks at, as they were when it began.

    Attributes:
        datasets: Names of their datasets, sorted.
        data_digest: Of their ids.
        positions: Where they are, in order of arrival.
    """

    datasets: tuple[str, ...]
    data_digest: str
    positions: list[int]


def covered(workspace: Workspace, names: Sequence[str] = ()) -> Covered:
    """All traces of the named datasets, or of the workspace.

    Raises:
        NotFoundError: A dataset does not exist.
    """
    with workspace.database.reading() as connection:
        require_datasets(connection, names)
        rows = connection.execute("SELECT name FROM datasets ORDER BY name").fetchall()
        datasets = [row[0] for row in rows if not names or row[0] in names]
        positions: list[int] = (
            connection.sql(
                "SELECT position FROM traces WHERE list_contains($datasets::VARCHAR[], dataset) "
                "ORDER BY position",
                params={"datasets": datasets},
            )
            .to_arrow_table()["position"]
            .to_pylist()
        )
        digest = _digest_of(_digests(connection), datasets)
    return Covered(datasets=tuple(datasets), data_digest=digest, positions=positions)


def iter_compared(
    workspace: Workspace, positions: Sequence[int], of: Of, batch: int = 1000
) -> Iterator[list[tuple[str, str, str, str]]]:
    """Trace id, dataset, text and images of the traces at ``positions``, a batch a unit of work.

    The text is the prompt or the full text; images, as JSON, belong to prompts alone.
    """
    images = "images::VARCHAR" if of == "prompts" else "''"
    statement = _TEXTS_AT.format(compared=_COMPARED[of], images=images)
    for start in range(0, len(positions), batch):
        part = list(positions[start : start + batch])
        with workspace.database.reading() as connection:
            rows = connection.execute(
                statement, {"first": part[0], "last": part[-1], "positions": part}
            ).fetchall()
        yield rows


def save_duplicates(
    workspace: Workspace, finding: DuplicateFinding, members: pa.Table
) -> DuplicateFinding:
    """Store a finding in the place of one of the same datasets, threshold and kind."""
    same = [finding.of, finding.threshold, list(finding.datasets)]
    with workspace.database.unit() as connection:
        connection.execute(
            "DELETE FROM duplicate_members WHERE finding_id IN (SELECT finding_id FROM "
            "duplicate_findings WHERE compared = ? AND threshold = ? AND datasets = ?::VARCHAR[])",
            same,
        )
        connection.execute(
            "DELETE FROM duplicate_findings "
            "WHERE compared = ? AND threshold = ? AND datasets = ?::VARCHAR[]",
            same,
        )
        connection.execute(
            "INSERT INTO duplicate_findings SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
            "(SELECT coalesce(max(touched), 0) + 1 FROM duplicate_findings)",
            [
                finding.id,
                *same,
                finding.data_digest,
                finding.n_traces,
                finding.n_groups,
                finding.n_members,
                finding.n_spanning,
                finding.n_near,
                now(),
            ],
        )
        connection.register("incoming", members.cast(MEMBERS))
        connection.execute(
            "INSERT INTO duplicate_members SELECT ?, incoming.* FROM incoming", [finding.id]
        )
    return next(each for each in duplicate_findings(workspace) if each.id == finding.id)


def duplicate_findings(workspace: Workspace) -> list[DuplicateFinding]:
    """All findings, the latest first."""
    with workspace.database.reading() as connection:
        rows = connection.execute(
            "SELECT finding_id, compared, threshold, datasets, data_digest, n_traces, n_groups, "
            "n_members, n_spanning, n_near, found_at FROM duplicate_findings ORDER BY touched DESC"
        ).fetchall()
        digests = _digests(connection) if rows else {}
    names = DuplicateFinding.__slots__
    found = []
    for row in rows:
        values = dict(zip(names, row, strict=False)) | {"datasets": tuple(row[3])}
        is_older = values["data_digest"] != _digest_of(digests, row[3])
        found.append(DuplicateFinding(**values, is_older=is_older))
    return found


def touch_duplicates(workspace: Workspace, finding_id: str) -> None:
    """Make a finding the latest."""
    with workspace.database.unit() as connection:
        connection.execute(
            "UPDATE duplicate_findings SET touched = "
            "(SELECT max(touched) + 1 FROM duplicate_findings) WHERE finding_id = ?",
            [finding_id],
        )


def read_duplicates(workspace: Workspace, finding_id: str) -> "pd.DataFrame":
    """A row a trace in a group of a finding, by group and place; columns as ``MEMBERS``."""
    with workspace.database.reading() as connection:
        frame: pd.DataFrame = (
            connection.sql(
                "SELECT * EXCLUDE (finding_id) FROM duplicate_members "
                "WHERE finding_id = ? ORDER BY group_number, place",
                params=[finding_id],
            )
            .to_arrow_table()
            .to_pandas()
        )
    return frame


def duplicate_groups(
    workspace: Workspace, finding: DuplicateFinding, *, first: int, last: int, members: int
) -> list[DuplicateGroup]:
    """Groups ``first`` to ``last`` of a finding, each with its first ``members`` that are here."""
    wanted = {"finding": finding.id, "first": first, "last": last}
    statement = _MEMBERS_WITH_TEXTS.format(compared=_COMPARED[finding.of])
    with workspace.database.reading() as connection:
        groups = connection.execute(_GROUPS, wanted).fetchall()
        rows = connection.execute(statement, wanted | {"members": members}).fetchall()
    by_group: dict[int, list[DuplicateMember]] = {}
    for number, *values in rows:
        member = DuplicateMember(**dict(zip(DuplicateMember.__slots__, values, strict=True)))
        by_group.setdefault(number, []).append(member)
    return [
        DuplicateGroup(
            number=number,
            n_traces=n_traces,
            n_different=n_different,
            datasets=tuple(datasets),
            members=tuple(by_group.get(number, ())),
        )
        for number, n_different, n_traces, datasets in groups
    ]


def _digests(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Count and digest of the trace ids of each dataset."""
    rows = connection.execute(_DIGESTS).fetchall()
    return {name: f"{count}:{digest}" for name, count, digest in rows}


def _digest_of(digests: dict[str, str], names: Sequence[str]) -> str:
    return text_digest("\n".join(f"{name}:{digests.get(name, '')}" for name in sorted(names)))
