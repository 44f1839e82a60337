"""Of which runs of words does a text consist, and how much of them do two texts share?"""

import re
import unicodedata
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

Shingles = npt.NDArray[np.uint64]

WORDS = 5
"""Words of a shingle."""

# Thai, Lao, Tibetan, Burmese; Khmer; Chinese and Japanese with their punctuation: no spaces between
# words, so that each character stands for one.
_UNSPACED = "\u0e00-\u109f\u1780-\u17ff\u3000-\u312f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_UNSPACED += "\U00020000-\U0003ffff"
# So that "3+4" and "3 + 4" are the same three words.
_SIGNS = r"!-/:-@\[-`{-~"
_WORD = re.compile(rf"[{_UNSPACED}{_SIGNS}]|[^\s{_UNSPACED}{_SIGNS}]+")
# One odd number for each place in a shingle.
_MULTIPLIERS = np.array(
    [
        0x9E3779B97F4A7C15,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0xD6E8FEB86659FD93,
        0xA0761D6478BD642F,
    ],
    dtype=np.uint64,
)
_REMEMBERED = 1 << 18


class _Numbers(dict[str, int]):
    """A number of 64 bits for each word; those of frequent words are remembered."""

    def __missing__(self, word: str) -> int:
        if len(self) >= _REMEMBERED:
            self.clear()
        number = self[word] = number_of(word)
        return number


_numbers = _Numbers()


def folded(text: str) -> str:
    """A text as exact duplicates share it: NFKC, and every run of white space one space.

    NFKC takes signs of one meaning for the same: full-width letters and digits, ligatures, ``x²``
    and ``x2``. Letters keep their case; white space at the ends goes.
    """
    return " ".join(unicodedata.normalize("NFKC", text).split())


def shingles(text: str, *, apart: str = "") -> Shingles:
    """``[n]`` the different runs of ``WORDS`` words of a folded text, as rising numbers of 64 bits.

    A word is a run of characters without white space or ASCII punctuation; a punctuation mark, and
    a character of a script without spaces between words, is a word of its own. A text of fewer
    words is one shingle; one without a word has none. Texts that differ in ``apart`` share none.
    """
    words = _WORD.findall(text)
    numbers = np.array([_numbers[word] for word in words], dtype=np.uint64)
    length = min(WORDS, len(words))
    n = len(words) - length + 1 if words else 0
    found = np.full(n, number_of(apart) if apart else 0, dtype=np.uint64)
    for place in range(length):
        found += numbers[place : place + n] * _MULTIPLIERS[place]
    return np.unique(found)


def jaccard(a: Shingles, b: Shingles) -> float:
    """|a ∩ b| / |a ∪ b| of two rising arrays; 0 where either is empty."""
    if not len(a) or not len(b):
        return 0.0
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / (len(a) + len(b) - common)


def number_of(word: str) -> int:
    """A number of 64 bits that is the same in every process."""
    return int.from_bytes(blake2b(word.encode(errors="surrogatepass"), digest_size=8).digest())
