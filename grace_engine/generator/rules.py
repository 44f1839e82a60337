"""Which wrong rules might a solver follow throughout?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from grace_engine.generator.arithmetic import Equation

Rule: TypeAlias = Callable[[Equation], int]


def forgets_carry(equation: Equation) -> int:
    """The rule "add digit by digit and drop the carry"; other operations stay right."""
    if equation.op != "+":
        return equation.result
    left, right, total, place = equation.left, equation.right, 0, 1
    while left or right:
        total += (left % 10 + right % 10) % 10 * place
        left, right, place = left // 10, right // 10, place * 10
    return total


def larger_minus_smaller(equation: Equation) -> int:
    """The rule "in each column take the smaller digit from the larger"."""
    if equation.op != "-":
        return equation.result
    left, right, total, place = equation.left, equation.right, 0, 1
    while left or right:
        total += abs(left % 10 - right % 10) * place
        left, right, place = left // 10, right // 10, place * 10
    return total


def counts_the_first(equation: Equation) -> int:
    """The rule "counting on begins at the number itself": every sum is one too small."""
    return equation.result - 1 if equation.op == "+" else equation.result


def adds_for_times(equation: Equation) -> int:
    """The rule "times means plus"."""
    return equation.left + equation.right if equation.op == "*" else equation.result


RULES: tuple[Rule, ...] = (
    forgets_carry,
    larger_minus_smaller,
    counts_the_first,
    adds_for_times,
)
