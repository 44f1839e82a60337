"""How does a GSM8K row become a trace?

``question, answer``: the answer's lines are steps, its last line is ``#### N``. The answer is the
reference itself.
"""

from collections.abc import Iterator

from grace_engine.ingest.drafts import Draft, Fields, Schema, text_field
from grace_engine.ingest.schemas import reasoned_reply, steps_list

# They find more in a record that holds such a solution beside it.
_RICHER = (reasoned_reply.SCHEMA, steps_list.SCHEMA)


def _matches(fields: Fields) -> bool:
    answer = fields.get("answer")
    marked = isinstance(answer, str) and "####" in answer and "solution" not in fields
    shaped = marked and isinstance(fields.get("question"), str)
    return shaped and not any(schema.matches(fields) for schema in _RICHER)


def _drafts(fields: Fields) -> Iterator[Draft]:
    yield Draft(
        prompt=text_field(fields, "question"),
        text=text_field(fields, "answer"),
        is_reference=True,
        labels={"is_correct": True},
    )


SCHEMA = Schema(name="gsm8k", matches=_matches, drafts=_drafts)
