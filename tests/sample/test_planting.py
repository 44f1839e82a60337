"""Is every planted fault what its label says, and where its label says?"""

from itertools import pairwise
from random import Random

import pytest

from grace_engine.generator.arithmetic import Equation, read_equation, split_of
from grace_engine.generator.planting import PLANTED_KINDS, Kind, PlantedTrace, plant, plant_many
from grace_engine.generator.rules import (
    RULES,
    adds_for_times,
    counts_the_first,
    forgets_carry,
    larger_minus_smaller,
)

PER_KIND = 60


def planted(kind: Kind) -> list[PlantedTrace]:
    rng = Random(f"test/{kind}")
    return [plant(rng, kind, f"{kind}-{i}") for i in range(PER_KIND)]


def equations(trace: PlantedTrace) -> list[Equation]:
    return [read_equation(step) for step in trace.steps]


def breaks(trace: PlantedTrace) -> list[int]:
    """The steps that do not start from the result of the step before."""
    chain = equations(trace)
    return [i for i in range(1, len(chain)) if chain[i].left != chain[i - 1].result]


def wrong(trace: PlantedTrace) -> list[int]:
    """The steps whose arithmetic does not hold."""
    return [i for i, equation in enumerate(equations(trace)) if not equation.holds]


def prompt_start(trace: PlantedTrace) -> int:
    return next(int(word) for word in trace.prompt.replace(".", " ").split() if word.isdigit())


@pytest.mark.parametrize("kind", ["clean", *PLANTED_KINDS])
def test_the_labels_of_every_kind_are_consistent(kind: Kind) -> None:
    for trace in planted(kind):
        assert trace.kind == kind
        assert trace.is_correct == (trace.answer == trace.reference)
        assert all(0 <= step < len(trace.steps) for step in trace.bad_steps)
        assert list(trace.bad_steps) == sorted(set(trace.bad_steps))
        assert set(trace.row()) == {
            "id", "prompt", "steps", "answer", "reference", "kind", "bad_steps", "is_correct",
        }  # fmt: skip


def test_a_clean_trace_has_no_fault() -> None:
    for trace in planted("clean"):
        assert not wrong(trace)
        assert not breaks(trace)
        assert trace.bad_steps == ()
        assert trace.is_correct


def test_a_wrong_result_is_wrong_once_and_not_used_afterwards() -> None:
    for trace in planted("wrong_result"):
        (bad,) = trace.bad_steps
        assert wrong(trace) == [bad]
        assert breaks(trace) == [bad + 1]
        assert trace.is_correct


def test_a_wrong_result_carried_on_is_what_all_later_steps_follow_from() -> None:
    for trace in planted("carried_on"):
        (bad,) = trace.bad_steps
        assert wrong(trace) == [bad]
        assert not breaks(trace)
        assert trace.answer == str(equations(trace)[-1].result)
        assert not trace.is_correct


def test_an_irrelevant_step_is_true_and_the_rest_is_whole_without_it() -> None:
    for trace in planted("irrelevant"):
        (bad,) = trace.bad_steps
        aside = equations(trace)[bad]
        rest = [equation for i, equation in enumerate(equations(trace)) if i != bad]
        assert aside.holds
        assert aside.left != rest[bad - 1].result
        assert all(a.result == b.left for a, b in pairwise(rest))
        assert not wrong(trace)
        assert trace.is_correct


def test_a_repeated_step_stands_twice_and_the_second_is_at_fault() -> None:
    for trace in planted("repeated"):
        (bad,) = trace.bad_steps
        assert trace.steps[bad] == trace.steps[bad - 1]
        assert not wrong(trace)
        assert trace.is_correct


def test_a_skipped_step_leaves_a_number_that_nothing_derived() -> None:
    for trace in planted("skipped"):
        (bad,) = trace.bad_steps
        chain = equations(trace)
        known = {prompt_start(trace)} if bad == 0 else {chain[bad - 1].result}
        assert chain[bad].left not in known
        assert breaks(trace) == ([] if bad == 0 else [bad])
        assert not wrong(trace)
        assert trace.is_correct


def test_a_wrong_answer_follows_steps_that_are_all_right() -> None:
    for trace in planted("wrong_answer"):
        assert not wrong(trace)
        assert not breaks(trace)
        assert str(equations(trace)[-1].result) == trace.reference != trace.answer
        assert trace.bad_steps == ()


def test_a_systematic_fault_is_one_rule_followed_in_every_step() -> None:
    for trace in planted("systematic"):
        assert len(trace.bad_steps) >= 2
        assert wrong(trace) == list(trace.bad_steps)
        assert not breaks(trace)
        assert not trace.is_correct
        # One rule alone explains each result, the right ones too.
        assert any(
            all(rule(_righted(equation)) == equation.result for equation in equations(trace))
            for rule in RULES
        )


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


def test_the_wrong_rules_give_the_slips_known_from_classrooms() -> None:
    assert forgets_carry(Equation(left=48, op="+", right=28, result=76)) == 66
    assert larger_minus_smaller(Equation(left=52, op="-", right=17, result=35)) == 45
    assert counts_the_first(Equation(left=8, op="+", right=5, result=13)) == 12
    assert adds_for_times(Equation(left=8, op="*", right=5, result=40)) == 13


def test_planted_problems_belong_to_the_planted_split() -> None:
    for trace in planted("clean"):
        moves = [f"{equation.op}{equation.right}" for equation in equations(trace)]
        assert split_of(f"{prompt_start(trace)}{''.join(moves)}") == "planted"


def test_many_traces_have_the_asked_share_of_clean_ones_and_all_kinds_alike() -> None:
    traces = plant_many(1, 70, clean_share=0.4)
    counts = {kind: sum(trace.kind == kind for trace in traces) for kind in PLANTED_KINDS}
    assert sum(trace.kind == "clean" for trace in traces) == 28
    assert set(counts.values()) == {6}
    assert len({trace.id for trace in traces}) == 70
    assert plant_many(1, 70, clean_share=0.4) == traces
