"""How much better than its group is each rollout?"""

import numpy as np
import numpy.typing as npt

from grace_engine.records import RolloutGroup

Floats = npt.NDArray[np.float64]

EPSILON = 1e-4
"""Added to the standard deviation, as TRL's GRPOTrainer does."""


def advantages(rewards: Floats, *, normalise: bool) -> Floats:
    """``[G]`` rewards → ``[G]`` advantages A_i = r_i − mean r, divided by (std r + ε) or not.

    The standard deviation is that of a sample (G − 1), as in TRL and verl. Without the division the
    group's policy gradient is, up to a constant, an unbiased estimate of the gradient of expected
    reward.
    """
    centred: Floats = rewards - rewards.mean()
    if normalise:
        centred /= rewards.std(ddof=1) + EPSILON
    return centred


def without_gradient(group: RolloutGroup) -> tuple[str, str]:
    """Why a group has no policy gradient, as a code and a sentence; two "" where it has one."""
    rewards = group.rewards
    if group.reason:
        return group.reason, group.detail
    if not rewards:
        return "no-rewards", f"none of its {len(group.rollouts)} rollouts has a reward"
    if len(rewards) == 1:
        return "group-of-one", "one rollout with a reward has no group to be better than"
    if len(set(rewards)) == 1:
        return "no-variance", f"all {len(rewards)} rewards are {rewards[0]:g}: no policy gradient"
    return "", ""
