"""How do the measurements read as a Markdown table?"""

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.growth import Growth
from benchmarks.memory import N_TOKENS, N_TRACES, VOCABULARIES, Peaks
from benchmarks.speed import Race


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where it was measured.

    Attributes:
        processor: Its name.
        cores: That this process may use.
        threads: That PyTorch uses.
        load: Processes that were running in the minute before; more than 0 disturbs the times.
        python: Version.
        torch: Version.
        transformers: Version.
    """

    processor: str
    cores: int
    threads: int
    load: float
    python: str
    torch: str
    transformers: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """All measurements of one run.

    Attributes:
        machine: Where.
        rounds: Times that each competitor ran.
        races: End to end, by workload.
        vocabularies: V of ``memory``.
        memory: Peak bytes beyond the weights.
        growth: Time per token as traces grow.
        seconds: How long all of it took.
    """

    machine: Machine
    rounds: int
    races: list[Race]
    vocabularies: tuple[int, ...]
    memory: Peaks
    growth: list[Growth]
    seconds: float


def this_machine() -> Machine:
    """The facts that decide what the figures mean."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Machine(
        processor=_processor(),
        cores=cores or 1,
        threads=torch.get_num_threads(),
        load=round(os.getloadavg()[0], 1),
        python=platform.python_version(),
        torch=torch.__version__,
        transformers=version("transformers"),
    )


def markdown(found: Benchmark) -> str:
    """The tables, with what they mean above each."""
    return "\n".join([*_machine(found), *_speed(found), *_memory(found), *_growth(found)])


def _machine(found: Benchmark) -> Iterator[str]:
    machine = found.machine
    yield (
        f"{machine.cores} cores ({machine.processor}), {machine.threads} threads, load "
        f"{machine.load} before the start; Python {machine.python}, torch {machine.torch}, "
        f"transformers {machine.transformers}; {found.rounds} rounds, {found.seconds:.0f} s in all."
    )


def _speed(found: Benchmark) -> Iterator[str]:
    yield "\n**Time over ours**, median (min–max) of the rounds; above 1 ours is faster.\n"
    yield "| Traces, model | Instead of ours | `upstream` | `lm_head` |"
    yield "|---|---|---:|---:|"
    for race in found.races:
        label = race.workload
        for name, ratios in race.ratios.items():
            yield f"| {label} | {name} | {ratios['upstream']} | {ratios['lm_head']} |"
            label = ""
    for race in found.races:
        shape, agreement, speed = race.shape, race.agreement, race.traces_per_second
        yield (
            f"\n*{race.workload}:* {shape['traces']} traces of {shape['tokens_per_trace']} tokens "
            f"and {shape['segments_per_trace']} segments; d={shape['width']}, "
            f"{shape['layers']} layers, V={shape['vocabulary']:,}. Ours: "
            f"{speed['upstream']:.1f} and {speed['lm_head']:.1f} traces/s. One at a time differs "
            f"from `upstream` by {agreement.loop_gram:.0e} of a Gram's largest entry and "
            f"{agreement.loop_cosine:.0e} in a cosine; backward on all parameters from `exact` by "
            f"{agreement.backward_gram:.0e}."
        )


def _memory(found: Benchmark) -> Iterator[str]:
    peaks = found.memory
    rows = (
        ("batched forward pass with logits", peaks.forward),
        ("ours, `upstream`", peaks.upstream),
        ("ours, `lm_head`", peaks.lm_head),
    )
    small, large = VOCABULARIES
    yield (
        f"\n**Peak memory beyond the weights** as the vocabulary grows tenfold ({N_TRACES} traces "
        f"of {N_TOKENS} tokens in one batch).\n"
    )
    yield f"| | V={small:,} | V={large:,} | growth | forward pass over it, at both V |"
    yield "|---|---:|---:|---:|---:|"
    for name, (low, high) in rows:
        cells = (
            name,
            f"{low / 1e6:,.0f} MB",
            f"{high / 1e6:,.0f} MB",
            f"{high / low:.1f}",
            f"{peaks.forward[0] / low:.1f}, {peaks.forward[1] / high:.1f}",
        )
        yield f"| {' | '.join(cells)} |"


def _growth(found: Benchmark) -> Iterator[str]:
    yield "\n**Time per token** of longer traces over that of shorter ones, median (min–max).\n"
    yield "| Traces with | forward pass with logits | `upstream` | `lm_head` |"
    yield "|---|---:|---:|---:|"
    for growth in found.growth:
        cells = " | ".join(str(ratio) for ratio in growth.ratios.values())
        yield f"| {growth.name} | {cells} |"


def _processor() -> str:
    """The processor's name where the system says it, else its architecture."""
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
