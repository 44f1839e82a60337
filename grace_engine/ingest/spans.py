"""Where does a span begin and end without the white space at its edges, and what lies inside it?"""

from bisect import bisect_left
from collections.abc import Sequence

Span = tuple[int, int]


def trimmed(text: str, start: int, end: int) -> Span:
    """The half-open span inside ``[start, end)`` without white space at its edges.

    Of nothing but white space, an empty span is left.
    """
    content = text[start:end].rstrip()
    end = start + len(content)
    return end - len(content.lstrip()), end


def is_inside(spans: Sequence[Span], position: int) -> bool:
    """Whether a cut at ``position`` would part one of these ordered, disjoint spans in two."""
    before = bisect_left(spans, (position,)) - 1
    return before >= 0 and position < spans[before][1]
