"""Which trainings does a comparison consist of, and how is each kept once it is finished?

A cell is one training and its evaluation: an arm (the subset, a random one of the same tokens, the
whole pool, the model before) with one seed. A finished cell is a file, so that a comparison that
was cancelled or killed goes on with the cells that are missing.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import orjson

from grace_engine.config import require_one_of
from grace_engine.errors import InputError
from grace_engine.quantities import counted
from grace_engine.records import OUTCOMES
from grace_engine.training.comparing import Interval, mean_interval, paired_interval
from grace_engine.training.evaluating import Evaluation
from grace_engine.training.examples import Example
from grace_engine.training.passing import Asking
from grace_engine.training.trainer import Trained

Arm: TypeAlias = Literal["subset", "random", "full", "untrained"]
AGAINST: tuple[Arm, ...] = ("random", "full", "untrained")
RESULT = "result.json"
WHOLE = 100.0
"""The budget, in percent, that is the pool itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One training of a comparison.

    Attributes:
        arm: What it is trained on.
        seed: Of the order of examples, of adapters and of a random draw.
        budget: Share of the pool's traces, in percent, at which the selection's ranking is cut; 0
            for the selection as it is.
    """

    arm: Arm
    seed: int = 0
    budget: float = 0.0

    @property
    def name(self) -> str:
        """Name of its folder."""
        if self.arm == "untrained":
            return self.arm
        at = f"{self.budget:g}pct-" if self.budget else ""
        return f"{self.arm}-{at}{self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """What a finished cell found.

    Attributes:
        cell: Which one.
        n_examples: Examples trained on.
        n_tokens: Tokens of them, in one pass.
        n_steps: Optimizer steps.
        training_loss: Of the last step, in nats a token; None for the untrained model.
        held_out_loss: In nats a token; None where nothing was held out.
        shares: What the measure says of each problem, 0 to 1, in their order.
        by_outcome: Answers that are right, wrong, not parsed, timed out.
        seconds: Time of its training, the last part of a resumed one.
        measure: ``accuracy`` of greedy answers, or ``pass@k`` of sampled ones.
        evaluation_seconds: Time of its evaluation; 0 where nothing was evaluated.
    """

    cell: Cell
    n_examples: int
    n_tokens: int
    n_steps: int
    training_loss: float | None
    held_out_loss: float | None
    shares: tuple[float, ...]
    by_outcome: dict[str, int]
    seconds: float
    measure: str = "accuracy"
    evaluation_seconds: float = 0.0

    @property
    def accuracy(self) -> float | None:
        """Mean of the measure; None without problems."""
        return sum(self.shares) / len(self.shares) if self.shares else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmResult:
    """What all finished seeds of an arm found.

    Attributes:
        arm: Which one.
        n_seeds: Finished seeds.
        n_tokens: Mean tokens of one pass.
        n_steps: Mean optimizer steps.
        accuracy: The measure over seeds and problems, with its interval; None without problems.
        less: Accuracy of the subset less this arm's, paired by problem; None for the subset itself.
        held_out_loss: Mean, in nats a token; None where nothing was held out.
        by_outcome: Answers of all seeds by outcome.
        measure: ``accuracy`` of greedy answers, or ``pass@k`` of sampled ones.
    """

    arm: Arm
    n_seeds: int
    n_tokens: float
    n_steps: float
    accuracy: Interval | None
    less: Interval | None
    held_out_loss: float | None
    by_outcome: dict[str, int]
    measure: str = "accuracy"

    @property
    def share_right(self) -> float | None:
        """Share of all answers that are right: of sampled ones pass@1; None without answers."""
        n_answers = sum(self.by_outcome.values())
        return self.by_outcome["right"] / n_answers if n_answers else None

    @property
    def verdict(self) -> str:
        """What the difference says, for a person to read."""
        if self.less is None:
            return ""
        if self.less.is_null:
            return "no difference shown"
        return "the subset is better" if self.less.mean > 0 else "the subset is worse"


def counted_cells(n_cells: int, *, evaluated: bool) -> str:
    """How many cells, for people: ``1 training``, ``3 trainings and evaluations``."""
    if not evaluated:
        return counted(n_cells, "training")
    return counted(n_cells, "training and evaluation", "trainings and evaluations")


def cells_of(
    against: Sequence[str], n_seeds: int, budgets: Sequence[float] = ()
) -> tuple[Cell, ...]:
    """The cells of a comparison: seed by seed, so that an early end leaves whole rounds.

    At each budget the subset and a random arm are trained; at 100% they are both the pool.

    Raises:
        InputError: An arm or a budget that is not known, or no seed.
    """
    for name in against:
        require_one_of("Arm", name, AGAINST)
    if n_seeds < 1:
        raise InputError(f"{n_seeds} seeds train nothing: use 1 or more.")
    arms: list[Arm] = ["subset", *(arm for arm in AGAINST if arm in against)]
    once = [Cell(arm="untrained")] if "untrained" in arms else []
    round_: list[tuple[Arm, float]] = [(arm, 0.0) for arm in arms if arm != "untrained"]
    for budget in sorted(set(budgets)):
        if not 0 < budget <= WHOLE:
            raise InputError(f"A budget of {budget:g}% is none: use percents above 0, up to 100.")
        round_.append(("subset", budget))
        if budget < WHOLE:
            round_.append(("random", budget))
    return tuple(
        once + [Cell(arm=a, seed=seed, budget=at) for seed in range(n_seeds) for a, at in round_]
    )


def random_examples(pool: Sequence[Example], n_tokens: int, seed: int) -> list[Example]:
    """A seeded random draw from ``pool`` of at most ``n_tokens`` tokens, as near as it comes.

    Examples are taken in random order; one that does not fit is passed over and later ones are
    tried, as a token budget of the selection does.
    """
    order = np.random.default_rng(seed).permutation(len(pool))
    chosen, left = [], n_tokens
    for place in order:
        length = len(pool[place].token_ids)
        if length <= left:
            chosen.append(pool[place])
            left -= length
    return chosen


def result_of(
    cell: Cell, examples: Sequence[Example], trained: Trained | None, found: Evaluation | None
) -> CellResult:
    """Put together what a cell found."""
    asking = found.asking if found else Asking()
    return CellResult(
        cell=cell,
        n_examples=len(examples),
        n_tokens=sum(len(one.token_ids) for one in examples),
        n_steps=trained.n_steps if trained else 0,
        training_loss=trained.loss if trained else None,
        held_out_loss=found.loss if found else None,
        shares=tuple(one.share(asking.k) for one in found.answered) if found else (),
        by_outcome={str(name): n for name, n in found.by_outcome.items()} if found else {},
        seconds=trained.seconds if trained else 0.0,
        measure=asking.measure,
        evaluation_seconds=found.seconds if found else 0.0,
    )


def write_result(folder: Path, result: CellResult) -> None:
    """Keep a finished cell: the file is there as a whole or not at all."""
    part = folder / f".{RESULT}.part"
    part.write_bytes(orjson.dumps(asdict(result), option=orjson.OPT_INDENT_2))
    part.replace(folder / RESULT)


def read_result(folder: Path) -> CellResult | None:
    """A finished cell; None where it is not finished."""
    try:
        document: dict[str, Any] = orjson.loads((folder / RESULT).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    cell, shares = Cell(**document.pop("cell")), tuple(document.pop("shares"))
    return CellResult(cell=cell, shares=shares, **document)


def arms_of(results: Sequence[CellResult]) -> list[ArmResult]:
    """What the finished cells at the selection's own budget say of each arm, the subset first."""
    by_arm: dict[Arm, list[CellResult]] = {}
    for result in results:
        if not result.cell.budget:
            by_arm.setdefault(result.cell.arm, []).append(result)
    ours = [one.shares for one in by_arm.get("subset", []) if one.shares]
    found = []
    for arm in ("subset", *AGAINST):
        group = by_arm.get(arm, [])
        if not group:
            continue
        theirs = [one.shares for one in group if one.shares]
        losses = [one.held_out_loss for one in group if one.held_out_loss is not None]
        found.append(
            ArmResult(
                arm=arm,
                n_seeds=len(group),
                n_tokens=float(np.mean([one.n_tokens for one in group])),
                n_steps=float(np.mean([one.n_steps for one in group])),
                accuracy=mean_interval(theirs) if theirs else None,
                less=paired_interval(ours, theirs) if arm != "subset" and ours and theirs else None,
                held_out_loss=float(np.mean(losses)) if losses else None,
                by_outcome={
                    outcome: sum(one.by_outcome.get(outcome, 0) for one in group)
                    for outcome in OUTCOMES
                },
                measure=group[0].measure,
            )
        )
    return found
