"""How do times compare when all competitors run in turn, round after round?"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A quotient that was measured several times.

    Attributes:
        median: Of the rounds.
        lowest: Of the rounds.
        highest: Of the rounds.
    """

    median: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        """Median (min–max), three digits."""
        return f"{_short(self.median)} ({_short(self.lowest)}–{_short(self.highest)})"


def seconds_by_round(
    competitors: Mapping[str, Callable[[], object]], rounds: int, say: Callable[[str], None]
) -> dict[str, list[float]]:
    """Time every competitor once a round, after one round that does not count.

    Each round begins with another competitor, so that no one always runs on a warm or hot machine.
    """
    names = list(competitors)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        say(f"  round {turn} of {rounds}" + (" (warm-up)" if turn == 0 else ""))
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            started = time.perf_counter()
            competitors[name]()
            passed = time.perf_counter() - started
            if turn:
                seconds[name].append(passed)
    return seconds


def ratio_of(over: Sequence[float], under: Sequence[float]) -> Ratio:
    """``over[r] / under[r]`` of every round r."""
    quotients = [a / b for a, b in zip(over, under, strict=True)]
    return Ratio(median=statistics.median(quotients), lowest=min(quotients), highest=max(quotients))


def _short(value: float) -> str:
    """Three digits where there are as many."""
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:,.{decimals}f}"
