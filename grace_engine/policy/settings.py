"""Which settings decide rollouts and policy gradients, and what does each default mean?"""

import re
from dataclasses import dataclass

from grace_engine.config import DTYPES, POLICY_KINDS, Dtype, PolicyKind, require_one_of
from grace_engine.endpoint import require_address
from grace_engine.errors import InputError

CHECK = "check"
"""Rewards by holding answers against references."""

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """Which model answers, or is asked for gradients.

    Attributes:
        model: Folder of a Hugging Face causal LM or a hub id; the shipped model by default.
        revision: Branch, tag or commit of a hub id.
        adapter: Folder or hub id of a PEFT adapter, merged before use.
        dtype: ``auto`` is bfloat16 where the device computes in it, else float32.
        device: ``auto`` takes CUDA, then Apple MPS, then the CPU.
        trust_remote_code: Allow Python code that comes with the model to run.
    """

    model: str = ""
    revision: str = ""
    adapter: str = ""
    dtype: Dtype = "auto"
    device: str = "auto"
    trust_remote_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSettings(ModelSettings):
    """How problems are answered several times, and rewarded.

    Attributes:
        n: Answers to each problem; the papers take 8 to 64.
        temperature: Of sampling; 1 samples the policy itself.
        top_p: Of sampling; 1 leaves all tokens.
        max_new_tokens: Length at which an answer is cut.
        seed: Of sampling.
        reward: ``check`` holds answers against references; ``module:function`` calls a function.
        timeout: Seconds that one answer may take: of processor time to check, of the clock for a
            function.
        sample: Only that many problems, drawn by id digest; 0 for all.
        rows_per_batch: Answers that are sampled at once.
        retry_failed: Try problems again that had no answers before.
        endpoint: Address of a server that speaks the OpenAI protocol, up to ``/v1``; ``model`` is
            then the name that it serves. "" answers here.
    """

    n: int = 16
    temperature: float = 1.0
    top_p: float = 1.0
    max_new_tokens: int = 512
    seed: int = 0
    reward: str = CHECK
    timeout: float = 5.0
    sample: int = 0
    rows_per_batch: int = 64
    retry_failed: bool = False
    endpoint: str = ""

    def __post_init__(self) -> None:
        """Refuse values that no rollout could use."""
        require_one_of("Dtype", self.dtype, DTYPES)
        if self.n < 2:
            raise InputError(
                f"Rollouts per problem must be 2 or more, not {self.n}: one has no group to be "
                "better than."
            )
        if not 0 < self.temperature <= 10:
            raise InputError(
                f"Temperature {self.temperature:g} is out of range: rollouts are sampled, so use "
                "more than 0 and at most 10."
            )
        if not 0 < self.top_p <= 1:
            raise InputError(
                f"Top-p {self.top_p:g} is out of range: use more than 0 and at most 1."
            )
        if min(self.max_new_tokens, self.rows_per_batch) < 1 or self.sample < 0:
            raise InputError("Tokens and rows of a batch must be 1 or more, a sample 0 or more.")
        if not self.timeout > 0:
            raise InputError(f"A timeout must be more than 0 s, not {self.timeout:g}.")
        if self.endpoint:
            require_address(self.endpoint)
        if self.endpoint and not self.model:
            raise InputError("An endpoint serves models by name: say which with --model.")
        if self.reward != CHECK and not _FUNCTION.fullmatch(self.reward):
            raise InputError(
                f"Reward {self.reward!r} is not known: use check, or name a function as "
                "module:function."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientSettings(ModelSettings):
    """Which policy gradients are taken of rollouts.

    Attributes:
        kind: What stands for a problem's gradient.
        target: Rollout set (id or name) of the target problems; "" for none.
        normalise: Divide advantages by the standard deviation of their group, as the GradAlign
            paper does and its released code does not.
        rank: Of ``lora``.
        projection: Numbers that are kept of each gradient, for strategies that compare problems
            with each other; 0 keeps none. ``representation`` always keeps all of its own.
        seed: Of the projection and of ``lora``.
        split_half: Take gradients of two halves of each candidate's rollouts, too, to see how sure
            a score is; that costs as much again.
        tokens_per_batch: Padded tokens of one forward pass.
        max_length: Longest prompt with an answer, in tokens; 0 takes the model's own limit.
        workspace_elements: Upper bound of elements in one tile over the vocabulary; 0 takes 2^21
            on a CPU and 2^25 elsewhere.
        retry_failed: Try problems again that an earlier run could not use.
    """

    kind: PolicyKind = "representation"
    target: str = ""
    normalise: bool = True
    rank: int = 8
    projection: int = 0
    seed: int = 0
    split_half: bool = False
    tokens_per_batch: int = 8192
    max_length: int = 0
    workspace_elements: int = 0
    retry_failed: bool = False

    def __post_init__(self) -> None:
        """Refuse values that no gradient could use."""
        require_one_of("Dtype", self.dtype, DTYPES)
        require_one_of("Kind", self.kind, POLICY_KINDS)
        if self.split_half and not self.target:
            raise InputError(
                "Halves of rollouts are held against a target set: name one with --target."
            )
        if self.rank < 1 or self.tokens_per_batch < 1:
            raise InputError("Rank and tokens per batch must be 1 or more.")
        if self.projection < 0 or self.max_length < 0:
            raise InputError("Projection and max length cannot be negative.")
