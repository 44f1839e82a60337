"""Which turn of a chat is the trace, and what was it asked?

The last assistant turn with reasoning is the trace, or the last one where none has any; what
follows it is left. A trace is trained as one user's and one assistant's message, so all that
precedes it becomes its prompt: after a single user turn, that turn's text, with a system text above
it as Gemma's templates put it; after more turns, those texts under ``User:`` and ``Assistant:``.
Earlier reasoning is left out, as chat templates do. A chat with tools is refused: what they
returned cannot be told in such a prompt.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from grace_engine.errors import TraceRejected
from grace_engine.ingest.drafts import Draft, kind_of, mismatch
from grace_engine.ingest.thinking import refuse_unclosed, reply_of, thought
from grace_engine.ingest.usual_names import REASONINGS
from grace_engine.records import Label

_SYSTEM, _USER, _ASSISTANT, _TOOL = "system", "user", "assistant", "tool"
_ROLES = {
    _SYSTEM: ("system", "developer"),
    _USER: ("user", "human", "prompter"),
    _ASSISTANT: ("assistant", "gpt", "chatgpt", "model", "bot", "ai", "bard", "bing"),
    _TOOL: ("tool", "function", "function_call", "function_response", "observation", "ipython"),
}
_ROLE_OF = {name: role for role, names in _ROLES.items() for name in names}
_HEADINGS = {_SYSTEM: "", _USER: "User: ", _ASSISTANT: "Assistant: "}
_TEXTS, _IMAGES = ("text", "input_text", "output_text"), ("image", "image_url", "input_image")
_THOUGHTS = ("reasoning", "thinking")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message of a chat.

    Attributes:
        role: ``system``, ``user``, ``assistant`` or ``tool``.
        text: What is said; "" for nothing.
        reasoning: What was thought before, where the message keeps it apart; "" for nothing.
        images: References to its images.
    """

    role: str
    text: str
    reasoning: str = ""
    images: tuple[str, ...] = ()

    @property
    def reasons(self) -> bool:
        """Whether it holds reasoning, apart or between tags."""
        return bool(self.reasoning.strip()) or "</think>" in self.text


def is_chat(value: object, role: str, content: str) -> bool:
    """Whether a value is a list of messages whose keys have these names."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, dict) and role in each for each in value)
        and any(content in each for each in value)
    )


def turns_of(value: object, where: str, role: str = "role", content: str = "content") -> list[Turn]:
    """The messages of a chat.

    Args:
        value: The chat, a list of objects.
        where: Name of its field, for what is said of a fault.
        role: Key of the speaker.
        content: Key of what is said: a text, null, or a list of blocks with a ``type``.

    Raises:
        TraceRejected: ``schema-mismatch`` when it is no such list.
    """
    if not isinstance(value, list):
        raise mismatch(f"field {where!r} is {kind_of(value)}, not a list of messages")
    turns = []
    for number, message in enumerate(value):
        at = f"{where}.{number}"
        if not isinstance(message, dict):
            raise mismatch(f"{at} is {kind_of(message)}, not a message")
        speaker = message.get(role)
        if not isinstance(speaker, str) or speaker.lower() not in _ROLE_OF:
            raise mismatch(f"{at}.{role} is {str(speaker)[:40]!r}, not a known speaker")
        known = _TOOL if message.get("tool_calls") else _ROLE_OF[speaker.lower()]
        turns.append(message_turn(message, at, known, content))
    return turns


def message_turn(
    message: Mapping[str, object], at: str, role: str = _ASSISTANT, content: str = "content"
) -> Turn:
    """One message whose speaker is known; raises as ``turns_of``."""
    apart = next((each for name in REASONINGS if isinstance(each := message.get(name), str)), "")
    said = message.get(content)
    if isinstance(said, str) or said is None:
        return Turn(role=role, text=said or "", reasoning=apart)
    if not isinstance(said, list):
        raise mismatch(f"{at}.{content} is {kind_of(said)}, not text or a list of blocks")
    texts: list[str] = []
    images: list[str] = []
    thoughts = [apart] if apart else []
    for kind, value in _blocks(said, f"{at}.{content}"):
        (texts if kind in _TEXTS else images if kind in _IMAGES else thoughts).append(value)
    return Turn(
        role=role,
        text="\n\n".join(texts),
        reasoning="\n\n".join(thoughts),
        images=tuple(images),
    )


def draft_of(
    turns: list[Turn],
    *,
    reference: str | None = None,
    labels: Mapping[str, Label] | None = None,
) -> Draft:
    """The trace of a chat.

    Raises:
        TraceRejected: ``no-assistant-turn``, ``has-tool-calls`` or ``reasoning-not-closed``.
    """
    spoken = [i for i, turn in enumerate(turns) if turn.role == _ASSISTANT and _says(turn)]
    if not spoken:
        raise TraceRejected("no-assistant-turn", "no turn of the chat is the assistant's")
    at = next((i for i in reversed(spoken) if turns[i].reasons), spoken[-1])
    before, turn = turns[:at], turns[at]
    text = thought(turn.reasoning, turn.text)
    refuse_unclosed(text)
    return Draft(
        prompt=prompt_of(before),
        text=text,
        apart=reply_of(text),
        reference=reference,
        labels=labels or {},
        images=tuple(image for each in before for image in each.images),
    )


def prompt_of(turns: list[Turn]) -> str:
    """The turns as one user's message; "" where no user speaks.

    Raises:
        TraceRejected: ``has-tool-calls``.
    """
    roles = [turn.role for turn in turns]
    if _TOOL in roles:
        detail = "tools were called before the trace; one message cannot tell what they returned"
        raise TraceRejected("has-tool-calls", detail)
    if _USER not in roles:
        return ""
    headed = roles.count(_USER) > 1 or _ASSISTANT in roles
    return "\n\n".join(
        (_HEADINGS[turn.role] if headed else "") + _without_reasoning(turn)
        for turn in turns
        if turn.text.strip()
    )


def _says(turn: Turn) -> bool:
    return bool(turn.text.strip() or turn.reasoning.strip())


def _without_reasoning(turn: Turn) -> str:
    if turn.role != _ASSISTANT or "</think>" not in turn.text:
        return turn.text
    return turn.text.rpartition("</think>")[2].strip()


def _blocks(blocks: list[object], where: str) -> Iterator[tuple[str, str]]:
    """Kind and value of content blocks; encrypted reasoning is none."""
    for number, block in enumerate(blocks):
        if isinstance(block, str):
            yield "text", block
            continue
        kind = block.get("type") if isinstance(block, dict) else None
        if not isinstance(block, dict) or kind not in (*_TEXTS, *_IMAGES, *_THOUGHTS):
            seen = kind_of(block) if kind is None else f"of type {str(kind)[:40]!r}"
            raise mismatch(f"{where}.{number} is {seen}, not text, reasoning or an image")
        if block.get("redacted"):
            continue
        if kind in _IMAGES:
            value = block.get("image_url", block.get("image"))
            value = value.get("url") if isinstance(value, dict) else value
        else:
            value = block.get("text" if kind in _TEXTS else str(kind))
        if not isinstance(value, str):
            raise mismatch(f"{where}.{number} holds {kind_of(value)}, not text")
        yield str(kind), value
