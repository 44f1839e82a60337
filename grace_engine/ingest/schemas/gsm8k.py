"""How does a GSM8K row become a trace?

``question, answer``: the answer's lines are steps, its last line is ``#### N``. The answer is the
reference itself.
"""

from collections.abc import Iterator

from grace_engine.ingest.drafts import Draft, Fields, Schema, text_field


def _matches(fields: Fields) -> bool:
    answer = fields.get("answer")
    return isinstance(fields.get("question"), str) and isinstance(answer, str) and "####" in answer


def _drafts(fields: Fields) -> Iterator[Draft]:
    yield Draft(
        prompt=text_field(fields, "question"),
        text=text_field(fields, "answer"),
        is_reference=True,
        labels={"is_correct": True},
    )


SCHEMA = Schema(name="gsm8k", matches=_matches, drafts=_drafts)
