"""Which traces say this, and which ask the same?"""

from collections.abc import Sequence

import duckdb

from grace_engine.errors import InputError
from grace_engine.store.catalog import require_datasets
from grace_engine.store.workspace import Workspace

# Prompt, steps and answer as one text; a line break keeps a match from running over a border.
_WHERE = """
SELECT trace_id FROM traces
WHERE ($every OR list_contains($names::VARCHAR[], dataset))
  AND {matches}
"""
_SAYS = r"concat_ws(chr(10), prompt, text || appended, answer)"
_TEXT = f"contains(lower({_SAYS}), lower($text))"
_REGEX = f"regexp_matches({_SAYS}, $text, 'i')"

_SAME_PROMPT = """
SELECT trace_id FROM traces
WHERE (dataset, prompt) = (SELECT (dataset, prompt) FROM traces WHERE trace_id = $id LIMIT 1)
ORDER BY position
"""


def search_traces(
    workspace: Workspace, names: Sequence[str], text: str, *, regex: bool = False
) -> set[str]:
    """Ids of the traces whose prompt, steps or answer hold ``text``.

    Args:
        workspace: Where they are.
        names: Datasets; all when empty.
        text: Words as they stand; with ``regex`` a regular expression of RE2 (no lookahead;
            ``^`` and ``$`` for the whole text). Both in any case of letters; ``(?-i)`` at the
            beginning of an expression tells them apart.
        regex: How ``text`` is read.

    Raises:
        InputError: ``text`` is no regular expression.
        NotFoundError: A dataset does not exist.
    """
    statement = _WHERE.format(matches=_REGEX if regex else _TEXT)
    with workspace.database.reading() as connection:
        require_datasets(connection, names)
        try:
            rows = connection.execute(
                statement, {"every": not names, "names": list(names), "text": text}
            ).fetchall()
        except duckdb.InvalidInputException as fault:
            reason = str(fault).splitlines()[0].removeprefix("Invalid Input Error: ")
            raise InputError(
                f"{text!r} is no regular expression of RE2 ({reason}); RE2 knows no lookahead and "
                "no backreferences. Correct it, or search for plain text."
            ) from fault
    return {str(row[0]) for row in rows}


def same_prompt(workspace: Workspace, trace_id: str) -> list[str]:
    """Ids of all traces of one dataset with the prompt of this one, itself too, as they came."""
    with workspace.database.reading() as connection:
        rows = connection.execute(_SAME_PROMPT, {"id": trace_id}).fetchall()
    return [str(row[0]) for row in rows]
