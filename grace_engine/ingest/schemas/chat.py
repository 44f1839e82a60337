"""How does a chat in OpenAI's form become a trace?

``messages[{role, content, reasoning_content}]``, where ``content`` is a text or a list of blocks.
"""

from collections.abc import Iterator

from grace_engine.ingest.chats import draft_of, is_chat, turns_of
from grace_engine.ingest.drafts import Draft, Fields, Schema
from grace_engine.ingest.schemas import (
    inspect_log,
    math,
    numina_math,
    openr1_math,
    problem,
    reasoned_reply,
    steps_list,
)
from grace_engine.ingest.usual_names import usual_labels, usual_reference

# They find more in a record that holds the same chat beside fields of its own.
_RICHER = (
    inspect_log.SCHEMA,
    math.SCHEMA,
    numina_math.SCHEMA,
    openr1_math.SCHEMA,
    problem.SCHEMA,
    reasoned_reply.SCHEMA,
    steps_list.SCHEMA,
)


def _matches(fields: Fields) -> bool:
    chat = is_chat(fields.get("messages"), "role", "content")
    return chat and not any(schema.matches(fields) for schema in _RICHER)


def _drafts(fields: Fields) -> Iterator[Draft]:
    yield draft_of(
        turns_of(fields.get("messages"), "messages"),
        reference=usual_reference(fields),
        labels=usual_labels(fields),
    )


SCHEMA = Schema(name="chat", matches=_matches, drafts=_drafts)
