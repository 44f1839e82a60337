"""How well does the sample model solve problems and read text that it has not met?"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from grace_engine.generator.arithmetic import MAX_STEPS, MIN_STEPS, Problem, draw_problem
from grace_engine.generator.wording import THEMES
from sample_data.grade_school import Pair
from sample_data.train_model import loss_of, render

_ANSWER = re.compile(r"(?:####|A:) (\S+)$")
_BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """Whether the greedy answer to each of `problems` is exactly right."""

    problems: tuple[Problem, ...]
    right: tuple[bool, ...]

    @property
    def share(self) -> float:
        """The share of right answers."""
        return sum(self.right) / len(self.right)

    def by_steps(self) -> dict[int, float]:
        """The share of right answers for each number of steps."""
        return self._by(lambda problem: len(problem.moves))

    def by_theme(self) -> dict[str, float]:
        """The share of right answers for each theme."""
        return self._by(lambda problem: problem.theme.name)

    def _by(self, key: Callable[[Problem], Any]) -> dict[Any, float]:
        groups: dict[Any, list[bool]] = {}
        for problem, right in zip(self.problems, self.right, strict=True):
            groups.setdefault(key(problem), []).append(right)
        return {name: sum(group) / len(group) for name, group in sorted(groups.items())}


def held_out_problems(seed: int, per_cell: int) -> tuple[Problem, ...]:
    """Draws `per_cell` test problems for each theme and each number of steps."""
    rng = Random(f"held out/{seed}")
    return tuple(
        draw_problem(rng, "test", n_steps, theme)
        for n_steps in range(MIN_STEPS, MAX_STEPS + 1)
        for theme in THEMES
        for _ in range(per_cell)
    )


@torch.inference_mode()
def solve_greedily(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str]
) -> list[str]:
    """Returns the model's most likely answer to each prompt, decoded token by token."""
    model.eval()
    tokenizer.padding_side = "left"
    answers = []
    for first in range(0, len(prompts), _BATCH):
        chats = [[{"role": "user", "content": p}] for p in prompts[first : first + _BATCH]]
        inputs = tokenizer.apply_chat_template(
            chats,
            add_generation_prompt=True,
            padding=True,
            return_tensors="pt",
            return_dict=True,
        )
        ids = model.generate(**inputs, max_new_tokens=420, do_sample=False)
        texts = tokenizer.batch_decode(
            ids[:, inputs.input_ids.shape[1] :], skip_special_tokens=True
        )
        answers.extend(texts)
    return answers


def score_arithmetic(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, problems: tuple[Problem, ...]
) -> Solved:
    """Compares the greedy final answers with the right ones."""
    # Like lengths together: a batch is decoded until its longest answer ends.
    problems = tuple(sorted(problems, key=lambda problem: len(problem.moves)))
    texts = solve_greedily(model, tokenizer, [problem.prompt for problem in problems])
    found = [_ANSWER.search(text) for text in texts]
    right = tuple(
        match is not None and match[1] == problem.answer
        for match, problem in zip(found, problems, strict=True)
    )
    return Solved(problems=problems, right=right)


@torch.inference_mode()
def perplexity(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, pairs: list[Pair]
) -> float:
    """The perplexity of the answers given their questions, over all answer tokens."""
    model.eval()
    examples = sorted((render(tokenizer, pair) for pair in pairs), key=lambda e: len(e.ids))
    total, weight = 0.0, 0.0
    for first in range(0, len(examples), 16):
        mean, tokens = loss_of(model, examples[first : first + 16], prompt_weight=0.0)
        total += mean.item() * tokens.item()
        weight += tokens.item()
    return math.exp(total / weight)
