"""How does a row that only poses a problem become one?

``prompt`` and ``answer``, or their usual other names (``question``, ``ground_truth``, ``solution``,
…), where the answer is bare: one short line, no reasoning that ends in it. The prompt is a text or
a chat that ends with the user; open-instruct has it in ``messages``. Every other single value is a
label.
"""

import unicodedata
from collections.abc import Iterator

from grace_engine.ingest.chats import Turn, is_chat, prompt_of, turns_of
from grace_engine.ingest.drafts import (
    Fields,
    ProblemDraft,
    Schema,
    answer_text,
    mismatch,
    names_of,
)
from grace_engine.ingest.field_names import name_points
from grace_engine.ingest.schemas import (
    dapo,
    gsm8k,
    limo,
    math,
    numina_math,
    reasoned_reply,
    rendered_chat,
    steps_list,
)
from grace_engine.ingest.usual_names import (
    PROMPTS,
    REASONINGS,
    REFERENCES,
    RESPONSES,
    answer_of_text,
    first_text,
    prompt_text,
    single_labels,
)

# They know such a record, or find a trace in it.
_RICHER = tuple(
    module.SCHEMA
    for module in (dapo, gsm8k, limo, math, numina_math, reasoned_reply, rendered_chat, steps_list)
)
_CHATS = ("prompt", "messages")
# Answers that name one of these say nothing without them.
_CHOICES = ("choices", "options")
_LONGEST_OTHER = 200


def _matches(fields: Fields) -> bool:
    asked, right = _asked(fields), _right(fields)
    if not asked or not right or not _is_bare(fields[right]):
        return False
    others = {name: value for name, value in fields.items() if name not in (asked, right)}
    if any(_tells_more(name, value) for name, value in others.items()):
        return False
    return not any(schema.matches(fields) for schema in _RICHER)


def _drafts(fields: Fields) -> Iterator[ProblemDraft]:
    asked, right = _asked(fields), _right(fields)
    if not asked:
        raise mismatch(f"no prompt under a usual name; the record has {names_of(fields)}")
    turns = _turns(fields, asked)
    text = answer_text(right, fields[right]) if right else ""
    yield ProblemDraft(
        prompt=prompt_of(turns),
        reference=(answer_of_text(text) or text) if text.strip() else None,
        labels=single_labels(fields, but=(asked, right)),
        images=tuple(image for turn in turns for image in turn.images),
    )


def _asked(fields: Fields) -> str:
    """The field of the prompt; "" where there is none, or a chat that has its reply."""
    for name in _CHATS:
        chat = fields.get(name)
        if is_chat(chat, "role", "content") and isinstance(chat, list):
            return name if chat[-1].get("role") in ("user", "human") else ""
    return first_text(fields, PROMPTS) or ""


def _turns(fields: Fields, asked: str) -> list[Turn]:
    if isinstance(fields[asked], str):
        return [Turn(role="user", text=prompt_text(fields, asked))]
    return turns_of(fields[asked], asked)


def _right(fields: Fields) -> str:
    """The field of the answer that is held to be right; "" where there is none."""
    return next((name for name in REFERENCES if _is_single(fields.get(name))), "")


def _is_single(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _is_bare(value: object) -> bool:
    """Whether an answer is one short line, or one in a box, and announces no other by a mark."""
    if not isinstance(value, str):
        return True
    text = value.strip()
    inside = text.strip("$")
    boxed = inside.startswith("\\boxed{") and inside.endswith("}") and "\n" not in inside
    return bool(text) and (boxed or answer_of_text(text) == text)


def _tells_more(name: str, value: object) -> bool:
    """Whether a field may hold a trace, or something that the prompt does not say."""
    if name in RESPONSES or name in REASONINGS or name.lower() in _CHOICES:
        return True
    if isinstance(value, str):
        text = value.strip()
        more = any(sign.isspace() for sign in text) or _n_unspaced(text) > 1
        return len(value) > _LONGEST_OTHER or (more and name_points("trace", name) > 0)
    return isinstance(value, list | dict) and name_points("trace", name) > 0


def _n_unspaced(text: str) -> int:
    """Letters of scripts without case, such as Han and kana, whose words no spaces part."""
    return sum(unicodedata.category(sign) == "Lo" for sign in text)


SCHEMA = Schema(name="problem", matches=_matches, drafts=_drafts, share=0.9)
