"""Which problems does each method choose: corrupted ones, or those of the target task?

- ``noisy-rewards``: half the candidates have coin flips for rewards. The share of these among the
  chosen quarter (GradAlign paper, 8B at step 0: GradAlign 17.8%, alignment without a target 33.5%,
  AccGreedy 81.8%).
- ``unbalanced``: a tenth of the candidates multiply and divide, as all target problems do; the rest
  add and subtract. Their share among the chosen twentieth (the paper, Countdown among DAPO:
  GradAlign 92.9%, alignment without a target 47.2%, AccGreedy 7.8%).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from grace_engine import api, selection
from grace_engine.config import POLICY_KINDS, Band, Budget, PolicyKind, ProblemStrategy
from grace_engine.models.fingerprint import files_digest
from grace_engine.models.locate import locate_model
from grace_engine.progress import Progress
from grace_engine.records import RolloutGroup
from grace_engine.reproduce.rl_gradients import first, measure
from grace_engine.reproduce.rl_policy import Policy
from grace_engine.reproduce.rl_problems import adds, drawn, scales
from grace_engine.selection import ProblemTable

_RECIPE = 2
"""Raised when a change of the code changes what a cell finds."""

BY_GRADIENT: tuple[ProblemStrategy, ...] = ("gradalign", "gradalign-inner", "align", "learnalign")
BY_REWARD: tuple[ProblemStrategy, ...] = ("accgreedy", "random")
_BAND = Band(low=0.0, high=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceRequest:
    """How large a reproduction is.

    Attributes:
        n_candidates: Problems that are chosen from.
        n_target: Problems of the target set.
        n_target_rollouts: Rollouts of each of these.
        rollouts: Rollouts of each candidate: a column of the table for each number.
        steps: Fewest and most moves of a problem.
        kinds: Gradients.
        n_seeds: Draws of problems, of rollouts and of coins.
    """

    n_candidates: int = 160
    n_target: int = 96
    n_target_rollouts: int = 32
    rollouts: tuple[int, ...] = (16, 32)
    steps: tuple[int, int] = (2, 5)
    kinds: tuple[PolicyKind, ...] = POLICY_KINDS
    n_seeds: int = 5


NOISY = ChoiceRequest()
UNBALANCED = ChoiceRequest(n_candidates=200, n_target=64, steps=(2, 4))


class _Choices(ABC):
    """What both reproductions share; see ``framework.Reproduction``."""

    name: str
    share: str
    device = "cpu"

    def __init__(self, request: ChoiceRequest) -> None:
        self.request = request
        self._model = locate_model(str(api.sample_folder() / "tiny-reasoner-early"))
        self.cells: Sequence[str] = tuple(f"seed-{seed}" for seed in range(request.n_seeds))
        deciding = {k: v for k, v in asdict(request).items() if k != "n_seeds"}
        self.settings: Mapping[str, Any] = {
            "recipe": _RECIPE,
            "model": files_digest(self._model),
            "share": self.share,
            **deciding,
        }

    def prepare(self, folder: Path, progress: Progress) -> None:  # noqa: B027 - a method may have nothing to share
        """Nothing is shared between cells."""

    def carry_out(self, cell: str, scratch: Path) -> Mapping[str, Any]:  # noqa: ARG002
        """Draw problems, roll them out, and see what each method chooses."""
        seed, request = int(cell.removeprefix("seed-")), self.request
        targets, candidates = self.problems(seed)
        asked = Policy.load(self._model.folder, request.n_target_rollouts)
        targets = asked.roll_out(targets, seed)
        policy = Policy.load(self._model.folder, max(request.rollouts))
        rolled = policy.roll_out(candidates, seed + 1_000_000)
        rates = [group.pass_rate for group in rolled]
        counted, rolled = self.counted(rolled, seed)
        shares: dict[str, float] = {}
        with measure(policy.loaded, policy.encoder, request.kinds) as asked_for:
            means = asked_for.means(targets)
            tables = asked_for.tables(rolled, request.rollouts, means)
        profiles = {f"{kind}|{n}": _profile(one, counted) for (kind, n), one in tables.items()}
        for (kind, n), table in tables.items():
            for strategy in BY_GRADIENT:
                shares[f"{strategy}|{kind}|{n}"] = self._share(table, strategy, counted, seed)
            for strategy in BY_REWARD:
                shares[f"{strategy}||{n}"] = self._share(table, strategy, counted, seed)
        return {
            "seed": seed,
            "shares": shares,
            "profiles": profiles,
            "pool": float(counted.mean()),
            "pass_rate": float(np.mean([rate for rate in rates if rate is not None])),
            "n_with_gradient": {
                str(n): sum(len(set(group.rewards)) > 1 for group in first(rolled, n))
                for n in request.rollouts
            },
            "n_target_with_gradient": sum(len(set(group.rewards)) > 1 for group in targets),
        }

    @abstractmethod
    def problems(self, seed: int) -> tuple[list[RolloutGroup], list[RolloutGroup]]:
        """Target problems and candidates."""

    @abstractmethod
    def counted(
        self, candidates: list[RolloutGroup], seed: int
    ) -> tuple[np.ndarray, list[RolloutGroup]]:
        """Which candidates are counted among the chosen; and the candidates as methods see them."""

    def _share(
        self, table: ProblemTable, strategy: ProblemStrategy, counted: np.ndarray, seed: int
    ) -> float:
        """Share of the counted among what the strategy chooses."""
        candidates = selection.Candidates(
            trace_ids=table.problem_ids,
            record_digests=table.problem_ids,
            values=selection.problem_values(table, strategy, band=_BAND, seed=seed),
            n_tokens=np.ones(len(counted), dtype=np.int64),
        )
        taken = selection.take(candidates, Budget.parse(self.share)).selected
        return float(counted[taken].mean())


def _profile(table: ProblemTable, counted: np.ndarray) -> dict[str, list[float | None]]:
    """Medians over the counted and over the others: what the choice by gradients goes by."""
    cosines = selection.cosines(table.dots, table.norms, table.target_norm)
    return {
        name: [_median(values[counted]), _median(values[~counted])]
        for name, values in (("cosine", cosines), ("norm", table.norms))
    }


def _median(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else None


class NoisyRewards(_Choices):
    """Half the candidates have coin flips for rewards."""

    name, share = "noisy-rewards", "25%"

    def problems(self, seed: int) -> tuple[list[RolloutGroup], list[RolloutGroup]]:
        """Target problems and candidates."""
        both = drawn(
            "noisy", seed, self.request.n_target + self.request.n_candidates, self.request.steps
        )
        return both[: self.request.n_target], both[self.request.n_target :]

    def counted(
        self, candidates: list[RolloutGroup], seed: int
    ) -> tuple[np.ndarray, list[RolloutGroup]]:
        """Which candidates are counted, and the candidates as methods see them."""
        rng = Random(f"coins/{seed}")
        places = set(rng.sample(range(len(candidates)), len(candidates) // 2))
        flipped = [
            replace(
                group,
                rollouts=tuple(
                    replace(one, reward=float(rng.random() < 0.5)) for one in group.rollouts
                ),
            )
            if place in places
            else group
            for place, group in enumerate(candidates)
        ]
        return np.array([place in places for place in range(len(candidates))]), flipped


class Unbalanced(_Choices):
    """A tenth of the candidates are of the target task."""

    name, share = "unbalanced", "5%"

    def problems(self, seed: int) -> tuple[list[RolloutGroup], list[RolloutGroup]]:
        """Target problems and candidates."""
        request = self.request
        n_same = request.n_candidates // 10
        same = drawn("scales", seed, request.n_target + n_same, request.steps, scales)
        others = drawn("adds", seed, request.n_candidates - n_same, request.steps, adds)
        candidates = same[request.n_target :] + others
        Random(f"order/{seed}").shuffle(candidates)
        return same[: request.n_target], candidates

    def counted(
        self,
        candidates: list[RolloutGroup],
        seed: int,  # noqa: ARG002
    ) -> tuple[np.ndarray, list[RolloutGroup]]:
        """Which candidates are counted, and the candidates as methods see them."""
        return np.array([group.dataset == "scales" for group in candidates]), candidates
