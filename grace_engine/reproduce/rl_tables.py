"""How do the reproductions of choices for reinforcement learning read as tables?"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from grace_engine.quantities import counted
from grace_engine.reproduce.framework import Results, ResultTable
from grace_engine.reproduce.rl_choices import BY_GRADIENT, BY_REWARD

# Student's t for 95%, by degrees of freedom.
_T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
_PUBLISHED = {
    "noisy-rewards": {"gradalign": "17.8", "align": "33.5", "accgreedy": "81.8"},
    "unbalanced": {"gradalign": "92.9", "align": "47.2", "accgreedy": "7.8"},
}
_TITLES = {
    "noisy-rewards": "Share of problems with coin-flip rewards among the chosen quarter, in %",
    "unbalanced": "Share of problems of the target task among the chosen twentieth, in %",
}


def choice_tables(found: Results) -> tuple[ResultTable, ...]:
    """A row a method and kind of gradient, a column a number of rollouts."""
    cells = list(found.found.values())
    columns = [str(n) for n in found.settings["rollouts"]]
    methods = [(strategy, kind) for strategy in BY_GRADIENT for kind in found.settings["kinds"]]
    methods += [(strategy, "") for strategy in BY_REWARD]
    published = _PUBLISHED[found.name]
    rows = [
        (
            strategy,
            kind or "–",
            *(
                interval(
                    [100 * cell["shares"][f"{strategy}|{kind}|{n}"] for cell in cells],
                    within=(0.0, 100.0),
                )
                for n in columns
            ),
            published.get(strategy, "–"),
        )
        for strategy, kind in methods
    ]
    return (
        ResultTable(
            title=f"{_TITLES[found.name]}. {_seeds(cells)}",
            columns=(
                "method",
                "gradient",
                *(f"{n} rollouts" for n in columns),
                "paper, 8B, step 0",
            ),
            rows=tuple(rows),
        ),
    )


def noise_tables(found: Results) -> tuple[ResultTable, ...]:
    """A row a kind of gradient, a column a number of rollouts."""
    cells = list(found.found.values())
    columns = [str(n) for n in found.settings["rollouts"]]
    published = {"32": ".30", "128": ".49"}
    rows = [
        (
            kind,
            *(
                _correlation([cell["correlations"][f"{kind}|{n}"] for cell in cells])
                for n in columns
            ),
        )
        for kind in found.settings["kinds"]
    ]
    first = found.settings["kinds"][0]
    counts = [[cell["correlations"][f"{first}|{n}"]["n"] for cell in cells] for n in columns]
    scored = (
        f"problems that both draws score, of {found.settings['n_candidates']}",
        *(f"{sum(each) / len(each):.1f}" if each else "–" for each in counts),
    )
    paper = ("paper, 8B, full", *(published.get(n, "–") for n in columns))
    return (
        ResultTable(
            title=f"Correlation of GradAlign scores between two draws of rollouts. {_seeds(cells)}",
            columns=("gradient", *(f"{n} rollouts" for n in columns)),
            rows=(*rows, scored, paper),
        ),
    )


def _correlation(seeds: Sequence[Mapping[str, Any]]) -> str:
    """Over the seeds that have one; how many, where they are not all."""
    known = [one["r"] for one in seeds if one["r"] is not None]
    told = interval(known, digits=2, within=(-1.0, 1.0))
    return told if len(known) in (0, len(seeds)) else f"{told}, {counted(len(known), 'seed')}"


def interval(
    values: Sequence[float], digits: int = 1, *, within: tuple[float, float] = (-math.inf, math.inf)
) -> str:
    """Mean and 95% interval over seeds by Student's t; the bare number of one seed.

    Args:
        values: One a seed.
        digits: After the point.
        within: What the quantity cannot leave: the interval ends there.
    """
    if not values:
        return "–"
    mean = sum(values) / len(values)
    if len(values) == 1:
        return f"{mean:.{digits}f}".replace("-", "−")
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    if variance == 0:
        return f"{mean:.{digits}f} (every seed)".replace("-", "−")
    half = _T.get(len(values) - 1, 2.0) * math.sqrt(variance / len(values))
    low, high = max(within[0], mean - half), min(within[1], mean + half)
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})".replace("-", "−")


def _seeds(cells: Sequence[Mapping[str, Any]]) -> str:
    if len(cells) == 1:
        return "One seed."
    return f"{len(cells)} seeds, mean (95% interval)."
