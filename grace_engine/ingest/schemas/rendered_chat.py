"""How does a chat that a template has rendered to one text become a trace?

A field that holds ``<|im_start|>user … <|im_end|>`` (ChatML, Qwen) or
``<|start_header_id|>user<|end_header_id|> … <|eot_id|>`` (Llama 3): its turns are taken apart, the
signs of the template are no part of them.
"""

import re
from collections.abc import Iterator

from grace_engine.ingest.chats import draft_of, turns_of
from grace_engine.ingest.drafts import Draft, Fields, Schema, mismatch, names_of
from grace_engine.ingest.usual_names import usual_labels, usual_reference

_NAMES = ("text", "conversation", "chat", "prompt", "content", "input", "sample")
_TURN = re.compile(
    r"<\|im_start\|>[ \t]*(?P<chatml>\w+)[ \t]*\n(?P<said>.*?)"
    r"(?:<\|im_end\|>|(?=<\|im_start\|>)|\Z)"
    r"|<\|start_header_id\|>[ \t]*(?P<llama>\w+)[ \t]*<\|end_header_id\|>\s*(?P<spoken>.*?)"
    r"(?:<\|e[ot][tm]_id\|>|<\|end_of_text\|>|(?=<\|start_header_id\|>)|\Z)",
    re.DOTALL,
)
_SIGNS = ("<|im_start|>", "<|start_header_id|>")


def _matches(fields: Fields) -> bool:
    return _name(fields) is not None


def _drafts(fields: Fields) -> Iterator[Draft]:
    name = _name(fields)
    if name is None:
        detail = f"no field holds a rendered chat with a reply; the record has {names_of(fields)}"
        raise mismatch(detail)
    yield draft_of(
        turns_of(_messages(str(fields[name])), name),
        reference=usual_reference(fields, but=name),
        labels=usual_labels(fields),
    )


def _name(fields: Fields) -> str | None:
    """The first usual field whose text is a chat in which the assistant has spoken."""
    return next((name for name in _NAMES if _is_rendered(fields.get(name))), None)


def _is_rendered(value: object) -> bool:
    if not isinstance(value, str) or not any(sign in value for sign in _SIGNS):
        return False
    said = {each["role"] for each in _messages(value) if each["content"] not in ("", "<think>")}
    return {"user", "assistant"} <= said


def _messages(text: str) -> list[dict[str, str]]:
    return [
        {
            "role": found["chatml"] or found["llama"],
            "content": (found["said"] or found["spoken"] or "").strip(),
        }
        for found in _TURN.finditer(text)
    ]


SCHEMA = Schema(name="rendered-chat", matches=_matches, drafts=_drafts)
