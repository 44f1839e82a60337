"""What does a policy that somebody serves answer, over the OpenAI protocol?

It is asked with ``model, messages, n, temperature, top_p, max_tokens, seed``. Texts come back:
their tokens and log-probabilities are those of the model whose gradients are taken.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from grace_engine.endpoint import Endpoint
from grace_engine.errors import ResourceError, TraceRejected
from grace_engine.policy.settings import RolloutSettings
from grace_engine.records import Rollout

_EXCERPT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedPolicy:
    """A served policy.

    Attributes:
        settings: Its address and model, and how it is asked.
    """

    settings: RolloutSettings
    _endpoint: Endpoint = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """One for all requests, so that they know together whether anybody answers."""
        object.__setattr__(self, "_endpoint", Endpoint(url=self.settings.endpoint))

    def ask(self, prompts: list[str], seed: int) -> list[list[Rollout] | TraceRejected]:
        """Answers to each prompt, ``n`` each, all prompts at once; or why there are none.

        Raises:
            InputError: The server refuses what is asked: no such model, no right.
            ResourceError: It does not answer, or answers something else.
        """
        with ThreadPoolExecutor(len(prompts)) as pool:
            return list(pool.map(self._answers, prompts, range(seed, seed + len(prompts))))

    def _answers(self, prompt: str, seed: int) -> list[Rollout] | TraceRejected:
        found: list[Rollout] = []
        while len(found) < self.settings.n:  # some servers give one answer, whatever n is
            try:
                choices = self._choices(prompt, self.settings.n - len(found), seed + len(found))
            except TraceRejected as fault:
                return fault
            found += choices
        return found[: self.settings.n]

    def _choices(self, prompt: str, n: int, seed: int) -> list[Rollout]:
        settings = self.settings
        document = self._endpoint.complete(
            {
                "model": settings.model,
                "messages": [{"role": "user", "content": prompt}],
                "n": n,
                "temperature": settings.temperature,
                "top_p": settings.top_p,
                "max_tokens": settings.max_new_tokens,
                "seed": seed % 2**31,
            }
        )
        try:
            choices = [
                Rollout(
                    text=str(choice["message"].get("content") or ""),
                    finished=choice.get("finish_reason") != "length",
                )
                for choice in document["choices"]
            ]
        except (KeyError, TypeError, AttributeError):
            choices = []
        if not choices:
            raise ResourceError(
                f"The endpoint {settings.endpoint} answers, but with no choices in it "
                f"({json.dumps(document)[:_EXCERPT]}): does it serve chat completions?"
            )
        return choices
