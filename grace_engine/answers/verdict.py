r"""Is an answer the same as its reference, by math-verify, by letter, or by words?

Only the worker process calls this: math-verify may hang, and takes seconds to load.
"""

import re

from math_verify import (
    ExprExtractionConfig,
    LatexExtractionConfig,
    StringExtractionConfig,
    parse,
    verify,
)

from grace_engine.answers import reading
from grace_engine.records import AnswerCheck, AnswerPair
from grace_engine.records.answers import Side

_MATH = (LatexExtractionConfig(), ExprExtractionConfig())
_LETTERS = (StringExtractionConfig(strings=reading.LETTERS),)
# Formulas that say themselves where they begin.
_DELIMITED = re.compile(r"\\[(\[]|\\boxed|(?<!\\)\$.*(?<!\\)\$", re.DOTALL)
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?!\d)")
_PI = re.compile(r"(?<![\\A-Za-z])pi(?![A-Za-z])")
# A command with the name or words that it is given, which stay as they are, or a run of words.
_PROSE = re.compile(
    r"\\[A-Za-z]+(?:\s*\{[A-Za-z\s*]*\})?|"
    r"(?P<words>(?:of (?:an? )?)?[A-Za-z]{3,}(?:[ -][A-Za-z]+)*)"
)


def judge(pair: AnswerPair) -> AnswerCheck:
    """The verdict on a pair, however long it takes."""
    reference, answer = reading.find(pair.reference), reading.find(pair.answer)
    for side, found in (("reference", reference), ("answer", answer)):
        if found.fault:
            return _unread(side, found.fault)  # type: ignore[arg-type]
    if letter := reading.letter(reference.text):
        return _by_letter(answer.text, letter)
    words, wanted = reading.as_words(answer.text), reading.as_words(reference.text)
    if words != wanted and reading.is_placeholder(reference.text):
        return _unread("reference", f"{reference.text!r} says that there is no answer")
    if reading.is_words(reference.text):
        if words != wanted and not answer.marked and len(words) > 10 * len(wanted):
            return _unread("answer", "a text that marks no answer")
        return _check(words == wanted, "compared as text")
    return _by_mathematics(answer.text, reference.text, same_text=words == wanted)


def _by_letter(answer: str, wanted: str) -> AnswerCheck:
    found = reading.letter(answer)
    if not found:
        text = re.sub(r"[()\[\]]", " ", reading.undressed(answer))
        letters = _parse(text, _LETTERS)
        if not letters:
            return _unread("answer", "no letter from A to J in it")
        found = str(letters[0]).upper()
    return _check(found == wanted, "compared as letters")


def _by_mathematics(answer: str, reference: str, *, same_text: bool) -> AnswerCheck:
    gold = _mathematics(reference)
    found = _mathematics(answer) if gold else []
    if not (gold and found):
        if same_text:
            return _check(True, "the same text, which math-verify cannot read")
        return _unread("answer" if gold else "reference", "math-verify finds nothing in it")
    try:
        return _check(verify(gold, found, timeout_seconds=None, raise_on_error=True), "math-verify")
    except MemoryError:
        raise
    except Exception as fault:  # noqa: BLE001 - math-verify's own word for it is "not equal"
        return _check(False, f"math-verify cannot compare them ({type(fault).__name__})")


def _mathematics(answer: str) -> list[object]:
    r"""What math-verify reads in an answer.

    A bare formula goes in a box, so that it is read as a whole: of ``3\frac12`` alone it would take
    the half, of ``1,2`` the number 1.2. Words after a formula, such as units, are set as words.
    Words in front make it a sentence, of which math-verify takes the last number.
    """
    opening = _PROSE.match(answer)
    sentence = bool(opening and opening["words"] and reading.is_words(opening["words"]))
    if sentence or _DELIMITED.search(answer):
        found = _parse(answer, _MATH)
        if found:
            return found
    answer = _THOUSANDS.sub(lambda found: re.sub(r"\s", "", found[0]), answer)
    answer = _PROSE.sub(_set_as_words, _PI.sub(r"\\pi ", answer))
    return _parse(rf"\boxed{{{answer}}}", _MATH)


def _set_as_words(found: re.Match[str]) -> str:
    words = found["words"]
    return rf"\text{{ {words} }}" if words and reading.is_words(words) else found[0]


def _parse(text: str, targets: tuple[object, ...]) -> list[object]:
    try:
        found: list[object] = parse(
            text, targets, fallback_mode="no_fallback", parsing_timeout=None, raise_on_error=True
        )
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - so does math-verify where it may not raise
        return []
    return found


def _check(right: bool, detail: str) -> AnswerCheck:
    return AnswerCheck(outcome="right" if right else "wrong", detail=detail)


def _unread(side: Side, detail: str) -> AnswerCheck:
    return AnswerCheck(outcome="not parsed", side=side, detail=detail)
