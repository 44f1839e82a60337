"""Into which groups of duplicates do texts fall?"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from grace_engine.duplicates import bands
from grace_engine.duplicates.shingles import Shingles, folded, jaccard, shingles
from grace_engine.errors import InputError, ResourceError
from grace_engine.progress import Progress, Silent

_TOLD_EVERY = 200
# A pair at the threshold whose MinHashes say less, by so many standard deviations, is not compared:
# one in thirty thousand.
_DEVIATIONS = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One text.

    Attributes:
        words: What it says.
        apart: Texts that differ in this, such as the images of a prompt, are no duplicates.
    """

    words: str
    apart: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A text of a group.

    Attributes:
        index: Its place among the texts, from 0.
        similarity: Jaccard similarity of its shingles to those of the group's first text.
        exact: Equal to the group's first text after NFKC and white space folding.
    """

    index: int
    similarity: float
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Two or more texts that duplicates connect.

    Attributes:
        members: In the order of the texts; the first is what the others are held against.
        n_different: Different texts among them, after NFKC and white space folding.
    """

    members: tuple[Member, ...]
    n_different: int


def find_groups(
    texts: Iterable[Text],
    threshold: float = 0.8,
    *,
    total: int = 0,
    progress: Progress | None = None,
    folder: Path | None = None,
) -> list[Group]:
    """Groups of texts that are equal, or whose shingles have ``threshold`` or more in common.

    MinHashes (``datasketch``) say which pairs to look at, and the Jaccard similarity of their
    shingles decides: no text is in a group by chance of hashing, and a pair just at the threshold
    is missed with a probability of some 0.01 or less (``bands.chance_met``). Groups are connected
    components: where a is like b, and b like c, all three are one group, though a and c may be
    below the threshold.

    Texts are read once. Memory holds some 600 bytes for each different text; the shingles wait in
    a file of 8 bytes a word that has no name and is gone with the process.

    Args:
        texts: The texts.
        threshold: Lowest Jaccard similarity of near-duplicates, above 0, at most 1.
        total: How many texts there are, where that is known.
        progress: Told how far it is.
        folder: Where the file is made; where temporary files go when left out.

    Returns:
        The largest first, groups of one size in the order of their first texts.

    Raises:
        InputError: A threshold out of range.
        MissingExtraError: ``datasketch`` is not installed.
        ResourceError: The disk is full.
    """
    require_threshold(threshold)
    progress = progress or Silent()
    with _shingle_file(folder) as file:
        different = _Different(file)
        progress.begin("Fingerprint texts", total, "texts")
        waiting = 0
        for text in texts:
            different.add(text)
            waiting += 1
            if waiting == _TOLD_EVERY:
                progress.advance(waiting)
                waiting = 0
        progress.advance(waiting)
        different.close()
        component = _connect(different, threshold, progress)
        return _groups(different, component)


def require_threshold(threshold: float) -> None:
    """``InputError`` unless it is above 0 and at most 1."""
    if not 0.0 < threshold <= 1.0:
        raise InputError(
            f"A threshold of {threshold!r} is out of range: use a Jaccard similarity above 0 and "
            "up to 1, such as 0.8."
        )


class _Different:
    """The different texts, numbered from 0, and which of them each text is."""

    def __init__(self, file: IO[bytes]) -> None:
        self.numbers: list[int] = []  # of each text
        self._known: dict[bytes, int] = {}
        self._hashes = bytearray()
        self._ends = [0]
        self._file = file
        self._shingles: Shingles = np.zeros(0, dtype=np.uint64)

    def add(self, text: Text) -> None:
        words = folded(text.words)
        digest = blake2b(
            f"{text.apart}\0{words}".encode(errors="surrogatepass"), digest_size=16
        ).digest()
        number = self._known.setdefault(digest, len(self._known))
        self.numbers.append(number)
        if number == len(self._ends) - 1:  # new
            found = shingles(words, apart=text.apart)
            self._hashes += bands.hashes_of(found)
            self._file.write(found.tobytes())
            self._ends.append(self._ends[-1] + len(found))

    def close(self) -> None:
        """All texts are there."""
        self._known.clear()
        self._file.flush()
        if self._ends[-1]:
            self._shingles = np.memmap(self._file, dtype=np.uint64, mode="r")

    def __len__(self) -> int:
        return len(self._ends) - 1

    @property
    def signatures(self) -> bands.Signatures:
        """``[D, N_HASHES]`` MinHashes."""
        return np.frombuffer(self._hashes, dtype=np.uint32).reshape(-1, bands.N_HASHES)

    def similarity(self, a: int, b: int) -> float:
        """Jaccard similarity of two of the texts."""
        first, second = (self._shingles[self._ends[x] : self._ends[x + 1]] for x in (a, b))
        return jaccard(first, second)


def _connect(different: _Different, threshold: float, progress: Progress) -> npt.NDArray[np.intp]:
    """``[D]`` a number for the component of each different text."""
    component = np.arange(len(different))
    signatures, rows = different.signatures, bands.rows_per_band(threshold)
    deviation = (threshold * (1.0 - threshold) / bands.N_HASHES) ** 0.5
    least = threshold - _DEVIATIONS * deviation
    progress.begin("Compare texts", bands.N_HASHES // rows, "bands")
    parents = component.tolist()
    for band in bands.buckets(signatures, rows):
        for members in band:
            _connect_bucket(members, parents, different, signatures, threshold, least)
        progress.advance(1)
    return np.array([_root(parents, number) for number in range(len(parents))], dtype=np.intp)


def _connect_bucket(
    members: npt.NDArray[np.intp],
    parents: list[int],
    different: _Different,
    signatures: bands.Signatures,
    threshold: float,
    least: float,
) -> None:
    """Compare each pair that is not connected yet, and connect those that are alike."""
    roots = np.array([_root(parents, number) for number in members.tolist()])
    for place, one in enumerate(members.tolist()):
        apart = place + 1 + np.flatnonzero(roots[place + 1 :] != roots[place])
        if not len(apart):
            continue
        alike = (signatures[members[apart]] == signatures[one]).mean(axis=1)
        for other in apart[alike >= least].tolist():
            if roots[other] == roots[place]:
                continue
            if different.similarity(one, int(members[other])) >= threshold:
                kept, gone = sorted((int(roots[place]), int(roots[other])))
                parents[gone] = kept
                roots[roots == gone] = kept


def _root(parents: list[int], number: int) -> int:
    """The lowest text of a component, which stands for it."""
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = parents[number]
    return number


def _groups(different: _Different, component: npt.NDArray[np.intp]) -> list[Group]:
    numbers = np.array(different.numbers, dtype=np.intp)
    found = []
    for indices in bands.together(component[numbers]):
        first = int(numbers[indices[0]])
        alike = {
            number: different.similarity(first, number)
            for number in np.unique(numbers[indices]).tolist()
        }
        alike[first] = 1.0  # a text without a word is like itself, too
        members = tuple(
            Member(index=index, similarity=alike[number], exact=number == first)
            for index, number in zip(indices.tolist(), numbers[indices].tolist(), strict=True)
        )
        found.append(Group(members=members, n_different=len(alike)))
    return sorted(found, key=lambda group: (-len(group.members), group.members[0].index))


@contextmanager
def _shingle_file(folder: Path | None) -> Iterator[IO[bytes]]:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            yield file
    except OSError as error:
        raise ResourceError(
            f"The shingles of the texts cannot be kept in {folder or tempfile.gettempdir()}: "
            f"{error.strerror}. Free some room there, or look at fewer datasets."
        ) from error
