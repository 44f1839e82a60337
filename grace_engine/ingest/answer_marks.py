r"""Where in a text does its final answer stand?

Marks that are hardly ever anything else decide first: ``####``, ``†Answer:``, ``\boxed{…}``. Where
none of them stands, ``A:`` and ``Answer:`` at the start of a line (they may list a choice or open
an explanation) and "the answer is" (it may be an aside), also in Chinese, Arabic and Hindi, count.
Among marks of equal standing the last one wins.
"""

import re

from grace_engine.ingest.sentences import answer_sentence_end
from grace_engine.ingest.spans import Span, trimmed
from grace_engine.records import Answer

_HASHES = "####"
_WORD_WITH_DIGIT = re.compile(r"\s*(?=\D*\d)\S+\s*\Z")
_NOT_SPACE = re.compile(r"\S")
_DAGGER = re.compile(r"†[ \t]*Answer[ \t]*:")
_CLOSING_TAG = "</think>"

# An opened box, a brace, or an escaped character, whose brace does not count.
_BOX_PARTS = re.compile(r"\\boxed\s*\{|\\.|[{}]", re.DOTALL)

_CUE_WORDS = r"\bthe\s+(?:(?:final|correct)\s+)?answer\s+is\b"
# The same in Chinese, Arabic and Hindi. Not cues: what only asks (答案是什么, 答案为什么) or judges
# (答案是错的), and a Hindi verb that ends its sentence ("18 सही उत्तर है।"): no answer follows.
_CHINESE = (
    r"(?:最终|最后|正确)?的?答案(?:应该|应当)?[ \t]*"
    r"(?:应?[为為是](?!什|甚|何|多少|否|不[对對是]|错|錯|对的|對的|正确|怎|哪|几)|(?=[:：]))"
)
_ARABIC = (
    r"(?<!\w)[وف]?(?:الجواب|الإجابة|الاجابة)(?:\s+(?:النهائي|الصحيح)ة?)?"
    r"(?:\s+(?:هو|هي)\b|(?=\s*[:：]))"
)
_HINDI = r"(?<!\w)(?:(?:सही|अंतिम)\s+)?उत्तर(?:\s+है(?=\s*[:：]|[ \t]+[^\s।.?!])|(?=\s*[:：]))"
_FOREIGN_CUE_WORDS = rf"(?:{_CHINESE}|{_ARABIC}|{_HINDI})"
_NO_QUESTION = r"(?![^\n。！!।.؟？?]{0,80}[؟？?])"
_CUE = re.compile(_CUE_WORDS, re.IGNORECASE)
_ANY_CUE = re.compile(rf"{_CUE_WORDS}|{_FOREIGN_CUE_WORDS}{_NO_QUESTION}", re.IGNORECASE)
# After the cue: a colon, and line breaks, since "The answer is:" often ends its line.
_AFTER_CUE = re.compile(r"\s*[:：]?\s*")

# "Answer: 42", "Final Answer: 42", "**Answer:** 42", "### **Final answer**: 42" on a line.
_ANSWER_WORD = (
    r"^[ \t]*(?:\#{1,6}[ \t]*)?(?:\*\*)?(?:final[ \t]+)?answer[ \t]*(?:\*\*[ \t]*:|:(?:\*\*)?)"
)
_LINE_ANSWER = re.compile(_ANSWER_WORD, re.IGNORECASE | re.MULTILINE)

# What announces an answer together with the mark that was found, directly before it: a mark of
# another kind, words that lead in, and for a box the opening of its formula.
_LINE_MARK = rf"(?:(?:####|†[ \t]*Answer[ \t]*:|^[ \t]*A:|{_ANSWER_WORD})\s*)?"
_LEAD_IN = (
    r"(?:\*\*)?(?:\b(?:so|thus|therefore|hence)\b,?\s+|(?:所以|因此|于是|故|综上)[，,]?\s*"
    r"|(?:إذن|إذًا|لذلك|لذا|وبالتالي)\b[،,]?\s+|(?:अतः|अत:|इसलिए|तो)[,،]?\s+)?"
)
# A line of its own that heads the box: "**Final Answer**", "### Answer:".
_HEADING = (
    r"(?:^[ \t]*(?:#{1,6}[ \t]*)?(?:\*\*)?(?:final[ \t]+)?answer[ \t]*:?(?:\*\*)?[ \t]*:?"
    r"[ \t]*\n\s*)?"
)
_OPENING = r"(?:\*\*)?\s*(?:\$\$?|\\\(|\\\[)?\s*"
_BEFORE_CUE = re.compile(rf"{_LINE_MARK}{_LEAD_IN}\Z", re.IGNORECASE | re.MULTILINE)
_BEFORE_BOX = re.compile(
    rf"{_LINE_MARK}{_HEADING}(?:{_LEAD_IN}(?:{_CUE_WORDS}|{_FOREIGN_CUE_WORDS})[\s:：]*)?{_OPENING}\Z",
    re.IGNORECASE | re.MULTILINE,
)
# Longer than anything that these two patterns are meant to find.
_LOOK_BACK = 80

