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

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TypeAlias, cast

import torch
from torch import Tensor

from grace_engine.config import PolicyKind
from grace_engine.errors import ModelError
from grace_engine.models.heads import Head
from grace_engine.models.load import LoadedModel
from grace_engine.policy.encoding import EncodedGroup
from grace_engine.policy.lora import adapted
from grace_engine.policy.objective import Sampled, objective, sampled_states
from grace_engine.scoring.gradients import log_rest, raw_gradient_slice, upstream_gradients

Blocks: TypeAlias = Iterable[tuple[str, Tensor]]
Gradient: TypeAlias = Callable[[EncodedGroup], Blocks]
Gradients: TypeAlias = Callable[[EncodedGroup], dict[PolicyKind, Blocks]]

_ROWS = 1024
_SUMMED = 1 << 20


@contextmanager
def policy_gradient(loaded: LoadedModel, kind: PolicyKind, **bounds: int) -> Iterator[Gradient]:
    """The function from a group to the blocks of its gradient, for one kind.

    Its arguments are those of ``policy_gradients``.

    Raises:
        ModelError: The kind needs a closed-form head, or linear layers, and the model has none.
    """
    with policy_gradients(loaded, (kind,), **bounds) as gradients:
        yield lambda group: gradients(group)[kind]


@contextmanager
def policy_gradients(
    loaded: LoadedModel,
    kinds: Sequence[PolicyKind],
    *,
    tokens_per_batch: int,
    tile_elements: int,
    rank: int = 8,
    seed: int = 0,
) -> Iterator[Gradients]:
    """The function from a group to its gradients of several kinds, from one pass over it.

    Args:
        loaded: The policy.
        kinds: Which gradients.
        tokens_per_batch: Padded tokens of one forward pass.
        tile_elements: Upper bound of elements in one rows × vocabulary tile.
        rank: Of ``lora``.
        seed: Of ``lora``.

    Raises:
        ModelError: A kind needs a closed-form head, or linear layers, and the model has none.
    """
    model, head = loaded.model, loaded.head
    if "lm_head" in kinds and not isinstance(head, Head):
        raise ModelError(
            f"The output layer of {type(model).__name__} is no plain linear map, so its "
            "weight's gradient has no closed form: use --kind representation, lora or full."
        )
    named: dict[PolicyKind, list[tuple[str, Tensor]]] = {}
    with ExitStack() as undo:
        if "lora" in kinds:
            adapters = undo.enter_context(adapted(model, rank=rank, seed=seed))
            named["lora"] = [(adapter.name, adapter.b) for adapter in adapters]
        if "full" in kinds:
            named["full"] = list(model.named_parameters())
            undo.callback(model.requires_grad_, requires_grad=False)
            model.requires_grad_()
        yield lambda group: _gradients(loaded, kinds, named, group, tokens_per_batch, tile_elements)


def _gradients(
    loaded: LoadedModel,
    kinds: Sequence[PolicyKind],
    named: Mapping[PolicyKind, Sequence[tuple[str, Tensor]]],
    group: EncodedGroup,
    tokens_per_batch: int,
    tile_elements: int,
) -> dict[PolicyKind, Blocks]:
    """The blocks of each kind; those of autograd are sums over the parts that memory allows."""
    tensors = [tensor for kind in named for _, tensor in named[kind]]
    sums: list[Tensor] = []
    state: list[Tensor] = []
    kept: list[Sampled] = []
    with torch.enable_grad() if tensors else torch.inference_mode():
        for part in sampled_states(loaded.model, group, tokens_per_batch):
            if tensors:
                _add(sums, _autograd(loaded, part, tensors, tile_elements))
            part = replace(part, states=part.states.detach())
            if "representation" in kinds:
                _add(state, [_representation(loaded, part, tile_elements)])
            if "lm_head" in kinds:
                kept.append(part)
    found: dict[PolicyKind, Blocks] = {"representation": [("state", one) for one in state]}
    if "lm_head" in kinds:
        found["lm_head"] = _lm_head(cast(Head, loaded.head), kept, tile_elements)
    begin = 0
    for kind, pairs in named.items():
        own = sums[begin : begin + len(pairs)]
        found[kind] = [(name, one) for (name, _), one in zip(pairs, own, strict=True)]
        begin += len(pairs)
    return found


def _add(sums: list[Tensor], added: Sequence[Tensor]) -> None:
    """Add to sums that begin as none."""
    if not sums:
        sums.extend(one.float() for one in added)
        return
    for known, one in zip(sums, added, strict=True):
        known += one


def inner(a: Tensor, b: Tensor) -> float:
    """⟨a, b⟩ of two blocks, summed in float64."""
    pairs = zip(a.reshape(-1).split(_SUMMED), b.reshape(-1).split(_SUMMED), strict=True)
    return sum(float(x.double() @ y.double()) for x, y in pairs)


def _representation(loaded: LoadedModel, part: Sampled, tile_elements: int) -> Tensor:
    """``[d]`` Σ of ∂J/∂h."""
    with torch.no_grad():
        found = upstream_gradients(
            loaded.head, part.states, part.targets, part.lengths, tile_elements
        )
        # Upstream signals are of the loss −log π, and their means over a rollout's tokens.
        firsts = torch.cumsum(part.lengths, 0) - part.lengths
        shares = part.weights[firsts.to(part.weights.device)]
        return -((shares * part.lengths.to(part.weights.device)) @ found.gradients)


def _lm_head(head: Head, kept: Sequence[Sampled], tile_elements: int) -> Blocks:
    columns = max(1, tile_elements // _ROWS)
    with torch.inference_mode():
        parts = [rows for part in kept for rows in _rows(part)]
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
    loaded: LoadedModel, part: Sampled, tensors: Sequence[Tensor], tile_elements: int
) -> Sequence[Tensor]:
    """∂J of named tensors, of some rollouts."""
    found: tuple[Tensor, ...] = torch.autograd.grad(
        objective(loaded.head, part, tile_elements), tensors, materialize_grads=True
    )
    return found
