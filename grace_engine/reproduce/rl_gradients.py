"""Which gradients have groups of several sizes, of every kind, from one pass over the largest?

The first n rollouts of a group have the gradient (1/n) Σ_i A_i s_i, with s_i the mean of ∇log π
over the tokens of rollout i. A_i depends on n and on the reward alone. So the s_i of rollouts that
have the same reward, and belong to the same smallest group, are summed once, and each size weighs
these sums.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from grace_engine.config import PolicyKind
from grace_engine.models.load import LoadedModel
from grace_engine.policy.advantages import advantages, without_gradient
from grace_engine.policy.encoding import EncodedGroup, Encoder
from grace_engine.policy.gradients import Gradients, policy_gradients
from grace_engine.policy.measuring import measured
from grace_engine.policy.sketch import SIZE, Sketch
from grace_engine.policy.target import MeanGradient
from grace_engine.records import ProblemGradient, RolloutGroup
from grace_engine.selection import ProblemTable

_TOKENS = 16384
_TILE = 1 << 21

Tables = Mapping[tuple[PolicyKind, int], ProblemTable]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measure:
    """What gradients of several kinds are asked.

    Attributes:
        kinds: Of gradients.
        encoder: Makes tokens of groups.
        gradients: From a group to its gradients.
    """

    kinds: tuple[PolicyKind, ...]
    encoder: Encoder
    gradients: Gradients

    def means(self, groups: Sequence[RolloutGroup]) -> dict[PolicyKind, MeanGradient]:
        """Of the groups that have a gradient."""
        means = {kind: MeanGradient("reproduction") for kind in self.kinds}
        for group in groups:
            if not without_gradient(group)[0]:
                found = self.gradients(self.encoder.encode(group, normalise=True))
                for kind, mean in means.items():
                    mean.add(found[kind])
        return means

    def tables(
        self,
        groups: Sequence[RolloutGroup],
        counts: Sequence[int],
        means: Mapping[PolicyKind, MeanGradient],
        *,
        projection: int = SIZE,
    ) -> Tables:
        """What strategies rank by, for each kind and number of rollouts.

        Args:
            groups: Problems with at least as many rollouts as the largest of ``counts``.
            counts: How many of the first rollouts are looked at.
            means: Of the target.
            projection: Numbers that are kept of a gradient; 0 where none are needed.
        """
        rows: dict[tuple[PolicyKind, int], list[ProblemGradient]] = {
            (kind, n): [] for kind in self.kinds for n in counts
        }
        kept = {key: np.zeros((len(groups), projection), dtype=np.float32) for key in rows}
        sketch = Sketch(projection, 0) if projection else None
        for place, group in enumerate(groups):
            sums: list[_Sum] = []
            for n in counts:
                (part,) = first([group], n)
                reason, detail = without_gradient(part)
                if not reason and not sums:
                    sums = list(self._sums(group, counts))
                for kind in self.kinds:
                    row = ProblemGradient(problem_id=group.problem_id, reason=reason, detail=detail)
                    if not reason:
                        blocks = _weighed(sums, kind, part)
                        row = measured(group.problem_id, blocks, means[kind], sketch)
                    if row.sketch:
                        kept[kind, n][place] = row.sketch
                    rows[kind, n].append(replace(row, sketch=()))
        return {
            (kind, n): _table(first(groups, n), found, means[kind].norm(), kept[kind, n])
            for (kind, n), found in rows.items()
        }

    def _sums(self, group: RolloutGroup, counts: Sequence[int]) -> "Iterator[_Sum]":
        prompt = self.encoder.prompt(group.prompt)
        alike: dict[tuple[int, float | None], list[int]] = {}
        for place, one in enumerate(group.rollouts[: max(counts)]):
            size = min(n for n in counts if place < n)
            alike.setdefault((size, one.reward), []).append(place)
        for places in alike.values():
            answers = tuple(self.encoder.answer(group.rollouts[place]) for place in places)
            encoded = EncodedGroup(
                problem_id=group.problem_id,
                prompt=prompt,
                answers=answers,
                weights=tuple(1 / len(answer) for answer in answers),
            )
            found = self.gradients(encoded)
            yield _Sum(place=places[0], blocks={kind: dict(found[kind]) for kind in self.kinds})


@contextmanager
def measure(
    loaded: LoadedModel, encoder: Encoder, kinds: tuple[PolicyKind, ...]
) -> Iterator[Measure]:
    """A policy that is asked for gradients of several kinds at once."""
    with policy_gradients(
        loaded, kinds, tokens_per_batch=_TOKENS, tile_elements=_TILE
    ) as gradients:
        yield Measure(kinds=kinds, encoder=encoder, gradients=gradients)


def first(groups: Sequence[RolloutGroup], n: int) -> list[RolloutGroup]:
    """The same problems with their first n rollouts."""
    return [replace(group, rollouts=group.rollouts[:n]) for group in groups]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sum:
    """Σ s_i over rollouts that weigh the same in every group.

    Attributes:
        place: Of the first of them.
        blocks: Of each kind, by the block's name.
    """

    place: int
    blocks: dict[PolicyKind, dict[str, Tensor]]


def _weighed(
    sums: Sequence[_Sum], kind: PolicyKind, group: RolloutGroup
) -> Iterator[tuple[str, Tensor]]:
    """The blocks of a group's gradient; all its rollouts have a reward."""
    rewards = np.array(group.rewards, np.float64)
    weights = advantages(rewards, normalise=True) / len(rewards)
    inside = [one for one in sums if one.place < len(rewards)]
    for name in inside[0].blocks[kind]:
        yield (
            name,
            sum(float(weights[one.place]) * one.blocks[kind][name] for one in inside),
        )


def _table(
    groups: Sequence[RolloutGroup],
    rows: Sequence[ProblemGradient],
    target_norm: float,
    sketches: np.ndarray,
) -> ProblemTable:
    nan = float("nan")
    return ProblemTable(
        problem_ids=np.array([row.problem_id for row in rows], dtype=object),
        pass_rates=np.array([nan if (p := g.pass_rate) is None else p for g in groups]),
        dots=np.array([nan if row.dot is None else row.dot for row in rows]),
        norms=np.array([nan if row.reason else row.norm for row in rows]),
        sketches=sketches,
        target_norm=target_norm,
        reasons=np.array([row.detail for row in rows], dtype=object),
        equal=np.array([row.reason == "no-variance" for row in rows]),
    )
