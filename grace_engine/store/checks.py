"""What came out when answers were held against references, and which were not held yet?

A check belongs to the answer and the reference that it read: where either has changed since, it
counts no more, and the trace is to be checked anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from grace_engine.records import AnswerCheck, AnswerPair
from grace_engine.store.catalog import require_datasets
from grace_engine.store.migrations import now
from grace_engine.store.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

# A check that still holds, beside its trace.
_CURRENT = """
FROM traces JOIN answer_checks AS checks
    ON checks.trace_id = traces.trace_id
    AND checks.answer_digest = md5(traces.answer)
    AND checks.reference_digest = md5(traces.reference)
WHERE ($every OR list_contains($names::VARCHAR[], dataset))
"""

# One that timed out under a shorter time is to be checked again.
_UNCHECKED = """
SELECT traces.position FROM traces
WHERE ($every OR list_contains($names::VARCHAR[], dataset))
  AND reference IS NOT NULL
  AND ($again OR NOT EXISTS (
    SELECT 1 FROM answer_checks AS checks
    WHERE checks.trace_id = traces.trace_id
      AND checks.answer_digest = md5(traces.answer)
      AND checks.reference_digest = md5(traces.reference)
      AND NOT (outcome = 'timed out' AND seconds < $seconds)
  ))
ORDER BY traces.position
"""

_PAIRS = """
SELECT trace_id, answer, reference FROM traces
WHERE position BETWEEN $first AND $last
  AND position IN (SELECT unnest($positions::BIGINT[])) AND reference IS NOT NULL
