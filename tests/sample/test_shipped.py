"""Are the shipped files whole, small, and what the build would write?"""

import gzip
import hashlib
import json
import re
from pathlib import Path
from random import Random

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from grace_engine.generator.arithmetic import draw_problem
from sample_data.build import FOLDER, PLANTED, planted_lines
from sample_data.evaluate import score_arithmetic
from sample_data.grade_school import HELD_OUT, read_pairs
from sample_data.train_model import Example, loss_of, render

MODELS = ["tiny-reasoner", "tiny-reasoner-early"]
CHAT = [
    {"role": "user", "content": "Start with 7. Add 5. What is it now?"},
    {"role": "assistant", "content": "7 + 5 = 12\n#### 12"},
]


@pytest.fixture(scope="module", params=MODELS)
def folder(request: pytest.FixtureRequest) -> Path:
    return FOLDER / request.param


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(folder)


def test_the_planted_file_is_what_a_rebuild_writes() -> None:
    shipped = hashlib.sha256(PLANTED.read_bytes()).hexdigest()
    assert shipped == hashlib.sha256(planted_lines().encode()).hexdigest()


def test_the_planted_file_has_four_hundred_rows_of_which_two_fifths_are_clean() -> None:
    rows = [json.loads(line) for line in PLANTED.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == len({row["id"] for row in rows}) == 400
    assert sum(row["kind"] == "clean" for row in rows) == 160


def test_the_model_solutions_are_four_hundred_traces() -> None:
    path = FOLDER / "gsm8k" / "model_solutions.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    solutions = [value for row in rows for value in row.values() if isinstance(value, dict)]
    assert len(rows) + len(solutions) == 400


def test_gsm8k_is_whole_and_its_last_rows_are_held_out() -> None:
    with gzip.open(FOLDER / "gsm8k" / "train.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    train, held_out = read_pairs()
    assert len(rows) == 7473
    assert len(held_out) == HELD_OUT == 300
    assert [question for question, _ in train + held_out] == [row["question"] for row in rows]


def test_a_model_folder_is_smaller_than_eight_megabytes(folder: Path) -> None:
    assert sum(file.stat().st_size for file in folder.iterdir()) < 8_000_000
    assert {file.suffix for file in folder.iterdir()} <= {".safetensors", ".json", ".jinja", ".md"}


def test_the_card_tells_figures_licences_and_how_to_make_the_model_again(folder: Path) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    for said in ("Apache-2.0", "MIT", "build.py model", "seed", "untrained", "minutes"):
        assert said in card


def test_the_tokenizer_maps_each_token_to_its_characters(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    text = "Weng earns $12 an hour.\n12/60 = <<12/60=0.2>>0.2 – café"
    encoded = tokenizer(text, return_offsets_mapping=True)
    assert tokenizer.is_fast
    assert tokenizer.decode(encoded.input_ids) == text
    ends = [0, *(end for _, end in encoded.offset_mapping)]
    assert ends == sorted(ends)
    assert ends[-1] == len(text)


def test_every_digit_is_a_token_of_its_own(tokenizer: PreTrainedTokenizerFast) -> None:
    tokens = tokenizer.convert_ids_to_tokens(tokenizer("a 1234 + 56=1290").input_ids)
    assert [token for token in tokens if re.search(r"\d", token)] == list("1234561290")


def test_special_tokens_are_those_of_chatml(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.convert_ids_to_tokens(tokenizer.eos_token_id) == "<|im_end|>"
    assert tokenizer.convert_ids_to_tokens(tokenizer.pad_token_id) == "<|endoftext|>"
    assert len(tokenizer("<|im_start|><|im_end|><|endoftext|>").input_ids) == 3
    assert len(tokenizer) <= 2048


def test_the_chat_template_renders_chatml(tokenizer: PreTrainedTokenizerFast) -> None:
    system = {"role": "system", "content": "Be brief."}
    assert tokenizer.apply_chat_template([system, *CHAT], tokenize=False) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nStart with 7. Add 5. What is it now?<|im_end|>\n"
        "<|im_start|>assistant\n7 + 5 = 12\n#### 12<|im_end|>\n"
    )
    asked = tokenizer.apply_chat_template(CHAT[:1], tokenize=False, add_generation_prompt=True)
    assert asked.endswith("<|im_end|>\n<|im_start|>assistant\n")


def test_the_chat_template_marks_the_answer_and_its_end_for_the_loss(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    rendered = tokenizer.apply_chat_template(
        CHAT, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    kept = zip(rendered["input_ids"], rendered["assistant_masks"], strict=True)
    marked = tokenizer.decode([token for token, inside in kept if inside])
    assert marked == "7 + 5 = 12\n#### 12<|im_end|>"


def test_training_sees_the_same_tokens_as_the_chat_template_gives(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    example = render(tokenizer, (CHAT[0]["content"], CHAT[1]["content"]))
    assert example.ids == tokenizer.apply_chat_template(CHAT)["input_ids"]


def test_a_batch_has_the_loss_of_its_rows_whatever_their_padding(folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    long = Example(ids=list(range(40, 70)), prompt=5)
    short = Example(ids=list(range(80, 90)), prompt=3)
    with torch.inference_mode():
        together, weight = loss_of(model, [long, short], prompt_weight=0.0)
        apart = [loss_of(model, [example], prompt_weight=0.0) for example in (long, short)]
    expected = sum(mean * tokens for mean, tokens in apart) / weight
    assert weight == 25 + 7
    # Products in bfloat16 have eight bits: 1/256 of a loss of about ten.
    torch.testing.assert_close(together, expected, rtol=1 / 256, atol=0)


def test_the_finished_model_solves_short_problems_that_it_has_not_met() -> None:
    folder = FOLDER / "tiny-reasoner"
    model = AutoModelForCausalLM.from_pretrained(folder)
    rng = Random(5)
    problems = tuple(draw_problem(rng, "test", n_steps) for n_steps in (2, 3, 4) for _ in range(4))
    solved = score_arithmetic(model, AutoTokenizer.from_pretrained(folder), problems)
    assert sum(solved.right) >= 11
