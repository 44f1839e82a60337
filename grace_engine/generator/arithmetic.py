"""Which chained-arithmetic problems are there, and how is each solved step by step?"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Literal

from grace_engine.generator.wording import NAMES, PLAIN_STEPS, THEMES, Theme

Split = Literal["train", "test", "planted"]

# No number is 1: every noun in the wording stands in the plural.
SMALLEST, LARGEST = 2, 100
MIN_STEPS, MAX_STEPS = 2, 12
_LARGEST_START = 50
_LARGEST_TERM = 20
_LARGEST_FACTOR = 5
_OP_WEIGHTS = {"+": 4, "-": 4, "*": 2, "/": 2}
_EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One change of the running number: `op` is one of + - * /, `n` its operand."""

    op: str
    n: int

    def apply(self, value: int) -> int:
        """Returns the number after this move; division is exact by construction."""
        match self.op:
            case "+":
                return value + self.n
            case "-":
                return value - self.n
            case "*":
                return value * self.n
            case _:
                return value // self.n

    def fits(self, value: int) -> bool:
        """Says whether the move keeps `value` a whole number in SMALLEST..LARGEST."""
        if self.op == "/" and value % self.n:
            return False
        return SMALLEST <= self.apply(value) <= LARGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Equation:
    """`left op right = result`, as read from the text of a step."""

    left: int
    op: str
    right: int
    result: int

    @property
    def holds(self) -> bool:
        """Says whether the arithmetic is right."""
        if self.op == "/":
            return self.right != 0 and self.result * self.right == self.left
        return Move(op=self.op, n=self.right).apply(self.left) == self.result


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A chain of moves told in a theme.

    Attributes:
        theme: The world in which it is told.
        who: The name of the person in it.
        start: The first number.
        moves: The changes, in order; no two are alike, so each step answers to one sentence.
        prompt: The problem as a text.
    """

    theme: Theme
    who: str
    start: int
    moves: tuple[Move, ...]
    prompt: str

    @property
    def values(self) -> tuple[int, ...]:
        """The running number before the first move and after each: one more than the moves."""
        values = [self.start]
        for move in self.moves:
            values.append(move.apply(values[-1]))
        return tuple(values)

    @property
    def answer(self) -> str:
        """The right final answer."""
        return str(self.values[-1])

    @property
    def canonical(self) -> str:
        """The numbers without the words, such as "7+5*2": what makes two problems the same."""
        return str(self.start) + "".join(f"{move.op}{move.n}" for move in self.moves)


def split_of(canonical: str) -> Split:
    """Returns the split that a problem belongs to, by a hash of its numbers alone.

    Two tellings of the same numbers share a split, so held-out problems cannot be met in training.
    """
    bucket = hashlib.sha256(canonical.encode()).digest()[0] % 16
    return "test" if bucket == 0 else "planted" if bucket == 1 else "train"


def draw_problem(
    rng: Random, split: Split, n_steps: int | None = None, theme: Theme | None = None
) -> Problem:
    """Draws a problem of `split`, with `n_steps` moves and in `theme` where they are given."""
    n_steps = n_steps or rng.randint(MIN_STEPS, MAX_STEPS)
    theme = theme or rng.choice(THEMES)
    while True:
        start = rng.randint(SMALLEST, _LARGEST_START)
        moves = _draw_moves(rng, theme, start, n_steps)
        who = rng.choice(NAMES)
        problem = Problem(
            theme=theme,
            who=who,
            start=start,
            moves=moves,
            prompt=_tell(rng, theme, who, start, moves),
        )
        if split_of(problem.canonical) == split:
            return problem


def say_step(rng: Random, problem: Problem, equation: Equation) -> str:
    """Words one step of a solution around its equation."""
    themed = rng.random() < 0.6
    templates = problem.theme.steps[equation.op] if themed else PLAIN_STEPS
    return rng.choice(templates).format(
        eq=say_equation(equation), n=equation.right, who=problem.who
    )


def say_equation(equation: Equation) -> str:
    """Writes an equation as in "7 + 5 = 12"."""
    return f"{equation.left} {equation.op} {equation.right} = {equation.result}"


def read_equation(step: str) -> Equation:
    """Reads the equation out of a step.

    Raises:
        ValueError: The step holds no equation.
    """
    found = _EQUATION.search(step)
    if found is None:
        raise ValueError(f"no equation such as '7 + 5 = 12' in the step {step!r}")
    left, op, right, result = found.groups()
    return Equation(left=int(left), op=op, right=int(right), result=int(result))


def right_equations(problem: Problem) -> tuple[Equation, ...]:
    """The equations of a flawless solution, one for each move."""
    values = problem.values
    return tuple(
        Equation(left=left, op=move.op, right=move.n, result=result)
        for (left, result), move in zip(pairwise(values), problem.moves, strict=True)
    )


def solve(rng: Random, problem: Problem) -> tuple[str, ...]:
    """Words the flawless solution of a problem, one step for each move."""
    return tuple(say_step(rng, problem, equation) for equation in right_equations(problem))


def trace_text(steps: tuple[str, ...], answer: str, mark: str = "####") -> str:
    """The text of a trace: a line for each step, then the marked answer."""
    return "\n".join((*steps, f"{mark} {answer}"))


def training_pairs(rng: Random, n_steps: int, longest: int) -> Iterator[tuple[str, str]]:
    """Yields prompts with flawless traces of up to `longest` steps, until there are `n_steps`."""
    while n_steps > 0:
        problem = draw_problem(rng, "train", rng.randint(MIN_STEPS, longest))
        n_steps -= len(problem.moves)
        # The shipped GSM8K model solutions end in "A: 72": a tenth of these do, too.
        mark = "A:" if rng.random() < 0.1 else "####"
        yield problem.prompt, trace_text(solve(rng, problem), problem.answer, mark)


def _draw_moves(rng: Random, theme: Theme, start: int, n_steps: int) -> tuple[Move, ...]:
    moves: list[Move] = []
    value = start
    ops = tuple(theme.clauses)
    weights = tuple(_OP_WEIGHTS[op] for op in ops)
    while len(moves) < n_steps:
        op = rng.choices(ops, weights)[0]
        largest = _LARGEST_TERM if op in "+-" else _LARGEST_FACTOR
        move = Move(op=op, n=rng.randint(SMALLEST, largest))
        if move not in moves and move.fits(value):
            moves.append(move)
            value = move.apply(value)
    return tuple(moves)


def _tell(rng: Random, theme: Theme, who: str, start: int, moves: tuple[Move, ...]) -> str:
    told = [rng.choice(theme.openings).format(a=start, who=who)]
    told += [rng.choice(theme.clauses[move.op]).format(n=move.n, who=who) for move in moves]
    told.append(rng.choice(theme.questions).format(who=who))
    return " ".join(told)
