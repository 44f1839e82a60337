"""How does a NuminaMath row become a trace?

``source, problem, solution, messages``; NuminaMath-1.5 adds an ``answer``, which may say that there
is none. Without it the solution is the reference itself, hence right; beside an answer it may be
anybody's, and whether it is right is for a check to say. ``messages`` repeats problem and solution.
"""

from collections.abc import Iterator

from grace_engine.ingest.drafts import Draft, Fields, Schema, labels_in, optional_answer, text_field
from grace_engine.ingest.schemas import openr1_math, reasoned_reply, steps_list
from grace_engine.records import Label

# They find more in a record that holds such a solution beside it.
_RICHER = (openr1_math.SCHEMA, reasoned_reply.SCHEMA, steps_list.SCHEMA)
_NO_ANSWERS = ("proof", "notfound")


def _matches(fields: Fields) -> bool:
    texts = (fields.get("source"), fields.get("problem"), fields.get("solution"))
    shaped = all(isinstance(text, str) for text in texts) and "level" not in fields
    return shaped and not any(schema.matches(fields) for schema in _RICHER)


def _drafts(fields: Fields) -> Iterator[Draft]:
    answer = optional_answer(fields, "answer")
    has_none = answer in _NO_ANSWERS
    answer = None if has_none else answer
    said: dict[str, Label] = {"is_correct": True} if answer is None else {}
    yield Draft(
        prompt=text_field(fields, "problem"),
        text=text_field(fields, "solution"),
        answer=answer,
        reference=answer,
        is_reference=answer is None and not has_none,
        labels={**said, **labels_in(fields, source="source", subject="problem_type")},
    )


SCHEMA = Schema(name="numina-math", matches=_matches, drafts=_drafts)
