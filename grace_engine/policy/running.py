"""How are policy gradients taken of all problems so that nothing is lost or done twice?"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from grace_engine import store
from grace_engine.digests import text_digest
from grace_engine.errors import InputError, TraceRejected
from grace_engine.policy.advantages import without_gradient
from grace_engine.policy.encoding import Encoder
from grace_engine.policy.gradients import Gradient, policy_gradient
from grace_engine.policy.measuring import measured
from grace_engine.policy.models import PolicyModel
from grace_engine.policy.settings import GradientSettings
from grace_engine.policy.sketch import SIZE, Sketch
from grace_engine.policy.target import MeanGradient
from grace_engine.progress import Progress
from grace_engine.records import (
    POLICY_RUNS,
    PolicyRun,
    ProblemGradient,
    RolloutGroup,
    RolloutSet,
    TargetSet,
)
from grace_engine.store import Workspace

# Gradients are committed, and the target's sum is written down, at least that often.
_COMMIT_SECONDS = 5.0
_SAVE_SECONDS = 30.0
_FOLDER = "targets"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradientPlan:
    """What a run of policy gradients would do, found without loading weights.

    Attributes:
        run: The run as it would be stored.
        settings: What was asked for.
        policy: The model.
        rollouts: Those of the candidates.
        target: What candidates are held against; None without.
        pending: Ids of the problems whose gradient is to be computed.
        without: Problems that have none, with the reason.
        n_done: Problems that the run has reached before.
        n_shared: Candidates that are target problems, too: same prompt.
    """

    run: PolicyRun
    settings: GradientSettings
    policy: PolicyModel
    rollouts: RolloutSet
    target: TargetSet | None
    pending: tuple[str, ...] = field(repr=False)
    without: tuple[ProblemGradient, ...] = field(repr=False)
    n_done: int = 0
    n_shared: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientReport:
    """What a run of policy gradients did.

    Attributes:
        run: The run with its counts.
        n_computed: Gradients that were computed now.
        n_before: Problems that were reached before.
        n_without: Problems found now to have no gradient.
        n_shared: Candidates that are target problems, too.
        by_reason: ``n_without`` by reason code.
        n_tokens: Tokens that the model read now.
        seconds: Time of the model's part.
    """

    run: PolicyRun
    n_computed: int
    n_before: int
    n_without: int
    n_shared: int
    by_reason: Mapping[str, int] = field(default_factory=dict)
    n_tokens: int = 0
    seconds: float = 0.0


def plan_gradients(
    workspace: Workspace, rollouts: RolloutSet, settings: GradientSettings, policy: PolicyModel
) -> GradientPlan:
    """Find which gradients are to be taken.

    Raises:
        NotFoundError: There is no such target set.
        InputError: No problem of the target set has a gradient, or none of the candidates.
    """
    target = _target_of(workspace, settings.target) if settings.target else None
    run = _run_of(rollouts, target, settings, policy)
    groups = store.reward_groups(workspace, rollouts.id)
    reached = store.reached_gradients(workspace, run.id)
    left = {name for name, why in reached.items() if not (why and settings.retry_failed)}
    pending, without = [], []
    for group in groups:
        if group.problem_id in left:
            continue
        reason, detail = without_gradient(group)
        if reason:
            without.append(
                ProblemGradient(problem_id=group.problem_id, reason=reason, detail=detail)
            )
        else:
            pending.append(group.problem_id)
    return GradientPlan(
        run=run,
        settings=settings,
        policy=policy,
        rollouts=rollouts,
        target=target,
        pending=tuple(pending),
        without=tuple(without),
        n_done=len(left),
        n_shared=_shared(workspace, groups, target),
    )


def run_gradients(workspace: Workspace, plan: GradientPlan, progress: Progress) -> GradientReport:
    """Take the gradients that a plan found pending, committing as it goes.

    First the target's mean, whose sum is written down on the way, then each candidate against it.
    Killed or interrupted at any moment, the same call goes on where it stopped, to the same bits.

    Raises:
        ModelError: The model cannot be loaded, or the kind needs what it has not.
        ResourceError: The disk has no room for the target's mean.
    """
    began = time.monotonic()
    store.upsert_policy_run(workspace, plan.run)
    if plan.without:
        store.add_gradients(workspace, plan.run.id, plan.without)
    taking = _Taking(workspace, plan, progress)
    if plan.pending:
        taking.take()
    reasons = Counter([one.reason for one in plan.without])
    reasons.update(taking.failures)
    return GradientReport(
        run=store.get_policy_run(workspace, plan.run.id),
        n_computed=taking.n_computed,
        n_before=plan.n_done,
        n_without=reasons.total(),
        n_shared=plan.n_shared,
        by_reason=dict(reasons.most_common()),
        n_tokens=taking.n_tokens,
        seconds=time.monotonic() - began,
    )


class _Taking:
    """The model's part of a run."""

    def __init__(self, workspace: Workspace, plan: GradientPlan, progress: Progress) -> None:
        self._workspace, self._plan, self._progress = workspace, plan, progress
        self.n_computed = self.n_tokens = 0
        self.failures: Counter[str] = Counter()

    def take(self) -> None:
        plan, settings = self._plan, self._plan.settings
        self._progress.say(
            f"Loading {settings.model} as {plan.policy.dtype} on {plan.policy.device}."
        )
        loaded = plan.policy.load()
        self._encoder = Encoder(
            plan.policy.tokenizer, max_length=settings.max_length or plan.policy.limit
        )
        with policy_gradient(
            loaded,
            settings.kind,
            tokens_per_batch=settings.tokens_per_batch,
            tile_elements=settings.workspace_elements or plan.policy.tile_elements,
            rank=settings.rank,
            seed=settings.seed,
        ) as gradient:
            mean = None if plan.target is None else self._mean(gradient, plan.target, loaded.device)
            self._candidates(gradient, mean)

    def _mean(self, gradient: Gradient, target: TargetSet, device: torch.device) -> MeanGradient:
        """The target's mean gradient, from where it was left."""
        key = _mean_key(self._plan)
        path = self._workspace.root / _FOLDER / f"{key}.safetensors"
        mean = MeanGradient(key)
        mean.load(path, device)
        wanted = target.problem_ids[mean.n_seen :]
        if wanted:
            n = len(target.problem_ids)
            self._progress.begin("Gradients of the target", n, "problems", done=n - len(wanted))
        saved = time.monotonic()
        for group in self._groups(target.set_id, wanted):
            try:
                encoded = self._encoder.encode(group, normalise=self._plan.settings.normalise)
                mean.add(gradient(encoded))
                self.n_tokens += encoded.n_tokens
                self._progress.advance(1, tokens=encoded.n_tokens)
            except TraceRejected as fault:
                mean.pass_over()
                self._progress.fail(fault.reason)
                self._progress.advance(1)
            if time.monotonic() - saved > _SAVE_SECONDS:
                mean.save(path)
                saved = time.monotonic()
        if not mean.count:
            raise InputError(
                f"No problem of the target set {target.name} fits into the model: there is nothing "
                "to hold candidates against. Use problems with shorter rollouts, or --max-length."
            )
        if wanted:
            mean.save(path)
        store.set_target_norm(self._workspace, self._plan.run.id, mean.norm())
        return mean

    def _candidates(self, gradient: Gradient, mean: MeanGradient | None) -> None:
        run = self._plan.run
        sketch = Sketch(run.projection, run.seed) if run.projection else None
        before = self._plan.n_done
        self._progress.begin(
            "Policy gradients", before + len(self._plan.pending), "problems", done=before
        )
        found: list[ProblemGradient] = []
        told = 0  # of those that wait to be stored
        committed = time.monotonic()
        try:
            for group in self._groups(self._plan.rollouts.id, self._plan.pending):
                one, n_tokens = self._one(group, gradient, mean, sketch)
                found.append(one)
                if one.reason:
                    self.failures[one.reason] += 1
                    self._progress.fail(one.reason)
                else:
                    self.n_computed += 1
                self.n_tokens += n_tokens
                if time.monotonic() - committed > _COMMIT_SECONDS:
                    store.add_gradients(self._workspace, run.id, found)
                    found, told, committed = [], 0, time.monotonic()
                self._progress.advance(1, tokens=n_tokens)
                told = len(found)
            if found:
                store.add_gradients(self._workspace, run.id, found)
                told = 0
        finally:
            if told:  # what was not stored is not done
                self._progress.advance(-told)

    def _one(
        self,
        group: RolloutGroup,
        gradient: Gradient,
        mean: MeanGradient | None,
        sketch: Sketch | None,
    ) -> tuple[ProblemGradient, int]:
        name = group.problem_id
        try:
            encoded = self._encoder.encode(group, normalise=self._plan.settings.normalise)
        except TraceRejected as fault:
            return ProblemGradient(problem_id=name, reason=fault.reason, detail=fault.detail), 0
        found = measured(
            name,
            gradient(encoded),
            mean,
            sketch,
            whole=self._plan.settings.kind == "representation",
        )
        if found.reason:
            return found, 0
        n_tokens = encoded.n_tokens
        if self._plan.settings.split_half:
            halves, more = self._halves(group, gradient, mean)
            found, n_tokens = replace(found, halves=halves), n_tokens + more
        return found, n_tokens

    def _halves(
        self, group: RolloutGroup, gradient: Gradient, mean: MeanGradient | None
    ) -> tuple[tuple[float, ...], int]:
        """``ProblemGradient.halves`` of a problem, and the tokens that were read for them."""
        rewarded = [one for one in group.rollouts if one.reward is not None]
        numbers: list[float] = []
        n_tokens = 0
        for parity in (0, 1):
            half = replace(group, rollouts=tuple(rewarded[parity::2]))
            if without_gradient(half)[0]:
                return (), n_tokens
            encoded = self._encoder.encode(half, normalise=self._plan.settings.normalise)
            found = measured(group.problem_id, gradient(encoded), mean, None)
            n_tokens += encoded.n_tokens
            numbers += [found.dot or 0.0, found.norm]
        return tuple(numbers), n_tokens

    def _groups(self, set_id: str, ids: Sequence[str]) -> Iterator[RolloutGroup]:
        """Groups with their rollouts, in the order of the ids."""
        for first in range(0, len(ids), 64):
            part = list(ids[first : first + 64])
            batches = store.iter_groups(self._workspace, set_id, part)
            by_id = {group.problem_id: group for batch in batches for group in batch}
            yield from (by_id[name] for name in part)


