"""How does a long trace that marks no steps become steps of readable length?

In a short solution every line or paragraph is a step that somebody meant. A long trace of thoughts
runs on: paragraphs of one word stand between some of a page. So its paragraphs are cut or joined to
between ``SHORTEST`` and ``LONGEST`` characters, as far as the text lets them.
"""

import re
from collections.abc import Container, Iterator, Sequence
from itertools import pairwise

from grace_engine.ingest.fragments import is_bare
from grace_engine.ingest.sentences import sentence_ends
from grace_engine.ingest.spans import Span, is_inside, trimmed

LONG_TRACE = 2_000
"""Characters above which a text is a long trace; the longest solution of GSM8K has 1,301."""

SHORTEST = 40
"""Characters below which a part joins another: "So 5." says nothing alone."""

LONGEST = 600
"""Characters above which a paragraph is cut: what a reader takes in at once, some eight lines."""

LONGEST_SENTENCE = 2 * LONGEST
"""Characters above which even a sentence is cut, at the end of a clause or at a blank."""

_LONGEST_HEADING = 100

_OPENED = r"""[*_"“‘(]*+"""
# Words with which a thought turns back or aside: a part that begins with one begins a step.
_TURNS = r"""
    (?: wait | alternatively | h+m+ | let\ me | let['’]s | but | however | actually | hold\ on
      | no(?=,) | oh | ah | another | on\ (?:second|the\ other) | maybe | perhaps
    ) \b
    | 等等 | 等一下 | 不对 | 不过 | 但 | 另外 | 或者 | 让我 | 嗯
    | و?لكن\b | انتظر\b | دعني\b
    | लेकिन | परंतु | रुको | रुकिए | शायद
"""
# Those that nobody writes who does not think aloud.
_ALOUD = re.compile(
    rf"{_OPENED}(?:(?:wait|h+m+|alternatively|hold on)\b|等等|等一下|不对|嗯|انتظر\b|रुको|रुकिए)",
    re.IGNORECASE,
)
# Words with which the next thought begins: a long paragraph is cut before them, too.
_NEXTS = r"""
    (?: so | now | okay | ok | therefore | thus | hence | first | second | next | then | finally
      | also | similarly
    ) \b
    | 所以 | 因此 | 首先 | 其次 | 然后 | 接下来 | 最后
    | إذن\b | إذًا\b | لذلك\b | لذا\b | أولا | ثانيا | ثم\b
    | इसलिए | अतः | अब\b | तो(?=[\s,]) | पहले | फिर
"""
_TURN = re.compile(rf"{_OPENED}(?:{_TURNS})", re.IGNORECASE | re.VERBOSE)
_NEXT = re.compile(rf"{_OPENED}(?:{_TURNS}|{_NEXTS})", re.IGNORECASE | re.VERBOSE)

# A line that heads what follows, or the mark of a list with nothing behind it.
_HEADING = re.compile(r"\#{1,6}[ \t][^\n]*|\*\*[^*\n]+\*\*[:：]?|[-*•]|\(?\w{1,3}[.)]")
_CLAUSE_END = re.compile(r"[,;:—–](?=\s)|[，；：、،؛]")
_CLAUSE_END_OR_BLANK = re.compile(rf"{_CLAUSE_END.pattern}|\s")
_BLANK = re.compile(r"\s")


def thinks_aloud(text: str, lines: Sequence[Span]) -> bool:
    """Whether one of these lines turns as only thoughts do, and no solution that is written up."""
    return any(_ALOUD.match(text, start, end) for start, end in lines)


def readable_steps(text: str, paragraphs: Sequence[Span], protected: Sequence[Span]) -> list[Span]:
    """Paragraphs cut and joined to steps of readable length.

    A paragraph longer than ``LONGEST`` is cut before its sentences that begin with a word such as
    "Wait", "But" or "So", and what is still longer at the last sentence end before ``LONGEST``; a
    sentence only where it is longer than ``LONGEST_SENTENCE``.

    Then a part that begins with a turn of thought begins a step. What leads in to something (a
    heading, the mark of a list, a short part that ends with a colon, a bare "Hmm.", a colon before
    a formula, table or code) joins what follows; any other part shorter than ``SHORTEST`` joins
    the one before it, the first one and a short turn the next. The last stays as it is, for it
    often is the conclusion, unless it only leads in to the answer.

    Args:
        text: The whole reasoning.
        paragraphs: Trimmed, ordered, disjoint.
        protected: What must not be cut, as by ``protected_spans``.
    """
    parts = [part for paragraph in paragraphs for part in _cut(text, paragraph, protected)]
    return _joined(text, parts, protected)


