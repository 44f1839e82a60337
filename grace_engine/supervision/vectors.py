"""How near are the meanings of texts, given their embeddings?"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


def alignment(prompt: Vectors, trace: Vectors) -> float | None:
    """Cosine of two ``[d]`` embeddings; None where one is zero."""
    return _cosine(prompt, trace)


def flow(sentences: Vectors) -> float | None:
    """Mean cosine of neighbouring rows of ``[n, d]``; None where no two neighbours have one."""
    found = [_cosine(a, b) for a, b in pairwise(sentences)]
    known = [cosine for cosine in found if cosine is not None]
    return float(np.mean(known)) if known else None


def _cosine(a: Vectors, b: Vectors) -> float | None:
    first, second = a.astype(np.float64), b.astype(np.float64)
    length = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.clip(first @ second / length, -1.0, 1.0)) if length else None
