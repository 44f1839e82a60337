"""What is the policy gradient of a group, in each of the ways that stand for it?

g = ∇J, J the GRPO objective of ``objective``. A gradient comes in named blocks, one after another,
so that what is asked of it (inner product, length, projection) never needs all of it at once:

- ``representation``: ∂J/∂h summed over the states that enter the head, d numbers, forward only;
- ``lm_head``: ∂J/∂W of the output layer taken as a layer of its own, exact, a slice of the
  vocabulary at a time: Σ_t w_t·δ_t ⊗ h_t. Summed before anything is asked of it: a group has more
  tokens than the state has dimensions, so sums are cheaper than the pairs (δ_t·δ_s)(h_t·h_s);
- ``lora``: of a LoRA beside every linear layer that has not begun to learn, by autograd;
- ``full``: of all parameters, by autograd.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Tensor

from grace_engine.config import PolicyKind
from grace_engine.errors import ModelError
from grace_engine.models.heads import AutogradHead, Head
from grace_engine.models.load import LoadedModel
from grace_engine.policy.encoding import EncodedGroup
from grace_engine.policy.lora import adapted
from grace_engine.policy.objective import Sampled, objective, sampled_states
from grace_engine.scoring.gradients import log_rest, raw_gradient_slice, upstream_gradients

Blocks: TypeAlias = Iterable[tuple[str, Tensor]]
Gradient: TypeAlias = Callable[[EncodedGroup], Blocks]

_ROWS = 1024
_SUMMED = 1 << 20


@contextmanager
def policy_gradient(
    loaded: LoadedModel,
    kind: PolicyKind,
    *,
    tokens_per_batch: int,
    tile_elements: int,
    rank: int = 8,
    seed: int = 0,
) -> Iterator[Gradient]:
    """The function from a group to the blocks of its gradient, for one kind.

    Args:
        loaded: The policy.
        kind: Which gradient.
        tokens_per_batch: Padded tokens of one forward pass.
        tile_elements: Upper bound of elements in one rows × vocabulary tile.
        rank: Of ``lora``.
        seed: Of ``lora``.

    Raises:
        ModelError: The kind needs a closed-form head, or linear layers, and the model has none.
    """
    model, head = loaded.model, loaded.head
    if kind == "representation":
        yield lambda group: _representation(loaded, group, tokens_per_batch, tile_elements)
    elif kind == "lm_head":
        if not isinstance(head, Head):
            raise ModelError(
                f"The output layer of {type(model).__name__} is no plain linear map, so its "
                "weight's gradient has no closed form: use --kind representation, lora or full."
            )
        closed: Head = head
        yield lambda group: _lm_head(loaded, closed, group, tokens_per_batch, tile_elements)
    elif kind == "lora":
        with adapted(model, rank=rank, seed=seed) as adapters:
            named = [(adapter.name, adapter.b) for adapter in adapters]
            yield lambda group: _autograd(loaded, named, group, tokens_per_batch, tile_elements)
    else:
        parameters = list(model.named_parameters())
        for _, parameter in parameters:
            parameter.requires_grad_()
        try:
            yield lambda group: _autograd(
                loaded, parameters, group, tokens_per_batch, tile_elements
            )
        finally:
            model.requires_grad_(requires_grad=False)


def inner(a: Tensor, b: Tensor) -> float:
    """⟨a, b⟩ of two blocks, summed in float64."""
    pairs = zip(a.reshape(-1).split(_SUMMED), b.reshape(-1).split(_SUMMED), strict=True)
    return sum(float(x.double() @ y.double()) for x, y in pairs)


def _representation(
    loaded: LoadedModel, group: EncodedGroup, tokens_per_batch: int, tile_elements: int
) -> Blocks:
    total: Tensor | None = None
    with torch.inference_mode():
        for part in sampled_states(loaded.model, group, tokens_per_batch):
            found = upstream_gradients(
                loaded.head, part.states, part.targets, part.lengths, tile_elements
            )
            # Upstream signals are of the loss −log π, and their means over a rollout's tokens.
            firsts = torch.cumsum(part.lengths, 0) - part.lengths
            shares = part.weights[firsts.to(part.weights.device)]
            shares = shares * part.lengths.to(part.weights.device)
            added = -(shares @ found.gradients)
            total = added if total is None else total + added
    return [] if total is None else [("state", total)]


def _lm_head(
    loaded: LoadedModel, head: Head, group: EncodedGroup, tokens_per_batch: int, tile_elements: int
) -> Blocks:
    columns = max(1, tile_elements // _ROWS)
    with torch.inference_mode():
        parts = [
            rows
            for part in sampled_states(loaded.model, group, tokens_per_batch)
            for rows in _rows(part)
        ]
        sums = [log_rest(head, part.states, part.targets, columns, None) for part in parts]
    # Each block has its own inference mode: whoever asks for the next may compute in between.
    for first in range(0, head.vocabulary, columns):
        with torch.inference_mode():
            found = _head_slice(head, parts, sums, slice(first, first + columns))
        yield f"head.{first}", found


def _head_slice(
    head: Head, parts: Sequence[Sampled], sums: Sequence[tuple[Tensor, Tensor]], part: slice
) -> Tensor:
    """``[v, d]`` of ∂J/∂W for a slice of the vocabulary."""
    part = slice(part.start, min(part.stop, head.vocabulary))
    total = torch.zeros((part.stop - part.start, head.weight.shape[1]), device=head.weight.device)
    for own, (rest, chosen) in zip(parts, sums, strict=True):
        normaliser = torch.logaddexp(rest, chosen)
        raw = raw_gradient_slice(head, own.states, own.targets, rest, normaliser, part)
        total -= (raw * own.weights[:, None]).T @ own.states.float()
    return total


def _rows(part: Sampled) -> Iterator[Sampled]:
    """The same tokens, a bounded number at a time."""
    for states, targets, weights in zip(
        part.states.split(_ROWS), part.targets.split(_ROWS), part.weights.split(_ROWS), strict=True
    ):
        yield Sampled(
            states=states, targets=targets, weights=weights, lengths=torch.tensor([len(targets)])
        )


def _autograd(
    loaded: LoadedModel,
    named: Sequence[tuple[str, Tensor]],
    group: EncodedGroup,
    tokens_per_batch: int,
    tile_elements: int,
) -> Blocks:
    """∂J of named tensors; those of all rollouts are summed, then given one after another."""
    tensors = [tensor for _, tensor in named]
    head: Head | AutogradHead = loaded.head
    total: list[Tensor] = []
    with torch.enable_grad():
        for part in sampled_states(loaded.model, group, tokens_per_batch):
            found = torch.autograd.grad(
                objective(head, part, tile_elements), tensors, materialize_grads=True
            )
            if total:
                for known, added in zip(total, found, strict=True):
                    known += added
            else:
                total = [one.float() for one in found]
    return list(zip((name for name, _ in named), total, strict=True))
