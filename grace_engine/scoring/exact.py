"""What are the inner products of full parameter gradients of a trace's segments, by autograd?

The reference that the fast proxies are held against: K + 1 backward passes a trace. Gradients are
held a block of parameters at a time, so memory is bounded; the block size follows what is free.
"""

import fnmatch
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from grace_engine.errors import InputError, ResourceError
from grace_engine.models.heads import AutogradHead, Head, captured_hidden
from grace_engine.scoring.gradients import (
    SegmentGram,
    discounted_shares,
    row_products,
    token_entropies,
    token_losses,
)

_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParameterBlocks:
    """Named parameters in blocks whose gradients fit in memory together.

    Attributes:
        blocks: Parameters of each block.
        names: All names, in order.
        needed_bytes: Gradient memory of the largest block for the longest trace.
    """

    blocks: tuple[tuple[nn.Parameter, ...], ...]
    names: tuple[str, ...]
    needed_bytes: int


def parameter_blocks(
    model: nn.Module, patterns: tuple[str, ...], *, n_segments: int, memory: int
) -> ParameterBlocks:
    """Choose parameters by name and pack them into blocks.

    Args:
        model: The model.
        patterns: ``fnmatch`` patterns of names; all parameters when empty.
        n_segments: K + 1 of the longest trace.
        memory: Bytes that gradients may take.

    Raises:
        InputError: A pattern that matches no parameter.
        ResourceError: One parameter's gradients of all segments do not fit in ``memory``.
    """
    named = dict(model.named_parameters())
    for pattern in patterns:
        if not fnmatch.filter(named, pattern):
            some = ", ".join(list(named)[:3])
            raise InputError(f"No parameter is named {pattern!r}. There are {some}, ...")
    names = [n for n in named if not patterns or any(fnmatch.fnmatch(n, p) for p in patterns)]
    largest = max(names, key=lambda name: named[name].numel())
    least = named[largest].numel() * n_segments * _BYTES
    if least > memory:
        raise ResourceError(
            f"Exact gradients of {largest} for {n_segments} segments take {least / 1e9:.2f} GB, "
            f"and {memory / 1e9:.2f} GB may be used. Name smaller parameters (--parameters), or "
            "leave out traces with that many steps."
        )
    blocks: list[tuple[nn.Parameter, ...]] = []
    current: list[nn.Parameter] = []
    held = needed = 0
    for name in names:
        size = named[name].numel() * n_segments * _BYTES
        if current and held + size > memory:
            blocks.append(tuple(current))
            current, held = [], 0
        current.append(named[name])
        held += size
        needed = max(needed, held)
    blocks.append(tuple(current))
    return ParameterBlocks(blocks=tuple(blocks), names=tuple(names), needed_bytes=needed)


def exact_gram(
    model: nn.Module,
    head: Head | AutogradHead,
    token_ids: Tensor,
    segments: list[tuple[int, int]],
    parameters: ParameterBlocks,
    tile_elements: int,
    *,
    entropy_discount: float = 0.0,
) -> SegmentGram:
    """Inner products of ∇_θ of each segment's mean loss, its tokens weighted alike or by entropy.

    Args:
        model: Causal LM.
        head: Its output layer.
        token_ids: ``[n]`` the whole rendered trace.
        segments: Half-open token ranges, the answer last; none begins at token 0.
        parameters: Those with respect to which gradients are taken.
        tile_elements: Upper bound of elements in one rows × vocabulary tile.
        entropy_discount: c of the tokens' weights, nats⁻¹; 0 takes the plain mean.
    """
    for block in parameters.blocks:
        for parameter in block:
            parameter.requires_grad_()
    try:
        with torch.enable_grad():
            with captured_hidden(model) as seen:
                model(input_ids=token_ids[None], use_cache=False)
            states = [seen[0][0, i - 1 : j - 1] for i, j in segments]
            tokens = [
                tiled_losses(head, own, token_ids[i:j], tile_elements)
                for own, (i, j) in zip(states, segments, strict=True)
            ]
            losses = means = [own.mean() for own in tokens]
            if entropy_discount:
                losses = [
                    _discounted(head, own, of_tokens, tile_elements, entropy_discount)
                    for own, of_tokens in zip(states, tokens, strict=True)
                ]
            gram = torch.zeros((len(losses), len(losses)), dtype=torch.float64)
            for block in parameters.blocks:
                gram += _block_gram(losses, block)
    finally:
        for block in parameters.blocks:
            for parameter in block:
                parameter.requires_grad_(requires_grad=False)
    return SegmentGram(gram=gram.float(), nll=torch.stack(means).detach().float())


def _block_gram(losses: list[Tensor], block: tuple[nn.Parameter, ...]) -> Tensor:
    rows = [
        torch.autograd.grad(loss, block, retain_graph=True, materialize_grads=True)
        for loss in losses
    ]
    total = torch.zeros((len(losses), len(losses)), dtype=torch.float64)
    for gradients in zip(*rows, strict=True):
        flat = torch.stack([gradient.float().flatten() for gradient in gradients])
        total += row_products(flat).double().cpu()
    return total


def _discounted(
    head: Head | AutogradHead, hidden: Tensor, losses: Tensor, tile_elements: int, discount: float
) -> Tensor:
    """Σ w_t·L_t of a segment, its weights w constants."""
    entropies = token_entropies(head, hidden, tile_elements)
    return discounted_shares(entropies, [len(losses)], discount) @ losses


def tiled_losses(
    head: Head | AutogradHead, hidden: Tensor, targets: Tensor, tile_elements: int
) -> Tensor:
    """``[n]`` cross entropies; logits of a tile are made again in the backward pass."""
    rows = max(1, tile_elements // head.vocabulary)
    tiles = [
        checkpoint(
            _losses,
            head,
            hidden[first : first + rows],
            targets[first : first + rows],
            use_reentrant=False,
        )
        for first in range(0, len(targets), rows)
    ]
    return torch.cat(tiles)


def _losses(head: Head | AutogradHead, hidden: Tensor, targets: Tensor) -> Tensor:
    return token_losses(head.logits(hidden), targets)
