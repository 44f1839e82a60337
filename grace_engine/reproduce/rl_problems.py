"""Which problems of the shipped generator does a choice for reinforcement learning meet?"""

from collections.abc import Callable
from random import Random

from grace_engine.digests import text_digest
from grace_engine.generator.arithmetic import Problem, draw_problem
from grace_engine.records import RolloutGroup

Wanted = Callable[[Problem], bool]


def scales(problem: Problem) -> bool:
    """Whether it multiplies and divides, and does nothing else."""
    return all(move.op in "*/" for move in problem.moves)


def adds(problem: Problem) -> bool:
    """Whether it adds and subtracts, and does nothing else."""
    return all(move.op in "+-" for move in problem.moves)


def drawn(
    what: str, seed: int, count: int, steps: tuple[int, int], wanted: Wanted | None = None
) -> list[RolloutGroup]:
    """``count`` different problems that no shipped model was trained on.

    Args:
        what: Tells draws of one seed apart.
        seed: Decides them.
        count: How many.
        steps: Fewest and most moves, in equal parts.
        wanted: Only such problems.
    """
    rng = Random(f"{what}/{seed}")
    found: dict[str, RolloutGroup] = {}
    while len(found) < count:
        n_steps = rng.randint(*steps)
        problem = draw_problem(rng, "test", n_steps)
        if (wanted is None or wanted(problem)) and problem.prompt not in found:
            found[problem.prompt] = RolloutGroup(
                problem_id=text_digest(problem.prompt, size=8),
                dataset=what,
                prompt=problem.prompt,
                reference=problem.answer,
                labels={"n_steps": n_steps},
            )
    return list(found.values())
