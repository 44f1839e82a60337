"""Which problems does a workspace hold that no trace solves?"""

import json
from collections.abc import Sequence

from grace_engine.records import Problem, SourceRecord
from grace_engine.store.catalog import require_datasets
from grace_engine.store.workspace import Workspace

_PROBLEMS = """
SELECT
    problem_id, problems.dataset, prompt, reference, labels, images, problems.digest, path, line,
    raw, n_records
FROM problems JOIN sources USING (source_id)
WHERE $every OR list_contains($names::VARCHAR[], problems.dataset)
ORDER BY position
LIMIT $most
"""


def list_problems(
    workspace: Workspace, names: Sequence[str] = (), most: int | None = None
) -> list[tuple[Problem, int]]:
    """Problems in order of arrival, each with the number of records that pose it.

    Args:
        workspace: Where they are.
        names: Datasets; all when empty.
        most: At most that many; None for all.
    """
    with workspace.database.reading() as connection:
        require_datasets(connection, names)
        rows = connection.execute(
            _PROBLEMS, {"every": not names, "names": list(names), "most": most}
        ).fetchall()
    return [
        (
            Problem(
                id=problem_id,
                dataset=dataset,
                prompt=prompt,
                reference=reference,
                labels=json.loads(labels),
                images=tuple(json.loads(images)),
                record=SourceRecord(digest=digest, path=path, line=line, raw=raw),
            ),
            n_records,
        )
        for (
            problem_id, dataset, prompt, reference, labels, images, digest, path, line, raw,
            n_records,
        ) in rows
    ]  # fmt: skip
