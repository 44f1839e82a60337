"""What does a policy that somebody serves answer, over the OpenAI protocol?

``POST URL/chat/completions`` with ``model, messages, n, temperature, top_p, max_tokens, seed``, as
vLLM, SGLang, llama.cpp and others serve it. The key, where one is needed, is ``$OPENAI_API_KEY``.
Texts come back: their tokens and log-probabilities are those of the model whose gradients are
taken.
"""

import http.client
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from grace_engine.errors import InputError, ResourceError, TraceRejected
from grace_engine.policy.settings import RolloutSettings
from grace_engine.records import Rollout

KEY = "OPENAI_API_KEY"

# Of one problem: too long for the server, or not to its taste.
_OF_THE_PROBLEM = (400, 413, 422)
_BUSY = (408, 429, 500, 502, 503, 504)
# Seconds between tries of a server that is busy or starting.
_NAPS = (1.0, 4.0, 15.0, 30.0)
_ANSWER_SECONDS = 600.0
_EXCERPT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A served policy.

    Attributes:
        settings: Its address and model, and how it is asked.
    """

    settings: RolloutSettings

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
        document = self._post(
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

    def _post(self, body: dict[str, Any]) -> Any:
        """What the server answers; it is asked again while it is busy."""
        url = f"{self.settings.endpoint.rstrip('/')}/chat/completions"
        headers = {"Content-Type": "application/json"}
        if os.environ.get(KEY):
            headers["Authorization"] = f"Bearer {os.environ[KEY]}"
        request = Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - http, as checked
        said = ""
        for nap in (*_NAPS, None):
            try:
                with urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310
                    return json.load(answer)
            except HTTPError as fault:
                said = f"status {fault.code}, {_excerpt(fault)}"
                if fault.code in _OF_THE_PROBLEM:
                    raise TraceRejected("endpoint-refused", said) from fault
                if fault.code not in _BUSY:
                    raise InputError(
                        f"The endpoint {url} refuses what it is asked ({said}). Look at --endpoint "
                        f"and --model, and at ${KEY} where it wants a key."
                    ) from fault
            except json.JSONDecodeError as fault:
                raise ResourceError(f"The endpoint {url} answers what is not JSON.") from fault
            except (URLError, http.client.HTTPException, OSError) as fault:
                said = str(getattr(fault, "reason", fault)) or type(fault).__name__
            if nap is not None:
                time.sleep(nap)
        raise ResourceError(
            f"The endpoint {url} does not answer ({said}). Start it, or name another with "
            "--endpoint; what was finished is kept, and the same command goes on."
        )


def _excerpt(fault: HTTPError) -> str:
    return " ".join(fault.read().decode("utf-8", errors="replace").split())[:_EXCERPT]
