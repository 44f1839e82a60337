"""How much memory does scoring take beyond the weights as the vocabulary grows tenfold?

Each figure comes from a process of its own (``python -m benchmarks.memory SCORER VOCABULARY``): how
far its resident memory rises above where it stood with the weights loaded. What libraries take
outside PyTorch's allocator is in it. A width of 64 and one layer leave the vocabulary in charge.
"""

import gc
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.competitors import forward_with_logits, grace
from benchmarks.workloads import random_model, random_trace
from grace_engine.models.load import LoadedModel
from grace_engine.records import RenderedTrace

# Qwen3's vocabulary and a tenth of it.
VOCABULARIES = (15_194, 151_936)
N_TRACES, N_TOKENS, N_STEPS, WIDTH = 4, 256, 8, 64
AT_ONCE = 2  # memory does not mind company
PROCESS = Path("/proc/self")  # Linux only

SCORERS: dict[str, Callable[[LoadedModel, Sequence[RenderedTrace]], Any]] = {
    "forward": lambda loaded, traces: forward_with_logits(loaded.model, traces),
    "upstream": lambda loaded, traces: grace(loaded, traces, "upstream"),
    "lm_head": lambda loaded, traces: grace(loaded, traces, "lm_head"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """Highest bytes beyond the weights, one for each of ``VOCABULARIES``.

    Attributes:
        forward: A batched forward pass with logits and their cross entropy.
        upstream: Ours.
        lm_head: Ours.
    """

    forward: tuple[int, int]
    upstream: tuple[int, int]
    lm_head: tuple[int, int]


def measure(say: Callable[[str], None]) -> Peaks:
    """Run every scorer on the same traces at both vocabularies."""
    cases = [(scorer, vocabulary) for vocabulary in VOCABULARIES for scorer in SCORERS]

    def measured(case: tuple[str, int]) -> int:
        scorer, vocabulary = case
        say(f"  {scorer}, vocabulary {vocabulary:,}")
        command = [sys.executable, "-m", "benchmarks.memory", scorer, str(vocabulary)]
        return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(cases, pool.map(measured, cases), strict=True))
    small, large = VOCABULARIES
    return Peaks(**{scorer: (found[scorer, small], found[scorer, large]) for scorer in SCORERS})


def growth_of(scorer: str, vocabulary: int) -> int:
    """Bytes by which this process grows, at most, while it scores."""
    work = SCORERS[scorer]
    loaded = random_model(vocabulary=vocabulary, width=WIDTH, layers=1)
    traces = [
        random_trace(seed, n_tokens=N_TOKENS, n_steps=N_STEPS, vocabulary=vocabulary)
        for seed in range(N_TRACES)
    ]
    # What is made once, at the first use, is no cost of scoring.
    work(loaded, [random_trace(0, n_tokens=32, n_steps=1, vocabulary=vocabulary)])
    gc.collect()
    if PROCESS.exists():
        (PROCESS / "clear_refs").write_text("5")  # the present size becomes the highest so far
    before = psutil.Process().memory_info().rss
    work(loaded, traces)
    return _highest() - before


def _highest() -> int:
    """Bytes that this process had resident at its largest."""
    if PROCESS.exists():
        # Not ru_maxrss, which on Linux a child takes over from the process that started it.
        status = (PROCESS / "status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    print(growth_of(sys.argv[1], int(sys.argv[2])))
