r"""What does a text answer, and is that a letter of a choice, words, or mathematics?

Of a text with ``</think>`` only what follows counts, and of several ``\boxed`` only the last: a
parser that is given more merges them, or takes the one of the draft.
"""

import re
import unicodedata
from dataclasses import dataclass

from grace_engine.ingest.answer_marks import bare, find_answer

LONGEST = 2000
"""Characters of the longest answer that is read; of a text that marks none, those of its end."""

LETTERS = tuple("ABCDEFGHIJ")
"""Letters of a multiple choice."""

_CLOSING_TAG = "</think>"
_BOX = re.compile(r"\\boxed\s*\{")
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_LETTER = re.compile(r"[(\[]?\s*([A-J])\s*[)\]]?[.:]?")
# Commands that only dress words: \text{yes}, \textbf{(B)}.
_DRESS = re.compile(r"\\(?:text(?:bf|it|rm)?|math(?:rm|bf|it)|mbox|boxed)\s*\{([^{}]*)\}")
# Bold type around an answer or words of it.
_BOLD = re.compile(r"(?<!\w)\*\*(?=\S)([^*\n]+)(?<=\S)\*\*(?!\w)")
_WORDS = re.compile(r"[^\W\d_]+(?:[\s'’.,-]+[^\W\d_]+)*[.!]*")
_FUNCTIONS = re.compile(
    r"and|a(?:rc)?(?:cos|sin|tan)|cos|cot|csc|det|exp|gcd|inf(?:ini)?ty|lcm|lim|log|max|min|mod|sec|"
    r"sin|sqrt|tan|alpha|beta|gamma|delta|theta|lambda|sigma|omega|phi|psi|rho|tau"
)
# What stands where a data set has no answer; "undefined" and "no solution" are answers.
_PLACEHOLDERS = frozenset(
    {"n/a", "na", "n.a", "none", "null", "nan", "nil", "unknown", "tbd", "missing", "not found",
     "notfound", "not available", "not applicable", "no answer", "[none]", "<none>"}
)  # fmt: skip
_EDGES = " \t\n.,;:!?\"'“”‘’*$`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The answer of a text.

    Attributes:
        text: The bare answer; of a text that marks none, the text or its end.
        marked: Whether the text marks it.
        fault: Why there is none to read; "" where there is one.
    """

    text: str = ""
    marked: bool = False
    fault: str = ""


def find(text: str) -> Found:
    """The answer of a text, or why it has none that can be read."""
    if _CLOSING_TAG in text:
        text = text[text.rindex(_CLOSING_TAG) + len(_CLOSING_TAG) :]
    text = text.strip()
    if not text:
        return Found(fault="it is empty")
    if (box := _last_box(text)) is not None and not _closes(text[box:]):
        return Found(fault=r"its last \boxed does not close")
    marked = find_answer(text)
    low, high = bare(text, 0, len(text))
    answer = _BOLD.sub(r"\1", text[low:high] if marked is None else marked.text)
    if marked is None and len(answer) > LONGEST:
        # Its last word may be whole, the first of the cut is not.
        answer = " ".join(answer[-LONGEST:].split()[1:])
        if not answer:
            return Found(fault=f"a word of more than {LONGEST:,} characters")
    if not answer:
        return Found(fault="nothing follows its mark")
    if len(answer) > LONGEST:
        return Found(fault=f"an answer of more than {LONGEST:,} characters")
    if not _balanced(answer):
        return Found(fault="its braces do not close")
    return Found(text=answer, marked=marked is not None)


def letter(answer: str) -> str:
    """The letter that an answer is and nothing more; "" where it is none."""
    found = _LETTER.fullmatch(undressed(answer))
    return found[1] if found else ""


def is_words(answer: str) -> bool:
    """Whether an answer is words, as "yes" or a name, rather than mathematics.

    Of letters alone, some of them in a word: not a function's name, not two or three variables
    side by side, though a product of as many variables as a word has letters is taken for it.
    """
    plain = unicodedata.normalize("NFKC", undressed(answer))
    if not _WORDS.fullmatch(plain):
        return False
    return any(_is_word(word) for word in re.findall(r"[^\W\d_]+", plain.casefold()))


def is_placeholder(answer: str) -> bool:
    """Whether an answer is a word that stands where there is none: "N/A", "none", "null"."""
    return as_words(answer) in _PLACEHOLDERS


def as_words(answer: str) -> str:
    """An answer as it is compared with words: no case, no LaTeX dress, no edges, single blanks."""
    plain = unicodedata.normalize("NFKC", undressed(answer)).casefold()
    return " ".join(plain.split()).strip(_EDGES)


def undressed(answer: str) -> str:
    r"""An answer without ``\text{}`` and its like around words, and without ``$`` at its ends."""
    before = ""
    while before != answer:
        before, answer = answer, _DRESS.sub(r" \1 ", answer)
    return answer.replace("\\ ", " ").strip().strip("$").strip()


def _is_word(word: str) -> bool:
    if _FUNCTIONS.fullmatch(word):
        return False
    # Letters past Greek are those of languages, not of formulas.
    return len(word) > 2 or word == "no" or any(char >= "\u0400" for char in word)


def _last_box(text: str) -> int | None:
    boxes = list(_BOX.finditer(text)) if "\\boxed" in text else []
    return boxes[-1].end() - 1 if boxes else None


def _closes(text: str) -> bool:
    """Whether the brace that ``text`` begins with is closed in it."""
    depth = 0
    for part in _BRACES.finditer(text):
        depth += {"{": 1, "}": -1}.get(part[0], 0)
        if not depth:
            return True
    return False


def _balanced(text: str) -> bool:
    depth = 0
    for part in _BRACES.finditer(text):
        depth += {"{": 1, "}": -1}.get(part[0], 0)
        if depth < 0:
            return False
    return not depth
