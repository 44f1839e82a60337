"""What does a policy answer to a prompt, several times, and how likely was each token?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from grace_engine.errors import ResourceError
from grace_engine.models.heads import captured_hidden
from grace_engine.models.load import LoadedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One answer.

    Attributes:
        token_ids: As sampled, with the end token where there is one.
        logprobs: log π of each at temperature 1, nats.
        finished: Whether it ended by itself.
    """

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finished: bool


class Sampler:
    """Samples answers with transformers' ``generate``, a batch of prompts at a time."""

    def __init__(
        self,
        loaded: LoadedModel,
        tokenizer: Any,
        *,
        n: int,
        temperature: float,
        top_p: float,
        max_new_tokens: int,
    ) -> None:
        from transformers import GenerationConfig

        self._model, self._device, self._n = loaded.model, loaded.device, n
        self._tokenizer = tokenizer
        ends = getattr(loaded.model.generation_config, "eos_token_id", None)
        ends = tokenizer.eos_token_id if ends is None else ends
        self.ends = frozenset([] if ends is None else [ends] if isinstance(ends, int) else ends)
        pad = tokenizer.pad_token_id
        self._pad = int(next(iter(sorted(self.ends)), 0) if pad is None else pad)
        # In the place of the model's own, of which generate takes what another does not set:
        # its penalties and the like would bend the policy.
        loaded.model.generation_config = GenerationConfig(
            do_sample=True,
            temperature=temperature,
            top_p=top_p,
            top_k=0,
            max_new_tokens=max_new_tokens,
            eos_token_id=sorted(self.ends) or None,
            pad_token_id=self._pad,
        )

    def sample(self, prompts: Sequence[tuple[int, ...]], seed: int) -> list[list[Sample]]:
        """``n`` answers to each prompt; the seed and the batch decide them.

        Each prompt is read once: its keys and values serve all its answers.

        Raises:
            ResourceError: Memory does not suffice for the batch.
        """
        torch.manual_seed(seed)
        ids, mask = self._padded(prompts)
        logits, drawn = _recorders()
        try:
            with torch.inference_mode():
                found = self._model.generate(
                    input_ids=ids.repeat_interleave(self._n, dim=0),
                    attention_mask=mask.repeat_interleave(self._n, dim=0),
                    past_key_values=self._read(ids, mask),
                    logits_processor=[logits],
                    stopping_criteria=[drawn],
                )
        except (torch.OutOfMemoryError, MemoryError) as fault:
            raise ResourceError(
                f"Memory does not suffice for {len(prompts) * self._n} answers at once: use a "
                "smaller --rows-per-batch. What was finished is kept."
            ) from fault
        answers = found[:, ids.shape[1] :].tolist()
        logprobs = torch.stack(drawn.found, dim=1).tolist()
        samples = [self._cut(*row) for row in zip(answers, logprobs, strict=True)]
        return [samples[i : i + self._n] for i in range(0, len(samples), self._n)]

    def text(self, sample: Sample) -> str:
        """An answer as text, without its end token."""
        return str(self._tokenizer.decode(sample.token_ids, skip_special_tokens=True))

    def _padded(self, prompts: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        width = max(map(len, prompts))
        ids = torch.full((len(prompts), width), self._pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        return ids.to(self._device), mask.to(self._device)

    def _read(self, ids: Tensor, mask: Tensor) -> Any:
        """Keys and values of all but the last token of each prompt, once for each answer."""
        from transformers import DynamicCache

        cache = DynamicCache(config=self._model.config)
        if ids.shape[1] > 1:
            positions = (mask.cumsum(-1) - 1).clamp(min=0)
            with captured_hidden(self._model):  # no logits of the prompt
                self._model(
                    input_ids=ids[:, :-1],
                    attention_mask=mask[:, :-1],
                    position_ids=positions[:, :-1],
                    past_key_values=cache,
                    use_cache=True,
                )
            cache.batch_repeat_interleave(self._n)
        return cache

    def _cut(self, answer: Sequence[int], logprobs: Sequence[float]) -> Sample:
        """An answer up to and with its end token; what follows is padding."""
        end = next((i for i, token in enumerate(answer) if token in self.ends), None)
        n = len(answer) if end is None else end + 1
        return Sample(
            token_ids=tuple(answer[:n]), logprobs=tuple(logprobs[:n]), finished=end is not None
        )


def _recorders() -> tuple[Any, Any]:
    """One sees each step's logits before they are bent, one the token that was drawn from them.

    One step's logits are held at a time, whatever the length; the second keeps what it ``found``.
    """
    from transformers import LogitsProcessor, StoppingCriteria

    class Logits(LogitsProcessor):  # type: ignore[misc]
        seen: Tensor

        def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002
            self.seen = scores
            return scores

    class Drawn(StoppingCriteria):  # type: ignore[misc]
        def __init__(self) -> None:
            self.found: list[Tensor] = []

        def __call__(self, input_ids: Tensor, scores: Any, **_more: Any) -> Tensor:  # noqa: ARG002
            logits, drawn = before.seen.float(), input_ids[:, -1:]
            self.found.append(logits.gather(1, drawn)[:, 0] - torch.logsumexp(logits, dim=1))
            return torch.zeros(len(drawn), dtype=torch.bool, device=drawn.device)

    before = Logits()
    return before, Drawn()
