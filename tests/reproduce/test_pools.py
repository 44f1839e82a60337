"""Are generated pools what a reproduction says of them?"""

from collections import Counter
from itertools import pairwise

import pytest

from grace_engine.generator import PlantedTrace, clean_of_test, plant_pool
from grace_engine.generator.arithmetic import Equation, read_equation
from grace_engine.generator.rules import forgets_carry

COUNT, BAD = 200, 0.6


@pytest.fixture(scope="module", params=["random", "systematic"])
def pool(request: pytest.FixtureRequest) -> list[PlantedTrace]:
    return plant_pool(request.param, COUNT, BAD, 3)


def test_three_fifths_of_a_pool_are_bad_and_its_problems_differ(pool: list[PlantedTrace]) -> None:
    assert len({trace.prompt for trace in pool}) == len({trace.id for trace in pool}) == COUNT
    assert sum(trace.kind != "clean" for trace in pool) == 120


def test_the_same_seed_makes_the_same_pool() -> None:
    assert plant_pool("random", 20, BAD, 1) == plant_pool("random", 20, BAD, 1)
    assert plant_pool("random", 20, BAD, 1) != plant_pool("random", 20, BAD, 2)


def test_random_faults_are_four_kinds_in_equal_parts() -> None:
    kinds = Counter(trace.kind for trace in plant_pool("random", COUNT, BAD, 3))
    wanted = ("wrong_result", "carried_on", "irrelevant", "wrong_answer")
    assert kinds == {"clean": 80, **dict.fromkeys(wanted, 30)}


def test_systematic_faults_follow_one_rule_in_every_step_of_every_bad_trace() -> None:
    pool = plant_pool("systematic", COUNT, BAD, 3)
    assert {trace.kind for trace in pool} == {"clean", "systematic"}
    for trace in pool:
        chain = [read_equation(step) for step in trace.steps]
        assert all(a.result == b.left for a, b in pairwise(chain))
        if trace.kind == "systematic":
            assert all(equation.result == forgets_carry(_righted(equation)) for equation in chain)
            assert trace.answer != trace.reference
        else:
            assert all(equation.holds for equation in chain)


def test_faults_that_need_room_do_not_make_bad_traces_longer() -> None:
    pool = plant_pool("systematic", 400, BAD, 5)
    bad = [len(trace.steps) for trace in pool if trace.kind == "systematic"]
    # Two in ten have 3 or 4 moves; where the length was drawn anew until the fault fits, it would
    # be one in ten. The standard error for 240 traces is .026.
    assert sum(length <= 4 for length in bad) / len(bad) > 0.2 - 2 * 0.026


def test_held_out_problems_are_in_no_pool(pool: list[PlantedTrace]) -> None:
    assert not {one.prompt for one in clean_of_test(0, 100)} & {trace.prompt for trace in pool}


def _righted(equation: Equation) -> Equation:
    results = {
        "+": equation.left + equation.right,
        "-": equation.left - equation.right,
        "*": equation.left * equation.right,
        "/": equation.left // equation.right,
    }
    return Equation(
        left=equation.left, op=equation.op, right=equation.right, result=results[equation.op]
    )
