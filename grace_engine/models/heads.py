"""How does a model turn the hidden state into logits, and what is the loss's gradient there?

A ``Head`` describes the heads that have a closed form: logits z = cap·tanh(s·(W h + b)/cap), with
softcap and scale where the model has them. With δ = ∂L/∂(W h + b) the gradient with respect to the
hidden state is u = Wᵀ δ, and with respect to the weight δ ⊗ h. Whether the description is right is
not guessed from the architecture's name: it is held against the model's own logits at load time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from grace_engine.errors import ModelError

# Largest difference between described and actual logits, relative to the largest logit.
LOGIT_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 3e-2, torch.float16: 1e-2}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """An output layer whose gradient has a closed form.

    Attributes:
        weight: ``[V, d]``.
        bias: ``[V]`` or None.
        scale: Multiplies the logits (Granite divides by it, Cohere multiplies).
        softcap: c of c·tanh(z/c) (Gemma-2); 0 without one.
    """

    weight: Tensor
    bias: Tensor | None = None
    scale: float = 1.0
    softcap: float = 0.0

    @property
    def vocabulary(self) -> int:
        """V, the number of logits."""
        return int(self.weight.shape[0])

    def logits(self, hidden: Tensor, vocabulary: slice = slice(None)) -> Tensor:
        """``[n, d]`` hidden states → ``[n, v]`` float32 logits of a slice of the vocabulary."""
        bias = None if self.bias is None else self.bias[vocabulary]
        raw = nn.functional.linear(hidden.to(self.weight.dtype), self.weight[vocabulary], bias)
        scaled = raw.float() * self.scale if self.scale != 1.0 else raw.float()
        if self.softcap:
            scaled = self.softcap * torch.tanh(scaled / self.softcap)
        return scaled

    def raw_gradient_(self, residual: Tensor, logits: Tensor | None) -> Tensor:
        """Turn p − e_y in place into δ = ∂L/∂(W h + b).

        Args:
            residual: ``[n, v]`` p − e_y; overwritten.
            logits: ``[n, v]`` logits as ``logits`` gave them; needed with a softcap only.
        """
        if self.softcap and logits is not None:
            residual *= 1.0 - (logits / self.softcap) ** 2
        if self.scale != 1.0:
            residual *= self.scale
        return residual

    def pull_back(self, raw_gradient: Tensor, tile_elements: int) -> Tensor:
        """``[n, V]`` δ → ``[n, d]`` Wᵀ δ in float32, whatever the weight's dtype."""
        if self.weight.dtype == torch.float32:
            return raw_gradient @ self.weight
        rows = max(1, tile_elements // self.weight.shape[1])
        total = raw_gradient.new_zeros((raw_gradient.shape[0], self.weight.shape[1]))
        for first in range(0, self.vocabulary, rows):
            part = slice(first, first + rows)
            total += raw_gradient[:, part] @ self.weight[part].float()
        return total


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AutogradHead:
    """Any other output layer: its gradient comes from autograd of the loss.

    Attributes:
        module: ``[n, d]`` hidden states → ``[n, V]`` logits.
        vocabulary: V, the number of logits.
    """

    module: Callable[[Tensor], Tensor]
    vocabulary: int

    def logits(self, hidden: Tensor) -> Tensor:
        """``[n, d]`` hidden states → ``[n, V]`` float32 logits."""
        return self.module(hidden).float()


def output_module(model: nn.Module) -> nn.Module:
    """The module that turns hidden states into logits; ``ModelError`` where there is none."""
    module = model.get_output_embeddings()
    if not isinstance(module, nn.Module):
        raise ModelError(f"{type(model).__name__} has no output embeddings: not a language model.")
    return module


@contextmanager
def captured_hidden(model: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the hidden states that enter the head, and let the head itself see one position.

    Whatever the architecture does before its head (final norm, projection, scaling) is in them, and
    logits of all positions are never made.
    """
    seen: list[Tensor] = []

    def hook(_module: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        seen.append(arguments[0])
        return (arguments[0][:, :1],)

    handle = output_module(model).register_forward_pre_hook(hook)
    try:
        yield seen
    finally:
        handle.remove()


def find_head(model: nn.Module) -> Head | AutogradHead:
    """Describe a causal LM's head, and hold the description against the model's own logits.

    Raises:
        ModelError: The model is not causal, or its logits are no known function of what enters
            its output layer.
    """
    with torch.no_grad():
        return _find_head(model)


def _find_head(model: nn.Module) -> Head | AutogradHead:
    module, ids = output_module(model), _probe_ids(model)
    with captured_hidden(model) as seen:
        first_logits = model(input_ids=ids, use_cache=False).logits[:, 0]
        changed = ids.clone()
        changed[:, -1] = ids[:, 0]
        model(input_ids=changed, use_cache=False)
    if first_logits.isnan().any():
        raise ModelError(
            f"This {type(model).__name__} answers a plain question with logits that are no numbers "
            "(NaN): its weights are damaged, or overflow in this precision. Check the files, or "
            "try --dtype float32."
        )
    hidden, hidden_changed = seen
    _require_causal(model, hidden, hidden_changed)
    config = model.config.get_text_config()
    scale = _scale_of(config)
    softcap = float(getattr(config, "final_logit_softcapping", None) or 0.0)
    weight = getattr(module, "weight", None)
    if type(module) is nn.Linear and isinstance(weight, Tensor):
        head = Head(weight=weight, bias=module.bias, scale=scale, softcap=softcap)
        if _agree(head.logits(hidden[:, 0]), first_logits):
            return head
    other = AutogradHead(
        module=lambda states: _finish(module(states), scale, softcap),
        vocabulary=int(first_logits.shape[-1]),
    )
    if _agree(other.logits(hidden[:, 0]), first_logits):
        return other
    raise ModelError(
        f"The logits of {type(model).__name__} are no known function of its output layer, so its "
        "step gradients cannot be trusted, and --proxy exact goes the same way. Use another model, "
        "and please report the architecture."
    )


def _finish(raw: Tensor, scale: float, softcap: float) -> Tensor:
    scaled = raw.float() * scale
    return softcap * torch.tanh(scaled / softcap) if softcap else scaled


def _scale_of(config: object) -> float:
    """What the model multiplies its logits by."""
    divisor = getattr(config, "logits_scaling", None)
    factor = getattr(config, "logit_scale", None)
    return float(factor) if factor else (1.0 / float(divisor) if divisor else 1.0)


def _probe_ids(model: nn.Module) -> Tensor:
    """``[4, 6]`` seeded token ids on the model's device."""
    vocabulary = int(model.get_input_embeddings().weight.shape[0])
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, vocabulary, (4, 6), generator=generator)
    ids[:, -1] = (ids[:, 0] + 1) % vocabulary
    return ids.to(next(model.parameters()).device)


def _agree(described: Tensor, actual: Tensor) -> bool:
    tolerance = LOGIT_TOLERANCE.get(actual.dtype, 1e-4)
    worst = (described - actual.float()).abs().max()
    return bool(worst <= tolerance * actual.float().abs().max().clamp(min=1e-6))


def _require_causal(model: nn.Module, hidden: Tensor, changed: Tensor) -> None:
    before, after = hidden[:, :-1].float(), changed[:, :-1].float()
    tolerance = LOGIT_TOLERANCE.get(hidden.dtype, 1e-4) * before.abs().max().clamp(min=1e-6)
    if bool((before - after).abs().max() > tolerance):
        raise ModelError(
            f"{type(model).__name__} is not causal: earlier positions see later tokens. "
            "Step gradients need a causal language model."
        )
