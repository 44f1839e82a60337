"""What does a judge model say of the steps of traces?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JUDGES = "j-"
"""How ids of judges begin."""

JUDGE_METRICS = ("factuality", "validity", "coherence", "utility")
"""What a judge is asked of a step, one at a time, in this order."""

ATOMS = "atoms"
"""The part of a step's judgement that cuts it into claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A model that judges steps by one wording of the questions.

    Attributes:
        id: ``j-`` and eight hex digits: digest of all that decides what it says.
        model: As its server names it.
        endpoint: Address of the server that answered last.
        prompts: Digest of the wording.
        temperature: Of sampling.
        context: Most characters of earlier steps that it reads beside a step.
        extra: Further fields of a request, as JSON values.
        n_traces: Traces of which it has judged a step.
        n_steps: Steps of which it has said something.
        n_failed: Steps of which something could not be found out, each stored with its reason.
        n_requests: Requests that were answered, those whose answer was of no use, too.
        tokens_in: Tokens that it read.
        tokens_out: Tokens that it wrote.
        n_estimated: Requests whose tokens the server did not say: they are estimates.
        cost: Of ``n_priced`` requests, by the prices that were given; None where none were.
        n_priced: Requests for which prices were given.
        created_at: ISO 8601, UTC.
        updated_at: ISO 8601, UTC.
    """

    id: str
    model: str
    endpoint: str = ""
    prompts: str = ""
    temperature: float = 0.0
    context: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)
    n_traces: int = 0
    n_steps: int = 0
    n_failed: int = 0
    n_requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    n_estimated: int = 0
    cost: float | None = None
    n_priced: int = 0
    created_at: str = ""
    updated_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPlace:
    """Which step of which trace a judgement is about; other traces may share it.

    Attributes:
        trace_id: The trace.
        start: First character of the step in the trace's full text: it outlives the step's number.
        end: One past its last.
        step_key: Digest of the judge and of everything that it reads.
    """

    trace_id: str
    start: int
    end: int
    step_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What came of asking one thing of one step.

    Attributes:
        step_key: Digest of the judge and of everything that it reads.
        part: ``atoms``, or one of ``JUDGE_METRICS``.
        label: Whether it is positive; None of ``atoms`` and where it failed.
        claims: Of ``atoms`` the step's claims with their type; else the claims that are at fault.
        premises: Of ``atoms``: what of the question the step rests on.
        reason: The judge's, on one line.
        failure: Stable kebab-case code of why there is no label; "" where there is one.
        detail: What was seen then, for a person to read.
        n_requests: Requests that it took.
        tokens_in: Tokens of these that the judge read.
        tokens_out: Tokens of these that it wrote.
        n_estimated: Requests whose tokens the server did not say.
        cost: By the prices that were given; None where none were.
    """

    step_key: str
    part: str
    label: bool | None = None
    claims: tuple[Any, ...] = ()
    premises: tuple[str, ...] = ()
    reason: str = ""
    failure: str = ""
    detail: str = ""
    n_requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    n_estimated: int = 0
    cost: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedStep:
    """All that a judge says of one step of a trace.

    Attributes:
        trace_id: The trace.
        step: From 1, as the trace is cut where it was asked for.
        labels: By metric: whether it is positive.
        reasons: By metric: the judge's.
        claims: The step's atomic claims.
        at_fault: By metric: numbers, from 1, of the claims that are at fault.
        failures: By part: why it could not be found out.
    """

    trace_id: str
    step: int
    labels: Mapping[str, bool] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    claims: tuple[str, ...] = ()
    at_fault: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def score(self) -> float | None:
        """Share of its labels that are positive; None without one."""
        return sum(self.labels.values()) / len(self.labels) if self.labels else None

    @property
    def negative(self) -> tuple[str, ...]:
        """The metrics whose label is negative, in order."""
        return tuple(name for name in JUDGE_METRICS if self.labels.get(name) is False)