_WRAPPERS = (("$$", "$$"), ("$", "$"), ("**", "**"), ("__", "__"), ("*", "*"), ("`", "`"),
             (r"\(", r"\)"), (r"\[", r"\]"))  # fmt: skip
_OPENINGS = tuple(opening for opening, _ in _WRAPPERS)
_LAYERS = 8  # of wrappers and full stops around one answer; real ones have two or three
_LONGEST_DOTTED = 20
_DOTTED_WORD = re.compile(
    r"(?:\b[^\W\d_]\.){2,}\Z"
)  # "p.m.", "U.S.": the last dot is the word's own

# What needs no trimming but of white space: one word in which no wrapper and no full stop stands.
_PLAIN = re.compile(r"\s*([^\s.$*_`\\。।]+)\s*\Z")

_Found = tuple[int, int, int]  # mark_start, start, end of what the mark announces, not yet trimmed


def find_answer(text: str) -> Answer | None:
    """The answer that a text marks as its last word; None when it marks none.

    Its ``text`` is empty when nothing follows the mark.
    """
    found = answer_span(text)
    if found is None:
        return None
    mark_start, start, end = found
    return Answer(text=text[start:end], start=start, end=end, mark_start=mark_start)


def answer_span(text: str) -> tuple[int, int, int] | None:
    """``mark_start``, ``start`` and ``end`` of the answer that ``find_answer`` finds.

    In a text with ``</think>`` what follows the tag is asked first, then what precedes it.
    """
    split = text.rfind(_CLOSING_TAG)
    found = _find(text, split + len(_CLOSING_TAG), len(text)) if split >= 0 else None
    found = found or _find(text, 0, split if split >= 0 else len(text))
    if found is None:
        return None
    mark_start, start, end = found
    plain = _PLAIN.match(text, start, end)
    return mark_start, *(plain.span(1) if plain else _unwrapped(text, start, end))


def answer_in(text: str) -> str | None:
    """The characters of the answer that a text marks; None when it marks none, or an empty one."""
    found = find_answer(text)
    return found.text or None if found else None


def bare(text: str, start: int, end: int) -> Span:
    """An answer that is set apart, without white space and wrappers; "" stays empty.

    It loses its full stop, too, unless it is a sentence of words that nothing wraps.
    """
    start, end = trimmed(text, start, end)
    is_sentence = not text[start:end].startswith(_OPENINGS) and bool(
        re.search(r"\s", text[start:end])
    )
    return (start, end) if is_sentence else _unwrapped(text, start, end)


def _find(text: str, low: int, high: int) -> _Found | None:
    found = _hashes(text, low, high)
    for mark in (_dagger(text, low, high), _box(text, low, high)):
        if mark and (found is None or mark[1] > found[1]):
            found = mark
    if found:
        return found
    line = max(
        filter(None, (_line_a(text, low, high), _line_answer(text, low, high))), default=None
    )
    return _cue(text, low, high, after=line)


def _hashes(text: str, low: int, high: int) -> _Found | None:
    """The last ``####``, unless it opens a Markdown heading.

    With text below its line, it announces an answer only if its line is one word with a digit.
    """
    at = text.rfind(_HASHES, low, high)
    while at >= 0:
        start, end = at + len(_HASHES), _line_end(text, at, high)
        longer = text[start : start + 1] == "#" or text[at - 1 : at] == "#"  # "#####"
        if not longer and _announces(text, start, end, high):
            return at, start, end
        at = text.rfind(_HASHES, low, at)
    return None


def _announces(text: str, start: int, end: int, high: int) -> bool:
    """Whether the rest of a line is an answer: the last line of all, or one word with a digit."""
    last = end == high or not _NOT_SPACE.search(text, end, high)
    return last or _WORD_WITH_DIGIT.match(text, start, end) is not None


