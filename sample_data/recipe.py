"""With which settings is the sample model trained?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from grace_engine.generator.arithmetic import MAX_STEPS

_SHORT_CHAIN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The settings of a training run.

    Attributes:
        seed: Fixes the first weights and every drawn problem.
        rounds: The run is cut into rounds; a stopped run goes on from its last whole round.
        steps_per_round: Arithmetic traces are drawn anew in each round, up to so many steps in all.
        all_lengths_at: Share of the run at which the longest chains are met. It begins with chains
            of up to four steps: a model that sees long ones at once is slow to learn where in the
            prompt the next number stands.
        gsm8k_per_round: GSM8K rows drawn in each round.
        batch_tokens: Padded tokens in a batch.
        matrix_rate: Highest learning rate of Muon, which moves the matrices inside the layers. With
            it the model learns to copy numbers out of the prompt in about a third of the tokens
            that AdamW alone takes.
        peak_rate: Highest learning rate of AdamW, which moves the embeddings and the norms.
        warmup: Share of the run in which the rate rises; it then falls along a cosine.
        last_rate: Share of the peak that is left at the end.
        weight_decay: Of the matrices inside the layers.
        prompt_weight: Weight of a prompt token in the loss; a token of the answer has 1.
    """

    seed: int = 0
    rounds: int = 40
    steps_per_round: int = 7000
    all_lengths_at: float = 0.35
    gsm8k_per_round: int = 480
    batch_tokens: int = 4096
    matrix_rate: float = 5e-3
    peak_rate: float = 3e-3
    warmup: float = 0.04
    last_rate: float = 0.02
    weight_decay: float = 0.05
    prompt_weight: float = 0.1

    def rate(self, progress: float) -> float:
        """The share of the highest rates in force when a share `progress` of the run is done."""
        if progress < self.warmup:
            return progress / self.warmup + 1e-3
        fallen = (progress - self.warmup) / (1 - self.warmup)
        return self.last_rate + (1 - self.last_rate) * (1 + math.cos(math.pi * fallen)) / 2

    def longest_chain(self, progress: float) -> int:
        """The most steps of an arithmetic trace when a share `progress` of the run is done."""
        reached = min(1.0, progress / self.all_lengths_at)
        return _SHORT_CHAIN + round((MAX_STEPS - _SHORT_CHAIN) * reached)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run has come: whole rounds, and the seconds they took."""

    rounds: int
    seconds: float
