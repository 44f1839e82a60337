"""What are the embeddings of texts by a sentence-transformers model?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from grace_engine.errors import MissingExtraError, ModelError
from grace_engine.models.locate import ModelFiles
from grace_engine.supervision.vectors import Vectors

_SPECIAL = 2  # tokens that a model of this kind puts around a text


class SentenceModel:
    """A sentence-transformers model: texts in, ``[n, d]`` embeddings out."""

    def __init__(self, files: ModelFiles, *, device: str, trust_remote_code: bool = False) -> None:
        """Load it.

        Raises:
            MissingExtraError: The sentence-transformers library is not installed.
            ModelError: The model cannot be loaded.
        """
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingExtraError(
                "An embedding model needs the sentence-transformers library: "
                "pip install 'grace-studio[embeddings]'"
            ) from error
        try:
            self._model: Any = SentenceTransformer(
                str(files.folder),
                device=device,
                trust_remote_code=trust_remote_code,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise ModelError(
                f"The embedding model {files.name} cannot be loaded: {said[0][:300]}"
            ) from error

    def embed(self, texts: Sequence[str]) -> Vectors:
        """``[n, d]`` embeddings; of a text longer than the model's window, the mean of its chunks.

        Chunks count by their tokens. An empty text has a zero vector.
        """
        chunks, owners, weights = [], [], []
        for k, text in enumerate(texts):
            for chunk, n_tokens in self._chunks(text):
                chunks.append(chunk)
                owners.append(k)
                weights.append(n_tokens)
        width = int(self._model.get_embedding_dimension() or 1)
        vectors = np.zeros((len(texts), width), dtype=np.float32)
        if chunks:
            found = self._model.encode(
                chunks, batch_size=32, show_progress_bar=False, convert_to_numpy=True
            )
            totals = np.zeros(len(texts))
            for owner, weight, vector in zip(owners, weights, found, strict=True):
                vectors[owner] += weight * vector
                totals[owner] += weight
            there = totals > 0
            vectors[there] /= totals[there, None].astype(np.float32)
        return vectors

    def _chunks(self, text: str) -> list[tuple[str, int]]:
        """Parts of a text that the model reads whole, with their number of tokens."""
        if not text.strip():
            return []
        limit = self._model.max_seq_length
        tokenizer: Any = getattr(self._model, "tokenizer", None)
        if not limit or not getattr(tokenizer, "is_fast", False):
            return [(text, 1)]
        spans = tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )["offset_mapping"]
        room = max(1, int(limit) - _SPECIAL)
        parts = [spans[start : start + room] for start in range(0, len(spans), room)]
        return [(text[part[0][0] : part[-1][1]], len(part)) for part in parts]
