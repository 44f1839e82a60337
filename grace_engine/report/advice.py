"""Which of several datasets would the paper's findings favour for a model of some size?

It had four variants of one dataset and two models: what follows is a hint, and says so.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from grace_engine.errors import InputError

FEW = 0.05
"""Mean ρ below which a metric says nothing."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bBmM])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What one metric says.

    Attributes:
        published: Its name in the paper.
        title: Its name here.
        rho: Mean of its correlations with the gains of the paper's model.
        order: The subjects by it, the one that the paper's sign favours first; empty where it was
            not measured on all of them, or is the same.
        left_out: Why there is no order; "" where there is one, or nothing to order.
        few: By subject, the traces that have it, where these are few and not all.
    """

    published: str
    title: str
    rho: float
    order: tuple[str, ...]
    left_out: str = ""
    few: Mapping[str, int] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """Whether it has a say in the ranking."""
        return bool(self.order) and abs(self.rho) >= FEW


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What the paper's findings say for a size.

    Attributes:
        size: Billions of parameters that were asked for.
        model: The paper's model whose size is nearest.
        model_size: Its billions of parameters.
        basis: Over which benchmarks correlations were averaged.
        weighed: Metrics, the strongest first.
        scores: By subject, the favoured first: Σ ρ·r / Σ |ρ| over the measured metrics, r its
            rank among the subjects from −1 to 1. Empty for a single subject.
        ties: Whether the first two cannot be told apart.
        warnings: What of the subjects makes the ranking doubtful, in sentences, the worst first.
        worst: The first of them in a few words.
    """

    size: float
    model: str
    model_size: float
    basis: str
    weighed: tuple[Weighed, ...]
    scores: Mapping[str, float]
    ties: bool
    warnings: tuple[str, ...] = ()
    worst: str = ""

    @property
    def first(self) -> str:
        """The favoured subject; "" where the first two cannot be told apart, or there is one."""
        return "" if self.ties else next(iter(self.scores), "")

    @property
    def is_far(self) -> bool:
        """Whether the size is far from any that the paper trained: under half or over double."""
        return not 0.5 <= self.size / self.model_size <= 2.0


def size_of(text: str) -> float:
    """Billions of parameters of ``8B``, ``0.6B`` or ``600M``; ``InputError`` on anything else."""
    found = _SIZE.fullmatch(text.strip())
    size = float(found[1]) / (1.0 if found[2] in "bB" else 1000.0) if found else 0.0
    if size <= 0:
        raise InputError(f"Target size {text!r} is not known: use a size such as 8B, 0.6B or 600M.")
    return size


def nearest(size: float, sizes: Mapping[str, float]) -> str:
    """The model whose size is nearest, by ratio."""
    return min(sizes, key=lambda model: abs(np.log(sizes[model] / size)))


def advise(
    size: float,
    sizes: Mapping[str, float],
    basis: str,
    correlations: Mapping[str, Mapping[str, float]],
    means: Mapping[str, Mapping[str, float]],
    subjects: Sequence[str],
    *,
    titles: Mapping[str, str] | None = None,
    few: Mapping[str, Mapping[str, int]] | None = None,
) -> Advice:
    """Weigh the subjects' metrics by what the paper found for the nearest of its models.

    Args:
        size: Billions of parameters of the model to be trained.
        sizes: Those of the paper's models.
        basis: Over which benchmarks ``correlations`` are means.
        correlations: By model and published metric: mean ρ.
        means: By published metric and subject: its mean; a metric that was not measured is left
            out.
        subjects: Names, in order.
        titles: By published metric, its name here where that is another one.
        few: By published metric and subject: traces that have it, where these are few and not all.
    """
    model = nearest(size, sizes)
    rho = correlations[model]
    weighed, parts, weights = [], [], []
    for metric in sorted(rho, key=lambda name: -abs(rho[name])):
        known = means.get(metric, {})
        order: tuple[str, ...] = ()
        left_out = _left_out(known, subjects)
        if len(subjects) > 1 and not left_out:
            values = np.array([known[name] for name in subjects])
            ranks = _scaled_ranks(values)
            if abs(rho[metric]) >= FEW:
                parts.append(rho[metric] * ranks)
                weights.append(abs(rho[metric]))
            sign = 1.0 if rho[metric] >= 0 else -1.0
            if ranks.any():
                order = tuple(subjects[k] for k in np.argsort(-sign * ranks, kind="stable"))
            else:
                left_out = "the same for all"
        weighed.append(
            Weighed(
                published=metric,
                title=(titles or {}).get(metric, metric),
                rho=rho[metric],
                order=order,
                left_out=left_out,
                few=(few or {}).get(metric, {}),
            )
        )
    totals = np.sum(parts, axis=0) / np.sum(weights) if parts else np.zeros(0)
    ranking = sorted(zip(subjects, totals.tolist(), strict=False), key=lambda each: -each[1])
    return Advice(
        size=size,
        model=model,
        model_size=sizes[model],
        basis=basis,
        weighed=tuple(weighed),
        scores=dict(ranking),
        ties=len(ranking) > 1 and abs(ranking[0][1] - ranking[1][1]) < 1e-9,
    )


def _left_out(known: Mapping[str, float], subjects: Sequence[str]) -> str:
    """Why a metric orders nothing; "" where it is known of all."""
    there = [name for name in subjects if name in known]
    if len(there) == len(subjects):
        return ""
    return f"measured for {' and '.join(there)} only" if there else "not measured here"


def _scaled_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks among n values from −1 (lowest) to 1 (highest); equal values share theirs."""
    below = (values[:, None] > values[None, :]).sum(axis=1)
    above = (values[:, None] < values[None, :]).sum(axis=1)
    scaled: np.ndarray = (below - above) / (len(values) - 1)
    return scaled
