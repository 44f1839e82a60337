"""How are the inner products between a trace's segment gradients laid out?

A trace with K steps has K + 1 segments, the answer last. Its Gram matrix G, G[i, j] = ⟨g_i, g_j⟩,
is symmetric, so only the lower triangle is kept, row by row: (K+1)(K+2)/2 numbers.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.floating]
IntArray: TypeAlias = npt.NDArray[np.integer]


def packed_size(n_segments: int) -> int:
    """Numbers in the packed triangle of ``n_segments`` segments."""
    return n_segments * (n_segments + 1) // 2


def pack(gram: FloatArray) -> FloatArray:
    """``[..., S, S]`` symmetric matrices → ``[..., S(S+1)/2]`` packed lower triangles."""
    rows, columns = np.tril_indices(gram.shape[-1])
    return gram[..., rows, columns]


def unpack(packed: FloatArray, n_segments: int) -> npt.NDArray[np.float64]:
    """``[..., S(S+1)/2]`` packed lower triangles → ``[..., S, S]`` symmetric float64 matrices."""
    rows, columns = np.tril_indices(n_segments)
    gram = np.empty((*packed.shape[:-1], n_segments, n_segments), dtype=np.float64)
    gram[..., rows, columns] = packed
    gram[..., columns, rows] = packed
    return gram


def cosine_matrix(gram: FloatArray) -> npt.NDArray[np.float64]:
    """``[S, S]`` Gram → ``[S, S]`` cosines between segments; 0 where a gradient is zero."""
    norms = np.sqrt(np.maximum(np.diagonal(gram), 0.0))
    scale = np.outer(norms, norms)
    cosines: npt.NDArray[np.float64] = np.divide(
        gram, scale, out=np.zeros(gram.shape), where=scale > 0
    )
    return np.clip(cosines, -1.0, 1.0, out=cosines)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GramTable:
    """The Grams of many traces as flat arrays, N traces in order.

    Attributes:
        trace_ids: ``[N]`` ids.
        n_segments: ``[N]`` K + 1 of each trace.
        packed: Flat packed triangles; trace i holds ``packed_size(n_segments[i])`` of them.
        n_tokens: Flat tokens per segment; trace i holds ``n_segments[i]`` of them.
        nll: Flat mean negative log-likelihood per token of each segment, in nats.
    """

    trace_ids: npt.NDArray[np.object_]
    n_segments: IntArray
    packed: FloatArray
    n_tokens: IntArray
    nll: FloatArray

    @property
    def packed_offsets(self) -> npt.NDArray[np.int64]:
        """``[N + 1]`` where each trace's packed triangle begins in ``packed``."""
        sizes = self.n_segments.astype(np.int64)
        return offsets_of(sizes * (sizes + 1) // 2)

    @property
    def segment_offsets(self) -> npt.NDArray[np.int64]:
        """``[N + 1]`` where each trace's segments begin in ``n_tokens`` and ``nll``."""
        return offsets_of(self.n_segments)


def offsets_of(sizes: IntArray) -> npt.NDArray[np.int64]:
    """``[N]`` sizes → ``[N + 1]`` offsets into the concatenation."""
    return np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
