"""Which ways to choose a subset are held against each other, and which trainings does that take?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from grace_engine.config import Proxy, Strategy, Weights, require_one_of
from grace_engine.errors import InputError
from grace_engine.generator import POOLS

Way: TypeAlias = Strategy | Literal["clean", "full", "untrained"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A way to choose what a model is trained on.

    Attributes:
        name: In names of cells.
        title: In tables.
        way: A strategy of ``grace curate``; ``clean`` draws from flawless traces at random, which
            nobody can do who does not know them; ``full`` is the whole pool, ``untrained`` nothing.
        proxy: What stood for a gradient when the pool was scored.
        alpha: Weight of alignment against consistency; only ``grace`` uses it.
        entropy_discount: Of the scoring.
    """

    name: str
    title: str
    way: Way
    proxy: Proxy = "upstream"
    alpha: float = 0.7
    entropy_discount: float = 0.0

    @property
    def weights(self) -> Weights:
        """How its signals become values."""
        return Weights(alpha=self.alpha)

    @property
    def has_budget(self) -> bool:
        """Whether it takes a part of the pool."""
        return self.way not in ("full", "untrained")

    @property
    def is_drawn(self) -> bool:
        """Whether another seed chooses other traces."""
        return self.way in ("random", "clean")


def _grace(proxy: Proxy, alpha: float, discount: float = 0.0) -> Arm:
    more = f"-c{discount:g}" if discount else ""
    said = f", c={discount:g}" if discount else ""
    return Arm(
        name=f"{proxy}{more}-{alpha:g}",
        title=f"GRACE, `{proxy}`{said}, α={alpha:g}",
        way="grace",
        proxy=proxy,
        alpha=alpha,
        entropy_discount=discount,
    )


UNTRAINED = Arm(name="untrained", title="nothing (the model before)", way="untrained")
RANDOM = Arm(name="random", title="random", way="random")
_MAIN = (
    UNTRAINED,
    RANDOM,
    *(_grace(proxy, alpha) for proxy in ("upstream", "lm_head") for alpha in (0.0, 0.7, 1.0)),
    Arm(name="longest", title="longest", way="longest"),
    Arm(name="stepmax", title="stepmax", way="stepmax"),
    Arm(name="perplexity", title="low perplexity", way="perplexity"),
    Arm(name="peak-loss", title="low peak loss", way="peak-loss"),
    Arm(name="clean", title="flawless traces alone (an oracle)", way="clean"),
    Arm(name="full", title="the full pool", way="full"),
)
_MORE = tuple(_grace(proxy, 0.7, 10.0) for proxy in ("upstream", "lm_head"))
ARMS = {arm.name: arm for arm in (*_MAIN, *_MORE)}
"""All arms by name, in the order of tables."""

DEFAULT_ARMS, FULL_ARMS = tuple(arm.name for arm in _MAIN), tuple(ARMS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One training and what is asked of the model.

    Attributes:
        pool: Name of the pool; "" for the model before, which has seen none.
        arm: Name of the way to choose.
        percent: Share of the pool's tokens; 100 for the full pool, 0 for the model before.
        seed: Of a draw and of the order of training.
    """

    pool: str
    arm: str
    percent: int
    seed: int

    @property
    def name(self) -> str:
        """``random--lm_head-0.7--20--0``."""
        if self.arm == UNTRAINED.name:
            return self.arm
        return f"{self.pool}--{self.arm}--{self.percent}--{self.seed}"

    @classmethod
    def of(cls, name: str) -> "Cell":
        """The cell of this name."""
        if name == UNTRAINED.name:
            return cls(pool="", arm=name, percent=0, seed=0)
        pool, arm, percent, seed = name.split("--")
        return cls(pool=pool, arm=arm, percent=int(percent), seed=int(seed))


def cells_of(
    pools: Sequence[str], arms: Sequence[str], percents: Sequence[int], n_seeds: int
) -> tuple[Cell, ...]:
    """All cells, in an order in which an early end leaves whole comparisons.

    Seed by seed, the largest budget first, both pools, and the full pools last.

    Raises:
        InputError: A pool or arm that is not known, a share out of range, or no seed.
    """
    for pool in pools:
        require_one_of("Pool", pool, tuple(POOLS))
    for arm in arms:
        require_one_of("Arm", arm, tuple(ARMS))
    for percent in percents:
        if not 1 <= percent < 100:
            raise InputError(f"A budget of {percent}% is out of range: use 1% to 99%.")
    if n_seeds < 1:
        raise InputError(f"{n_seeds} seeds train nothing: use 1 or more.")
    found = []
    if UNTRAINED.name in arms:
        found.append(Cell(pool="", arm=UNTRAINED.name, percent=0, seed=0))
    for seed in range(n_seeds):
        for percent in sorted(percents, reverse=True):
            found += [
                Cell(pool=pool, arm=arm, percent=percent, seed=seed)
                for pool in pools
                for arm in arms
                if ARMS[arm].has_budget
            ]
        if "full" in arms:
            found += [Cell(pool=pool, arm="full", percent=100, seed=seed) for pool in pools]
    return tuple(found)
