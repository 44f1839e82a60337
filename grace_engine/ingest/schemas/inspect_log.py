"""How does a sample of an Inspect log become a trace?

``input, target, messages, output, scores``: the prompt is ``input``, the trace the message in
``output``, whose content may have blocks of the type ``reasoning``. Each score is a label under its
scorer's name; the first that says right or wrong is ``is_correct``. The answer that a scorer read
is used where it stands in the reply and the reply marks none.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from grace_engine.errors import TraceRejected
from grace_engine.ingest.chats import Turn, draft_of, message_turn, turns_of
from grace_engine.ingest.drafts import (
    Draft,
    Fields,
    Schema,
    answer_text,
    kind_of,
    labels_in,
    mismatch,
)
from grace_engine.ingest.usual_names import verdict_of
from grace_engine.records import Answer, Label

_MARK = re.compile(r"\**\banswer\b[\s*:]*\Z", re.IGNORECASE)


def _matches(fields: Fields) -> bool:
    return "input" in fields and "target" in fields and isinstance(fields.get("output"), dict)


def _drafts(fields: Fields) -> Iterator[Draft]:
    output, asked = fields.get("output"), fields.get("input")
    if not isinstance(output, dict):
        raise mismatch(f"field 'output' is {kind_of(output)}, not an object")
    if any(turn.role == "tool" for turn in turns_of(fields.get("messages") or [], "messages")):
        detail = "tools were called before the trace; one message cannot tell what they returned"
        raise TraceRejected("has-tool-calls", detail)
    before = [Turn(role="user", text=asked)] if isinstance(asked, str) else turns_of(asked, "input")
    draft = draft_of([*before, _reply(output)], reference=_target(fields.get("target")))
    scores = fields.get("scores") or {}
    if not isinstance(scores, dict):
        raise mismatch(f"field 'scores' is {kind_of(scores)}, not an object")
    labels = {**labels_in(output, model="model"), **labels_in(fields, epoch="epoch")}
    yield _with_scores(draft, labels, scores)


def _reply(output: Mapping[str, object]) -> Turn:
    """The message of the first choice; the completion where there are no choices."""
    choices = output.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        message = choices[0].get("message")
        if isinstance(message, dict):
            return message_turn(message, "output.choices.0.message")
    completion = output.get("completion")
    return Turn(role="assistant", text=completion if isinstance(completion, str) else "")


def _target(value: object) -> str | None:
    """The target as text; the first of several, which are equally right; None for a blank one."""
    first = (value[0] if value else "") if isinstance(value, list) else value
    return answer_text("target", "" if first is None else first).strip() or None


def _with_scores(draft: Draft, labels: dict[str, Label], scores: Mapping[str, object]) -> Draft:
    apart = draft.apart
    for scorer, score in scores.items():
        if not isinstance(score, dict):
            raise mismatch(f"the score of {scorer!r} is {kind_of(score)}, not an object")
        value, read = score.get("value"), score.get("answer")
        parts = value.items() if isinstance(value, dict) else [("", value)]
        for part, each in parts:
            if isinstance(each, str | int | float):
                labels[f"{scorer}.{part}" if part else scorer] = each
        verdict = verdict_of(value)
        if verdict is not None:
            labels.setdefault("is_correct", verdict)
        found = _located(draft.text, read) if isinstance(read, str) else None
        if found and apart == draft.apart:
            apart = found
    return replace(draft, labels=labels, apart=apart)


def _located(text: str, answer: str) -> Answer | None:
    """The answer where it stands last in the reply, with ``ANSWER:`` before it as its mark."""
    reply = max(0, text.rfind("</think>"))
    wanted = answer.strip()
    places = re.finditer(rf"(?<!\w){re.escape(wanted)}(?!\w)", text[reply:]) if wanted else ()
    place = max((reply + found.start() for found in places), default=0)
    if not text[:place].strip():
        return None
    mark = _MARK.search(text, 0, place)
    end = place + len(wanted)
    return Answer(text=wanted, start=place, end=end, mark_start=mark.start() if mark else place)


SCHEMA = Schema(name="inspect", matches=_matches, drafts=_drafts)
