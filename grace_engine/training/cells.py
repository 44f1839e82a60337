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
from grace_engine.records import OUTCOMES
from grace_engine.training.comparing import Interval, mean_interval, paired_interval
from grace_engine.training.evaluating import Evaluation
from grace_engine.training.examples import Example
from grace_engine.training.trainer import Trained

Arm: TypeAlias = Literal["subset", "random", "full", "untrained"]
AGAINST: tuple[Arm, ...] = ("random", "full", "untrained")
RESULT = "result.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One training of a comparison.

    Attributes:
        arm: What it is trained on.
        seed: Of the order of examples, of adapters and of a random draw.
    """

    arm: Arm
    seed: int = 0

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.arm if self.arm == "untrained" else f"{self.arm}-{self.seed}"


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
        shares: Share of right answers of each problem, 0 to 1, in their order.
        by_outcome: Answers that are right, wrong, not parsed, timed out.
        seconds: Time of its training, the last part of a resumed one.
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

    @property
    def accuracy(self) -> float | None:
        """Mean share of right answers; None without problems."""
        return sum(self.shares) / len(self.shares) if self.shares else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmResult:
    """What all finished seeds of an arm found.

    Attributes:
        arm: Which one.
        n_seeds: Finished seeds.
        n_tokens: Mean tokens of one pass.
        n_steps: Mean optimizer steps.
        accuracy: Over seeds and problems, with its interval; None without problems.
        less: Accuracy of the subset less this arm's, paired by problem; None for the subset itself.
        held_out_loss: Mean, in nats a token; None where nothing was held out.
        by_outcome: Answers of all seeds by outcome.
    """

    arm: Arm
    n_seeds: int
    n_tokens: float
    n_steps: float
    accuracy: Interval | None
    less: Interval | None
    held_out_loss: float | None
    by_outcome: dict[str, int]

    @property
    def verdict(self) -> str:
        """What the difference says, for a person to read."""
        if self.less is None:
            return ""
        if self.less.is_null:
            return "no difference shown"
        return "the subset is better" if self.less.mean > 0 else "the subset is worse"


def cells_of(against: Sequence[str], n_seeds: int) -> tuple[Cell, ...]:
    """The cells of a comparison: seed by seed, so that an early end leaves whole rounds.

    Raises:
        InputError: An arm that is not known, or no seed.
    """
    for name in against:
        require_one_of("Arm", name, AGAINST)
    if n_seeds < 1:
        raise InputError(f"{n_seeds} seeds train nothing: use 1 or more.")
    arms: list[Arm] = ["subset", *(arm for arm in AGAINST if arm in against)]
    once = [Cell(arm="untrained")] if "untrained" in arms else []
    trained = [arm for arm in arms if arm != "untrained"]
    return tuple(once + [Cell(arm=arm, seed=seed) for seed in range(n_seeds) for arm in trained])


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
    return CellResult(
        cell=cell,
        n_examples=len(examples),
        n_tokens=sum(len(one.token_ids) for one in examples),
        n_steps=trained.n_steps if trained else 0,
        training_loss=trained.loss if trained else None,
        held_out_loss=found.loss if found else None,
        shares=tuple(one.share_right for one in found.answered) if found else (),
        by_outcome={str(name): n for name, n in found.by_outcome.items()} if found else {},
        seconds=trained.seconds if trained else 0.0,
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
    """What the finished cells say of each arm, the subset first."""
    by_arm: dict[Arm, list[CellResult]] = {}
    for result in results:
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
            )
        )
    return found
