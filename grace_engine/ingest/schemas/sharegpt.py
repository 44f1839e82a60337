"""How does a ShareGPT conversation become a trace?

``conversations[{from, value}]``, or with ``role`` and ``content``; a ``system`` text may stand
beside it.
"""

from collections.abc import Iterator

from grace_engine.ingest.chats import Turn, draft_of, is_chat, turns_of
from grace_engine.ingest.drafts import Draft, Fields, Schema
from grace_engine.ingest.schemas import openthoughts, openthoughts3, reasoned_reply, steps_list
from grace_engine.ingest.usual_names import usual_labels, usual_reference

_NAME = "conversations"
# They know more of such a chat, or find more in a record that holds one.
_RICHER = (
    openthoughts.SCHEMA,
    openthoughts3.SCHEMA,
    reasoned_reply.SCHEMA,
    steps_list.SCHEMA,
)


def _matches(fields: Fields) -> bool:
    chat = fields.get(_NAME)
    shaped = is_chat(chat, "from", "value") or is_chat(chat, "role", "content")
    return shaped and not any(schema.matches(fields) for schema in _RICHER)


def _drafts(fields: Fields) -> Iterator[Draft]:
    chat = fields.get(_NAME)
    keys = ("role", "content") if is_chat(chat, "role", "content") else ("from", "value")
    turns = turns_of(chat, _NAME, *keys)
    system = fields.get("system")
    if isinstance(system, str) and system.strip():
        turns.insert(0, Turn(role="system", text=system))
    yield draft_of(turns, reference=usual_reference(fields), labels=usual_labels(fields))


SCHEMA = Schema(name="sharegpt", matches=_matches, drafts=_drafts)
