"""How does an s1K row become a trace?

``question, solution, thinking_trajectories[], attempt``: the trajectory is the reasoning, the
attempt the reply. The reference is the answer that the solution states.
"""

from collections.abc import Iterator

from grace_engine.ingest.drafts import Draft, Fields, Schema, labels_in, mismatch, text_field
from grace_engine.ingest.thinking import reply_of, thought
from grace_engine.ingest.usual_names import answer_of_text


def _matches(fields: Fields) -> bool:
    thoughts = fields.get("thinking_trajectories")
    return isinstance(fields.get("question"), str) and isinstance(thoughts, list)


def _drafts(fields: Fields) -> Iterator[Draft]:
    thoughts = fields.get("thinking_trajectories")
    if not isinstance(thoughts, list) or [type(each) for each in thoughts] != [str]:
        detail = "field 'thinking_trajectories' is not a list of one text, that of the attempt"
        raise mismatch(detail)
    text = thought(thoughts[0], text_field(fields, "attempt"))
    yield Draft(
        prompt=text_field(fields, "question"),
        text=text,
        apart=reply_of(text),
        reference=answer_of_text(text_field(fields, "solution")),
        labels=labels_in(fields, source="source_type", subject="cot_type"),
    )


SCHEMA = Schema(name="s1k", matches=_matches, drafts=_drafts)
