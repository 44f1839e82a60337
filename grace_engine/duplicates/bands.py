"""Which texts are alike enough in their MinHashes to be compared word by word?

A MinHash is cut into bands of r of its hashes. Two texts of Jaccard similarity s agree in one hash
with probability s, so in some of b bands with 1 − (1 − sʳ)ᵇ (Leskovec, Rajaraman and Ullman,
"Mining of Massive Datasets", section 3.4.2).
"""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from grace_engine.errors import MissingExtraError

if TYPE_CHECKING:
    from datasketch import MinHash

N_HASHES = 128
SEED = 1
LEAST_CHANCE = 0.99

Signatures = npt.NDArray[np.uint32]


def rows_per_band(threshold: float) -> int:
    """r: the most hashes at which a pair at the threshold meets with ``LEAST_CHANCE`` at least."""
    fit = [r for r in range(1, N_HASHES // 2 + 1) if chance_met(threshold, r) >= LEAST_CHANCE]
    return max(fit, default=1)


def chance_met(similarity: float, rows: int) -> float:
    """Probability that two texts of this similarity agree in a band of ``rows`` hashes."""
    return 1.0 - (1.0 - similarity**rows) ** (N_HASHES // rows)


def hashes_of(shingles: npt.NDArray[np.uint64]) -> bytes:
    """``[N_HASHES]`` MinHash of a text's shingles, seeded: 32 bits each.

    Raises:
        MissingExtraError: ``datasketch`` is not installed.
    """
    found = _empty().copy()
    found.update_batch((shingles >> np.uint64(32)).tolist())
    return bytes(found.hashvalues.tobytes())


@cache
def _empty() -> "MinHash":
    try:
        from datasketch import MinHash
    except ImportError as error:
        raise MissingExtraError(
            "Finding duplicates needs another library: pip install 'grace-studio[duplicates]'"
        ) from error
    return MinHash(num_perm=N_HASHES, seed=SEED, hashfunc=int)


def buckets(signatures: Signatures, rows: int) -> Iterator[list[npt.NDArray[np.intp]]]:
    """For each band: the texts, rising, that agree in it; alone standing ones are left out.

    The bands of ``datasketch.MinHashLSH`` are dictionaries of sets, some ten times the memory of
    the signatures themselves; a sort of one band at a time needs no more than that band.
    """
    odd = np.arange(1, 2 * rows, 2, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for first in range(0, N_HASHES - rows + 1, rows):
        # Texts whose sums agree by chance are told apart when they are compared.
        keys = signatures[:, first : first + rows].astype(np.uint64) @ odd
        yield together(keys)


def together(keys: npt.NDArray[Any]) -> list[npt.NDArray[np.intp]]:
    """Indices, rising, of each key that stands more than once."""
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(np.diff(keys[order])) + 1
    starts, ends = np.append(0, edges), np.append(edges, len(order))
    several = ends - starts > 1
    pairs = zip(starts[several].tolist(), ends[several].tolist(), strict=True)
    return [order[start:end] for start, end in pairs]
