"""How does a MetaMathQA row become a trace?

``query, response, type, original_question``: the response is a model's, whose last lines are
``#### N`` and ``The answer is: N``. The original question, of which the query may be a rewording,
is left where it is.
"""

from collections.abc import Iterator

from grace_engine.ingest.drafts import Draft, Fields, Schema, labels_in, text_field
from grace_engine.ingest.schemas import reasoned_reply, steps_list

# They find more in a record that holds such a response beside it.
_RICHER = (reasoned_reply.SCHEMA, steps_list.SCHEMA)


def _matches(fields: Fields) -> bool:
    texts = (fields.get("query"), fields.get("response"), fields.get("original_question"))
    shaped = all(isinstance(text, str) for text in texts)
    return shaped and not any(schema.matches(fields) for schema in _RICHER)


def _drafts(fields: Fields) -> Iterator[Draft]:
    yield Draft(
        prompt=text_field(fields, "query"),
        text=text_field(fields, "response"),
        labels=labels_in(fields, type="type"),
    )


SCHEMA = Schema(name="metamath", matches=_matches, drafts=_drafts)
