"""Which pieces of a text are no steps, because they are the mere beginning of something?

"So" above a formula, "Hmm." between paragraphs, ``$x=`` before the box that holds the answer.
"""

import re
from collections.abc import Sequence

from grace_engine.ingest.spans import Span

_LONGEST = 40
# Words that join or hesitate and say nothing.
_WORDS = r"""
    (?: so | thus | hence | therefore | then | and | but | or | now | wait | no | h+m+ | well | ok
      | okay | oh | ah | also | finally | yes | yeah | right
    ) \b
    | 所以 | 因此 | 于是 | 故 | 那么 | 等等 | 等一下 | 不对 | 嗯 | 好
    | إذن\b | إذًا\b | لذلك\b | لذا\b | لكن\b | इसलिए | अतः | तो | लेकिन
"""
# A formula that breaks off: its opening, or all of it up to the sign that the answer follows.
_RELATION = r"(?:[=≈<>]|\\(?:approx|equiv|cong|sim|leq?|geq?|in))"
_FORMULA = rf"""
    (?: (?:\$\$?|\\\(|\\\[) \s* (?: (?: (?!\\[)\]]) [^$\n] )* {_RELATION} )?
      | (?: [^\W\d] \w{{0,3}} \s* )? {_RELATION}
    )
"""
_BARE = re.compile(
    rf"[*_\"“‘(]*+ (?: (?:{_WORDS}) [\s,.…!?:;，。：！？*_–—-]*+ )*+ (?:{_FORMULA})? \s*",
    re.IGNORECASE | re.VERBOSE,
)
_FINISHED = ".…!?。！？।؟"


def is_bare(text: str, piece: Span) -> bool:
    """Whether a piece holds nothing but words such as "So" or "Hmm", or a formula's beginning."""
    start, end = piece
    return end - start < _LONGEST and bool(_BARE.fullmatch(text, start, end))


def without_fragments(text: str, pieces: Sequence[Span]) -> list[Span]:
    """The pieces, but that one that is bare and ends no sentence joins the next.

    The last, which only the answer follows, joins the one before it. A piece that stands alone
    stays.
    """
    joined: list[Span] = []
    begun: int | None = None  # where the fragments begin that the next piece goes on
    for start, end in pieces:
        first = start if begun is None else begun
        if text[end - 1] not in _FINISHED and is_bare(text, (start, end)):
            begun = first
        else:
            joined.append((first, end))
            begun = None
    if begun is not None:
        start = joined.pop()[0] if joined else begun
        joined.append((start, pieces[-1][1]))
    return joined
