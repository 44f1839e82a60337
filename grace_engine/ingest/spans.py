"""Where does a span begin and end without the white space at its edges?"""

Span = tuple[int, int]


def trimmed(text: str, start: int, end: int) -> Span:
    """The half-open span inside ``[start, end)`` without white space at its edges.

    Of nothing but white space, an empty span is left.
    """
    content = text[start:end].rstrip()
    end = start + len(content)
    return end - len(content.lstrip()), end
