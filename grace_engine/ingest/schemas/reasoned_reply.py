"""How does a prompt with a reasoned reply become a trace?

``prompt`` and ``response``, or their usual other names, each a text or a list of messages. The
reasoning stands in the reply up to ``</think>``, with or without the opening tag, or in a field of
its own (``reasoning_content``, ``thinking``).
"""

from collections.abc import Iterator

from grace_engine.ingest.chats import Turn, draft_of, is_chat, turns_of
from grace_engine.ingest.drafts import Draft, Fields, Schema, mismatch, names_of
from grace_engine.ingest.schemas import (
    inspect_log,
    mmathcot,
    openr1_math,
    rendered_chat,
    steps_list,
)
from grace_engine.ingest.usual_names import (
    PROMPTS,
    REASONINGS,
    RESPONSES,
    first_text,
    prompt_text,
    usual_labels,
    usual_reference,
)

# They find more in a record that holds such a reply.
_RICHER = (
    inspect_log.SCHEMA,
    mmathcot.SCHEMA,
    openr1_math.SCHEMA,
    rendered_chat.SCHEMA,
    steps_list.SCHEMA,
)
# Beside reasoning in a field of its own, "answer" is the bare answer and "content" the reply.
_REPLIES = ("content", *(name for name in RESPONSES if name != "answer"))


def _matches(fields: Fields) -> bool:
    prompt, reply = _prompt_name(fields), _reply_name(fields)
    if prompt is None or reply is None or any(schema.matches(fields) for schema in _RICHER):
        return False
    return first_text(fields, REASONINGS) is not None or "</think>" in str(fields[reply])


def _drafts(fields: Fields) -> Iterator[Draft]:
    prompt, reply = _prompt_name(fields), _reply_name(fields)
    if prompt is None or reply is None:
        missing = "prompt" if prompt is None else "reply"
        detail = f"no {missing} under a usual name; the record has {names_of(fields)}"
        raise mismatch(detail)
    apart = first_text(fields, REASONINGS)
    said = fields[reply]
    if isinstance(said, str):
        reasoning = str(fields[apart]) if apart and "</think>" not in said else ""
        replied = [Turn(role="assistant", text=said, reasoning=reasoning)]
    else:
        replied = turns_of(said, reply)
    asked = fields[prompt]
    if isinstance(asked, str):
        before = [Turn(role="user", text=prompt_text(fields, prompt))]
    else:
        before = turns_of(asked, prompt)
    yield draft_of(
        [*before, *replied],
        reference=usual_reference(fields, but=reply),
        labels=usual_labels(fields),
    )


def _prompt_name(fields: Fields) -> str | None:
    return next((name for name in PROMPTS if _speaks(fields.get(name))), None)


def _reply_name(fields: Fields) -> str | None:
    """The field of the reply: one with reasoning in it goes before others."""
    apart = first_text(fields, REASONINGS) is not None
    names = [name for name in (_REPLIES if apart else RESPONSES) if _speaks(fields.get(name))]
    tagged = (name for name in names if "</think>" in str(fields[name]))
    return next(tagged, names[0] if names else None)


def _speaks(value: object) -> bool:
    return isinstance(value, str) or is_chat(value, "role", "content")


SCHEMA = Schema(name="reasoned-reply", matches=_matches, drafts=_drafts)
