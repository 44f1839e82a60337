"""Does the generator of arithmetic problems keep its promises?"""

from random import Random

import pytest

from grace_engine.generator.arithmetic import (
    LARGEST,
    MAX_STEPS,
    MIN_STEPS,
    SMALLEST,
    Equation,
    Problem,
    draw_problem,
    read_equation,
    solve,
    split_of,
    trace_text,
    training_pairs,
)
from grace_engine.generator.wording import THEMES

PER_THEME = 60


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    rng = Random(7)
    return [draw_problem(rng, "train", theme=theme) for theme in THEMES for _ in range(PER_THEME)]


def test_the_same_seed_gives_the_same_text() -> None:
    first = list(training_pairs(Random(3), 200, MAX_STEPS))
    assert first == list(training_pairs(Random(3), 200, MAX_STEPS))
    assert first != list(training_pairs(Random(4), 200, MAX_STEPS))


def test_every_step_of_a_flawless_solution_holds_and_leads_on_to_the_next(
    problems: list[Problem],
) -> None:
    rng = Random(8)
    for problem in problems:
        value = problem.start
        for step, move in zip(solve(rng, problem), problem.moves, strict=True):
            equation = read_equation(step)
            assert (equation.left, equation.op, equation.right) == (value, move.op, move.n)
            assert equation.holds
            value = equation.result
        assert str(value) == problem.answer


def test_values_stay_whole_and_in_range(problems: list[Problem]) -> None:
    assert all(SMALLEST <= value <= LARGEST for problem in problems for value in problem.values)


def test_a_problem_has_as_many_steps_as_asked_and_no_two_moves_alike() -> None:
    rng = Random(9)
    for n_steps in range(MIN_STEPS, MAX_STEPS + 1):
        moves = draw_problem(rng, "test", n_steps).moves
        assert len(moves) == len(set(moves)) == n_steps


def test_every_number_of_the_problem_is_told_in_its_prompt(problems: list[Problem]) -> None:
    for problem in problems:
        words = problem.prompt.replace(".", " ").split()
        told = [int(word) for word in words if word.isdigit()]
        assert told == [problem.start, *(move.n for move in problem.moves)]


def test_every_theme_and_every_operation_occurs(problems: list[Problem]) -> None:
    assert {problem.theme.name for problem in problems} == {theme.name for theme in THEMES}
    assert {move.op for problem in problems for move in problem.moves} == set("+-*/")


@pytest.mark.parametrize("split", ["train", "test", "planted"])
def test_problems_of_a_split_hash_into_it(split: str) -> None:
    rng = Random(10)
    assert all(split_of(draw_problem(rng, split).canonical) == split for _ in range(100))


def test_held_out_numbers_are_never_drawn_for_training() -> None:
    # Two-step problems: so few that a leak between the splits would show.
    rng = Random(11)
    drawn = {
        split: {draw_problem(rng, split, n_steps=2).canonical for _ in range(1500)}
        for split in ("train", "test", "planted")
    }
    assert not drawn["train"] & drawn["test"]
    assert not drawn["train"] & drawn["planted"]
    assert not drawn["test"] & drawn["planted"]


def test_the_split_depends_on_the_numbers_and_not_on_the_words() -> None:
    rng = Random(12)
    problem = draw_problem(rng, "test")
    assert split_of(problem.canonical) == "test"
    assert problem.theme.name not in problem.canonical
    assert problem.canonical == str(problem.start) + "".join(f"{m.op}{m.n}" for m in problem.moves)


@pytest.mark.parametrize(
    ("equation", "holds"),
    [
        (Equation(left=7, op="+", right=5, result=12), True),
        (Equation(left=7, op="-", right=5, result=3), False),
        (Equation(left=7, op="*", right=5, result=35), True),
        (Equation(left=36, op="/", right=5, result=7), False),
        (Equation(left=35, op="/", right=5, result=7), True),
    ],
)
def test_an_equation_knows_whether_it_holds(equation: Equation, holds: bool) -> None:
    assert equation.holds is holds


def test_an_equation_is_read_from_the_middle_of_a_sentence() -> None:
    read = read_equation("After paying 5 dollars Mia has 12 - 5 = 7 dollars.")
    assert read == Equation(left=12, op="-", right=5, result=7)


def test_a_step_without_an_equation_is_refused() -> None:
    with pytest.raises(ValueError, match="no equation"):
        read_equation("Nothing happens.")


def test_a_trace_is_its_steps_and_a_marked_answer() -> None:
    assert trace_text(("1 + 1 = 2", "2 + 2 = 4"), "4") == "1 + 1 = 2\n2 + 2 = 4\n#### 4"
