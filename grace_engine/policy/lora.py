"""What is the gradient of a LoRA that has not begun to learn?

A LoRA adds (α/r)·B·A·x to the output of a linear layer, with A random and B zero. There ∂J/∂A is
zero and ∂J/∂B is the layer's full gradient seen through A, so B alone is asked.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from grace_engine.digests import text_digest
from grace_engine.errors import ModelError
from grace_engine.models.heads import output_module


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Adapter:
    """A LoRA of one linear layer.

    Attributes:
        name: Of the layer.
        a: ``[r, in]`` as PEFT draws it: uniform within ±√(1/in), by the seed and the name alone.
        b: ``[out, r]`` zeros that want a gradient.
    """

    name: str
    a: Tensor
    b: Tensor


@contextmanager
def adapted(model: nn.Module, *, rank: int, seed: int) -> Iterator[tuple[Adapter, ...]]:
    """Put a LoRA with α = r on every linear layer but the head; outputs stay what they were.

    Raises:
        ModelError: The model has no linear layer.
    """
    head = output_module(model)
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not head
    }
    if not layers:
        raise ModelError(
            f"{type(model).__name__} has no plain linear layer that a LoRA could stand beside: use "
            "--kind full, lm_head or representation."
        )
    adapters, handles = [], []
    try:
        for name, module in layers.items():
            adapter = _adapter(name, module, rank, seed)
            adapters.append(adapter)
            handles.append(module.register_forward_hook(_adding(adapter)))
        yield tuple(adapters)
    finally:
        for handle in handles:
            handle.remove()


def _adapter(name: str, module: nn.Linear, rank: int, seed: int) -> Adapter:
    generator = torch.Generator().manual_seed(int(text_digest(f"{seed}:{name}", size=7), 16))
    bound = 1 / math.sqrt(module.in_features)
    a = (2 * torch.rand((rank, module.in_features), generator=generator) - 1) * bound
    device = module.weight.device
    return Adapter(
        name=name,
        a=a.to(device),
        b=torch.zeros((module.out_features, rank), device=device, requires_grad=True),
    )


def _adding(adapter: Adapter) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
    """A hook that adds what the adapter says to a layer's output."""

    def hook(_module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor:
        added = arguments[0].float() @ adapter.a.T @ adapter.b.T
        return output + added.to(output.dtype)

    return hook
