"""Which tokens did the policy see of a problem, and which did it answer with, for which weight?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grace_engine.errors import TraceRejected
from grace_engine.models.render import Renderer, template_name_of
from grace_engine.policy.advantages import advantages
from grace_engine.records import Rollout, RolloutGroup
from grace_engine.training.examples import prompt_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedGroup:
    """A group as the objective sees it: R rollouts that have a reward.

    Attributes:
        problem_id: The problem.
        prompt: Its token ids; at least one.
        answers: ``[R]`` token ids of each rollout; none is empty.
        weights: ``[R]`` A_i / (R·|y_i|): what log π of each token of rollout i counts in J.
    """

    problem_id: str
    prompt: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]
    weights: tuple[float, ...]

    @property
    def n_tokens(self) -> int:
        """Tokens of all sequences, each with the prompt."""
        return sum(len(self.prompt) + len(answer) for answer in self.answers)


class Encoder:
    """Turns groups into tokens as one model's tokenizer and template make them."""

    def __init__(
        self, tokenizer: "PreTrainedTokenizerFast", *, max_length: int = 0, eos: int | None = None
    ) -> None:
        """``max_length`` is the longest sequence in tokens; 0 for any. ``eos`` ends an answer."""
        self._tokenizer = tokenizer
        self._renderer = Renderer(tokenizer, template_name=template_name_of(tokenizer))
        self._max_length = max_length
        self._eos = tokenizer.eos_token_id if eos is None else eos

    def prompt(self, text: str) -> tuple[int, ...]:
        """Token ids of a prompt, up to where the policy goes on."""
        encoded = self._tokenizer(
            prompt_text(text, self._renderer),
            add_special_tokens=self._renderer.add_special_tokens,
            verbose=False,
        )
        return tuple(encoded["input_ids"])

    def answer(self, rollout: Rollout) -> tuple[int, ...]:
        """The tokens that were sampled; of a text from elsewhere its tokens, then the end token."""
        if rollout.token_ids:
            return rollout.token_ids
        encoded = self._tokenizer(rollout.text, add_special_tokens=False, verbose=False)
        ids = tuple(encoded["input_ids"])
        return (*ids, self._eos) if rollout.finished and self._eos is not None else ids

    def encode(self, group: RolloutGroup, *, normalise: bool) -> EncodedGroup:
        """A group that has a gradient (``without_gradient``), with the weights of the objective.

        Raises:
            TraceRejected: ``too-long``, or ``empty-rollout`` where an answer has no token.
        """
        rewarded = [one for one in group.rollouts if one.reward is not None]
        found = advantages(
            np.array([one.reward for one in rewarded], np.float64), normalise=normalise
        )
        prompt = self.prompt(group.prompt)
        answers = tuple(self.answer(one) for one in rewarded)
        self._require_room(prompt, answers)
        return EncodedGroup(
            problem_id=group.problem_id,
            prompt=prompt,
            answers=answers,
            weights=tuple(
                float(advantage) / (len(answers) * len(answer))
                for advantage, answer in zip(found, answers, strict=True)
            ),
        )

    def _require_room(self, prompt: Sequence[int], answers: Sequence[tuple[int, ...]]) -> None:
        if not all(answers):
            raise TraceRejected("empty-rollout", "a rollout has no token")
        longest = len(prompt) + max(map(len, answers))
        if self._max_length and longest > self._max_length:
            raise TraceRejected(
                "too-long",
                f"prompt and longest rollout have {longest:,} tokens, more than the "
                f"{self._max_length:,} that the model takes",
            )