def _cut(text: str, paragraph: Span, protected: Sequence[Span]) -> Iterator[Span]:
    """The parts of a paragraph: runs of its sentences."""
    start, end = paragraph
    if end - start <= LONGEST:
        yield paragraph
        return
    edges = [start, *sentence_ends(text, start, end, protected), end]
    thoughts: list[list[Span]] = []
    for edge in pairwise(edges):
        for sentence in _clauses(text, trimmed(text, *edge), protected):
            if not thoughts or _NEXT.match(text, *sentence):
                thoughts.append([])
            thoughts[-1].append(sentence)
    for thought in thoughts:
        first, last = thought[0]
        for low, high in thought[1:]:
            if high - first > LONGEST:
                yield first, last
                first = low
            last = high
        yield first, last


def _clauses(text: str, sentence: Span, protected: Sequence[Span]) -> Iterator[Span]:
    """A sentence, unless it is empty; one that no reader takes in, in parts."""
    start, end = sentence
    if end - start > LONGEST_SENTENCE:
        while end - start > LONGEST and (cut := _clause_end(text, start, end, protected)):
            yield trimmed(text, start, cut)
            start = trimmed(text, cut, end)[0]
    if start < end:
        yield start, end


def _clause_end(text: str, start: int, end: int, protected: Sequence[Span]) -> int:
    """Where to cut so that at most ``LONGEST`` characters come before, if that can be; else 0.

    At the last clause end, else the last blank, of the later half; else at the first after it.
    """
    middle, latest = start + LONGEST // 2, start + LONGEST

    def cuts(pattern: re.Pattern[str], low: int, high: int) -> Iterator[int]:
        found = (match.end() for match in pattern.finditer(text, low, high))
        return (cut for cut in found if not is_inside(protected, cut))

    for pattern in (_CLAUSE_END, _BLANK):
        if cut := max(cuts(pattern, middle, latest), default=0):
            return cut
    return next(cuts(_CLAUSE_END_OR_BLANK, latest, end), 0)


def _joined(text: str, parts: Sequence[Span], protected: Sequence[Span]) -> list[Span]:
    """The parts, those joined that say nothing alone."""
    blocks = {start for start, _ in protected}
    steps: list[Span] = []
    leads = False  # whether the last part leads in to what follows
    for number, part in enumerate(parts, start=1):
        led, leads = leads, _leads_in(text, part)
        if not steps:
            joins = False
        elif led:  # one lead-in always; a hundred of them are a step
            joins = steps[-1] == parts[number - 2] or part[1] - steps[-1][0] <= LONGEST
        elif _is_led(text, steps[-1], part, blocks):
            joins = True
        else:
            joins = not (leads or _TURN.match(text, *part)) and (
                _is_short(steps[-1])
                or (_is_short(part) and number < len(parts) and part[1] - steps[-1][0] <= LONGEST)
            )
        if joins:
            steps[-1] = steps[-1][0], part[1]
        else:
            steps.append(part)
    if leads and len(steps) > 1:
        steps[-2:] = [(steps[-2][0], steps[-1][1])]
    return steps


def _is_led(text: str, step: Span, part: Span, blocks: Container[int]) -> bool:
    """Whether a step ends with a colon before a formula, a table or code, and both are readable."""
    return part[0] in blocks and text[step[1] - 1] in ":：" and part[1] - step[0] <= LONGEST


def _is_short(part: Span) -> bool:
    return part[1] - part[0] < SHORTEST


def _leads_in(text: str, part: Span) -> bool:
    """Whether a part says nothing without what follows it."""
    start, end = part
    if end - start > _LONGEST_HEADING:
        return False
    ends_with_colon = _is_short(part) and text[end - 1] in ":："
    return ends_with_colon or is_bare(text, part) or bool(_HEADING.fullmatch(text, start, end))
