"""How does a long trace that marks no steps become steps of readable length?

In a short solution every line or paragraph is a step that somebody meant. A long trace of thoughts
runs on: paragraphs of one word stand between some of a page. So its paragraphs are cut or joined to
between ``SHORTEST`` and ``LONGEST`` characters, as far as the text lets them.
"""

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import pairwise

from grace_engine.ingest.sentences import sentence_ends
from grace_engine.ingest.spans import Span, trimmed

LONG_TRACE = 2_000
"""Characters above which a text is a long trace; the longest solution of GSM8K has 1,301."""

SHORTEST = 40
"""Characters below which a step joins the next: "Hmm." and "Wait, no." say nothing alone."""

LONGEST = 600
"""Characters above which a paragraph is cut: what a reader takes in at once, some eight lines."""

# Words with which a thought turns or a next one begins.
_TURN = re.compile(
    r"""
    [*_"“‘(]*+ (?:
      (?: wait | alternatively | h+m+ | let\ me | let['’]s | but | so | however | actually | now
        | okay | ok | hold\ on | oh | ah | another | on\ (?:second|the\ other) | maybe | perhaps
        | therefore | thus | hence | first | second | next | then | finally | also | similarly
      ) \b
    | 等等 | 等一下 | 不对 | 不过 | 但 | 所以 | 因此 | 另外 | 或者 | 让我 | 首先 | 其次 | 然后
    | 接下来 | 最后 | 嗯
    | و?لكن\b | إذن\b | إذًا\b | لذلك\b | لذا\b | انتظر\b | دعني\b | أولا | ثانيا | ثم\b
    | लेकिन | परंतु | रुको | रुकिए | इसलिए | अतः | अब\b | तो(?=[\s,]) | शायद | पहले | फिर
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)


def readable_steps(text: str, paragraphs: Sequence[Span], protected: Sequence[Span]) -> list[Span]:
    """Paragraphs cut and joined to steps of readable length.

    A paragraph longer than ``LONGEST`` is cut before its sentences that begin with a word such as
    "Wait", "But" or "So", and what is still longer at the last sentence end before ``LONGEST``. A
    sentence is never cut. Then a step shorter than ``SHORTEST`` joins the next, and one that ends
    with a colon joins the formula, table or code that it leads in to. The last step stays as it
    is: it often is the conclusion.

    Args:
        text: The whole reasoning.
        paragraphs: Trimmed, ordered, disjoint.
        protected: What must not be cut, as by ``protected_spans``.
    """
    parts = (part for paragraph in paragraphs for part in _cut(text, paragraph, protected))
    return list(_joined(text, parts, protected))


def _cut(text: str, paragraph: Span, protected: Sequence[Span]) -> Iterator[Span]:
    """The parts of a paragraph: runs of its sentences."""
    start, end = paragraph
    if end - start <= LONGEST:
        yield paragraph
        return
    edges = [start, *sentence_ends(text, start, end, protected), end]
    sentences = [trimmed(text, *edge) for edge in pairwise(edges)]
    thoughts: list[list[Span]] = []
    for sentence in sentences:
        if sentence[0] == sentence[1]:
            continue
        if not thoughts or _TURN.match(text, *sentence):
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


def _joined(text: str, parts: Iterable[Span], protected: Sequence[Span]) -> Iterator[Span]:
    """The parts, the short ones with what follows them."""
    blocks = {start for start, _ in protected}
    held: Span | None = None
    for start, end in parts:
        if held is None:
            held = start, end
        elif _is_short(held) or _leads_in(text, held, (start, end), blocks):
            held = held[0], end
        else:
            yield held
            held = start, end
    if held is not None:
        yield held


def _is_short(part: Span) -> bool:
    return part[1] - part[0] < SHORTEST


def _leads_in(text: str, part: Span, following: Span, blocks: Container[int]) -> bool:
    """Whether a part ends with a colon before a formula, a table or code, and both are readable."""
    return (
        following[0] in blocks and text[part[1] - 1] in ":：" and following[1] - part[0] <= LONGEST
    )
