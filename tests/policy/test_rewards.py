"""Does every answer get its reward, whatever the answer or the function does?"""

from pathlib import Path

import pytest

from grace_engine.errors import InputError
from grace_engine.policy.rewards import rewarder
from grace_engine.records import RolloutGroup

FUNCTIONS = """
import time, os
print("printed at import")

def of_length(prompt, answer, reference, labels):
    print("noise that must not be taken for a reward")
    return len(answer) / 10

def odd(prompt, answer, reference, labels):
    if answer == "raise":
        raise ValueError("no such answer")
    if answer == "hang":
        time.sleep(1000)
    if answer == "exit":
        os._exit(3)
    given = {"nan": float("nan"), "text": "much", "none": None, "two": 2, "yes": True}
    return given.get(answer, 0.5)

value = 3
"""


@pytest.fixture
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_rewards.py").write_text(FUNCTIONS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def problem(reference: str | None = "12") -> RolloutGroup:
    return RolloutGroup(
        problem_id="p", dataset="d", prompt="What is 7+5?", reference=reference, labels={"level": 2}
    )


def test_answers_are_held_against_the_reference() -> None:
    with rewarder("check", 5.0) as gives:
        found = gives.rewards(problem(), ["7+5=12\n#### 12", "#### 13", "?!"])
        assert [(one.reward, one.outcome) for one in found] == [
            (1.0, "right"),
            (0.0, "wrong"),
            (0.0, "not parsed"),
        ]
        (none,) = gives.rewards(problem(None), ["#### 12"])
        assert (none.reward, none.outcome) == (None, "no reference")
        (unread,) = gives.rewards(problem("N/A"), ["#### 12"])
        assert (unread.reward, unread.outcome) == (None, "not parsed")


def test_an_answer_that_hangs_its_check_has_timed_out() -> None:
    with rewarder("check", 0.5) as gives:
        found = gives.rewards(problem("1"), ["9^{9^{9^9}}", "#### 1"])
    assert [(one.reward, one.outcome) for one in found] == [(0.0, "timed out"), (1.0, "right")]


def test_a_function_gives_rewards_and_may_print(functions: None) -> None:
    with rewarder("own_rewards:of_length", 30.0) as gives:
        found = gives.rewards(problem(), ["12345", "1"])
    assert [(one.reward, one.outcome) for one in found] == [(0.5, "scored"), (0.1, "scored")]


def test_a_function_that_fails_costs_the_reward_of_that_answer_alone(functions: None) -> None:
    answers = ["a", "raise", "nan", "text", "none", "two", "exit", "hang", "yes", "b"]
    with rewarder("own_rewards:odd", 20.0) as gives:
        # The process is there: from here on a second is long.
        gives._process._timeout = 1.0
        first = dict(zip(answers, gives.rewards(problem(), answers[:8]), strict=False))
        gives._process._timeout = 20.0
        rest = dict(zip(answers[8:], gives.rewards(problem(), answers[8:]), strict=True))
    found = first | rest
    assert {name: one.outcome for name, one in found.items()} == {
        "a": "scored",
        "raise": "raised",
        "nan": "not finite",
        "text": "raised",
        "none": "raised",
        "two": "out of range",
        "exit": "raised",
        "hang": "timed out",
        "yes": "scored",
        "b": "scored",
    }
    assert found["raise"].detail == "ValueError: no such answer"
    assert found["nan"].detail == "it returned nan"
    assert found["text"].detail == "it returned 'much', which is no number"
    assert found["two"].detail == "it returned 2, and rewards are from 0 to 1"
    assert found["exit"].detail == "it ended the process that calls it"
    assert found["hang"].detail == "no reward in 1 s"
    assert [found[name].reward for name in ("a", "yes", "b", "hang")] == [0.5, 1.0, 0.5, None]


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("own_rewards:nothing", "has no attribute 'nothing'"),
        ("own_rewards:value", "own_rewards:value is no function"),
        ("no_such_module_here:f", "No module named 'no_such_module_here'"),
    ],
)
def test_a_function_that_cannot_be_loaded_is_one_sentence(functions, named: str, why: str) -> None:
    with pytest.raises(InputError, match=why), rewarder(named, 5.0):
        pass
