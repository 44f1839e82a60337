"""How are problems answered and rewarded so that nothing is lost and nothing is done twice?"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from grace_engine import store
from grace_engine.digests import text_digest
from grace_engine.policy.encoding import Encoder
from grace_engine.policy.models import PolicyModel
from grace_engine.policy.rewards import Rewarder, rewarder
from grace_engine.policy.sampling import Sample, Sampler
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
        policy: The model.
        batches: Problems that are asked together, with their prompts in tokens. They are the same
            whatever was done before, so that a run that goes on ends as one that nobody disturbed.
        reached: Problems that the set holds and that are not asked again.
        unusable: Problems that cannot be asked, with the reason.
        n_folded: Problems that stand in the data more than once and are asked once.
    """

    rollouts: RolloutSet
    settings: RolloutSettings
    policy: PolicyModel
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
        n_tokens: Tokens that were sampled now.
        seconds: Time of the model's part and of the rewards.
    """

    rollouts: RolloutSet
    n_asked: int
    n_before: int
    n_unusable: int
    n_folded: int
    by_outcome: Mapping[str, int] = field(default_factory=dict)
    n_tokens: int = 0
    seconds: float = 0.0


def plan_rollouts(
    workspace: Workspace,
    name: str,
    problems: Sequence[Problem],
    settings: RolloutSettings,
    policy: PolicyModel,
) -> RolloutPlan:
    """Find what would be asked of which problems.

    Args:
        workspace: Where rollouts go.
        name: Of the dataset or file.
        problems: What it poses, repeats too.
        settings: How it is asked.
        policy: Whom.
    """
    rollouts = _set_of(name, settings, policy)
    once: dict[str, Problem] = {}
    for problem in problems:
        once.setdefault(problem.prompt, problem)
    groups = [_asked(problem) for problem in once.values()]
    if settings.sample:
        # Ids are digests, so the lowest of them are a fair draw.
        groups = sorted(groups, key=lambda one: one.problem_id)[: settings.sample]
    limit = policy.limit and max(1, policy.limit - settings.max_new_tokens)
    encoder = Encoder(policy.tokenizer)
    asked, unusable = [], []
    for group in groups:
        prompt = encoder.prompt(group.prompt)
        reason, detail = _unusable(group, len(prompt), limit, settings)
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
    n_asked = n_tokens = 0
    if plan.n_pending:
        with rewarder(plan.settings.reward, plan.settings.timeout) as gives:
            sampler = _sampler_of(plan, progress)
            store.upsert_rollout_set(workspace, plan.rollouts)
            progress.begin("Rolling out", plan.n_pending, "problems")
            for batch in plan.batches:
                wanted = [group for group, _ in batch if group.problem_id not in plan.reached]
                if not wanted:
                    continue
                groups = _rolled(batch, sampler, gives, plan.settings.seed)
                kept = {group.problem_id for group in wanted}
                groups = [group for group in groups if group.problem_id in kept]
                store.add_groups(workspace, plan.rollouts.id, groups)
                rollouts = [one for group in groups for one in group.rollouts]
                outcomes.update(one.outcome for one in rollouts)
                for one in rollouts:
                    if one.reward is None:
                        progress.fail(one.outcome.replace(" ", "-"))
                n_asked += len(groups)
                n_tokens += (told := sum(len(one.token_ids) for one in rollouts))
                progress.advance(len(groups), tokens=told)
    store.upsert_rollout_set(workspace, plan.rollouts)
    store.add_groups(workspace, plan.rollouts.id, plan.unusable)
    return RolloutReport(
        rollouts=store.get_rollout_set(workspace, plan.rollouts.id),
        n_asked=n_asked,
        n_before=plan.n_problems - plan.n_pending,
        n_unusable=len(plan.unusable),
        n_folded=plan.n_folded,
        by_outcome=dict(outcomes.most_common()),
        n_tokens=n_tokens,
        seconds=time.monotonic() - began,
    )


def _set_of(name: str, settings: RolloutSettings, policy: PolicyModel) -> RolloutSet:
    decided = [
        policy.fingerprint,
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
        fingerprint=policy.fingerprint,
        revision=policy.files.revision,
        adapter=settings.adapter,
        dtype=policy.dtype,
        n=settings.n,
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_new_tokens=settings.max_new_tokens,
        seed=settings.seed,
        reward=settings.reward,
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
    group: RolloutGroup, n_tokens: int, limit: int, settings: RolloutSettings
) -> tuple[str, str]:
    """Why a problem cannot be asked, as a code and a sentence; two "" where it can."""
    if settings.reward == CHECK and not (group.reference or "").strip():
        return "no-reference", "the data holds no answer to check against"
    if limit and n_tokens > limit:
        return (
            "too-long",
            f"its prompt has {n_tokens:,} tokens, and the model takes {limit:,} beside "
            f"{settings.max_new_tokens:,} new ones",
        )
    if not n_tokens:
        return "tokenizer-error", "the tokenizer makes no token of its prompt"
    return "", ""


def _sampler_of(plan: RolloutPlan, progress: Progress) -> Sampler:
    settings = plan.settings
    progress.say(f"Loading {settings.model} as {plan.policy.dtype} on {plan.policy.device}.")
    return Sampler(
        plan.policy.load(),
        plan.policy.tokenizer,
        n=settings.n,
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_new_tokens=settings.max_new_tokens,
    )


def _rolled(
    batch: Sequence[tuple[RolloutGroup, tuple[int, ...]]],
    sampler: Sampler,
    gives: Rewarder,
    seed: int,
) -> list[RolloutGroup]:
    """A batch with its answers; the seed and the batch's problems decide what is drawn."""
    key = ",".join([str(seed), *(group.problem_id for group, _ in batch)])
    drawn = sampler.sample([prompt for _, prompt in batch], int(text_digest(key, size=7), 16))
    return [
        replace(group, rollouts=_rewarded(group, samples, sampler, gives))
        for (group, _), samples in zip(batch, drawn, strict=True)
    ]


def _rewarded(
    group: RolloutGroup, samples: Sequence[Sample], sampler: Sampler, gives: Rewarder
) -> tuple[Rollout, ...]:
    texts = [sampler.text(sample) for sample in samples]
    return tuple(
        Rollout(
            text=text,
            token_ids=sample.token_ids,
            logprobs=sample.logprobs,
            finished=sample.finished,
            reward=reward.reward,
            outcome=reward.outcome,
            detail=reward.detail,
        )
        for text, sample, reward in zip(texts, samples, gives.rewards(group, texts), strict=True)
    )
