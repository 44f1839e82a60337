"""How are problems answered and rewarded so that nothing is lost and nothing is done twice?"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from grace_engine import store
from grace_engine.digests import text_digest
from grace_engine.errors import TraceRejected
from grace_engine.policy.encoding import Encoder
from grace_engine.policy.endpoint import ServedPolicy
from grace_engine.policy.models import PolicyModel
from grace_engine.policy.rewards import Rewarder, rewarder
from grace_engine.policy.sampling import Sampler
from grace_engine.policy.settings import CHECK, RolloutSettings
from grace_engine.progress import Progress
from grace_engine.records import SETS, Problem, Rollout, RolloutGroup, RolloutSet
from grace_engine.store import Workspace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RolloutPlan:
    """What a run of rollouts would do, found without loading weights.

    Attributes:
        rollouts: The set as it would be stored.
        settings: What was asked for.
        policy: The model; None where an endpoint answers.
        batches: Problems that are asked together, with their prompts in tokens. They are the same
            whatever was done before, so that a run that goes on ends as one that nobody disturbed.
        reached: Problems that the set holds and that are not asked again.
        unusable: Problems that cannot be asked, with the reason.
        n_folded: Problems that stand in the data more than once and are asked once.
    """

    rollouts: RolloutSet
    settings: RolloutSettings
    policy: PolicyModel | None
    batches: tuple[tuple[tuple[RolloutGroup, tuple[int, ...]], ...], ...] = field(repr=False)
    reached: frozenset[str] = field(repr=False)
    unusable: tuple[RolloutGroup, ...] = field(repr=False)
    n_folded: int = 0

    @property
    def n_problems(self) -> int:
        """Problems that can be asked."""
        return sum(map(len, self.batches))

    @property
    def n_pending(self) -> int:
        """Those that were not asked yet."""
        return sum(
            group.problem_id not in self.reached for batch in self.batches for group, _ in batch
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutReport:
    """What a run of rollouts did.

    Attributes:
        rollouts: The set with its counts.
        n_asked: Problems that were asked now.
        n_before: Problems that were asked before.
        n_unusable: Problems that cannot be asked.
        n_folded: Problems that stand in the data more than once and are asked once.
        by_outcome: Answers of now by outcome.
        by_reason: Problems that were asked now and got no answers, by reason code.
        n_tokens: Tokens that were sampled now.
        seconds: Time of the model's part and of the rewards.
    """

    rollouts: RolloutSet
    n_asked: int
    n_before: int
    n_unusable: int
    n_folded: int
    by_outcome: Mapping[str, int] = field(default_factory=dict)
    by_reason: Mapping[str, int] = field(default_factory=dict)
    n_tokens: int = 0
    seconds: float = 0.0


def plan_rollouts(
    workspace: Workspace,
    name: str,
    problems: Sequence[Problem],
    settings: RolloutSettings,
    policy: PolicyModel | None,
) -> RolloutPlan:
    """Find what would be asked of which problems.

    Args:
        workspace: Where rollouts go.
        name: Of the dataset or file.
        problems: What it poses, repeats too.
        settings: How it is asked.
        policy: Whom; None for the settings' endpoint.
    """
    rollouts = _set_of(name, settings, policy)
    once: dict[str, Problem] = {}
    for problem in problems:
        once.setdefault(problem.prompt, problem)
    groups = [_asked(problem) for problem in once.values()]
    if settings.sample:
        # Ids are digests, so the lowest of them are a fair draw.
        groups = sorted(groups, key=lambda one: one.problem_id)[: settings.sample]
    encoder = Encoder(policy.tokenizer) if policy else None
    asked, unusable = [], []
    for group in groups:
        prompt = encoder.prompt(group.prompt) if encoder else ()
        reason, detail = _unusable(group, len(prompt), policy, settings)
        if reason:
            unusable.append(replace(group, reason=reason, detail=detail))
        else:
            asked.append((group, prompt))
    asked.sort(key=lambda one: (-len(one[1]), one[0].problem_id))
    size = max(1, settings.rows_per_batch // settings.n)
    known = store.reached_problems(workspace, rollouts.id)
    return RolloutPlan(
        rollouts=rollouts,
        settings=settings,
        policy=policy,
        batches=tuple(tuple(asked[i : i + size]) for i in range(0, len(asked), size)),
        reached=frozenset(
            name for name, why in known.items() if not (why and settings.retry_failed)
        ),
        unusable=tuple(unusable),
        n_folded=len(problems) - len(once),
    )


def run_rollouts(workspace: Workspace, plan: RolloutPlan, progress: Progress) -> RolloutReport:
    """Answer and reward what a plan found pending, a batch a commit.

    Killed or interrupted at any moment, the same call goes on with the next batch, and the answers
    are those of a run that nobody disturbed. Where nothing is pending no weights are loaded.

    Raises:
        ModelError: The model cannot be loaded.
        InputError: The reward function cannot be loaded.
        ResourceError: Memory does not suffice.
    """
    began = time.monotonic()
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    n_asked = n_tokens = 0
    if plan.n_pending:
        with rewarder(plan.settings.reward, plan.settings.timeout) as gives:
            for groups in _asked_batches(workspace, plan, gives, progress):
                rollouts = [one for group in groups for one in group.rollouts]
                outcomes.update(one.outcome for one in rollouts)
                reasons.update(group.reason for group in groups if group.reason)
                n_asked += len(groups)
                n_tokens += sum(len(one.token_ids) for one in rollouts)
    store.upsert_rollout_set(workspace, plan.rollouts)
    store.add_groups(workspace, plan.rollouts.id, plan.unusable)
    return RolloutReport(
        rollouts=store.get_rollout_set(workspace, plan.rollouts.id),
        n_asked=n_asked,
        n_before=plan.n_problems - plan.n_pending,
        n_unusable=len(plan.unusable),
        n_folded=plan.n_folded,
        by_outcome=dict(outcomes.most_common()),
        by_reason=dict(reasons.most_common()),
        n_tokens=n_tokens,
        seconds=time.monotonic() - began,
    )


def _asked_batches(
    workspace: Workspace, plan: RolloutPlan, gives: Rewarder, progress: Progress
) -> Iterator[list[RolloutGroup]]:
    """The problems that are pending, answered, rewarded and stored, a batch at a time."""
    asker = _asker_of(plan, progress)
    store.upsert_rollout_set(workspace, plan.rollouts)
    before = plan.n_problems - plan.n_pending
    progress.begin("Rolling out", plan.n_problems, "problems", done=before)
    for batch in plan.batches:
        wanted = [one for one in batch if one[0].problem_id not in plan.reached]
        if not wanted:
            continue
        # What is drawn here depends on the whole batch, what a server answers does not.
        answered = _rolled(batch if plan.policy else wanted, asker, gives, plan.settings.seed)
        kept = {group.problem_id for group, _ in wanted}
        groups = [group for group in answered if group.problem_id in kept]
        store.add_groups(workspace, plan.rollouts.id, groups)
        for group in groups:
            if reason := _failure(group):
                progress.fail(reason)
        n_tokens = sum(len(one.token_ids) for group in groups for one in group.rollouts)
        progress.advance(len(groups), tokens=n_tokens)
        yield groups


def _failure(group: RolloutGroup) -> str:
    """Why a problem came to nothing, as a code: no answers, or no reward for any; "" else."""
    if group.reason or any(one.reward is not None for one in group.rollouts):
        return group.reason
    return next((one.outcome.replace(" ", "-") for one in group.rollouts), "")


def _set_of(name: str, settings: RolloutSettings, policy: PolicyModel | None) -> RolloutSet:
    served = text_digest(f"{settings.endpoint} {settings.model}")
    decided = [
        policy.fingerprint if policy else served,
        name,
        settings.n,
        settings.temperature,
        settings.top_p,
        settings.max_new_tokens,
        settings.seed,
        settings.reward,
    ]
    return RolloutSet(
        id=SETS + text_digest(repr(decided), size=4),
        name=name,
        source="sampled",
        model=settings.model,
        fingerprint=policy.fingerprint if policy else served,
        revision=policy.files.revision if policy else "",
        adapter=settings.adapter,
        dtype=policy.dtype if policy else "",
        n=settings.n,
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_new_tokens=settings.max_new_tokens,
        seed=settings.seed,
        reward=settings.reward,
        endpoint=settings.endpoint,
    )


def _asked(problem: Problem) -> RolloutGroup:
    return RolloutGroup(
        problem_id=problem.id,
        dataset=problem.dataset,
        prompt=problem.prompt,
        reference=problem.reference,
        labels=problem.labels,
        record_digest=problem.record.digest,
    )


def _unusable(
    group: RolloutGroup, n_tokens: int, policy: PolicyModel | None, settings: RolloutSettings
) -> tuple[str, str]:
    """Why a problem cannot be asked, as a code and a sentence; two "" where it can."""
    if settings.reward == CHECK and not (group.reference or "").strip():
        return "no-reference", "the data holds no answer to check against"
    if policy is None:
        return "", ""  # the server says what it cannot take
    limit = max(1, policy.limit - settings.max_new_tokens)
    if policy.limit and n_tokens > limit:
        return (
            "too-long",
            f"its prompt has {n_tokens:,} tokens, and the model takes {limit:,} beside "
            f"{settings.max_new_tokens:,} new ones",
        )
    if not n_tokens:
        return "tokenizer-error", "the tokenizer makes no token of its prompt"
    return "", ""


_Batch: TypeAlias = Sequence[tuple[RolloutGroup, tuple[int, ...]]]
_Asker: TypeAlias = Callable[[_Batch, int], list[list[Rollout] | TraceRejected]]


def _asker_of(plan: RolloutPlan, progress: Progress) -> _Asker:
    """Who answers a batch of problems by a seed, without rewards yet."""
    settings = plan.settings
    if plan.policy is None:
        progress.say(f"Asking {settings.model} at {settings.endpoint}.")
        served = ServedPolicy(settings=settings)
        return lambda batch, seed: served.ask([group.prompt for group, _ in batch], seed)
    progress.say(f"Loading {settings.model} as {plan.policy.dtype} on {plan.policy.device}.")
    sampler = Sampler(
        plan.policy.load(),
        plan.policy.tokenizer,
        n=settings.n,
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_new_tokens=settings.max_new_tokens,
    )

    def ask(batch: _Batch, seed: int) -> list[list[Rollout] | TraceRejected]:
        drawn = sampler.sample([prompt for _, prompt in batch], seed)
        return [
            [
                Rollout(
                    text=sampler.text(one),
                    token_ids=one.token_ids,
                    logprobs=one.logprobs,
                    finished=one.finished,
                )
                for one in samples
            ]
            for samples in drawn
        ]

    return ask


def _rolled(batch: _Batch, asker: _Asker, gives: Rewarder, seed: int) -> list[RolloutGroup]:
    """A batch with its answers; the seed and the batch's problems decide what is drawn."""
    key = ",".join([str(seed), *(group.problem_id for group, _ in batch)])
    answered = asker(batch, int(text_digest(key, size=7), 16))
    return [
        replace(group, reason=answers.reason, detail=answers.detail)
        if isinstance(answers, TraceRejected)
        else replace(group, rollouts=_rewarded(group, answers, gives))
        for (group, _), answers in zip(batch, answered, strict=True)
    ]


def _rewarded(
    group: RolloutGroup, answers: Sequence[Rollout], gives: Rewarder
) -> tuple[Rollout, ...]:
    rewards = gives.rewards(group, [answer.text for answer in answers])
    return tuple(
        replace(answer, reward=one.reward, outcome=one.outcome, detail=one.detail)
        for answer, one in zip(answers, rewards, strict=True)
    )
