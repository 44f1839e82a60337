"""Which properties of a dataset go with what a model learns from it (arXiv 2605.13290)?

Ten datasets hold the same arithmetic problems and right answers in other words. Models of two sizes
are trained on each in one pass of the same tokens and asked problems that they have not met.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from grace_engine import api, training
from grace_engine.config import require_one_of
from grace_engine.errors import InputError
from grace_engine.generator import draw_problems
from grace_engine.models.fingerprint import files_digest
from grace_engine.models.load import device_name, load_tokenizer, resolve_device
from grace_engine.models.locate import locate_model
from grace_engine.progress import Progress, Silent
from grace_engine.reproduce.subset import DECIDING
from grace_engine.reproduce.supervision_models import SmallerSettings, smaller_model
from grace_engine.reproduce.supervision_variants import (
    VARIANTS,
    VariantSettings,
    WordedPools,
    warm_up_examples,
    word_pools,
)
from grace_engine.training import EvalProblem
from grace_engine.training.loading import weights_of

_RECIPE = 1
"""Raised when a change of the code changes what a cell finds."""

_BATCH = 8
_MAX_NEW_TOKENS = 432
"""The longest lengthy solution has under 425."""

SIZES = ("shipped", "smaller")
"""Models: the shipped early one, and one with some of its layers and neurons."""

_TEXTS, _BEFORE = "texts", "before"


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionRequest:
    """How large the reproduction is.

    Attributes:
        pool: What the datasets are like.
        smaller: How the smaller model comes about.
        n_problems: Held-out problems that every model is asked.
        variants: Names of the datasets.
        sizes: Which models.
        n_seeds: Trainings of each model on each dataset.
    """

    pool: VariantSettings = field(default_factory=VariantSettings)
    smaller: SmallerSettings = field(default_factory=SmallerSettings)
    n_problems: int = 120
    variants: tuple[str, ...] = tuple(VARIANTS)
    sizes: tuple[str, ...] = SIZES
    n_seeds: int = 2


class Supervision:
    """The reproduction; see ``framework.Reproduction``."""

    name = "supervision"

    def __init__(self, request: SupervisionRequest | None = None) -> None:
        self.request = request = request or SupervisionRequest()
        self._model = locate_model(str(api.sample_folder() / "tiny-reasoner-early"))
        self._measuring = locate_model(str(api.sample_folder() / "tiny-reasoner"))
        self._train = training.preset("cpu", model=str(self._model.folder), batch_size=_BATCH)
        self.device = device_name(resolve_device(self._train.device))
        self.cells: Sequence[str] = cells_of(request.variants, request.sizes, request.n_seeds)
        self.settings: Mapping[str, Any] = {
            "recipe": _RECIPE,
            "model": files_digest(self._model),
            "measured_by": files_digest(self._measuring),
            "pool": asdict(request.pool),
            "smaller": asdict(request.smaller) | {"layers": list(request.smaller.layers)},
            "n_problems": request.n_problems,
            "max_new_tokens": _MAX_NEW_TOKENS,
            "training": {name: self._train.document()[name] for name in DECIDING},
        }
        self._pools = WordedPools(examples={}, metrics={})
        self._problems: tuple[EvalProblem, ...] = ()
        self._folders: dict[str, Path] = {}

    def prepare(self, folder: Path, progress: Progress) -> None:
        """Word and measure the solutions, and warm the smaller model up."""
        pool, smaller = self.request.pool, self.request.smaller
        self._pools = word_pools(folder, pool, self._measuring.folder, self._model, progress)
        self._folders = {"shipped": self._model.folder}
        if "smaller" in self.request.sizes:
            examples = warm_up_examples(folder, smaller.n_examples, pool, self._model, progress)
            self._folders["smaller"] = smaller_model(
                folder, smaller, examples, self._train, self._model, progress
            )
        asked = draw_problems(pool.seed, self.request.n_problems, "test", pool.fewest, pool.most)
        self._problems = tuple(
            EvalProblem(id=str(place), prompt=one.prompt, reference=one.answer)
            for place, one in enumerate(asked)
        )

    def carry_out(self, cell: str, scratch: Path) -> Mapping[str, Any]:
        """Tell a dataset's metrics; or train a model, and ask it."""
        what, variant, seed = parts_of(cell)
        if what == _TEXTS:
            return {"variant": variant, "metrics": self._pools.means(VARIANTS[variant])}
        settings, source = replace(self._train, seed=seed), self._folders[what]
        tokenizer = load_tokenizer(self._model)
        found: dict[str, Any] = {"size": what, "variant": variant, "seed": seed}
        if variant:
            examples = self._pools.chosen(VARIANTS[variant], self.request.pool.n_tokens, seed)
            model = weights_of(source, settings)
            trained = training.train(model, tokenizer, examples, settings, scratch, Silent())
            source = trained.folder
            found |= {
                "n_traces": len(examples),
                "n_tokens": sum(len(one.token_ids) for one in examples),
                "n_learned": sum(one.n_learned for one in examples),
                "n_steps": trained.n_steps,
                "training_loss": trained.loss,
            }
        asked = weights_of(source, settings).eval()
        answered = training.evaluate(
            asked, tokenizer, self._problems, Silent(), max_new_tokens=_MAX_NEW_TOKENS
        )
        outcomes = [outcome for one in answered for outcome in one.outcomes]
        return found | {
            "n_parameters": sum(each.numel() for each in asked.parameters()),
            "right": "".join("1" if one.share() else "0" for one in answered),
            "by_outcome": {name: outcomes.count(name) for name in sorted(set(outcomes))},
        }


def cells_of(variants: Sequence[str], sizes: Sequence[str], n_seeds: int) -> tuple[str, ...]:
    """Names of all cells, seed by seed, so that an early end leaves whole comparisons.

    Raises:
        InputError: A dataset or model that is not known, or no seed.
    """
    for name in variants:
        require_one_of("Variant", name, tuple(VARIANTS))
    for size in sizes:
        require_one_of("Size", size, SIZES)
    if n_seeds < 1:
        raise InputError(f"{n_seeds} seeds train nothing: use 1 or more.")
    return (
        *(f"{_TEXTS}--{name}" for name in variants),
        *(f"{size}--{_BEFORE}" for size in sizes),
        *(
            f"{size}--{name}--{seed}"
            for seed in range(n_seeds)
            for size in sizes
            for name in variants
        ),
    )


def parts_of(cell: str) -> tuple[str, str, int]:
    """``texts`` or a model; the dataset, "" for the model before; and the seed."""
    what, variant, *seed = cell.split("--")
    return what, "" if variant == _BEFORE else variant, int(seed[0]) if seed else 0
