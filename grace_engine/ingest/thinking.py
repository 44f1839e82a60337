"""How do reasoning and the visible reply become one text?

Where a record keeps them apart, the text is ``<think>``, the reasoning, ``</think>`` and the reply,
each on lines of its own: the tags and the white space around them are the studio's, every other
character is the record's. A text with tags of its own stays as it is, with or without the first.
"""

from grace_engine.errors import TraceRejected
from grace_engine.ingest.answer_marks import bare
from grace_engine.ingest.spans import trimmed
from grace_engine.records import Answer

_OPENED, _CLOSED = "<think>", "</think>"


def thought(reasoning: str, reply: str) -> str:
    """One text of reasoning and the reply that follows it; the reply alone without reasoning."""
    if not reasoning.strip():
        return reply
    return f"{_OPENED}\n{reasoning.strip()}\n{_CLOSED}\n\n{reply.strip()}"


def reply_of(text: str) -> Answer | None:
    """All that follows the last ``</think>``, as an answer set apart; None where nothing does.

    What wraps it, as in ``**42**``, belongs to its mark.

    For ``Draft.apart``, which yields to an answer that the reply itself marks.
    """
    tag = text.rfind(_CLOSED)
    start, end = bare(text, tag + len(_CLOSED), len(text))
    if tag < 0 or start == end:
        return None
    mark, _ = trimmed(text, tag + len(_CLOSED), len(text))
    return Answer(text=text[start:end], start=start, end=end, mark_start=mark)


def refuse_unclosed(text: str) -> None:
    """Refuse reasoning that breaks off, whose last marked result would pass for an answer.

    Raises:
        TraceRejected: ``reasoning-not-closed``.
    """
    if text.rfind(_OPENED) > text.rfind(_CLOSED):
        detail = f"<think> is never closed; the text ends {text[-60:]!r}"
        raise TraceRejected("reasoning-not-closed", detail)
