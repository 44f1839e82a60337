"""What does a causal LM make of a text: its tokens, its loss, its hidden states?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from grace_engine.models.heads import captured_hidden
from grace_engine.models.load import LoadedModel
from grace_engine.supervision.vectors import Vectors

LONGEST_WINDOW = 2048
"""Tokens that are read at once at most, whatever the model could."""

_LOGITS = 1 << 24  # elements of one tile over the vocabulary
_PER_BATCH = {"cpu": 2048, "cuda": 8192}
"""Padded tokens of a forward pass: on a CPU, what its caches hold (1.7 times as fast as 8,192)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a model makes of N texts.

    Attributes:
        losses: ``N`` mean losses of a text's tokens, in nats; None where no token has a prediction.
        vectors: ``[N, d]`` means over tokens of the states that enter the head; zero for an empty
            text.
    """

    losses: list[float | None]
    vectors: Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    text: int  # index of the text
    row: int  # index of its tokens
    start: int  # of the window, in its tokens
    end: int
    scored_from: int | None = None  # tokens before that were counted by an earlier window
    is_meant: bool = False  # whether its states are part of the mean


class CausalReader:
    """A loaded model and its tokenizer: texts in, numbers out."""

    def __init__(
        self, loaded: LoadedModel, tokenizer: Any, *, window: int, tokens_per_batch: int = 0
    ) -> None:
        """Wrap a model.

        Args:
            loaded: The model.
            tokenizer: Its tokenizer.
            window: Most tokens that it reads at once.
            tokens_per_batch: Padded tokens of one forward pass; 0 for what suits the device.
        """
        self._loaded, self._tokenizer = loaded, tokenizer
        self._window = window
        self._budget = tokens_per_batch or _PER_BATCH.get(loaded.device.type, _PER_BATCH["cuda"])

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, without special tokens."""
        if not texts:
            return []
        found: list[list[int]] = self._tokenizer(
            list(texts), add_special_tokens=False, return_attention_mask=False, verbose=False
        )["input_ids"]
        return found

    def embed(self, texts: Sequence[str]) -> Vectors:
        """``[n, d]`` means over tokens of the states that enter the head; zero for an empty text.

        A text longer than the window is read in chunks that do not see each other.
        """
        return self._read(texts, scored=False, meant=True).vectors

    def losses(self, texts: Sequence[str]) -> list[float | None]:
        """Mean loss of each text's tokens, in nats; None where no token has a prediction.

        The first token has one only where the tokenizer has a token that begins texts.
        """
        return self._read(texts, scored=True, meant=False).losses

    def read(self, texts: Sequence[str]) -> Reading:
        """``losses`` and ``embed`` at once: what both read alike is read once."""
        return self._read(texts, scored=True, meant=True)

    def _read(self, texts: Sequence[str], *, scored: bool, meant: bool) -> Reading:
        plain = self.token_ids(texts)
        begin = self._tokenizer.bos_token_id
        begun = plain if begin is None else [[begin, *own] if own else [] for own in plain]
        rows = plain if begin is None else plain + begun
        windows: list[_Window] = []
        for text, (own, longer) in enumerate(zip(plain, begun, strict=True)):
            row = text if begin is None else len(plain) + text
            told = list(self._overlapping(text, row, len(longer))) if scored else []
            chunks = list(self._chunks(text, len(own))) if meant else []
            windows += _shared(told, chunks)
        sums = np.zeros(len(texts))
        counts = np.zeros(len(texts), dtype=int)
        means: dict[int, Tensor] = {}
        for window, states in self._states_of(rows, windows):
            if window.scored_from is not None:
                targets = torch.tensor(rows[window.row][window.scored_from : window.end])
                seen = states[window.scored_from - window.start - 1 : -1]
                sums[window.text] += self._loss_sum(seen, targets.to(states.device))
                counts[window.text] += len(targets)
            if window.is_meant:
                part = states.double().sum(dim=0).cpu() / len(plain[window.text])
                means[window.text] = means[window.text] + part if window.text in means else part
        width = int(next(iter(means.values())).shape[0]) if means else 1
        vectors = np.zeros((len(texts), width), dtype=np.float32)
        for text, mean in means.items():
            vectors[text] = mean.numpy()
        return Reading(
            losses=[float(s / n) if n else None for s, n in zip(sums, counts, strict=True)],
            vectors=vectors,
        )

    def _chunks(self, text: int, length: int) -> Iterator[_Window]:
        """Windows one after the other."""
        for start in range(0, length, self._window):
            end = min(start + self._window, length)
            yield _Window(text=text, row=text, start=start, end=end, is_meant=True)

    def _overlapping(self, text: int, row: int, length: int) -> Iterator[_Window]:
        """Windows in which each token but the first is scored once, with half a window before."""
        scored = 1
        start = 0
        while scored < length:
            end = min(start + self._window, length)
            yield _Window(text=text, row=row, start=start, end=end, scored_from=scored)
            scored = end
            start = end - self._window // 2

    def _states_of(
        self, rows: Sequence[Sequence[int]], windows: Sequence[_Window]
    ) -> Iterator[tuple[_Window, Tensor]]:
        """Every window with its ``[n, d]`` states; those of like length share a forward pass."""
        longest_first = sorted(windows, key=lambda window: window.start - window.end)
        batch: list[_Window] = []
        for window in longest_first:
            width = batch[0].end - batch[0].start if batch else 0
            if batch and width * (len(batch) + 1) > self._budget:
                yield from self._pass(rows, batch)
                batch = []
            batch.append(window)
        if batch:
            yield from self._pass(rows, batch)

    def _pass(
        self, rows: Sequence[Sequence[int]], batch: Sequence[_Window]
    ) -> Iterator[tuple[_Window, Tensor]]:
        """One forward pass, right-padded to its first window."""
        width = batch[0].end - batch[0].start
        ids = torch.zeros((len(batch), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for place, window in enumerate(batch):
            own = torch.tensor(rows[window.row][window.start : window.end])
            ids[place, : len(own)], mask[place, : len(own)] = own, 1
        device = self._loaded.device
        model: nn.Module = self._loaded.model
        with torch.inference_mode(), captured_hidden(model) as seen:
            model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False)
        for place, window in enumerate(batch):
            yield window, seen[0][place, : window.end - window.start]

    def _loss_sum(self, states: Tensor, targets: Tensor) -> float:
        head, total = self._loaded.head, 0.0
        rows = max(1, _LOGITS // head.vocabulary)
        with torch.inference_mode():
            for part in range(0, len(targets), rows):
                some = states[part : part + rows]
                logits = head.logits(some)
                loss = nn.functional.cross_entropy(
                    logits, targets[part : part + rows], reduction="sum"
                )
                total += float(loss)
        return total


def _shared(told: Sequence[_Window], chunks: Sequence[_Window]) -> Iterator[_Window]:
    """Windows of a text; one that stands in both lists is read once for both."""
    where = {(chunk.row, chunk.start, chunk.end) for chunk in chunks}
    both = {(w.row, w.start, w.end) for w in told} & where
    yield from (replace(w, is_meant=(w.row, w.start, w.end) in both) for w in told)
    yield from (chunk for chunk in chunks if (chunk.row, chunk.start, chunk.end) not in both)
