"""How much faster or slower than the usual ways is scoring from end to end?"""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.agreement import Agreement, check
from benchmarks.competitors import (
    LORA_RANK,
    all_trainable,
    backward_per_step,
    forward_with_logits,
    grace,
    one_at_a_time,
    with_lora,
)
from benchmarks.race import Ratio, ratio_of, seconds_by_round
from benchmarks.workloads import Workload

OURS = ("upstream", "lm_head")


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """Times of one workload as ratios.

    Attributes:
        workload: Its name.
        shape: What decides its cost.
        agreement: How far the competitors' numbers are from ours.
        traces_per_second: Ours, by proxy; median of the rounds.
        ratios: A competitor's time over ours, by competitor and proxy; above 1 ours is faster.
        seconds: Of every round, by competitor.
    """

    workload: str
    shape: dict[str, int | float]
    agreement: Agreement
    traces_per_second: dict[str, float]
    ratios: dict[str, dict[str, Ratio]]
    seconds: dict[str, list[float]]


def measure(workload: Workload, rounds: int, say: Callable[[str], None]) -> Race:
    """Check that the numbers agree, then race all competitors on one workload."""
    loaded, traces = workload.loaded, workload.traces
    agreement = check(workload)
    trainable, lora = all_trainable(loaded.model), with_lora(loaded.model)
    competitors: dict[str, Callable[[], object]] = {
        "upstream": lambda: grace(loaded, traces, "upstream"),
        "lm_head": lambda: grace(loaded, traces, "lm_head"),
        "batched forward pass with logits": lambda: forward_with_logits(loaded.model, traces),
        "one trace at a time": lambda: one_at_a_time(loaded.model, traces),
        f"backward per step, LoRA r={LORA_RANK}": lambda: backward_per_step(lora, traces),
        "backward per step, all parameters": lambda: backward_per_step(trainable, traces),
    }
    seconds = seconds_by_round(competitors, rounds, say)
    return Race(
        workload=workload.name,
        shape=workload.shape,
        agreement=agreement,
        traces_per_second={
            proxy: ratio_of([len(traces)] * rounds, seconds[proxy]).median for proxy in OURS
        },
        ratios={
            name: {proxy: ratio_of(seconds[name], seconds[proxy]) for proxy in OURS}
            for name in competitors
            if name not in OURS
        },
        seconds=seconds,
    )
