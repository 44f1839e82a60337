"""Are a model's answers judged as they stand, and its loss measured as the trainer does?"""

from itertools import combinations
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from grace_engine.errors import InputError
from grace_engine.progress import Silent
from grace_engine.training import (
    Asking,
    Cell,
    EvalProblem,
    Evaluation,
    Example,
    evaluate,
    held_out_loss,
    overlap,
    pass_at,
    random_examples,
    read_result,
    result_of,
    write_result,
)
from tests.conftest import SAMPLE


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return AutoModelForCausalLM.from_pretrained(SAMPLE / "tiny-reasoner").eval()


def problem(name: str, prompt: str, reference: str, **labels: object) -> EvalProblem:
    return EvalProblem(id=name, prompt=prompt, reference=reference, labels=labels)


def test_greedy_answers_are_right_or_wrong_by_mathematics(
    model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast
) -> None:
    text = (
        "A bus leaves with 28 people. At the next stop 15 people get on. At the next stop 4 people "
        "get off. How many people are on it now?"
    )
    problems = [
        problem("right", text, "39.0", kind="sum"),
        problem("wrong", text, "40", kind="sum"),
        problem("longer", f"{text} {text}", "N/A", kind="none"),
    ]
    answered = evaluate(model, tokenizer, problems, Silent(), max_new_tokens=120)
    assert [one.id for one in answered] == ["right", "wrong", "longer"]
    assert [one.outcomes for one in answered[:2]] == [("right",), ("wrong",)]
    assert answered[0].completions == answered[1].completions
    assert "39" in answered[0].completions[0]
    assert "<|im_end|>" not in answered[0].completions[0]
    found = Evaluation(answered=answered[:2])
    assert found.accuracy == 0.5
    assert found.by_outcome == {"right": 1, "wrong": 1, "not parsed": 0, "timed out": 0}


def test_pass_at_k_is_the_share_of_all_draws_of_k_with_a_right_one() -> None:
    for n, right, k in [(5, 2, 1), (5, 2, 3), (8, 3, 8), (6, 0, 2), (6, 6, 2), (10, 1, 4)]:
        draws = list(combinations([True] * right + [False] * (n - right), k))
        by_hand = sum(any(draw) for draw in draws) / len(draws)
        assert pass_at(k, n, right) == pytest.approx(by_hand, abs=1e-12)
    with pytest.raises(InputError, match="cannot be told from 3 answers"):
        pass_at(4, 3, 1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"k": 8, "samples": 4}, "use at least --samples 8"),
        ({"k": 8, "temperature": 0.0}, "all 8 answers are the same"),
        ({"samples": 4}, "Greedy answers are all the same"),
        ({"k": -1}, "makes no sense"),
    ],
)
def test_asking_that_cannot_be_estimated_is_refused(given: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Asking(**given)


def test_sampled_answers_are_judged_by_pass_at_k(
    model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast
) -> None:
    text = "A bus leaves with 28 people. At the next stop 15 people get on. How many are on it now?"
    asking = Asking(k=2, samples=4, temperature=1.0)
    problems = [problem("a", text, "43"), problem("b", f"{text} {text}", "no number")]
    given = {"max_new_tokens": 40, "asking": asking}
    answered = evaluate(model, tokenizer, problems, Silent(), seed=1, **given)
    assert [len(one.completions) for one in answered] == [4, 4]
    assert len(set(answered[0].completions)) > 1
    assert answered == evaluate(model, tokenizer, problems, Silent(), seed=1, **given)
    found = Evaluation(answered=answered, asking=asking)
    n_right = answered[0].outcomes.count("right")
    assert found.accuracy == pytest.approx(pass_at(2, 4, n_right) / 2)
    result = result_of(Cell(arm="subset"), [], None, found)
    assert result.measure == "pass@2"
    assert result.shares == (pass_at(2, 4, n_right), 0.0)
    assert sum(result.by_outcome.values()) == 8


def test_held_out_loss_is_the_mean_over_all_learned_tokens(
    model: torch.nn.Module, examples: list[Example]
) -> None:
    total, n_tokens = 0.0, 0
    for example in examples[:3]:
        ids = torch.tensor([example.token_ids])
        with torch.inference_mode():
            logs = model(ids).logits[0].log_softmax(-1)
        for place in range(example.n_given, len(example.token_ids)):
            total -= float(logs[place - 1, example.token_ids[place]])
            n_tokens += 1
    found = held_out_loss(model, examples[:3], torch.device("cpu"))
    assert found == pytest.approx(total / n_tokens, rel=1e-5)


def test_a_training_prompt_in_other_clothes_is_found_among_the_problems() -> None:
    problems = [problem("a", "What is 3 + 4?", "7"), problem("b", "What is 5 + 6?", "11")]
    found = overlap(problems, ["what  is 3 + 4", "Something else."])
    assert found.ids == ("a",)
    assert "1 of the 2 evaluation prompts is a training prompt, too" in str(found)
    both = overlap(problems, ["what  is 3 + 4", "What is 5 + 6"])
    assert "2 of the 2 evaluation prompts are training prompts, too" in str(both)
    assert "None of the 2" in str(overlap(problems, ["Nothing."]))


def test_a_random_draw_has_the_tokens_of_the_subset_and_no_more(examples: list[Example]) -> None:
    total = sum(len(one.token_ids) for one in examples)
    budget = total // 2
    drawn = random_examples(examples, budget, seed=1)
    n_tokens = sum(len(one.token_ids) for one in drawn)
    left = [one for one in examples if one not in drawn]
    assert n_tokens <= budget
    assert all(n_tokens + len(one.token_ids) > budget for one in left)
    assert drawn == random_examples(examples, budget, seed=1)
    assert drawn != random_examples(examples, budget, seed=2)


def test_a_finished_cell_is_read_as_it_was_written(examples: list[Example], tmp_path: Path) -> None:
    assert read_result(tmp_path) is None
    written = result_of(Cell(arm="random", seed=2), examples[:2], None, None)
    write_result(tmp_path, written)
    assert read_result(tmp_path) == written
    assert written.accuracy is None
