"""What does a policy answer to a problem that it is asked several times, for which rewards?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from grace_engine.records.traces import Label

SETS, POLICY_RUNS = "o-", "g-"
"""How ids of rollout sets and of runs of policy gradients begin."""


def is_of_problems(run_id: str) -> bool:
    """Whether an id is that of a rollout set or of a run of policy gradients, not of traces."""
    return run_id.startswith((SETS, POLICY_RUNS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One sampled answer to a problem.

    Attributes:
        text: The answer, without its end token.
        token_ids: Its tokens as they were sampled, the end token included where there is one;
            empty where only the text is known.
        logprobs: log π of each token at temperature 1, in nats; empty where it is not known.
        finished: Whether it ended by itself; False where it was cut at the longest length.
        reward: From 0 to 1; None where there is none.
        outcome: How it came to its reward: one of ``OUTCOMES``, ``scored`` by a function,
            ``given`` by a file, or why there is none: ``raised``, ``not finite``, ``out of range``,
            ``no reference``.
        detail: The same for a person to read.
    """

    text: str
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    finished: bool = True
    reward: float | None = None
    outcome: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutGroup:
    """A problem with all answers that one policy gave to it.

    Attributes:
        problem_id: Digest of dataset, prompt and reference.
        dataset: Where the problem comes from.
        prompt: What the policy was asked.
        reference: The answer that is held to be right; None when the data does not say.
        labels: What the data says of the problem.
        record_digest: Digest of the record that poses it.
        rollouts: The answers, in order; none where the problem failed.
        reason: Stable kebab-case code of why there are none; "" where there are some.
        detail: What was seen then, for a person to read.
    """

    problem_id: str
    dataset: str
    prompt: str
    reference: str | None = None
    labels: Mapping[str, Label] = field(default_factory=dict)
    record_digest: str = ""
    rollouts: tuple[Rollout, ...] = ()
    reason: str = ""
    detail: str = ""

    @property
    def rewards(self) -> tuple[float, ...]:
        """Rewards of the answers that have one."""
        return tuple(one.reward for one in self.rollouts if one.reward is not None)

    @property
    def pass_rate(self) -> float | None:
        """Mean reward, the share of right answers where rewards are 0 and 1; None without any."""
        rewards = self.rewards
        return sum(rewards) / len(rewards) if rewards else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSet:
    """What one policy answered to the problems of one dataset or file.

    Attributes:
        id: ``o-`` and eight hex digits: digest of everything that decides it.
        name: Of the dataset or file of problems, or what the user calls rollouts made elsewhere.
        source: ``sampled`` here, or read from a ``file``.
        path: That file; "" for none.
        model: The policy as the user named it; "" where a file does not say.
        fingerprint: Digest of the policy's files and dtype; "" where a file does not say.
        revision: Commit of a hub model.
        adapter: As the user named it; "" without one.
        dtype: Such as ``float32``; "" where a file does not say.
        n: Answers to each problem; 0 where a file decides.
        temperature: Of sampling.
        top_p: Of sampling; 1 leaves all tokens.
        max_new_tokens: Length at which an answer was cut.
        seed: Of sampling.
        reward: ``check``, ``module:function``, or ``file``.
        endpoint: Server that answered; "" for none.
        n_problems: Problems with answers.
        n_failed: Problems without any, each stored with its reason.
        n_rollouts: Answers.
        created_at: ISO 8601, UTC.
        updated_at: ISO 8601, UTC.
    """

    id: str
    name: str
    source: Literal["sampled", "file"]
    path: str = ""
    model: str = ""
    fingerprint: str = ""
    revision: str = ""
    adapter: str = ""
    dtype: str = ""
    n: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    max_new_tokens: int = 0
    seed: int = 0
    reward: str = "file"
    endpoint: str = ""
    n_problems: int = 0
    n_failed: int = 0
    n_rollouts: int = 0
    created_at: str = ""
    updated_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSet:
    """Problems whose accuracy is what training is for: candidates are held against them.

    Attributes:
        set_id: The rollouts of these problems.
        name: Of that set.
        problem_ids: Problems whose rollouts differ in reward, in order: the others have no
            gradient.
        n_without: Problems of the set that have none.
    """

    set_id: str
    name: str
    problem_ids: tuple[str, ...]
    n_without: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRun:
    """Policy gradients of the problems of one rollout set.

    Attributes:
        id: ``g-`` and eight hex digits: digest of everything that decides it.
        set_id: Rollouts of the candidates.
        target_id: Rollouts of the target set; "" without one.
        fingerprint: Digest of the model's files and dtype.
        model: As the user named it.
        revision: Commit of a hub model.
        adapter: As the user named it, merged; "" without one.
        dtype: Such as ``float32``.
        kind: ``representation``, ``lm_head``, ``lora`` or ``full``.
        normalise: Whether advantages are divided by the standard deviation of their group.
        rank: Of ``lora``; 0 for the others.
        projection: Numbers that are kept of a gradient; 0 for none. Of ``representation`` all are.
        seed: Of the projection and of ``lora``.
        target_norm: Length of the target's mean gradient; None until it is known.
        split_half: Whether gradients of two halves of the rollouts were taken, too.
        n_target: Problems of the target set that have a gradient.
        n_done: Problems with a gradient.
        n_without: Problems without one, each stored with its reason.
        created_at: ISO 8601, UTC.
        updated_at: ISO 8601, UTC.
    """

    id: str
    set_id: str
    target_id: str
    fingerprint: str
    model: str
    revision: str = ""
    adapter: str = ""
    dtype: str = "float32"
    kind: str
    normalise: bool
    rank: int = 0
    projection: int = 0
    seed: int = 0
    split_half: bool = False
    target_norm: float | None = None
    n_target: int = 0
    n_done: int = 0
    n_without: int = 0
    created_at: str = ""
    updated_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemGradient:
    """What is kept of one problem's policy gradient g.

    Attributes:
        problem_id: The problem.
        dot: ⟨g, ḡ⟩ with the mean gradient of the target set; None without one.
        norm: ‖g‖.
        sketch: g itself (``representation``) or its seeded projection; empty where none is kept.
        halves: ⟨g, ḡ⟩ and ‖g‖ of the first, third, … rollouts, then of the others, as groups of
            their own; empty where they were not taken, or one of them has no gradient.
        reason: Stable kebab-case code of why there is no gradient; "" where there is one.
        detail: The same for a person to read.
    """

    problem_id: str
    dot: float | None = None
    norm: float = 0.0
    sketch: tuple[float, ...] = ()
    halves: tuple[float, ...] = ()
    reason: str = ""
    detail: str = ""
