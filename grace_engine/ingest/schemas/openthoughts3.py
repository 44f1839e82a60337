"""How does an OpenThoughts3 row become a trace?

``difficulty, source, domain, conversations[{from, value}]``, where the reply holds ``<think>``.
"""

from collections.abc import Iterator

from grace_engine.ingest.chats import draft_of, is_chat, turns_of
from grace_engine.ingest.drafts import Draft, Fields, Schema, labels_in

_NAMES = ("difficulty", "source", "domain")


def _matches(fields: Fields) -> bool:
    chat = is_chat(fields.get("conversations"), "from", "value")
    return chat and all(name in fields for name in _NAMES)


def _drafts(fields: Fields) -> Iterator[Draft]:
    yield draft_of(
        turns_of(fields.get("conversations"), "conversations", "from", "value"),
        labels=labels_in(fields, difficulty="difficulty", source="source", subject="domain"),
    )


SCHEMA = Schema(name="openthoughts3", matches=_matches, drafts=_drafts)