ORDER BY position
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedTrace:
    """The check of a trace.

    Attributes:
        trace_id: The trace.
        pair: What was compared.
        check: What came out.
    """

    trace_id: str
    pair: AnswerPair
    check: AnswerCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCount:
    """How far the answers of a dataset are checked.

    Attributes:
        dataset: Its name.
        n_traces: Its traces.
        n_with_reference: Those that have a reference.
        by_outcome: Traces with a check that holds, by outcome.
    """

    dataset: str
    n_traces: int
    n_with_reference: int
    by_outcome: Mapping[str, int]

    @property
    def n_checked(self) -> int:
        """Traces whose check holds."""
        return sum(self.by_outcome.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCheck:
    """What came out for one trace, for a person to look into.

    Attributes:
        trace_id: The trace.
        dataset: Its dataset.
        line: 1-based line of its record.
        variant: Which trace of the record.
        answer: Its answer.
        reference: What that was held against.
        outcome: One of ``OUTCOMES``.
        side: Which side could not be read; "" where both were.
        detail: How it was decided, or why it was not.
    """

    trace_id: str
    dataset: str
    line: int
    variant: str
    answer: str
    reference: str
    outcome: str
    side: str
    detail: str


def unchecked_positions(
    workspace: Workspace, names: Sequence[str] = (), *, seconds: float, again: bool = False
) -> list[int]:
    """Positions of the traces that have a reference and no check that holds.

    Args:
        workspace: Where they are.
        names: Datasets; all when empty.
        seconds: What a check may take: what timed out under less is to be checked again.
        again: All that have a reference.

    Raises:
        NotFoundError: A dataset does not exist.
    """
    with workspace.database.reading() as connection:
        require_datasets(connection, names)
        rows = connection.sql(
            _UNCHECKED,
            params={"every": not names, "names": list(names), "again": again, "seconds": seconds},
        ).to_arrow_table()
    positions: list[int] = rows["position"].to_pylist()
    return positions


def iter_pairs(
    workspace: Workspace, positions: Sequence[int], batch: int = 5000
) -> Iterator[tuple[str, AnswerPair]]:
    """Id, answer and reference of the traces at these positions, which ascend."""
    for start in range(0, len(positions), batch):
        part = positions[start : start + batch]
        with workspace.database.reading() as connection:
            rows = connection.execute(
                _PAIRS, {"first": part[0], "last": part[-1], "positions": list(part)}
            ).fetchall()
        for trace_id, answer, reference in rows:
            yield trace_id, AnswerPair(answer=answer, reference=reference)


def add_checks(workspace: Workspace, checked: Sequence[CheckedTrace], *, seconds: float) -> None:
    """Commit these checks in the place of earlier ones of the same traces.

    Args:
        workspace: Where they go.
        checked: Checks of different traces.
        seconds: What each was allowed to take.
    """
    rows = pa.table(
        {
            "trace_id": pa.array([each.trace_id for each in checked], pa.string()),
            "outcome": pa.array([each.check.outcome for each in checked], pa.string()),
            "side": pa.array([each.check.side for each in checked], pa.string()),
            "detail": pa.array([each.check.detail for each in checked], pa.string()),
            "answer": pa.array([each.pair.answer for each in checked], pa.string()),
            "reference": pa.array([each.pair.reference for each in checked], pa.string()),
        }
    )
    with workspace.database.unit() as connection:
        connection.register("incoming_checks", rows)
        connection.execute(
            "DELETE FROM answer_checks WHERE trace_id IN (SELECT trace_id FROM incoming_checks)"
        )
        connection.execute(
            "INSERT INTO answer_checks SELECT trace_id, outcome, side, detail, md5(answer), "
            "md5(reference), ?, ? FROM incoming_checks",
            [seconds, now()],
        )


def answer_checks(workspace: Workspace, names: Sequence[str] = ()) -> "pd.DataFrame":
    """A row a trace whose check holds: trace_id, outcome, side, detail."""
    with workspace.database.reading() as connection:
        require_datasets(connection, names)
        frame: pd.DataFrame = (
            connection.sql(
                f"SELECT traces.trace_id, outcome, side, detail {_CURRENT}",
                params={"every": not names, "names": list(names)},
            )
            .to_arrow_table()
            .to_pandas()
        )
    return frame


def list_checks(
    workspace: Workspace, outcomes: Sequence[str], names: Sequence[str] = ()
) -> list[ListedCheck]:
    """The traces whose checks hold and came out in one of these ways, in order of arrival."""
    with workspace.database.reading() as connection:
        require_datasets(connection, names)
        rows = connection.execute(
            "SELECT traces.trace_id, dataset, line, variant, answer, reference, outcome, side, "
            f"detail {_CURRENT} AND list_contains($outcomes::VARCHAR[], outcome) "
            "ORDER BY position",
            {"every": not names, "names": list(names), "outcomes": list(outcomes)},
        ).fetchall()
    columns = ListedCheck.__slots__
    return [ListedCheck(**dict(zip(columns, row, strict=True))) for row in rows]


def check_counts(workspace: Workspace, names: Sequence[str] = ()) -> list[CheckCount]:
    """How far the answers of each dataset are checked, by name of the dataset."""
    asked = {"every": not names, "names": list(names)}
    with workspace.database.reading() as connection:
        require_datasets(connection, names)
        totals = connection.execute(
            "SELECT dataset, count(*), count(reference) FROM traces "
            "WHERE $every OR list_contains($names::VARCHAR[], dataset) "
            "GROUP BY dataset ORDER BY dataset",
            asked,
        ).fetchall()
        found = connection.execute(
            f"SELECT dataset, outcome, count(*) {_CURRENT} GROUP BY ALL", asked
        ).fetchall()
    return [
        CheckCount(
            dataset=dataset,
            n_traces=n_traces,
            n_with_reference=n_with_reference,
            by_outcome={outcome: n for name, outcome, n in found if name == dataset},
        )
        for dataset, n_traces, n_with_reference in totals
    ]


def checks_version(workspace: Workspace) -> str:
    """A text that changes when checks do."""
    with workspace.database.reading() as connection:
        rows = connection.execute(
            "SELECT count(*), coalesce(max(checked_at), ''), "
            "count(*) FILTER (outcome = 'right') FROM answer_checks"
        ).fetchall()
    return "-".join(str(part) for part in rows[0])