def _target_of(workspace: Workspace, wanted: str) -> TargetSet:
    found = store.get_rollout_set(workspace, wanted)
    groups = store.reward_groups(workspace, found.id)
    ids = tuple(one.problem_id for one in groups if not without_gradient(one)[0])
    if not ids:
        what = (
            "its only problem has equal rewards, or too few"
            if len(groups) == 1
            else f"all of its {len(groups):,} problems have equal rewards, or too few"
        )
        raise InputError(
            f"The target set {found.name} ({found.id}) has no gradient: "
            f"{what if groups else 'it holds no problem'}. Take problems that the policy solves "
            "sometimes, or more rollouts of each."
        )
    return TargetSet(
        set_id=found.id, name=found.name, problem_ids=ids, n_without=len(groups) - len(ids)
    )


def _run_of(
    rollouts: RolloutSet, target: TargetSet | None, settings: GradientSettings, policy: PolicyModel
) -> PolicyRun:
    projection = settings.projection
    if settings.kind == "representation":
        projection = 0  # all of it is kept
    elif target is None and not projection:
        projection = SIZE  # else nothing could be done with it
    rank = settings.rank if settings.kind == "lora" else 0
    decided = [
        policy.fingerprint,
        rollouts.id,
        [target.set_id, target.problem_ids] if target else [],
        settings.kind,
        settings.normalise,
        rank,
        projection,
        settings.seed if rank or projection else 0,
        settings.max_length,
    ]
    decided += ["split-half"] if settings.split_half else []
    return PolicyRun(
        id=POLICY_RUNS + text_digest(json.dumps(decided), size=4),
        set_id=rollouts.id,
        target_id=target.set_id if target else "",
        fingerprint=policy.fingerprint,
        model=settings.model,
        revision=policy.files.revision,
        adapter=settings.adapter,
        dtype=policy.dtype,
        kind=settings.kind,
        normalise=settings.normalise,
        rank=rank,
        projection=projection,
        seed=settings.seed,
        split_half=settings.split_half,
        n_target=len(target.problem_ids) if target else 0,
    )


def _mean_key(plan: GradientPlan) -> str:
    """What the target's mean gradient is the mean of: other candidates may share it."""
    target, settings = plan.target, plan.settings
    decided = [
        plan.policy.fingerprint,
        [target.set_id, target.problem_ids] if target else [],
        settings.kind,
        settings.normalise,
        plan.run.rank,
        settings.seed if plan.run.rank else 0,
        settings.max_length,
        settings.workspace_elements or plan.policy.tile_elements,
        settings.tokens_per_batch,
    ]
    return text_digest(json.dumps(decided))


def _shared(workspace: Workspace, groups: Sequence[RolloutGroup], target: TargetSet | None) -> int:
    """Candidates whose prompt is that of a target problem with a gradient."""
    if target is None:
        return 0
    prompts = {
        group.prompt
        for batch in store.iter_groups(
            workspace, target.set_id, target.problem_ids, with_rollouts=False, batch=4096
        )
        for group in batch
    }
    return sum(group.prompt in prompts for group in groups)
