"""Chained-arithmetic problems, their solutions, and solutions that go wrong in a known way."""

from grace_engine.generator.planting import Kind, PlantedTrace, clean_of_test
from grace_engine.generator.pools import POOLS, plant_pool

__all__ = ["POOLS", "Kind", "PlantedTrace", "clean_of_test", "plant_pool"]
