"""Where does a sentence end?

The rules are few and err towards one sentence too long: a sentence wrongly cut makes two broken
steps, two sentences in one step are still readable.
"""

import re
from collections.abc import Iterator, Sequence

from grace_engine.ingest.spans import Span, is_inside

# What closes after a terminator: quotes, brackets, bold type; before white space a formula, too.
_CLOSERS = "\"'”’»›」』｣）】》〉〕］)]}*_"
_CLOSING = rf"[{re.escape(_CLOSERS)}]*+"
_CLOSING_FORMULA = rf"[$\\{re.escape(_CLOSERS)}]*+"  # "$x = 3.$", "\\(x = 3.\\)"
# Latin terminators, with which Arabic and often Hindi end sentences, too, end one only before white
# space ("3.14", "example.com"); those of Chinese, Japanese, Hindi, Urdu and Arabic, anywhere. The
# semicolon parts clauses. The look-behind and the possessive quantifiers keep long runs linear.
_TERMINATOR = re.compile(
    rf"(?<![.!?])[.!?]++{_CLOSING_FORMULA}(?=\s|\Z)|(?P<wide>[。｡！？]++)(?P<closing>{_CLOSING})"
    rf"|[।॥؟۔]++{_CLOSING}|\n"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words whose full stop is never a sentence's.
_ABBREVIATIONS = _words(
    "e.g i.e cf vs viz fig figs eq eqs sq cu mr mrs ms dr prof st mt gen rep sen rev hon "
    "د أ.د ق.م डॉ प्रो रु"
)
# Words whose full stop ends a sentence unless a number follows.
_NUMBERED = _words("no nos sec ch p pp thm lem cor prop def ex rem vol ص नं पृ")
# Words whose full stop ends a sentence only if the next word does not begin in lower case.
_MAYBE_ABBREVIATIONS = _words(
    "etc al approx a.m p.m in ft yd mi lb lbs oz hr hrs min mins secs inc ltd co jr sr"
)
# After a single capital ("J. Smith", "point B. Since"), words that begin a sentence, not a name.
_OPENERS = _words(
    "the a an so then since therefore thus hence if when we it this that these those let now in on "
    "because but and for by from to as there they he she i you next also however"
)
_WORD_BEFORE = re.compile(r"\S*\Z")
_FIRST_WORD = re.compile(r"\s*\S+")
_WORD_AFTER = re.compile(r"\s*(\w*)")
_LONGEST_WORD = 40  # how far back a word is looked for
_LEADING_MARKS = "\"'“‘([{*_$"
_ENUMERATOR = re.compile(r"\s*\(?\d{1,3}[.)]+")
_INITIALS = re.compile(r"[^\W\d_](?:\.\w)*")  # "J", "U.S"


def sentence_ends(text: str, start: int, end: int, protected: Sequence[Span] = ()) -> Iterator[int]:
    """The positions in ``text[start:end]`` where sentences end; a line break ends one, too.

    Args:
        text: The whole reasoning.
        start: Where the first sentence begins.
        end: Where the last one ends at the latest.
        protected: Ordered, disjoint spans inside which no sentence ends.

    Yields:
        One past each sentence's last character; not ``end`` for a text that just stops.
    """
    begin = start
    for found in _TERMINATOR.finditer(text, start, end):
        if protected and is_inside(protected, found.end()):
            continue
        if found[0] == "\n" or not _goes_on(text, begin, end, found):
            begin = found.end()
            yield begin


def answer_sentence_end(text: str, start: int, end: int) -> int:
    """Where the sentence ends of which an answer at ``start`` is the rest; at most ``end``.

    An answer of one word ("B.", "18.") is neither an initial nor the number of a list.
    """
    first_word = _FIRST_WORD.match(text, start, end)
    for found in _TERMINATOR.finditer(text, start, end):
        one_word = first_word is not None and found.start() < first_word.end()
        word = _word_before(text, start, found.start())
        if one_word and word.lower() not in _ABBREVIATIONS and not found[0].startswith(".."):
            return found.end()
        if not _goes_on(text, start, end, found):
            return found.end()
    return end


def _goes_on(text: str, begin: int, end: int, found: re.Match[str]) -> bool:
    """Whether the sentence that began at ``begin`` goes on after these terminators."""
    if found["wide"]:
        # 「はい。」と言った: the text goes on after a quotation, whose end is not the sentence's.
        quoted = found["closing"].strip("*_")
        return bool(quoted) and text[found.end() : min(found.end() + 1, end)].isalpha()
    marks = found[0].rstrip(_CLOSERS + "$\\")
    if marks.startswith(".."):  # trails off
        return True
    if marks != ".":
        return False
    enumerator = _ENUMERATOR.match(text, begin, end)
    if enumerator and enumerator.end() >= found.end():
        return True
    word = _word_before(text, begin, found.start())
    after = _WORD_AFTER.match(text, found.end(), end)
    next_word = after[1] if after else ""
    folded = word.lower()
    if folded in _NUMBERED:
        return next_word[:1].isdigit()
    if folded in _ABBREVIATIONS:
        return True
    if folded in _MAYBE_ABBREVIATIONS:
        return next_word[:1].islower()
    if word[:1].isupper() and _INITIALS.fullmatch(word):
        return bool(next_word) and next_word.lower() not in _OPENERS
    return False


def _word_before(text: str, begin: int, stop: int) -> str:
    """The word that ends at ``stop``, without the quotes and brackets that open before it."""
    found = _WORD_BEFORE.search(text, max(begin, stop - _LONGEST_WORD), stop)
    return found[0].lstrip(_LEADING_MARKS) if found else ""
