"""Which pairs need no mathematics, because both sides are plain integers?"""

import re

from grace_engine.records import AnswerCheck, AnswerPair

# No leading zeros and no more digits than any parser keeps.
_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,2}(?:,\d{3}){1,4}|[1-9]\d{0,14})")


def check_quickly(pair: AnswerPair) -> AnswerCheck | None:
    """The verdict on two plain integers, thousands commas or not; None for all other pairs."""
    answer, reference = _integer(pair.answer), _integer(pair.reference)
    if answer is None or reference is None:
        return None
    return AnswerCheck(
        outcome="right" if answer == reference else "wrong", detail="compared as integers"
    )


def _integer(text: str) -> int | None:
    text = text[:40].strip() if len(text) < 40 else ""
    return int(text.replace(",", "")) if _INTEGER.fullmatch(text) else None
