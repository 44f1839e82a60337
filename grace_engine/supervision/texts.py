"""What does a text say of itself, without any model?"""

import unicodedata
import zlib

from grace_engine.ingest import parse_segmenter

LEVEL = 6
"""zlib's own default; the paper does not name one."""

_SENTENCES = parse_segmenter("sentences")


def redundancy(text: str) -> float:
    """1 − compressed / original length in UTF-8 bytes, of a text that is not empty."""
    raw = text.encode("utf-8", "surrogatepass")
    return 1.0 - len(zlib.compress(raw, LEVEL)) / len(raw)


def symbolic_fraction(text: str) -> float:
    """Characters that are no letter, mark, digit or white space over all; the text is not empty."""
    plain = sum(
        sign.isalnum() or sign.isspace() or unicodedata.category(sign)[0] == "M" for sign in text
    )
    return 1.0 - plain / len(text)


def sentences_of(text: str) -> list[str]:
    """The sentences of a text in order; formulas, tables and code stay whole."""
    return [text[start:end] for start, end, _, _ in _SENTENCES.steps(text, len(text))]
