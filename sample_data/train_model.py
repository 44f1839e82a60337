"""How is the sample model trained?"""

from __future__ import annotations

import logging
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import torch
from torch.nn import functional as F  # noqa: N812
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from sample_data.arithmetic import MAX_STEPS, training_pairs
from sample_data.grade_school import Pair, vary_ending

log = logging.getLogger("sample_data")

_SHORT_CHAIN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The settings of a training run.

    Attributes:
        seed: Fixes the first weights and every drawn problem.
        rounds: The run is cut into rounds; a stopped run goes on from its last whole round.
        steps_per_round: Arithmetic traces are drawn anew in each round, up to so many steps in all.
        all_lengths_at: Share of the run at which the longest chains are met. It begins with chains
            of up to four steps: a model that sees long ones at once is slow to learn where in the
            prompt the next number stands.
        gsm8k_per_round: GSM8K rows drawn in each round.
        batch_tokens: Padded tokens in a batch.
        peak_rate: Highest learning rate of AdamW.
        warmup: Share of the run in which the rate rises; it then falls along a cosine.
        last_rate: Share of the peak that is left at the end.
        weight_decay: Of AdamW, on matrices only.
        prompt_weight: Weight of a prompt token in the loss; a token of the answer has 1.
    """

    seed: int = 0
    rounds: int = 60
    steps_per_round: int = 8400
    all_lengths_at: float = 0.4
    gsm8k_per_round: int = 360
    batch_tokens: int = 4096
    peak_rate: float = 3e-3
    warmup: float = 0.04
    last_rate: float = 0.02
    weight_decay: float = 0.05
    prompt_weight: float = 0.1

    def rate(self, progress: float) -> float:
        """The learning rate when a share `progress` of the run is done."""
        if progress < self.warmup:
            return self.peak_rate * (progress / self.warmup + 1e-3)
        fallen = (progress - self.warmup) / (1 - self.warmup)
        share = self.last_rate + (1 - self.last_rate) * (1 + math.cos(math.pi * fallen)) / 2
        return self.peak_rate * share

    def longest_chain(self, progress: float) -> int:
        """The most steps of an arithmetic trace when a share `progress` of the run is done."""
        reached = min(1.0, progress / self.all_lengths_at)
        return _SHORT_CHAIN + round((MAX_STEPS - _SHORT_CHAIN) * reached)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One rendered conversation: `ids` of all tokens, of which the first `prompt` are given."""

    ids: list[int]
    prompt: int


def make_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> Qwen3ForCausalLM:
    """Builds the untrained model."""
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=160,
        num_hidden_layers=5,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=40,
        intermediate_size=448,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="float32",
    )
    return Qwen3ForCausalLM(config)


def render(tokenizer: PreTrainedTokenizerFast, pair: Pair) -> Example:
    """Renders a prompt and its answer with the chat template."""
    question = [{"role": "user", "content": pair[0]}]
    answer = [{"role": "assistant", "content": pair[1]}]
    start = tokenizer.apply_chat_template(question, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template(question + answer, tokenize=False)
    start_ids = tokenizer(start).input_ids
    return Example(ids=start_ids + tokenizer(whole[len(start) :]).input_ids, prompt=len(start_ids))


def draw_round(
    recipe: Recipe, tokenizer: PreTrainedTokenizerFast, gsm8k: list[Pair], number: int
) -> list[list[Example]]:
    """Draws the batches of one round: examples of like length together, batches in random order."""
    rng = Random(f"{recipe.seed}/{number}")
    longest = recipe.longest_chain(number / recipe.rounds)
    pairs = list(training_pairs(rng, recipe.steps_per_round, longest))
    first = number * recipe.gsm8k_per_round
    order = list(gsm8k)
    Random(recipe.seed).shuffle(order)
    for index in range(first, first + recipe.gsm8k_per_round):
        pairs.append(vary_ending(rng, order[index % len(order)]))
    examples = sorted((render(tokenizer, pair) for pair in pairs), key=lambda e: len(e.ids))
    batches: list[list[Example]] = [[]]
    for example in examples:
        if (len(batches[-1]) + 1) * len(example.ids) > recipe.batch_tokens:
            batches.append([])
        batches[-1].append(example)
    rng.shuffle(batches)
    return batches


def loss_of(
    model: Qwen3ForCausalLM, batch: list[Example], prompt_weight: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the weighted mean loss of a batch, and the summed weight of its tokens.

    Sequences are padded on the right: under a causal mask no real token sees the padding.
    """
    longest = max(len(example.ids) for example in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    weights = torch.zeros(len(batch), longest)
    for row, example in enumerate(batch):
        ids[row, : len(example.ids)] = torch.tensor(example.ids)
        weights[row, : example.prompt] = prompt_weight
        weights[row, example.prompt : len(example.ids)] = 1
    # Weights stay in fp32; bfloat16 products double the speed where the processor has them.
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits
    losses = F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten(), reduction="none")
    weights = weights[:, 1:].flatten()
    return (losses * weights).sum() / weights.sum(), weights.sum()


def train(
    recipe: Recipe,
    tokenizer: PreTrainedTokenizerFast,
    gsm8k: list[Pair],
    state_file: Path,
    after_round: Callable[[int, Qwen3ForCausalLM], None],
) -> Qwen3ForCausalLM:
    """Trains a model, going on from `state_file` where a run of the same recipe left one."""
    model = make_model(tokenizer, recipe.seed)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": others}],
        betas=(0.9, 0.98),
        weight_decay=0.0,
        fused=True,
    )
    first = _resume(recipe, state_file, model, optimizer)
    for number in range(first, recipe.rounds):
        started, tokens, losses = time.monotonic(), 0, []
        batches = draw_round(recipe, tokenizer, gsm8k, number)
        model.train()
        for done, batch in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate((number + done / len(batches)) / recipe.rounds)
            loss, _ = loss_of(model, batch, recipe.prompt_weight)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
            tokens += sum(len(example.ids) for example in batch)
        speed = tokens / (time.monotonic() - started)
        mean = sum(losses) / len(losses)
        log.info(
            "round %d/%d: %d batches, loss %.3f, %.0f tokens/s",
            number + 1, recipe.rounds, len(batches), mean, speed,
        )  # fmt: skip
        _keep(recipe, state_file, model, optimizer, number + 1)
        after_round(number + 1, model)
    return model


def publish(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, card: str, folder: Path):
    """Writes a model folder beside its place, then renames it, so no one reads half of it."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    (part / "README.md").write_text(card, encoding="utf-8")
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.rename(folder, old)
    os.rename(part, folder)
    shutil.rmtree(old, ignore_errors=True)


def _keep(recipe, state_file, model, optimizer, number) -> None:
    part = state_file.with_suffix(".part")
    state = {"recipe": asdict(recipe), "number": number}
    state |= {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state, part)
    os.replace(part, state_file)


def _resume(recipe, state_file, model, optimizer) -> int:
    if not state_file.exists():
        return 0
    state = torch.load(state_file)
    if state["recipe"] != asdict(recipe):
        return 0
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state["number"]
