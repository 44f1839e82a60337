"""How does a LIMO row become a trace?

``question, solution, answer``: the solution is a model's, chosen for being right; the answer is the
one that is held to be right.
"""

from collections.abc import Iterator

from grace_engine.ingest.drafts import Draft, Fields, Schema, optional_answer, text_field
from grace_engine.ingest.schemas import reasoned_reply, s1k, s1k_1_1, steps_list

# They find more in a record that holds such a solution beside it.
_RICHER = (reasoned_reply.SCHEMA, s1k.SCHEMA, s1k_1_1.SCHEMA, steps_list.SCHEMA)


def _matches(fields: Fields) -> bool:
    texts = (fields.get("question"), fields.get("solution"))
    shaped = all(isinstance(text, str) for text in texts) and "answer" in fields
    return shaped and not any(schema.matches(fields) for schema in _RICHER)


def _drafts(fields: Fields) -> Iterator[Draft]:
    yield Draft(
        prompt=text_field(fields, "question"),
        text=text_field(fields, "solution"),
        answer=optional_answer(fields, "answer"),
    )


SCHEMA = Schema(name="limo", matches=_matches, drafts=_drafts)
