"""Which metrics of datasets rank them as their training results do?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grace_engine.errors import InputError
from grace_engine.evidence.ranking import permutation_p, smallest_p, spearman

FEWEST = 3
"""Datasets below which ranks say nothing at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Datasets, what was measured of each, and what training on each gave.

    Attributes:
        datasets: D names.
        metrics: ``[D]`` values by metric; NaN where one was not measured.
        results: ``[D]`` values by model and benchmark; NaN where one is missing.
    """

    datasets: tuple[str, ...]
    metrics: Mapping[str, Sequence[float]]
    results: Mapping[str, Mapping[str, Sequence[float]]]

    def __post_init__(self) -> None:
        """Refuse what holds nothing to correlate."""
        if len(self.datasets) < FEWEST:
            raise InputError(
                f"A rank correlation needs {FEWEST} datasets or more, and there are "
                f"{len(self.datasets)}: add datasets, each with its metrics and its results."
            )
        if not self.metrics or not any(self.results.values()):
            raise InputError(
                "There is nothing to correlate: name at least one metric and one result."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """How one metric ranks datasets beside one result.

    Attributes:
        metric: Its name.
        model: What was trained.
        result: The benchmark.
        n: Datasets that have both.
        rho: Spearman's ρ; None where the metric or the result is the same everywhere, or fewer
            than three datasets have both.
        p: Two-sided permutation p; None where ρ is.
        is_exact: Whether p counts all orders.
        smallest_p: The smallest that n untied datasets can have.
        low: The lowest ρ with one dataset left out; None below four datasets.
        high: The highest.
        leans_on: The dataset whose leaving moves ρ most.
    """

    metric: str
    model: str
    result: str
    n: int
    rho: float | None
    p: float | None
    is_exact: bool
    smallest_p: float
    low: float | None
    high: float | None
    leans_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """The mean of a metric's correlations over benchmarks; no p belongs to it.

    Attributes:
        metric: Its name.
        model: What was trained.
        rho: Mean of the unrounded ρ that exist; None where none does.
        n: Correlations that it averages.
    """

    metric: str
    model: str
    rho: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlations:
    """All cells, by metric, model and result in their order, and the means.

    Attributes:
        cells: Every metric beside every result.
        averages: Of each metric and model.
    """

    cells: tuple[Correlation, ...]
    averages: tuple[Average, ...]


def correlate(evidence: Evidence, averaged: Sequence[str] = ()) -> Correlations:
    """Correlate every metric with every result over the datasets that have both.

    Args:
        evidence: Metrics and results.
        averaged: The benchmarks whose ρ are averaged; all when empty.
    """
    cells = tuple(
        _cell(evidence, metric, model, result)
        for model, results in evidence.results.items()
        for metric in evidence.metrics
        for result in results
    )
    averages = []
    for model in evidence.results:
        for metric in evidence.metrics:
            found = [
                cell.rho
                for cell in cells
                if (cell.model, cell.metric) == (model, metric)
                and (not averaged or cell.result in averaged)
                and cell.rho is not None
            ]
            mean = sum(found) / len(found) if found else None
            averages.append(Average(metric=metric, model=model, rho=mean, n=len(found)))
    return Correlations(cells=cells, averages=tuple(averages))


def _cell(evidence: Evidence, metric: str, model: str, result: str) -> Correlation:
    columns = (evidence.metrics[metric], evidence.results[model][result])
    rows = [
        (name, x, y)
        for name, x, y in zip(evidence.datasets, *columns, strict=True)
        if not (math.isnan(x) or math.isnan(y))
    ]
    names, xs, ys = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    rho = spearman(xs, ys) if len(rows) >= FEWEST else math.nan
    known = not math.isnan(rho)
    p = permutation_p(xs, ys) if known else None
    without = _each_left_out(xs, ys) if known and len(rows) > FEWEST else []
    there = [value for value in without if not math.isnan(value)]
    moved = [0.0 if math.isnan(value) else abs(value - rho) for value in without]
    return Correlation(
        metric=metric,
        model=model,
        result=result,
        n=len(rows),
        rho=rho if known else None,
        p=p.p if p else None,
        is_exact=p.is_exact if p else True,
        smallest_p=smallest_p(len(rows)),
        low=min(there) if there else None,
        high=max(there) if there else None,
        leans_on=names[moved.index(max(moved))] if moved and max(moved) > 0 else "",
    )


def _each_left_out(xs: Sequence[float], ys: Sequence[float]) -> list[float]:
    """``[n]`` ρ of the others, for each that is left out."""
    return [spearman([*xs[:k], *xs[k + 1 :]], [*ys[:k], *ys[k + 1 :]]) for k in range(len(xs))]
