"""How is the sample model trained?"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import torch
from torch.nn import functional as F  # noqa: N812
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from grace_engine.generator.arithmetic import training_pairs
from sample_data.grade_school import Pair, vary_ending
from sample_data.recipe import Progress, Recipe

log = logging.getLogger("sample_data")


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
    places = (i % len(order) for i in range(first, first + recipe.gsm8k_per_round))
    pairs += [vary_ending(rng, order[place]) for place in places]
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
    after_round: Callable[[Progress, Qwen3ForCausalLM], None],
) -> Qwen3ForCausalLM:
    """Trains a model, going on from `state_file` where a run of the same recipe left one."""
    model = make_model(tokenizer, recipe.seed)
    optimizers = _make_optimizers(recipe, model)
    progress = _resume(recipe, state_file, model, optimizers)
    while progress.rounds < recipe.rounds:
        started, number = time.monotonic(), progress.rounds
        batches = draw_round(recipe, tokenizer, gsm8k, number)
        model.train()
        losses = []
        for done, batch in enumerate(batches):
            share = recipe.rate((number + done / len(batches)) / recipe.rounds)
            losses.append(_update(recipe, model, optimizers, batch, share))
        tokens = sum(len(example.ids) for batch in batches for example in batch)
        seconds = time.monotonic() - started
        log.info(
            "round %d/%d: %d updates, loss %.3f, %.0f tokens/s",
            number + 1, recipe.rounds, len(batches), sum(losses) / len(losses), tokens / seconds,
        )  # fmt: skip
        progress = Progress(rounds=number + 1, seconds=progress.seconds + seconds)
        _keep(recipe, state_file, model, optimizers, progress)
        after_round(progress, model)
    return model


def _make_optimizers(recipe: Recipe, model: Qwen3ForCausalLM) -> list[torch.optim.Optimizer]:
    inside = {id(p) for p in model.model.layers.parameters() if p.ndim == 2}
    matrices = [p for p in model.parameters() if id(p) in inside]
    others = [p for p in model.parameters() if id(p) not in inside]
    muon = torch.optim.Muon(
        matrices,
        lr=recipe.matrix_rate,
        weight_decay=recipe.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    adamw = torch.optim.AdamW(others, lr=recipe.peak_rate, betas=(0.9, 0.98), weight_decay=0.0)
    for optimizer in (muon, adamw):
        for group in optimizer.param_groups:
            group["highest"] = group["lr"]
    return [muon, adamw]


def _update(
    recipe: Recipe,
    model: Qwen3ForCausalLM,
    optimizers: list[torch.optim.Optimizer],
    batch: list[Example],
    share: float,
) -> float:
    loss, _ = loss_of(model, batch, recipe.prompt_weight)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["highest"] * share
        optimizer.step()
        optimizer.zero_grad()
    return loss.item()


def publish(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, card: str, folder: Path
) -> None:
    """Writes a model folder beside its place, then renames it, so no one reads half of it."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    (part / "README.md").write_text(card, encoding="utf-8")
    # The writer of safetensors keeps its file to its owner; what is shipped is for all to read.
    for file in part.iterdir():
        file.chmod(0o644)
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _keep(
    recipe: Recipe,
    state_file: Path,
    model: Qwen3ForCausalLM,
    optimizers: list[torch.optim.Optimizer],
    progress: Progress,
) -> None:
    part = state_file.with_suffix(".part")
    state = {"recipe": asdict(recipe), "progress": asdict(progress), "model": model.state_dict()}
    state["optimizers"] = [optimizer.state_dict() for optimizer in optimizers]
    torch.save(state, part)
    part.replace(state_file)


def _resume(
    recipe: Recipe,
    state_file: Path,
    model: Qwen3ForCausalLM,
    optimizers: list[torch.optim.Optimizer],
) -> Progress:
    if not state_file.exists():
        return Progress(rounds=0, seconds=0.0)
    state = torch.load(state_file)
    if state["recipe"] != asdict(recipe):
        return Progress(rounds=0, seconds=0.0)
    model.load_state_dict(state["model"])
    for optimizer, kept in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(kept)
    return Progress(**state["progress"])
