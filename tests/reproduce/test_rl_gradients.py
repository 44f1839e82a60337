"""Are gradients of groups of several sizes, taken in one pass, those of each group alone?"""

from pathlib import Path

import numpy as np

from grace_engine.api import sample_folder
from grace_engine.config import POLICY_KINDS
from grace_engine.policy.gradients import inner, policy_gradient
from grace_engine.records import Rollout, RolloutGroup
from grace_engine.reproduce.rl_gradients import first, measure
from grace_engine.reproduce.rl_policy import Policy
from grace_engine.reproduce.rl_problems import drawn

TOLERANCE = 1e-5  # of the product of both lengths


def _group(problem: RolloutGroup, rewards: tuple[float, ...]) -> RolloutGroup:
    rollouts = tuple(
        Rollout(text="", token_ids=tuple(range(20 + i, 26 + 2 * i)), reward=reward)
        for i, reward in enumerate(rewards)
    )
    return RolloutGroup(
        problem_id=problem.problem_id, dataset="x", prompt=problem.prompt, rollouts=rollouts
    )


def test_every_size_and_kind_equals_the_gradient_of_that_group_alone() -> None:
    policy = Policy.load(Path(sample_folder()) / "tiny-reasoner-early", 2)
    problems = drawn("sizes", 0, 3, (2, 3))
    target = _group(problems[0], (1, 0, 0, 1))
    mixed = _group(problems[1], (1, 1, 0, 1, 0, 0))  # its first two have no variance
    equal = _group(problems[2], (1,) * 6)
    with measure(policy.loaded, policy.encoder, POLICY_KINDS) as asked:
        means = asked.means([target, equal])
        tables = asked.tables([mixed, equal], (2, 4, 6), means, projection=64)
    for kind in POLICY_KINDS:
        with policy_gradient(
            policy.loaded, kind, tokens_per_batch=4096, tile_elements=1 << 21
        ) as alone:
            mean = dict(alone(policy.encoder.encode(target, normalise=True)))
            for n in (4, 6):
                (group,) = first([mixed], n)
                table = tables[kind, n]
                found = dict(alone(policy.encoder.encode(group, normalise=True)))
                dot = sum(inner(found[name], mean[name]) for name in mean)
                norm = sum(inner(one, one) for one in found.values()) ** 0.5
                assert abs(table.dots[0] - dot) <= TOLERANCE * norm * table.target_norm
                assert abs(table.norms[0] - norm) <= TOLERANCE * norm
                assert np.isnan(table.dots[1])
                assert table.reasons[1].startswith(f"all {n} rewards are 1")
                assert table.sketches[0].any()
                assert not table.sketches[1].any()
        assert means[kind].count == 1
        assert np.isnan(tables[kind, 2].dots).all()
