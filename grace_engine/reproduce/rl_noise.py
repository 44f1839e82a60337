"""How alike are a problem's scores when its rollouts are drawn anew?

GradAlign, with the full gradient of an 8B model: a correlation of .30 at 32 rollouts, .49 at 128.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from grace_engine import api, selection
from grace_engine.config import POLICY_KINDS, Band, PolicyKind
from grace_engine.models.fingerprint import files_digest
from grace_engine.models.locate import locate_model
from grace_engine.progress import Progress
from grace_engine.reproduce.rl_gradients import measure
from grace_engine.reproduce.rl_policy import Policy
from grace_engine.reproduce.rl_problems import drawn

_RECIPE = 2
_BAND = Band(low=0.0, high=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseRequest:
    """How large the reproduction is.

    Attributes:
        n_candidates: Problems that are scored twice.
        n_target: Problems of the target set, whose rollouts are drawn once.
        n_target_rollouts: Rollouts of each of these.
        rollouts: Rollouts of each candidate: a column of the table for each number.
        steps: Fewest and most moves of a problem.
        kinds: Gradients.
        n_seeds: Draws of problems, each with two draws of rollouts.
    """

    n_candidates: int = 28
    n_target: int = 32
    n_target_rollouts: int = 32
    rollouts: tuple[int, ...] = (8, 16, 32, 64, 128)
    steps: tuple[int, int] = (2, 5)
    kinds: tuple[PolicyKind, ...] = POLICY_KINDS
    n_seeds: int = 5


class GradientNoise:
    """The reproduction; see ``framework.Reproduction``."""

    name = "gradient-noise"
    device = "cpu"

    def __init__(self, request: NoiseRequest | None = None) -> None:
        self.request = request = request or NoiseRequest()
        self._model = locate_model(str(api.sample_folder() / "tiny-reasoner-early"))
        self.cells: Sequence[str] = tuple(f"seed-{seed}" for seed in range(request.n_seeds))
        deciding = {k: v for k, v in asdict(request).items() if k != "n_seeds"}
        self.settings: Mapping[str, Any] = {
            "recipe": _RECIPE,
            "model": files_digest(self._model),
            **deciding,
        }

    def prepare(self, folder: Path, progress: Progress) -> None:
        """Nothing is shared between cells."""

    def carry_out(self, cell: str, scratch: Path) -> Mapping[str, Any]:  # noqa: ARG002
        """Score the same problems by two draws of rollouts."""
        seed, request = int(cell.removeprefix("seed-")), self.request
        both = drawn("noise", seed, request.n_target + request.n_candidates, request.steps)
        asked = Policy.load(self._model.folder, request.n_target_rollouts)
        targets = asked.roll_out(both[: request.n_target], seed)
        policy = Policy.load(self._model.folder, max(request.rollouts))
        candidates = both[request.n_target :]
        draws = [policy.roll_out(candidates, seed + part * 1_000_000) for part in (1, 2)]
        found: dict[str, Any] = {}
        with measure(policy.loaded, policy.encoder, request.kinds) as asked_for:
            means = asked_for.means(targets)
            tables = [
                asked_for.tables(groups, request.rollouts, means, projection=0) for groups in draws
            ]
        for kind, n in tables[0]:
            scores = [
                selection.problem_values(one[kind, n], "gradalign", band=_BAND, seed=seed)
                for one in tables
            ]
            found[f"{kind}|{n}"] = _correlation(*scores)
        return {"seed": seed, "correlations": found}


def _correlation(left: np.ndarray, right: np.ndarray) -> dict[str, float | int | None]:
    """Pearson's, over the problems that have a score in both draws; None where there is none."""
    known = ~(np.isnan(left) | np.isnan(right))
    n = int(known.sum())
    if n < 3 or left[known].std() == 0 or right[known].std() == 0:
        return {"r": None, "n": n}
    return {"r": float(np.corrcoef(left[known], right[known])[0, 1]), "n": n}
