"""What is the GRPO objective of a group, and where does it meet the head?

At the policy that sampled, without clipping and KL: J = (1/G) Σ_i A_i (1/|y_i|) Σ_t log π(y_it).
With the weights of ``EncodedGroup`` that is Σ_i w_i Σ_t log π(y_it).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from grace_engine.models.heads import AutogradHead, Head, captured_hidden
from grace_engine.policy.encoding import EncodedGroup
from grace_engine.scoring.exact import tiled_losses


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampled:
    """Where some rollouts of a group meet the head: R rollouts, T of their tokens.

    Attributes:
        states: ``[T, d]`` that predict the sampled tokens, rollout after rollout.
        targets: ``[T]`` those tokens.
        lengths: ``[R]`` tokens of each rollout, on the CPU.
        weights: ``[T]`` float32 w of each token.
    """

    states: Tensor
    targets: Tensor
    lengths: Tensor
    weights: Tensor


def sampled_states(
    model: nn.Module, group: EncodedGroup, tokens_per_batch: int
) -> Iterator[Sampled]:
    """The states of a group, some rollouts at a time: padded batches of bounded size.

    How a group is cut depends on nothing but the group and the bound, so that its gradient is the
    same to the bit whatever was computed before.
    """
    longest = len(group.prompt) + max(map(len, group.answers))
    rows = max(1, tokens_per_batch // longest)
    for first in range(0, len(group.answers), rows):
        part = slice(first, first + rows)
        yield _states(model, group.prompt, group.answers[part], group.weights[part])


def _states(
    model: nn.Module,
    prompt: tuple[int, ...],
    answers: tuple[tuple[int, ...], ...],
    weights: tuple[float, ...],
) -> Sampled:
    """The prompt is read once for all rollouts, up to its last token, which each reads itself."""
    device = next(model.parameters()).device
    # A model whose state is no list of keys and values reads the prompt with each rollout.
    n_shared = 0 if getattr(model, "_is_stateful", False) else len(prompt) - 1
    lengths = torch.tensor([len(answer) for answer in answers])
    n_own = len(prompt) - n_shared
    width = n_own + int(lengths.max()) - 1
    ids = torch.zeros((len(answers), width), dtype=torch.long)
    mask = torch.zeros((len(answers), n_shared + width), dtype=torch.long)
    for row, answer in enumerate(answers):
        sequence = torch.tensor((prompt[n_shared:] + answer)[:-1])
        ids[row, : len(sequence)], mask[row, : n_shared + len(sequence)] = sequence, 1
    with captured_hidden(model) as seen:
        cache = _read(model, prompt[:n_shared], len(answers)) if n_shared else None
        model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            past_key_values=cache,
            use_cache=cache is not None,
        )
    rows = torch.repeat_interleave(torch.arange(len(answers)), lengths)
    inside = torch.cat([torch.arange(int(length)) for length in lengths])
    columns = n_own - 1 + inside  # the state before a token predicts it
    return Sampled(
        states=seen[-1][rows.to(device), columns.to(device)],
        targets=torch.tensor([token for answer in answers for token in answer]).to(device),
        lengths=lengths,
        weights=torch.tensor(weights, dtype=torch.float32)[rows].to(device),
    )


def _read(model: nn.Module, prompt: tuple[int, ...], n: int) -> Any:
    """Keys and values of a prompt for each of n rollouts, with their graph where one is kept."""
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)
    ids = torch.tensor([prompt], device=next(model.parameters()).device)
    model(input_ids=ids, past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(n)
    return cache


def objective(head: Head | AutogradHead, sampled: Sampled, tile_elements: int) -> Tensor:
    """J of some rollouts, with its graph; logits of a tile are made again in the backward pass."""
    losses = tiled_losses(head, sampled.states, sampled.targets, tile_elements)
    return -(sampled.weights * losses).sum()
