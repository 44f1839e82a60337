"""How do people get step gradients, or a loss, out of a model: ours and the usual ways?"""

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from grace_engine.config import History, Proxy, ScoreConfig
from grace_engine.models.load import LoadedModel
from grace_engine.records import RenderedTrace, StepGram
from grace_engine.scoring.batches import batches_by_tokens
from grace_engine.scoring.exact import ParameterBlocks
from grace_engine.scoring.scorer import Scorer
from grace_engine.signals import GramTable, SignalTable, signals_of, unpack

LORA_RANK = 8
LORA_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj")  # those that LESS trains
IGNORED = -100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """What a way to score found.

    Attributes:
        grams: ``[S, S]`` of each trace.
        alignment: Flat, steps of all traces.
        consistency: Flat, NaN for each first step.
    """

    grams: list[np.ndarray]
    alignment: np.ndarray
    consistency: np.ndarray


def grace(
    loaded: LoadedModel,
    traces: Sequence[RenderedTrace],
    proxy: Proxy,
    parameters: ParameterBlocks | None = None,
) -> tuple[list[StepGram], SignalTable]:
    """Ours: Grams of all traces by the engine's own batches, then their signals."""
    config = ScoreConfig(proxy=proxy)
    scorer = Scorer(loaded, config, parameters=parameters)
    grams: dict[int, StepGram] = {}
    for batch in batches_of(traces):
        for index, outcome in zip(batch, scorer.score([traces[i] for i in batch]), strict=True):
            if not isinstance(outcome, StepGram):
                raise outcome
            grams[index] = outcome
    ordered = [grams[index] for index in range(len(traces))]
    table = GramTable(
        trace_ids=np.array([trace.trace_id for trace in traces], dtype=object),
        n_segments=np.array([len(trace.segments) for trace in traces]),
        packed=np.concatenate([gram.packed for gram in ordered]),
        n_tokens=np.concatenate([gram.n_tokens for gram in ordered]),
        nll=np.concatenate([gram.nll for gram in ordered]),
    )
    return ordered, signals_of(table, History())


def as_scored(found: tuple[list[StepGram], SignalTable]) -> Scored:
    """What ``grace`` found, in the form that the others give it."""
    grams, signals = found
    return Scored(
        grams=[unpack(np.array(gram.packed), len(gram.nll)) for gram in grams],
        alignment=signals.alignment,
        consistency=signals.consistency,
    )


def batches_of(traces: Sequence[RenderedTrace]) -> list[list[int]]:
    """The engine's batches by its default token budget."""
    lengths = [len(trace.token_ids) for trace in traces]
    return batches_by_tokens(lengths, ScoreConfig().tokens_per_batch)


def forward_with_logits(model: nn.Module, traces: Sequence[RenderedTrace]) -> list[Tensor]:
    """The floor that people know: the same batches, logits of all positions, a cross entropy."""
    losses = []
    with torch.inference_mode():
        for batch in batches_of(traces):
            longest = max(len(traces[index].token_ids) for index in batch)
            ids = torch.zeros((len(batch), longest), dtype=torch.long)
            mask = torch.zeros_like(ids)
            for row, index in enumerate(batch):
                tokens = traces[index].token_ids
                ids[row, : len(tokens)] = torch.tensor(tokens)
                mask[row, : len(tokens)] = 1
            logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
            targets = ids.masked_fill(mask == 0, IGNORED)[:, 1:]
            losses.append(
                nn.functional.cross_entropy(
                    logits[:, :-1].flatten(0, 1), targets.flatten(), ignore_index=IGNORED
                )
            )
    return losses


def one_at_a_time(model: Any, traces: Sequence[RenderedTrace]) -> Scored:
    """The loop that people write from the paper: a trace, its logits, (p − e_y) Wᵀ, cosines."""
    weight = model.get_output_embeddings().weight
    cosine = torch.nn.functional.cosine_similarity
    grams, alignment, consistency = [], [], []
    with torch.inference_mode():
        for trace in traces:
            ids = torch.tensor([trace.token_ids])
            logits = model(input_ids=ids, use_cache=False).logits[0, :-1]
            residual = torch.softmax(logits, dim=-1)
            residual[torch.arange(residual.shape[0]), ids[0, 1:]] -= 1.0
            g = torch.stack(
                [
                    (residual[s.token_start - 1 : s.token_end - 1] @ weight).mean(dim=0)
                    for s in trace.segments
                ]
            )
            alignment.append(cosine(g[:-1], g[-1:], dim=1))
            past = [cosine(g[k], g[:k].mean(dim=0), dim=0) for k in range(1, len(g) - 1)]
            consistency.append(torch.stack([torch.tensor(torch.nan), *past]))
            grams.append((g @ g.T).numpy())
    return Scored(
        grams=grams,
        alignment=torch.cat(alignment).numpy(),
        consistency=torch.cat(consistency).numpy(),
    )


def backward_per_step(model: nn.Module, traces: Sequence[RenderedTrace]) -> list[np.ndarray]:
    """LESS for steps: a forward pass a trace, a backward pass a segment, inner products.

    With respect to the parameters that ask for gradients. The gradients of one trace fit in memory,
    so the inner products are taken as they are: LESS projects them first, which only costs time.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    grams = []
    for trace in traces:
        ids = torch.tensor([trace.token_ids])
        logits = model(input_ids=ids, use_cache=False).logits[0]
        rows = []
        for segment in trace.segments:
            i, j = segment.token_start, segment.token_end
            loss = nn.functional.cross_entropy(logits[i - 1 : j - 1], ids[0, i:j])
            gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
            rows.append(torch.cat([gradient.flatten() for gradient in gradients]))
        stacked = torch.stack(rows)
        grams.append((stacked @ stacked.T).numpy())
    return grams


def all_trainable(model: nn.Module) -> nn.Module:
    """A copy of which every parameter asks for gradients."""
    return copy.deepcopy(model).requires_grad_()


def with_lora(model: nn.Module) -> nn.Module:
    """A copy with seeded LoRA layers beside its attention projections, which alone are trained."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    config = LoraConfig(
        r=LORA_RANK, target_modules=list(LORA_LAYERS), init_lora_weights=False, lora_dropout=0.0
    )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", FutureWarning
        )  # peft reads a name that transformers renames
        return get_peft_model(copy.deepcopy(model), config).eval()
