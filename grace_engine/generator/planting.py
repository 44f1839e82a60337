"""What does a trace look like that goes wrong in a known way at a known step?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Literal

from grace_engine.generator.arithmetic import (
    LARGEST,
    MAX_STEPS,
    SMALLEST,
    Equation,
    Move,
    Problem,
    Split,
    draw_problem,
    right_equations,
    say_equation,
    say_step,
)
from grace_engine.generator.rules import RULES, Rule
from grace_engine.generator.wording import IRRELEVANT_STEPS

Kind = Literal[
    "clean",
    "wrong_result",
    "carried_on",
    "irrelevant",
    "repeated",
    "skipped",
    "wrong_answer",
    "systematic",
]
PLANTED_KINDS: tuple[Kind, ...] = (
    "wrong_result",
    "carried_on",
    "irrelevant",
    "repeated",
    "skipped",
    "wrong_answer",
    "systematic",
)

# So that a fault has a before and an after.
LEAST_MOVES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedTrace:
    """A trace whose bad steps are known; its fields are those of a row of the shipped file.

    Attributes:
        id: Names the row for good.
        prompt: The problem.
        steps: The lines of the solution.
        answer: The final answer that the trace gives.
        reference: The right final answer.
        kind: "clean", or what was done to the trace.
        bad_steps: The steps at fault, counted from 0. A step that follows rightly from an earlier
            mistake is not at fault. Empty for "clean" and "wrong_answer".
        is_correct: Whether the final answer is right, which says little about the steps.
    """

    id: str
    prompt: str
    steps: tuple[str, ...]
    answer: str
    reference: str
    kind: Kind
    bad_steps: tuple[int, ...]
    is_correct: bool

    def row(self) -> dict[str, object]:
        """The trace as plain JSON values."""
        return asdict(self) | {"steps": list(self.steps), "bad_steps": list(self.bad_steps)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Steps with the answer they end in; `bad` are the indices of the steps at fault."""

    steps: tuple[str, ...]
    answer: int
    bad: tuple[int, ...] = ()


def plant(
    rng: Random,
    kind: Kind,
    row_id: str,
    split: Split = "planted",
    *,
    n_moves: int | None = None,
    rule: Rule | None = None,
) -> PlantedTrace:
    """Draws a problem of `split` and a trace of it that goes wrong as `kind` says.

    The problem has `n_moves` moves where that is given; a systematic fault follows `rule`, or one
    drawn for this trace.
    """
    while True:
        problem = draw_problem(rng, split, n_moves or rng.randint(LEAST_MOVES, MAX_STEPS))
        if kind == "systematic" and rule is not None:
            draft = _following(rng, problem, rule)
        else:
            draft = _PLANTERS[kind](rng, problem)
        if draft is not None:
            break
    answer = str(draft.answer)
    return PlantedTrace(
        id=row_id,
        prompt=problem.prompt,
        steps=draft.steps,
        answer=answer,
        reference=problem.answer,
        kind=kind,
        bad_steps=draft.bad,
        is_correct=answer == problem.answer,
    )


def plant_many(seed: int, count: int, clean_share: float) -> list[PlantedTrace]:
    """Draws `count` traces: a `clean_share` of clean ones, the kinds of faults in equal parts."""
    rng = Random(f"planted/{seed}")
    n_clean = round(count * clean_share)
    kinds: list[Kind] = ["clean"] * n_clean
    kinds += [PLANTED_KINDS[i % len(PLANTED_KINDS)] for i in range(count - n_clean)]
    rng.shuffle(kinds)
    return [plant(rng, kind, f"planted-{i:04d}") for i, kind in enumerate(kinds)]


def clean_of_test(seed: int, count: int) -> list[PlantedTrace]:
    """Draws `count` clean traces of different held-out problems."""
    rng = Random(f"held out/traces/{seed}")
    found: dict[str, PlantedTrace] = {}
    while len(found) < count:
        trace = plant(rng, "clean", f"held-out-{len(found):04d}", "test")
        found.setdefault(trace.prompt, trace)
    return list(found.values())


def _words(rng: Random, problem: Problem, equations: list[Equation]) -> tuple[str, ...]:
    return tuple(say_step(rng, problem, equation) for equation in equations)


