"""How many problems does a model answer, when it may try k times?"""

import math
from dataclasses import dataclass

from grace_engine.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How often, and how freely, a model is asked each problem.

    Attributes:
        k: A problem counts as far as one of k answers is right; 0 asks once, greedily.
        samples: Answers to each problem, at least k; 0 for k. More of them say it with less noise.
        temperature: Of sampled answers, above 0; greedy ones have none.
    """

    k: int = 0
    samples: int = 0
    temperature: float = 0.8

    def __post_init__(self) -> None:
        """Refuse what cannot be estimated."""
        if self.k < 0 or self.samples < 0:
            raise InputError(
                f"pass@{self.k} from {self.samples} answers makes no sense: use 1 or more of each."
            )
        if self.samples and not self.k:
            raise InputError(
                "Greedy answers are all the same, so there is no use for several: say --pass-k "
                "with --samples."
            )
        if self.k and not self.temperature > 0:
            raise InputError(
                f"At temperature {self.temperature:g} all {self.n_answers:,} answers are the same: "
                "use one above 0, or leave out --pass-k."
            )
        if self.samples and self.samples < self.k:
            raise InputError(
                f"pass@{self.k} cannot be told from {self.samples:,} answers: use at least "
                f"--samples {self.k}."
            )

    @property
    def n_answers(self) -> int:
        """Answers to each problem."""
        return max(1, self.samples or self.k)

    @property
    def measure(self) -> str:
        """What a share of right answers is called."""
        return f"pass@{self.k}" if self.k else "accuracy"

    def __str__(self) -> str:
        """How the number came about, as the end of a sentence."""
        if not self.k:
            return "greedy answers"
        return (
            f"{self.n_answers:,} answers to each at temperature {self.temperature:g}, by the "
            "unbiased estimator of Chen et al. (2021)"
        )


def pass_at(k: int, n_answers: int, n_right: int) -> float:
    """Chance that one of k answers is right, told without bias from n of which some are.

    1 − C(n − c, k) / C(n, k), as a product that neither overflows nor cancels (Chen et al., arXiv
    2107.03374, equation 1).

    Raises:
        InputError: There are fewer than k answers.
    """
    if n_answers < k:
        raise InputError(f"pass@{k} cannot be told from {n_answers:,} answers.")
    n_other = n_answers - n_right
    if n_other < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n_other + 1, n_answers + 1))
