"""What does a causal LM make of a text: its tokens, its loss, its hidden states?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    text: int  # index of the text
    start: int  # of the window, in its tokens
    end: int
    scored_from: int  # tokens before that were counted by an earlier window


class CausalReader:
    """A loaded model and its tokenizer: texts in, numbers out."""

    def __init__(
        self, loaded: LoadedModel, tokenizer: Any, *, window: int, tokens_per_batch: int = 8192
    ) -> None:
        """Wrap a model.

        Args:
            loaded: The model.
            tokenizer: Its tokenizer.
            window: Most tokens that it reads at once.
            tokens_per_batch: Padded tokens of one forward pass.
        """
        self._loaded, self._tokenizer = loaded, tokenizer
        self._window, self._budget = window, tokens_per_batch

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
        ids = self.token_ids(texts)
        windows = [
            _Window(text=k, start=start, end=min(start + self._window, len(own)), scored_from=start)
            for k, own in enumerate(ids)
            for start in range(0, len(own), self._window)
        ]
        sums: dict[int, Tensor] = {}
        for batch, hidden in self._read(ids, windows):
            for row, window in enumerate(batch):
                total = hidden[row, : window.end - window.start].double().sum(dim=0).cpu()
                sums[window.text] = sums[window.text] + total if window.text in sums else total
        width = int(next(iter(sums.values())).shape[0]) if sums else 1
        vectors = np.zeros((len(texts), width), dtype=np.float32)
        for k, total in sums.items():
            vectors[k] = (total / len(ids[k])).numpy()
        return vectors

    def losses(self, texts: Sequence[str]) -> list[float | None]:
        """Mean loss of each text's tokens, in nats; None where no token has a prediction.

        The first token has one only where the tokenizer has a token that begins texts.
        """
        begin = self._tokenizer.bos_token_id
        prefix = [] if begin is None else [begin]
        ids = [prefix + own if own else [] for own in self.token_ids(texts)]
        windows = [window for k, own in enumerate(ids) for window in self._overlapping(k, len(own))]
        sums, counts = np.zeros(len(texts)), np.zeros(len(texts), dtype=int)
        for batch, hidden in self._read(ids, windows):
            for row, window in enumerate(batch):
                at = window.scored_from - window.start
                targets = torch.tensor(ids[window.text][window.scored_from : window.end])
                states = hidden[row, at - 1 : window.end - window.start - 1]
                sums[window.text] += self._loss_sum(states, targets.to(hidden.device))
                counts[window.text] += len(targets)
        return [float(s / n) if n else None for s, n in zip(sums, counts, strict=True)]

    def _overlapping(self, text: int, length: int) -> Iterator[_Window]:
        """Windows in which each token but the first is scored once, with half a window before."""
        scored = 1
        start = 0
        while scored < length:
            end = min(start + self._window, length)
            yield _Window(text=text, start=start, end=end, scored_from=scored)
            scored = end
            start = end - self._window // 2

    def _read(
        self, ids: Sequence[Sequence[int]], windows: Sequence[_Window]
    ) -> Iterator[tuple[list[_Window], Tensor]]:
        """Windows that share a forward pass, with their ``[B, n, d]`` states, right-padded."""
        longest_first = sorted(windows, key=lambda window: window.start - window.end)
        batch: list[_Window] = []
        for window in longest_first:
            width = batch[0].end - batch[0].start if batch else 0
            if batch and width * (len(batch) + 1) > self._budget:
                yield batch, self._states(ids, batch)
                batch = []
            batch.append(window)
        if batch:
            yield batch, self._states(ids, batch)

    def _states(self, ids: Sequence[Sequence[int]], batch: Sequence[_Window]) -> Tensor:
        width = batch[0].end - batch[0].start
        rows = torch.zeros((len(batch), width), dtype=torch.long)
        mask = torch.zeros_like(rows)
        for row, window in enumerate(batch):
            own = torch.tensor(ids[window.text][window.start : window.end])
            rows[row, : len(own)], mask[row, : len(own)] = own, 1
        device = self._loaded.device
        model: nn.Module = self._loaded.model
        with torch.inference_mode(), captured_hidden(model) as seen:
            model(input_ids=rows.to(device), attention_mask=mask.to(device), use_cache=False)
        return seen[0]

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
