"""How does an OpenThoughts row become a trace?

``system, conversations[{from, value}]`` with ``<|begin_of_thought|>`` and
``<|begin_of_solution|>``. These tags give way to think tags, so that templates know the reasoning;
the system text, the same in every row, only asks for them and is left out.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from grace_engine.errors import TraceRejected
from grace_engine.ingest.chats import Turn, draft_of, is_chat, turns_of
from grace_engine.ingest.drafts import Draft, Fields, Schema
from grace_engine.ingest.usual_names import usual_labels, usual_reference

_BEGIN = "<|begin_of_thought|>"
_TAGGED = re.compile(
    r"\s*<\|begin_of_thought\|>(.*?)<\|end_of_thought\|>"
    r"\s*<\|begin_of_solution\|>(.*?)(?:<\|end_of_solution\|>\s*)?\Z",
    re.DOTALL,
)


def _matches(fields: Fields) -> bool:
    chat = fields.get("conversations")
    return is_chat(chat, "from", "value") and any(
        isinstance(text := turn.get("value"), str) and _BEGIN in text
        for turn in chat  # type: ignore[attr-defined]
    )


def _drafts(fields: Fields) -> Iterator[Draft]:
    turns = turns_of(fields.get("conversations"), "conversations", "from", "value")
    yield draft_of(
        [_parted(turn) for turn in turns if turn.role != "system"],
        reference=usual_reference(fields),
        labels=usual_labels(fields),
    )


def _parted(turn: Turn) -> Turn:
    """The turn with its reasoning apart."""
    found = _TAGGED.match(turn.text)
    if found:
        return replace(turn, reasoning=found[1], text=found[2])
    if _BEGIN in turn.text:
        detail = f"the thought or the solution is not closed; the text ends {turn.text[-60:]!r}"
        raise TraceRejected("reasoning-not-closed", detail)
    return turn


SCHEMA = Schema(name="openthoughts", matches=_matches, drafts=_drafts)