def _near_miss(rng: Random, equation: Equation) -> int:
    """A wrong result such as a slip would give: near, or one ten away."""
    slips = [
        d for d in (-10, -3, -2, -1, 1, 2, 3, 10) if SMALLEST <= equation.result + d <= LARGEST
    ]
    return equation.result + rng.choice(slips)


def _follow(start: int, moves: tuple[Move, ...]) -> list[Equation] | None:
    """The equations that lead on from `start`, or None where a value would not fit."""
    equations = []
    for move in moves:
        if not move.fits(start):
            return None
        result = move.apply(start)
        equations.append(Equation(left=start, op=move.op, right=move.n, result=result))
        start = result
    return equations


def _clean(rng: Random, problem: Problem) -> Draft:
    equations = list(right_equations(problem))
    return Draft(steps=_words(rng, problem, equations), answer=problem.values[-1])


def _wrong_result(rng: Random, problem: Problem) -> Draft:
    equations = list(right_equations(problem))
    at = rng.randrange(len(equations) - 1)
    equations[at] = replace(equations[at], result=_near_miss(rng, equations[at]))
    return Draft(steps=_words(rng, problem, equations), answer=problem.values[-1], bad=(at,))


def _carried_on(rng: Random, problem: Problem) -> Draft | None:
    equations = list(right_equations(problem))
    at = rng.randrange(len(equations) - 1)
    wrong = replace(equations[at], result=_near_miss(rng, equations[at]))
    rest = _follow(wrong.result, problem.moves[at + 1 :])
    if rest is None:
        return None
    steps = _words(rng, problem, [*equations[:at], wrong, *rest])
    return Draft(steps=steps, answer=rest[-1].result, bad=(at,))


def _irrelevant(rng: Random, problem: Problem) -> Draft:
    clean = _clean(rng, problem)
    # Its numbers are none of the chain's, so that it cannot be taken for a step of it.
    left = rng.choice([n for n in range(2, 60) if n not in problem.values])
    right = rng.randint(2, 30)
    aside = Equation(left=left, op="+", right=right, result=left + right)
    step = rng.choice(IRRELEVANT_STEPS).format(eq=say_equation(aside))
    at = rng.randint(1, len(clean.steps) - 1)
    return replace(clean, steps=(*clean.steps[:at], step, *clean.steps[at:]), bad=(at,))


def _repeated(rng: Random, problem: Problem) -> Draft:
    clean = _clean(rng, problem)
    at = rng.randint(1, len(clean.steps) - 1)
    steps = (*clean.steps[:at], clean.steps[at - 1], *clean.steps[at:])
    return replace(clean, steps=steps, bad=(at,))


def _skipped(rng: Random, problem: Problem) -> Draft:
    clean = _clean(rng, problem)
    # The step at fault is the one that uses a number which no step derived.
    at = rng.randrange(len(clean.steps) - 1)
    return replace(clean, steps=clean.steps[:at] + clean.steps[at + 1 :], bad=(at,))


def _wrong_answer(rng: Random, problem: Problem) -> Draft:
    clean = _clean(rng, problem)
    last = right_equations(problem)[-1]
    return replace(clean, answer=_near_miss(rng, last))


def _systematic(rng: Random, problem: Problem) -> Draft | None:
    return _following(rng, problem, rng.choice(RULES))


def _following(rng: Random, problem: Problem, rule: Rule) -> Draft | None:
    equations, bad, value = [], [], problem.start
    for at, move in enumerate(problem.moves):
        if not move.fits(value):
            return None
        right = Equation(left=value, op=move.op, right=move.n, result=move.apply(value))
        value = rule(right)
        if not SMALLEST <= value <= LARGEST:
            return None
        if value != right.result:
            bad.append(at)
        equations.append(replace(right, result=value))
    if len(bad) < 2 or value == problem.values[-1]:
        return None
    return Draft(steps=_words(rng, problem, equations), answer=value, bad=tuple(bad))


_PLANTERS: dict[Kind, Callable[[Random, Problem], Draft | None]] = {
    "clean": _clean,
    "wrong_result": _wrong_result,
    "carried_on": _carried_on,
    "irrelevant": _irrelevant,
    "repeated": _repeated,
    "skipped": _skipped,
    "wrong_answer": _wrong_answer,
    "systematic": _systematic,
}
