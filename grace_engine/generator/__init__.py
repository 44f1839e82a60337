"""Chained-arithmetic problems, their solutions, and solutions that go wrong in a known way."""

from grace_engine.generator.planting import Kind, PlantedTrace, clean_of_test
from grace_engine.generator.pools import POOLS, plant_pool
from grace_engine.generator.variants import WORDINGS, Wording, draw_problems, reword

__all__ = [
    "POOLS",
    "WORDINGS",
    "Kind",
    "PlantedTrace",
    "Wording",
    "clean_of_test",
    "draw_problems",
    "plant_pool",
    "reword",
]
