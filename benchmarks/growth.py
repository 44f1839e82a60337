"""How does the time per token change as traces grow tenfold, in tokens or in steps?

Both sides of a comparison read the same number of tokens, so a ratio of 1 means that only the
number of tokens counts. ``lm_head`` goes by pairs of tokens in short traces and by segments in long
ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks.competitors import forward_with_logits, grace
from benchmarks.race import Ratio, ratio_of, seconds_by_round
from benchmarks.workloads import random_model, random_trace
from grace_engine.records import RenderedTrace

VOCABULARY, WIDTH, LAYERS = 8192, 256, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Traces of one kind.

    Attributes:
        n_traces: How many.
        n_tokens: Tokens of each.
        n_steps: K of each.
    """

    n_traces: int
    n_tokens: int
    n_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Time per token of the larger shape over that of the smaller.

    Attributes:
        name: What grows.
        ratios: By scorer.
    """

    name: str
    ratios: dict[str, Ratio]


COMPARISONS = {
    "10 × the tokens (128 → 1,280; K = 8)": (
        Shape(n_traces=10, n_tokens=128, n_steps=8),
        Shape(n_traces=1, n_tokens=1280, n_steps=8),
    ),
    "10 × the steps (K = 8 → 80; 640 tokens)": (
        Shape(n_traces=2, n_tokens=640, n_steps=8),
        Shape(n_traces=2, n_tokens=640, n_steps=80),
    ),
}


def measure(rounds: int, say: Callable[[str], None]) -> list[Growth]:
    """Time both shapes of every comparison in turn."""
    loaded = random_model(vocabulary=VOCABULARY, width=WIDTH, layers=LAYERS)
    scorers: dict[str, Callable[[list[RenderedTrace]], object]] = {
        "forward": lambda traces: forward_with_logits(loaded.model, traces),
        "upstream": lambda traces: grace(loaded, traces, "upstream"),
        "lm_head": lambda traces: grace(loaded, traces, "lm_head"),
    }
    found = []
    for name, (small, large) in COMPARISONS.items():
        say(f"  {name}")
        runs: dict[str, Callable[[], object]] = {}
        for size, shape in (("small", small), ("large", large)):
            traces = [
                random_trace(
                    seed, n_tokens=shape.n_tokens, n_steps=shape.n_steps, vocabulary=VOCABULARY
                )
                for seed in range(shape.n_traces)
            ]
            for scorer, work in scorers.items():
                runs[f"{scorer} {size}"] = partial(work, traces)
        seconds = seconds_by_round(runs, rounds, say)
        ratios = {s: ratio_of(seconds[f"{s} large"], seconds[f"{s} small"]) for s in scorers}
        found.append(Growth(name=name, ratios=ratios))
    return found
