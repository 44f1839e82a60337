"""How does a MATH row become a trace?

``problem, level, type, solution``, or ``subject`` for ``type`` and an ``answer`` as in MATH-500.
The solution is the reference itself. ``Level 3`` becomes the number 3; ``Level ?`` no label.
"""

import re
from collections.abc import Iterator

from grace_engine.ingest.drafts import Draft, Fields, Schema, labels_in, optional_answer, text_field
from grace_engine.ingest.schemas import reasoned_reply, steps_list
from grace_engine.records import Label

# They find more in a record that holds such a solution beside it.
_RICHER = (reasoned_reply.SCHEMA, steps_list.SCHEMA)
_LEVEL = re.compile(r"(?:Level )?(\d+)")


def _matches(fields: Fields) -> bool:
    texts = (fields.get("problem"), fields.get("solution"))
    subject = "type" in fields or "subject" in fields
    shaped = all(isinstance(text, str) for text in texts) and subject and "level" in fields
    return shaped and not any(schema.matches(fields) for schema in _RICHER)


def _drafts(fields: Fields) -> Iterator[Draft]:
    labels = labels_in(fields, subject="subject" if "subject" in fields else "type")
    answer = optional_answer(fields, "answer")
    yield Draft(
        prompt=text_field(fields, "problem"),
        text=text_field(fields, "solution"),
        answer=answer,
        reference=answer,
        is_reference=answer is None,
        labels={"is_correct": True, **labels, **_level(fields.get("level"))},
    )


def _level(said: object) -> dict[str, Label]:
    found = _LEVEL.fullmatch(str(said).strip())
    return {"level": int(found[1])} if found else {}


SCHEMA = Schema(name="math", matches=_matches, drafts=_drafts)
