"""Which problems were a policy asked, what did it answer, and what remains to be asked?"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import duckdb
import pyarrow as pa

from grace_engine.errors import NotFoundError
from grace_engine.records import Reject, Rollout, RolloutGroup, RolloutSet
from grace_engine.store.lookup import by_prefix
from grace_engine.store.migrations import now
from grace_engine.store.workspace import Workspace

LATEST = "latest"

_OUTSIDE_SPEC = {
    "id", "name", "n_problems", "n_failed", "n_rollouts", "created_at", "updated_at",
}  # fmt: skip

_SETS = """
WITH problems AS (
    SELECT
        set_id,
        count(*) FILTER (reason IS NULL) AS n_problems,
        count(*) FILTER (reason IS NOT NULL) AS n_failed
    FROM rollout_problems GROUP BY set_id
), answers AS (SELECT set_id, count(*) AS n_rollouts FROM rollouts GROUP BY set_id)
SELECT
    set_id, name, spec, created_at, updated_at, coalesce(n_problems, 0), coalesce(n_failed, 0),
    coalesce(n_rollouts, 0)
FROM rollout_sets LEFT JOIN problems USING (set_id) LEFT JOIN answers USING (set_id)
WHERE $set IS NULL OR set_id = $set
ORDER BY coalesce(n_problems, 0) = 0, touched DESC
"""

_PROBLEM_ROWS = """
SELECT problem_id, dataset, prompt, reference, labels, record_digest, reason, detail
FROM rollout_problems
WHERE set_id = $set AND ($every OR list_contains($ids::VARCHAR[], problem_id))
ORDER BY position
"""

_ROLLOUT_ROWS = """
SELECT problem_id, text, token_ids, logprobs, finished, reward, outcome, detail
FROM rollouts
WHERE set_id = $set AND ($every OR list_contains($ids::VARCHAR[], problem_id))
ORDER BY problem_id, number
"""

_PROBLEMS = pa.schema(
    {
        "problem_id": pa.string(),
        "place": pa.int64(),
        "dataset": pa.string(),
        "prompt": pa.string(),
        "reference": pa.string(),
        "labels": pa.string(),
        "record_digest": pa.string(),
        "reason": pa.string(),
        "detail": pa.string(),
    }
)
_ROLLOUTS = pa.schema(
    {
        "problem_id": pa.string(),
        "number": pa.int32(),
        "text": pa.string(),
        "token_ids": pa.list_(pa.int32()),
        "logprobs": pa.list_(pa.float32()),
        "finished": pa.bool_(),
        "reward": pa.float64(),
        "outcome": pa.string(),
        "detail": pa.string(),
    }
)


def upsert_rollout_set(workspace: Workspace, found: RolloutSet) -> RolloutSet:
    """Make a set known, or mark a known one as the latest; it comes back with its counts."""
    spec = {name: value for name, value in asdict(found).items() if name not in _OUTSIDE_SPEC}
    with workspace.database.unit() as connection:
        connection.execute(
            "INSERT INTO rollout_sets SELECT ?, ?, ?, ?, ?, "
            "(SELECT coalesce(max(touched), 0) + 1 FROM rollout_sets) "
            "ON CONFLICT DO UPDATE SET name = excluded.name, spec = excluded.spec, "
            "updated_at = excluded.updated_at, touched = excluded.touched",
            [found.id, found.name, json.dumps(spec), now(), now()],
        )
        return _sets(connection, found.id)[0]


def get_rollout_set(workspace: Workspace, wanted: str = LATEST) -> RolloutSet:
    """The set with this name, id or unique beginning of one, or the ``latest``.

    Of several with one name it is the one that was added to last. A set in which no problem was
    answered comes after all others.
    """
    with workspace.database.reading() as connection:
        return _sets(connection, _set_id(connection, wanted))[0]


def list_rollout_sets(workspace: Workspace) -> list[RolloutSet]:
    """All sets, the latest first; those in which no problem was answered at the end."""
    with workspace.database.reading() as connection:
        return _sets(connection, None)


def reached_problems(workspace: Workspace, set_id: str) -> dict[str, str]:
    """The problems that a set holds: id to reason, "" for those with answers."""
    with workspace.database.reading() as connection:
        rows = connection.execute(
            "SELECT problem_id, coalesce(reason, '') FROM rollout_problems WHERE set_id = ?",
            [set_id],
        ).fetchall()
    return dict(rows)


def add_groups(workspace: Workspace, set_id: str, groups: Sequence[RolloutGroup]) -> None:
    """Commit one batch of a set: all of it or nothing.

    A problem that the set holds with answers stays as it is; one that failed is replaced.

    Raises:
        NotFoundError: There is no such set.
    """
    problems, rollouts = _tables(groups)
    with workspace.database.unit() as connection:
        if not connection.execute(
            "SELECT 1 FROM rollout_sets WHERE set_id = ?", [set_id]
        ).fetchall():
            raise NotFoundError(f"There is no set of rollouts {set_id!r} in this workspace.")
        connection.register("incoming", problems)
        connection.register("incoming_rollouts", rollouts)
        connection.execute(
            "DELETE FROM rollout_problems WHERE set_id = ? AND reason IS NOT NULL "
            "AND problem_id IN (SELECT problem_id FROM incoming)",
            [set_id],
        )
        connection.execute(
            "CREATE TEMP TABLE fresh AS SELECT * FROM incoming WHERE problem_id NOT IN "
            "(SELECT problem_id FROM rollout_problems WHERE set_id = ?)",
            [set_id],
        )
        connection.execute(
            "INSERT INTO rollouts SELECT ?, incoming_rollouts.* FROM incoming_rollouts "
            "WHERE problem_id IN (SELECT problem_id FROM fresh)",
            [set_id],
        )
        connection.execute(
            "INSERT INTO rollout_problems SELECT ?, problem_id, place + (SELECT "
            "coalesce(max(position) + 1, 0) FROM rollout_problems WHERE set_id = ?), dataset, "
            "prompt, reference, labels, record_digest, reason, detail FROM fresh",
            [set_id, set_id],
        )
        connection.execute("DROP TABLE fresh")
        connection.execute(
            "UPDATE rollout_sets SET updated_at = ? WHERE set_id = ?", [now(), set_id]
        )


def iter_groups(
    workspace: Workspace,
    set_id: str,
    ids: Sequence[str] | None = None,
    *,
    with_rollouts: bool = True,
    batch: int = 64,
) -> Iterator[list[RolloutGroup]]:
    """The problems of a set in order of arrival, a batch at a time.

    Args:
        workspace: Where they are.
        set_id: The set.
        ids: Only these problems; all when None.
        with_rollouts: Whether their answers are read, too.
        batch: Problems of a batch.
    """
    with workspace.database.reading() as connection:
        rows = connection.execute(
            "SELECT problem_id FROM rollout_problems WHERE set_id = $set "
            "AND ($every OR list_contains($ids::VARCHAR[], problem_id)) ORDER BY position",
            {"set": set_id, "every": ids is None, "ids": list(ids or ())},
        ).fetchall()
    wanted = [row[0] for row in rows]
    for first in range(0, len(wanted), batch):
        part = wanted[first : first + batch]
        with workspace.database.reading() as connection:
            yield _groups(connection, set_id, part, with_rollouts=with_rollouts)


def reward_groups(workspace: Workspace, set_id: str) -> list[RolloutGroup]:
    """All problems of a set with the rewards and lengths of their answers, but no text of these.

    ``token_ids`` are zeros, as many as there were tokens.
    """
    with workspace.database.reading() as connection:
        rows = connection.execute(
            "SELECT problem_id, reward, outcome, len(token_ids), finished FROM rollouts "
            "WHERE set_id = ? ORDER BY problem_id, number",
            [set_id],
        ).fetchall()
        problems = _groups(connection, set_id, None, with_rollouts=False)
    answers: dict[str, list[Rollout]] = {}
    for problem_id, reward, outcome, n_tokens, finished in rows:
        answers.setdefault(problem_id, []).append(
            Rollout(
                text="",
                token_ids=(0,) * n_tokens,
                reward=reward,
                outcome=outcome,
                finished=finished,
            )
        )
    return [replace(group, rollouts=tuple(answers.get(group.problem_id, ()))) for group in problems]


def replace_rejects(workspace: Workspace, found: RolloutSet, rejects: Sequence[Reject]) -> None:
    """Keep which rows of a file of rollouts could not be used, in the place of an earlier time."""
    with workspace.database.unit() as connection:
        connection.execute("DELETE FROM rejects WHERE source_id = ?", [found.id])
        if rejects:
            connection.executemany(
                "INSERT INTO rejects VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    [found.name, found.id, one.path, one.line, one.variant, one.reason, one.detail,
                     one.excerpt]
                    for one in rejects
                ],
            )  # fmt: skip


def delete_rollout_set(workspace: Workspace, wanted: str) -> str:
    """Delete a set with its answers and all gradients that were taken of them; its id."""
    with workspace.database.unit() as connection:
        found = _set_id(connection, wanted)
        connection.execute(
            "DELETE FROM policy_gradients WHERE run_id IN "
            "(SELECT run_id FROM policy_runs WHERE set_id = $set OR target_id = $set)",
            {"set": found},
        )
        connection.execute(
            "DELETE FROM policy_runs WHERE set_id = $set OR target_id = $set", {"set": found}
        )
        for table in ("rollouts", "rollout_problems", "rollout_sets"):
            connection.execute(f"DELETE FROM {table} WHERE set_id = ?", [found])  # noqa: S608
        connection.execute("DELETE FROM rejects WHERE source_id = ?", [found])
    return found


def _tables(groups: Sequence[RolloutGroup]) -> tuple[pa.Table, pa.Table]:
    problems: list[dict[str, Any]] = [
        {
            "problem_id": group.problem_id,
            "place": place,
            "dataset": group.dataset,
            "prompt": group.prompt,
            "reference": group.reference,
            "labels": json.dumps(dict(group.labels), ensure_ascii=False),
            "record_digest": group.record_digest,
            "reason": group.reason or None,
            "detail": group.detail or None,
        }
        for place, group in enumerate(groups)
    ]
    rollouts = [
        {"problem_id": group.problem_id, "number": number, **asdict(one)}
        for group in groups
        for number, one in enumerate(group.rollouts, 1)
    ]
    return (
        pa.Table.from_pylist(problems, schema=_PROBLEMS),
        pa.Table.from_pylist(rollouts, schema=_ROLLOUTS),
    )


def _groups(
    connection: duckdb.DuckDBPyConnection,
    set_id: str,
    ids: Sequence[str] | None,
    *,
    with_rollouts: bool,
) -> list[RolloutGroup]:
    asked = {"set": set_id, "every": ids is None, "ids": list(ids or ())}
    rows = connection.execute(_PROBLEM_ROWS, asked).fetchall()
    answers: dict[str, list[Rollout]] = {}
    if with_rollouts:
        for problem_id, *values in connection.execute(_ROLLOUT_ROWS, asked).fetchall():
            text, token_ids, logprobs, finished, reward, outcome, detail = values
            answers.setdefault(problem_id, []).append(
                Rollout(
                    text=text,
                    token_ids=tuple(token_ids),
                    logprobs=tuple(logprobs),
                    finished=finished,
                    reward=reward,
                    outcome=outcome,
                    detail=detail,
                )
            )
    return [
        RolloutGroup(
            problem_id=problem_id,
            dataset=dataset,
            prompt=prompt,
            reference=reference,
            labels=json.loads(labels),
            record_digest=digest,
            rollouts=tuple(answers.get(problem_id, ())),
            reason=reason or "",
            detail=detail or "",
        )
        for problem_id, dataset, prompt, reference, labels, digest, reason, detail in rows
    ]


def _set_id(connection: duckdb.DuckDBPyConnection, wanted: str) -> str:
    rows = connection.execute(
        "SELECT set_id FROM rollout_sets WHERE $wanted = $latest OR name = $wanted "
        "ORDER BY set_id IN (SELECT set_id FROM rollout_problems WHERE reason IS NULL) DESC, "
        "touched DESC LIMIT 1",
        {"wanted": wanted, "latest": LATEST},
    ).fetchall()
    if rows and wanted:
        return str(rows[0][0])
    if wanted == LATEST:
        raise NotFoundError(
            "This workspace holds no rollouts yet. Run grace rollout PROBLEMS, or grace "
            "ingest-rollouts FILE."
        )
    return by_prefix(
        connection,
        "SELECT set_id FROM rollout_sets WHERE starts_with(set_id, ?)",
        wanted,
        kind="set of rollouts",
        listed_by="grace rollouts",
    )


def _sets(connection: duckdb.DuckDBPyConnection, set_id: str | None) -> list[RolloutSet]:
    return [
        RolloutSet(
            id=found,
            name=name,
            n_problems=n_problems,
            n_failed=n_failed,
            n_rollouts=n_rollouts,
            created_at=created_at,
            updated_at=updated_at,
            **json.loads(spec),
        )
        for (
            found,
            name,
            spec,
            created_at,
            updated_at,
            n_problems,
            n_failed,
            n_rollouts,
        ) in connection.execute(_SETS, {"set": set_id}).fetchall()
    ]
