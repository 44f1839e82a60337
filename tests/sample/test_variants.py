"""Do all wordings solve the same problems, and differ as they are named for?"""

import re
from collections.abc import Sequence

import pytest

from grace_engine.generator import WORDINGS, PlantedTrace, Wording, draw_problems, reword
from grace_engine.generator.arithmetic import Problem, split_of

PROBLEMS = draw_problems(0, 60, "planted", 3, 10)
WORDED = {wording: reword(PROBLEMS, wording, 0) for wording in WORDINGS}
_EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")
_WORK = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__, "/": int.__floordiv__}


def size(traces: Sequence[PlantedTrace]) -> int:
    return sum(len("\n".join(trace.steps)) for trace in traces)


def test_problems_are_different_ones_of_their_split_and_length() -> None:
    assert len({problem.prompt for problem in PROBLEMS}) == 60
    assert {split_of(problem.canonical) for problem in PROBLEMS} == {"planted"}
    assert {len(problem.moves) for problem in PROBLEMS} == set(range(3, 11))


@pytest.mark.parametrize("wording", WORDINGS)
def test_every_wording_answers_the_same_problems_rightly(wording: Wording) -> None:
    traces = WORDED[wording]
    assert [trace.prompt for trace in traces] == [problem.prompt for problem in PROBLEMS]
    assert [trace.answer for trace in traces] == [problem.answer for problem in PROBLEMS]
    assert all(trace.kind == "clean" and trace.is_correct for trace in traces)
    assert traces == reword(PROBLEMS, wording, 0)


@pytest.mark.parametrize("wording", ["detailed", "summarised", "lengthy"])
def test_every_equation_holds_and_reaches_every_value(wording: Wording) -> None:
    for problem, trace in zip(PROBLEMS, WORDED[wording], strict=True):
        found = _EQUATION.findall("\n".join(trace.steps))
        assert all(_WORK[op](int(a), int(b)) == int(c) for a, op, b, c in found)
        assert _subsequence(problem, [int(result) for *_, result in found])


def test_babbling_blurs_what_happens_and_keeps_where_it_arrives() -> None:
    for problem, trace in zip(PROBLEMS, WORDED["babbling"], strict=True):
        assert not _EQUATION.search("\n".join(trace.steps))
        numbers = [int(each) for step in trace.steps for each in re.findall(r"\d+", step)]
        assert numbers == list(problem.values[1:])


def test_summarised_is_the_shortest_and_lengthy_about_twice_as_long() -> None:
    detailed = size(WORDED["detailed"])
    assert size(WORDED["summarised"]) < 0.75 * detailed
    assert 1.8 * detailed < size(WORDED["lengthy"]) < 3 * detailed
    assert max(len(trace.steps) for trace in WORDED["summarised"]) == 4


def _subsequence(problem: Problem, results: list[int]) -> bool:
    rest = iter(results)
    return all(value in rest for value in problem.values[1:])
