"""Tiny random models of the families whose heads differ, and traces of random tokens."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from grace_engine.models.heads import find_head
from grace_engine.models.load import LoadedModel
from grace_engine.records import RenderedTrace, Segment

VOCABULARY = 97
_COMMON = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
FAMILIES: dict[str, dict[str, object]] = {
    "qwen3": {**_COMMON, "head_dim": 16},
    "llama": {**_COMMON},
    "gemma2": {**_COMMON, "head_dim": 16, "final_logit_softcapping": 2.0},  # tied, softcapped
    "phi": {**_COMMON, "num_key_value_heads": 2},  # bias
    "granite": {**_COMMON, "logits_scaling": 3.0},
    "cohere": {**_COMMON, "logit_scale": 0.25},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128},
}


def build(family: str, vocabulary: int = VOCABULARY, **changes: object) -> nn.Module:
    """A random model whose logits are spread enough that no gradient is near zero."""
    settings = {**FAMILIES[family], **changes}
    config = AutoConfig.for_model(
        family, vocab_size=vocabulary, pad_token_id=0, bos_token_id=1, eos_token_id=2, **settings
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4)
            else:
                parameter.add_(0.1 * torch.randn_like(parameter))  # biases and norms are not plain
    return model.requires_grad_(requires_grad=False)


@pytest.fixture(scope="session")
def build_model() -> Callable[..., nn.Module]:
    return build


@pytest.fixture(scope="session", params=list(FAMILIES))
def loaded(request: pytest.FixtureRequest) -> LoadedModel:
    model = build(request.param)
    return LoadedModel(model=model, head=find_head(model), device=torch.device("cpu"))


@pytest.fixture(scope="session")
def qwen() -> LoadedModel:
    model = build("qwen3")
    return LoadedModel(model=model, head=find_head(model), device=torch.device("cpu"))


def trace(seed: int, lengths: tuple[int, ...], gap: int = 1, prompt: int = 5) -> RenderedTrace:
    """Random tokens: a prompt, then segments of these lengths with separators between them."""
    segments, position = [], prompt
    for length in lengths:
        segments.append(
            Segment(
                rendered_start=0,
                rendered_end=0,
                token_start=position,
                token_end=position + length,
            )
        )
        position += length + gap
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, VOCABULARY, (position,), generator=generator).tolist()
    return RenderedTrace(
        trace_id=f"t{seed}",
        text="",
        token_ids=tuple(ids),
        segments=tuple(segments),
        digest=f"{seed}-{lengths}",
    )


@pytest.fixture(scope="session")
def make_trace() -> Callable[..., RenderedTrace]:
    return trace


@pytest.fixture(scope="session")
def traces() -> list[RenderedTrace]:
    """Six traces of 1 to 6 steps and uneven lengths."""
    return [trace(seed, tuple(2 + (seed * k) % 7 for k in range(seed + 2))) for seed in range(6)]
