"""Groups of random tokens, and tiny random models of the families whose heads differ."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from grace_engine.models.heads import find_head
from grace_engine.models.load import LoadedModel
from grace_engine.policy.advantages import advantages
from grace_engine.policy.encoding import EncodedGroup
from tests.scoring.conftest import FAMILIES, VOCABULARY, build


def encoded(
    seed: int, rewards: tuple[float, ...] = (1.0, 0.0, 1.0, 0.0), *, normalise: bool = False
) -> EncodedGroup:
    """A prompt of 4 tokens and an answer of 2 to 6 for each reward."""
    generator = torch.Generator().manual_seed(seed)

    def ids(n: int) -> tuple[int, ...]:
        return tuple(torch.randint(3, VOCABULARY, (n,), generator=generator).tolist())

    found = advantages(np.array(rewards), normalise=normalise)
    answers = tuple(ids(2 + (seed + 3 * i) % 5) for i in range(len(rewards)))
    return EncodedGroup(
        problem_id=f"p{seed}",
        prompt=ids(4),
        answers=answers,
        weights=tuple(a / (len(rewards) * len(y)) for a, y in zip(found, answers, strict=True)),
    )


@pytest.fixture(scope="session")
def make_group() -> Callable[..., EncodedGroup]:
    return encoded


def loaded_of(family: str) -> LoadedModel:
    model = build(family)
    return LoadedModel(model=model, head=find_head(model), device=torch.device("cpu"))


@pytest.fixture(scope="session", params=list(FAMILIES))
def loaded(request: pytest.FixtureRequest) -> LoadedModel:
    return loaded_of(request.param)


@pytest.fixture(scope="session")
def qwen() -> LoadedModel:
    return loaded_of("qwen3")
