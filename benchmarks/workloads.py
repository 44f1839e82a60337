"""Which models and traces do the competitors get?"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from grace_engine.api import sample_folder
from grace_engine.ingest import parse_segmenter, traces_of
from grace_engine.models.heads import find_head
from grace_engine.models.load import LoadedModel, load_model, load_tokenizer
from grace_engine.models.locate import locate_model
from grace_engine.models.tokens import render_traces
from grace_engine.records import RenderedTrace, Segment, Trace

PROMPT_TOKENS = 16
FIRST_TOKEN = 3  # below are the ids that configurations give a meaning


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Workload:
    """Traces and the model that scores them.

    Attributes:
        name: For the table.
        loaded: The model.
        traces: Rendered and with the tokens of their segments.
    """

    name: str
    loaded: LoadedModel
    traces: tuple[RenderedTrace, ...]

    @property
    def shape(self) -> dict[str, int | float]:
        """What decides the cost, for the report."""
        config: Any = self.loaded.model.config
        n = len(self.traces)
        return {
            "traces": n,
            "tokens_per_trace": round(sum(len(t.token_ids) for t in self.traces) / n, 1),
            "segments_per_trace": round(sum(len(t.segments) for t in self.traces) / n, 1),
            "width": int(config.hidden_size),
            "layers": int(config.num_hidden_layers),
            "vocabulary": int(config.vocab_size),
            "parameters": sum(p.numel() for p in self.loaded.model.parameters()),
        }


def sample_workload(n_traces: int) -> Workload:
    """The shipped model and shipped GSM8K solutions, read and rendered by the engine.

    Of middling length: the few traces of a race pad each other as little as all 400 do in a run.
    """
    files = locate_model(str(sample_folder() / "tiny-reasoner"))
    found = traces_of(
        sample_folder() / "gsm8k" / "model_solutions.jsonl",
        dataset="sample",
        segmenter=parse_segmenter("auto"),
    )
    kept = [item for item in found if isinstance(item, Trace)]
    rendered = [
        item
        for item in render_traces(kept, load_tokenizer(files))
        if isinstance(item, RenderedTrace)
    ]
    rendered.sort(key=lambda trace: (len(trace.token_ids), trace.trace_id))
    first = max(0, (len(rendered) - n_traces) // 2)
    return Workload(
        name="GSM8K solutions, shipped model",
        loaded=load_model(files, device=torch.device("cpu")),
        traces=tuple(rendered[first : first + n_traces]),
    )


def random_workload(n_traces: int) -> Workload:
    """A random Qwen3 of width 256 and random tokens: 240 to 272 a trace, 8 steps."""
    loaded = random_model(vocabulary=8192, width=256, layers=4)
    spread = torch.linspace(240, 272, n_traces).tolist()
    traces = [
        random_trace(seed, n_tokens=int(length), n_steps=8, vocabulary=8192)
        for seed, length in enumerate(spread)
    ]
    return Workload(name="random tokens, random Qwen3", loaded=loaded, traces=tuple(traces))


def random_model(*, vocabulary: int, width: int, layers: int) -> LoadedModel:
    """A Qwen3 with seeded random weights, ready to score."""
    config = AutoConfig.for_model(
        "qwen3",
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=width // 4,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval().requires_grad_(requires_grad=False)
    return LoadedModel(model=model, head=find_head(model), device=torch.device("cpu"))


def random_trace(seed: int, *, n_tokens: int, n_steps: int, vocabulary: int) -> RenderedTrace:
    """Seeded random tokens: a prompt, then steps and an answer of like length without gaps."""
    bounds = torch.linspace(PROMPT_TOKENS, n_tokens, n_steps + 2).round().long().tolist()
    segments = [
        Segment(rendered_start=0, rendered_end=0, token_start=start, token_end=end)
        for start, end in pairwise(bounds)
    ]
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(FIRST_TOKEN, vocabulary, (n_tokens,), generator=generator).tolist()
    return RenderedTrace(
        trace_id=f"random-{seed}",
        text="",
        token_ids=tuple(ids),
        segments=tuple(segments),
        digest=f"{seed}-{n_tokens}-{n_steps}",
    )
