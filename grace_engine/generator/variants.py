"""In which other words can the same problems be solved: how much does a solution spell out?

Wordings stand for the four variants of "What properties of reasoning supervision are associated
with improved downstream model quality?" (arXiv 2605.13290): questions and answers are the same, and
only the reasoning is worded anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from grace_engine.generator.arithmetic import (
    Equation,
    Problem,
    Split,
    draw_problem,
    right_equations,
    say_equation,
    solve,
)
from grace_engine.generator.planting import PlantedTrace

Wording: TypeAlias = Literal["detailed", "summarised", "babbling", "lengthy"]
WORDINGS: tuple[Wording, ...] = get_args(Wording)

_BACKWARDS = {"+": "-", "-": "+", "*": "/", "/": "*"}
_TOLD = {
    "+": ("Add {n}.", "{n} more."),
    "-": ("Subtract {n}.", "{n} less."),
    "*": ("Multiply by {n}.", "{n} times as much."),
    "/": ("Divide by {n}.", "One part of {n}."),
}
_LONG = (
    "Now we have {left}. {told} So {eq}. Check: {check}.",
    "Here we are at {left}. {told} That makes {eq}, as {check}.",
)
_CHILDISH = {
    "+": ("Ooh, some more come! Now {result}, yay!", "More and more, it grows to {result}!"),
    "-": ("Oh no, some go away! Now only {result}.", "Bye-bye, little ones, just {result} left."),
    "*": ("Wow, many many times! Now it is {result}!", "Whoosh, it gets really big: {result}!"),
    "/": (
        "Snip snap, into bits! One bit is {result}.",
        "We share it all nicely, and get {result}.",
    ),
}


def draw_problems(
    seed: int, count: int, split: Split, fewest: int, most: int
) -> tuple[Problem, ...]:
    """Draws `count` problems of `split` with different prompts, of `fewest` to `most` moves."""
    rng = Random(f"wordings/{split}/{seed}")
    found: dict[str, Problem] = {}
    while len(found) < count:
        problem = draw_problem(rng, split, rng.randint(fewest, most))
        found.setdefault(problem.prompt, problem)
    return tuple(found.values())


def reword(problems: Sequence[Problem], wording: Wording, seed: int) -> list[PlantedTrace]:
    """Solves every problem in a wording; the same seed gives the same words."""
    rng = Random(f"wordings/{wording}/{seed}")
    return [
        PlantedTrace(
            id=f"{wording}-{place:05d}",
            prompt=problem.prompt,
            steps=_SOLVERS[wording](rng, problem),
            answer=problem.answer,
            reference=problem.answer,
            kind="clean",
            bad_steps=(),
            is_correct=True,
        )
        for place, problem in enumerate(problems)
    ]


def _summarised(_rng: Random, problem: Problem) -> tuple[str, ...]:
    """Bare equations, three a line."""
    equations = [say_equation(equation) for equation in right_equations(problem)]
    return tuple(", ".join(equations[at : at + 3]) for at in range(0, len(equations), 3))


def _lengthy(rng: Random, problem: Problem) -> tuple[str, ...]:
    """Where we are, what is said, the equation, and its proof."""
    return tuple(_at_length(rng, equation) for equation in right_equations(problem))


def _at_length(rng: Random, equation: Equation) -> str:
    check = Equation(
        left=equation.result,
        op=_BACKWARDS[equation.op],
        right=equation.right,
        result=equation.left,
    )
    return rng.choice(_LONG).format(
        left=equation.left,
        told=rng.choice(_TOLD[equation.op]).format(n=equation.right),
        eq=say_equation(equation),
        check=say_equation(check),
    )


def _babbling(rng: Random, problem: Problem) -> tuple[str, ...]:
    """What happens is told vaguely; numbers only where the solution has arrived."""
    return tuple(
        rng.choice(_CHILDISH[equation.op]).format(result=equation.result)
        for equation in right_equations(problem)
    )


_SOLVERS = MappingProxyType(
    {
        "detailed": solve,
        "summarised": _summarised,
        "babbling": _babbling,
        "lengthy": _lengthy,
    }
)