def _dagger(text: str, low: int, high: int) -> _Found | None:
    if "†" not in text:
        return None
    marks = list(_DAGGER.finditer(text, low, high))
    if not marks:
        return None
    return marks[-1].start(), marks[-1].end(), _line_end(text, marks[-1].end(), high)


def _box(text: str, low: int, high: int) -> _Found | None:
    r"""The last ``\boxed{…}`` whose braces close; of nested ones the innermost."""
    if "\\boxed" not in text:
        return None
    opened: list[Span | None] = []  # None for a brace that opens no box
    found: tuple[int, int, int] | None = None
    for part in _BOX_PARTS.finditer(text, low, high):
        if part[0] == "{":
            opened.append(None)
        elif part[0].startswith("\\boxed"):
            opened.append(part.span())
        elif part[0] == "}" and opened:
            box = opened.pop()
            if box and (found is None or box[0] > found[0]):
                found = (*box, part.start())
    if found is None:
        return None
    return _lead(text, low, found[0], _BEFORE_BOX), found[1], found[2]


def _line_a(text: str, low: int, high: int) -> _Found | None:
    """The last ``A:`` with nothing but spaces before it on its line."""
    at = text.rfind("A:", low, high)
    while at >= 0:
        line_start = text.rfind("\n", low, at) + 1 or low
        if not text[line_start:at].strip(" \t"):
            return at, at + 2, _line_end(text, at, high)
        at = text.rfind("A:", low, at)
    return None


def _line_answer(text: str, low: int, high: int) -> _Found | None:
    """The last ``Answer:`` that begins a line and has text before and after it: reasoning counts.

    Its answer may stand on the next line that is not blank. With text below its line, it announces
    one only as ``####`` does.
    """
    if "nswer" not in text and "NSWER" not in text:
        return None
    found = None
    for mark in _LINE_ANSWER.finditer(text, low, high):
        content = _NOT_SPACE.search(text, mark.end(), high)
        if content is None or not _NOT_SPACE.search(text, 0, mark.start()):
            continue
        start = content.start()
        end = _line_end(text, start, high)
        if _announces(text, start, end, high):
            found = trimmed(text, *mark.span())[0], start, end
    return found


def _cue(text: str, low: int, high: int, after: _Found | None) -> _Found | None:
    """The last "the answer is" that follows ``after``, to the end of its sentence or line.

    Where there is none, ``after`` itself.
    """
    pattern = _CUE if text.isascii() else _ANY_CUE
    cues = list(pattern.finditer(text, after[1] if after else low, high))
    if not cues:
        return after
    start = _AFTER_CUE.match(text, cues[-1].end(), high).end()  # type: ignore[union-attr]
    end = answer_sentence_end(text, start, _line_end(text, start, high))
    return _lead(text, low, cues[-1].start(), _BEFORE_CUE), start, end


def _lead(text: str, low: int, mark: int, pattern: re.Pattern[str]) -> int:
    """The first character of what announces an answer together with the mark at ``mark``."""
    before = pattern.search(text, max(low, mark - _LOOK_BACK), mark)
    return mark - len(before[0].lstrip()) if before else mark


def _line_end(text: str, start: int, high: int) -> int:
    end = text.find("\n", start, high)
    return end if end >= 0 else high


def _unwrapped(text: str, start: int, end: int) -> Span:
    """The span without white space, wrappers and a sentence's full stop at its edges."""
    start, end = trimmed(text, start, end)
    for _ in range(_LAYERS):
        answer = text[start:end]
        if _ends_sentence(answer):
            front, back = 0, 1
        else:
            front, back = _wrapper(answer)
        if not front + back:
            break
        start, end = trimmed(text, start + front, end - back)
    return start, end


def _ends_sentence(answer: str) -> bool:
    if not answer.endswith((".", "。", "।")) or answer.endswith(".."):
        return False
    return not _DOTTED_WORD.search(answer[-_LONGEST_DOTTED:])


def _wrapper(answer: str) -> Span:
    """How many characters of a wrapper stand at the front and at the back of an answer."""
    for opening, closing in _WRAPPERS:
        size = len(opening)
        if len(answer) >= 2 * size and answer.startswith(opening) and answer.endswith(closing):
            inner = answer[size:-size]
            if opening not in inner and closing not in inner:
                return size, size
    # Bold type that began before the mark or ends after the answer.
    if answer.count("**") == 1:
        return (2, 0) if answer.startswith("**") else (0, 2) if answer.endswith("**") else (0, 0)
    return 0, 0
