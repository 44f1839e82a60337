"""What does a judge's reply say, and when is it of no use?"""

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from grace_engine.judging.prompts import TYPES

_MOST_CLAIMS, _LONGEST_REASON = 60, 400
_FENCE = re.compile(r"```[a-zA-Z]*\s*\n(.*?)```", re.DOTALL)
_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "−": "-", "–": "-"})


class InvalidReplyError(Exception):
    """A reply that cannot be used; its text is a part of a sentence that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Atoms:
    """A step in its parts.

    Attributes:
        claims: Its atomic claims, in order.
        types: What each is, one of ``TYPES``.
        premises: What of the question it rests on.
    """

    claims: tuple[str, ...]
    types: tuple[str, ...]
    premises: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A label with its reason.

    Attributes:
        is_positive: The label.
        at_fault: Numbers, from 1, of the claims that fail.
        reason: On one line.
    """

    is_positive: bool
    at_fault: tuple[int, ...]
    reason: str


def read_atoms(reply: str, step: str, question: str) -> Atoms:
    """The claims of a step, each of which stands in it.

    A premise that does not stand in the question is left out: it would be the judge's own, and
    nothing but help to read.

    Raises:
        InvalidReplyError: It is not such a list, or a claim does not stand in the step.
    """
    document = _object(reply)
    listed = document.get("claims")
    if not isinstance(listed, list) or not listed:
        raise InvalidReplyError("it has no list of claims")
    if len(listed) > _MOST_CLAIMS:
        raise InvalidReplyError(f"it has more than {_MOST_CLAIMS} claims")
    claims, types, within = [], [], _folded(step)
    for number, each in enumerate(listed, start=1):
        text = each.get("text") if isinstance(each, dict) else None
        kind = each.get("type") if isinstance(each, dict) else None
        if not isinstance(text, str) or not text.strip():
            raise InvalidReplyError(f"claim {number} has no text")
        if not isinstance(kind, str) or kind.strip().lower() not in TYPES:
            raise InvalidReplyError(f"the type of claim {number} is none of {', '.join(TYPES)}")
        if _folded(text) not in within:
            raise InvalidReplyError(f"claim {number} does not stand in the step as it is copied")
        claims.append(" ".join(text.split()))
        types.append(kind.strip().lower())
    given = document.get("premises", [])
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise InvalidReplyError("its premises are no list of texts")
    asked = _folded(question)
    premises = [" ".join(each.split()) for each in given if each.strip() and _folded(each) in asked]
    return Atoms(claims=tuple(claims), types=tuple(types), premises=tuple(premises[:_MOST_CLAIMS]))


def read_verdict(reply: str, n_claims: int) -> Verdict:
    """The label of a step.

    Raises:
        InvalidReplyError: It is none, or contradicts itself.
    """
    document = _object(reply)
    label = document.get("label")
    label = label.strip().lower() if isinstance(label, str) else label
    if label not in ("positive", "negative"):
        raise InvalidReplyError("its label is neither positive nor negative")
    claims = document.get("claims", [])
    if not isinstance(claims, list) or not all(_is_number(each, n_claims) for each in claims):
        raise InvalidReplyError(f"its claims are no list of numbers from 1 to {n_claims}")
    if claims and label == "positive":
        raise InvalidReplyError("its label is positive, and it names claims that fail")
    reason = document.get("reason", "")
    if not isinstance(reason, str):
        raise InvalidReplyError("its reason is no text")
    reason = _plain(reason)
    if len(reason) > _LONGEST_REASON:
        reason = f"{reason[: _LONGEST_REASON - 1]}…"
    return Verdict(
        is_positive=label == "positive", at_fault=tuple(sorted(set(claims))), reason=reason
    )


def _object(reply: str) -> dict[str, Any]:
    """The JSON object of a reply, also in a code fence, among words, or after thoughts."""
    said = reply.rpartition("</think>")[2]
    places = [match[1] for match in _FENCE.finditer(said)] or [said]
    for text in places:
        begin = text.find("{")
        if begin < 0:
            continue
        try:
            found = json.JSONDecoder(parse_constant=_refuse).raw_decode(text, begin)[0]
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    raise InvalidReplyError("it holds no whole JSON object")


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _is_number(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _folded(text: str) -> str:
    """Text as far as a copy has to agree: white space, letter case and kinds of quotes aside."""
    known = unicodedata.normalize("NFKC", text).translate(_QUOTES).casefold()
    return "".join(known.split()).strip(".,;:!?\"'")


def _plain(text: str) -> str:
    line = " ".join(text.split())
    return "".join(sign for sign in line if unicodedata.category(sign)[0] != "C")
