"""Who judges, what is asked, of how many traces, and what may it cost?"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grace_engine.digests import text_digest
from grace_engine.endpoint import KEY, require_address
from grace_engine.errors import InputError
from grace_engine.judging.prompts import PROMPTS
from grace_engine.records import JUDGE_METRICS, JUDGES, Judge

_MOST_AT_ONCE = 256
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What a request consists of; another field may be added, these are ours.
_OURS = ("model", "messages", "n", "stream")


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSettings:
    """How steps are judged.

    Attributes:
        endpoint: Address of a server that speaks the OpenAI protocol, up to ``/v1``.
        model: As that server names it.
        metrics: What is asked of each step, of ``JUDGE_METRICS``.
        sample: Only that many traces; 0 for all. A sample is the beginning of every larger one.
        per: Draw them from each value of a column alike: ``dataset``, ``label.NAME``; "" for none.
        seed: Of the draw.
        concurrency: Requests that are under way at once.
        requests_per_minute: Most requests in a minute; 0 for no limit.
        max_tokens: Most tokens, read and written, that judging these traces may take, what was
            spent on them before included; 0 for no limit.
        max_cost: The same in the currency of the prices; 0 for no limit.
        price_in: Of a million tokens that the judge reads.
        price_out: Of a million tokens that it writes.
        temperature: Of sampling; 0 takes the likeliest reply.
        reply_tokens: Longest reply; one that is cut off is asked for again.
        attempts: How often one thing is asked before its reply counts as of no use.
        context: Most characters of earlier steps that stand beside a step.
        timeout: Seconds that one reply may take.
        key_env: The variable of the environment that holds the server's key.
        extra: Further fields of each request, as JSON values; None takes a field away.
        retry_failed: Ask again what came to nothing before.
    """

    endpoint: str
    model: str
    metrics: tuple[str, ...] = JUDGE_METRICS
    sample: int = 0
    per: str = ""
    seed: int = 0
    concurrency: int = 8
    requests_per_minute: float = 0.0
    max_tokens: int = 0
    max_cost: float = 0.0
    price_in: float = 0.0
    price_out: float = 0.0
    temperature: float = 0.0
    reply_tokens: int = 1024
    attempts: int = 3
    context: int = 12_000
    timeout: float = 120.0
    key_env: str = KEY
    extra: Mapping[str, Any] = field(default_factory=dict)
    retry_failed: bool = False

    def __post_init__(self) -> None:
        """Refuse values that nothing could be judged with, and a key where it would be stored."""
        require_address(self.endpoint)
        if not self.model.strip():
            raise InputError("A server judges with models by name: say which with --judge-model.")
        unknown = [name for name in self.metrics if name not in JUDGE_METRICS]
        if unknown or not self.metrics:
            named = f"{unknown[0]!r} is none" if unknown else "none is named"
            raise InputError(
                f"What to judge is not known ({named}): name some of {', '.join(JUDGE_METRICS)}."
            )
        if not 1 <= self.concurrency <= _MOST_AT_ONCE:
            raise InputError(
                f"Requests at once must be 1 to {_MOST_AT_ONCE}, not {self.concurrency}."
            )
        if min(self.sample, self.max_tokens, self.context) < 0:
            raise InputError("A sample, most tokens and the context must be 0 or more.")
        if not all(
            0 <= number < float("inf")
            for number in (
                self.requests_per_minute,
                self.max_cost,
                self.price_in,
                self.price_out,
                self.temperature,
            )
        ):
            raise InputError("Rates, prices, most cost and the temperature must be 0 or more.")
        if self.max_cost and not (self.price_in or self.price_out):
            raise InputError(
                "What judging costs is not known without prices: give --price-in and --price-out, "
                "of a million tokens, or limit tokens with --max-tokens."
            )
        if self.reply_tokens < 1 or self.attempts < 1 or not self.timeout > 0:
            raise InputError("Tokens of a reply, attempts and the timeout must be more than 0.")
        if not _VARIABLE.fullmatch(self.key_env):
            # It may be the key itself, so it is not repeated.
            raise InputError(
                "What --key-env names is no variable of the environment: give the variable's name, "
                f"such as {KEY}, not the key."
            )
        self._require_extra()
        self._require_no_key()

    def _require_extra(self) -> None:
        ours = [name for name in self.extra if name in _OURS]
        if ours:
            raise InputError(f"The field {ours[0]!r} of a request cannot be set by hand.")
        try:
            json.dumps(dict(self.extra), allow_nan=False)
        except (TypeError, ValueError) as fault:
            raise InputError("Further fields of a request must be JSON values.") from fault

    def _require_no_key(self) -> None:
        key = os.environ.get(self.key_env, "").strip()
        if key and key in "\0".join([self.endpoint, self.model, json.dumps(dict(self.extra))]):
            raise InputError(
                f"The value of ${self.key_env} stands in another setting, which would be stored: "
                "the key is taken from the environment alone."
            )

    @property
    def judge(self) -> Judge:
        """The judge that these settings make; its id is a digest of what decides its labels."""
        decided = [self.model, PROMPTS, self.temperature, self.context, sorted(self.extra.items())]
        return Judge(
            id=JUDGES + text_digest(json.dumps(decided, default=str), size=4),
            model=self.model,
            endpoint=self.endpoint,
            prompts=PROMPTS,
            temperature=self.temperature,
            context=self.context,
            extra=dict(self.extra),
        )

    def cost(self, tokens_in: float, tokens_out: float) -> float | None:
        """What so many tokens cost; None where no price is known."""
        if not (self.price_in or self.price_out):
            return None
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6
