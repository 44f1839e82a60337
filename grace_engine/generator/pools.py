"""Which pools of traces, good and bad mixed, is a choice made from?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

from grace_engine.generator.arithmetic import MAX_STEPS
from grace_engine.generator.planting import LEAST_MOVES, Kind, PlantedTrace, plant
from grace_engine.generator.rules import Rule, forgets_carry


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What goes wrong in the bad traces of a pool.

    Attributes:
        faults: Kinds of faults, in equal parts.
        rule: What systematic faults follow, the same in every trace; None draws one a trace.
    """

    faults: tuple[Kind, ...]
    rule: Rule | None = None


POOLS: Mapping[str, Pool] = MappingProxyType(
    {
        "random": Pool(faults=("wrong_result", "carried_on", "irrelevant", "wrong_answer")),
        "systematic": Pool(faults=("systematic",), rule=forgets_carry),
    }
)
"""``random``: slips, each at another place. ``systematic``: every carry is dropped, in all steps of
all bad traces, so that most sums with a carry in the pool are wrong in the same way."""


def plant_pool(name: str, count: int, bad_share: float, seed: int) -> list[PlantedTrace]:
    """Draws `count` traces of different problems, a `bad_share` of them with the pool's faults.

    The number of moves is drawn first and kept until the fault fits, so that good and bad traces
    have problems of like length.
    """
    pool = POOLS[name]
    rng = Random(f"pool/{name}/{seed}")
    n_bad = round(count * bad_share)
    kinds: list[Kind] = ["clean"] * (count - n_bad)
    kinds += [pool.faults[i % len(pool.faults)] for i in range(n_bad)]
    rng.shuffle(kinds)
    found: dict[str, PlantedTrace] = {}
    for place, kind in enumerate(kinds):
        n_moves = rng.randint(LEAST_MOVES, MAX_STEPS)
        while len(found) == place:
            trace = plant(rng, kind, f"{name}-{place:05d}", n_moves=n_moves, rule=pool.rule)
            found.setdefault(trace.prompt, trace)
    return list(found.values())
