"""How fast and how frugal is scoring beside what people do without it?

``python -m benchmarks.scoring [--quick] [--json]``, or ``make bench``. All competitors run in this
one process, on the same traces and model objects, in turn over several rounds; what is reported is
the quotient of two times of the same round, as median, lowest and highest. Nothing here passes or
fails by a time. Before each race the numbers are compared: a competitor that finds other Grams or
cosines than ours ends the run.

Scoring end to end, ours, is rendered traces → batches → step Grams → alignment and consistency. The
competitors:

- *Batched forward pass with logits*: the same batches, ``model(**batch).logits`` at all positions
  and their cross entropy, without gradients. It yields a loss and no step score: the floor.
- *One trace at a time*: the loop that people write from the paper. A forward pass with logits, the
  softmax, minus the one-hot, times the head's weight for each segment, cosines. Same numbers as
  ``upstream``.
- *Backward per step* (LESS applied to steps): a forward pass a trace and a backward pass a segment,
  gradients flattened, inner products. Once for LoRA of rank 8 on the attention projections (LESS
  itself uses rank 128), once for all parameters, which gives the numbers of our ``exact``. The
  random projection of LESS is left out, in its favour.

Two workloads: shipped GSM8K solutions with the shipped model, and random tokens with a random Qwen3
(d=256, 4 layers, V=8192, about 256 tokens and 8 steps). Peak memory is measured for a tenth of
Qwen3's vocabulary and for all of it, each in a process of its own. Time per token is compared for
traces with ten times the tokens, and with ten times the steps. On a busy machine PyTorch's threads
wait for each other by spinning, and the times mean little: look at the load and at min and max.

The table goes to stdout (one JSON document with ``--json``), everything else to stderr.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass

from benchmarks import growth, memory, speed
from benchmarks.report import Benchmark, markdown, this_machine
from benchmarks.workloads import random_workload, sample_workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured.

    Attributes:
        rounds: Times that each competitor of a race runs.
        sample_traces: Of the shipped sample.
        random_traces: Of random tokens.
        growth_rounds: Times that each shape of longer traces is scored.
    """

    rounds: int
    sample_traces: int
    random_traces: int
    growth_rounds: int


FULL = Size(rounds=5, sample_traces=48, random_traces=12, growth_rounds=5)
QUICK = Size(rounds=2, sample_traces=6, random_traces=2, growth_rounds=1)


def run(size: Size) -> Benchmark:
    """Measure everything."""
    started, machine = time.perf_counter(), this_machine()
    races = []
    for workload in (sample_workload(size.sample_traces), random_workload(size.random_traces)):
        _say(f"{workload.name}: {len(workload.traces)} traces")
        races.append(speed.measure(workload, size.rounds, _say))
    _say("Memory as the vocabulary grows")
    peaks = memory.measure(_say)
    _say("Time as traces grow")
    grown = growth.measure(size.growth_rounds, _say)
    return Benchmark(
        machine=machine,
        rounds=size.rounds,
        races=races,
        vocabularies=memory.VOCABULARIES,
        memory=peaks,
        growth=grown,
        seconds=time.perf_counter() - started,
    )


def main() -> None:
    """Read the flags, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--quick", action="store_true", help="fewer traces and rounds")
    flags = parser.parse_args()
    found = run(QUICK if flags.quick else FULL)
    print(json.dumps(asdict(found), indent=2) if flags.json else markdown(found))


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
