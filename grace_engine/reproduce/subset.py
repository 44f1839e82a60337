"""Is a subset that GRACE chooses worth more than others of its size (arXiv 2605.13130, section 3)?

Every way to choose a subset of a pool gets the same tokens; the shipped early model is trained on
each in one pass and asked problems that it has not met.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from grace_engine import api, training
from grace_engine.generator import POOLS, clean_of_test
from grace_engine.models.fingerprint import ENGINE, files_digest
from grace_engine.models.load import device_name, load_tokenizer, resolve_device
from grace_engine.models.locate import locate_model
from grace_engine.progress import Progress, Silent
from grace_engine.reproduce.subset_arms import ARMS, DEFAULT_ARMS, FULL_ARMS, Cell, cells_of
from grace_engine.reproduce.subset_pools import PoolSettings, ScoredPool, score_pools
from grace_engine.training import EvalProblem, Example
from grace_engine.training.loading import weights_of

_RECIPE = 1
"""Raised when a change of the code changes what a cell finds."""

_BATCH = 8
"""So that the smallest subset is worth some steps of the optimizer."""

_MAX_NEW_TOKENS = 320
"""The longest flawless solution has under 300."""


DECIDING = (
    *("revision", "method", "lora", "epochs", "learning_rate", "warmup_ratio", "schedule"),
    *("weight_decay", "batch_size", "accumulation", "max_length", "accept_cut", "target", "dtype"),
    "gradient_checkpointing",
)
"""The settings of a training that decide its outcome, wherever the model lies. One that is added to
trainings later, at a default that changes nothing, leaves finished cells as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetRequest:
    """How large the reproduction is.

    Attributes:
        pool: How pools are made and scored.
        n_problems: Held-out problems that every model is asked.
        pools: Names of pools.
        arms: Names of the ways to choose.
        percents: Budgets, as shares of a pool's tokens.
        n_seeds: Trainings of each arm.
    """

    pool: PoolSettings = field(default_factory=PoolSettings)
    n_problems: int = 120
    pools: tuple[str, ...] = tuple(POOLS)
    arms: tuple[str, ...] = DEFAULT_ARMS
    percents: tuple[int, ...] = (10, 20)
    n_seeds: int = 3


FULL = SubsetRequest(arms=FULL_ARMS, percents=(5, 10, 20, 50), n_seeds=5)


class Subset:
    """The reproduction; see ``framework.Reproduction``."""

    name = "subset"

    def __init__(self, request: SubsetRequest | None = None) -> None:
        self.request = request = request or SubsetRequest()
        self._model = locate_model(str(api.sample_folder() / "tiny-reasoner-early"))
        self._train = training.preset("cpu", model=str(self._model.folder), batch_size=_BATCH)
        self.device = device_name(resolve_device(self._train.device))
        cells = cells_of(request.pools, request.arms, request.percents, request.n_seeds)
        self.cells: Sequence[str] = tuple(cell.name for cell in cells)
        self.settings: Mapping[str, Any] = {
            "recipe": _RECIPE,
            "engine": ENGINE,
            "model": files_digest(self._model),
            "pool": asdict(request.pool),
            "n_problems": request.n_problems,
            "max_new_tokens": _MAX_NEW_TOKENS,
            "training": {name: self._train.document()[name] for name in DECIDING},
        }
        self._pools: dict[str, ScoredPool] = {}
        self._problems: tuple[EvalProblem, ...] = ()

    def prepare(self, folder: Path, progress: Progress) -> None:
        """Make the pools, warm a scorer up on each, and score them."""
        arms = [ARMS[name] for name in self.request.arms]
        self._pools = score_pools(
            folder,
            self.request.pools,
            arms,
            self.request.pool,
            self._train,
            self._model,
            progress,
        )
        self._problems = tuple(
            EvalProblem(id=one.id, prompt=one.prompt, reference=one.reference)
            for one in clean_of_test(0, self.request.n_problems)
        )

    def carry_out(self, cell: str, scratch: Path) -> Mapping[str, Any]:
        """Choose, train, ask."""
        this = Cell.of(cell)
        settings = replace(self._train, seed=this.seed)
        tokenizer = load_tokenizer(self._model)
        examples: Sequence[Example] = ()
        found: dict[str, Any] = {}
        source, loss, n_steps = self._model.folder, None, 0
        if this.pool:
            chosen = self._pools[this.pool].choose(ARMS[this.arm], this.percent, this.seed)
            examples, found = chosen.examples, dict(chosen.facts)
            model = weights_of(source, settings)
            trained = training.train(model, tokenizer, examples, settings, scratch, Silent())
            source, loss, n_steps = trained.folder, trained.loss, trained.n_steps
        answered = training.evaluate(
            weights_of(source, settings).eval(),
            tokenizer,
            self._problems,
            Silent(),
            max_new_tokens=_MAX_NEW_TOKENS,
        )
        right = "".join("1" if one.share() else "0" for one in answered)
        outcomes = [outcome for one in answered for outcome in one.outcomes]
        return {
            **asdict(this),
            **found,
            "n_steps": n_steps,
            "training_loss": loss,
            "right": right,
            "by_outcome": {name: outcomes.count(name) for name in sorted(set(outcomes))},
        }
