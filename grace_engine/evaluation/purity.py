"""How clean is the top of a ranking against the whole pool?"""

from dataclasses import dataclass

import numpy as np

from grace_engine.evaluation.ranking import Bools, Floats

SHARES = (0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purity:
    """Share of good traces in the top of a ranking.

    Attributes:
        label: Name of the trace label that says what is good.
        signal: What ranked.
        pool: Share of good traces in all.
        tops: Share of good traces in the top 5, 10, 20 and 50%, by that share.
    """

    label: str
    signal: str
    pool: float
    tops: dict[float, float]


def purity_of_top(label: str, signal: str, suspicion: Floats, good: Bools) -> Purity:
    """Rank by rising suspicion, ties in the order given, and count the good at the top.

    Args:
        label: Name of the trace label.
        signal: Name of what ranks.
        suspicion: ``[N]``; NaN ranks last.
        good: ``[N]``.
    """
    order = np.argsort(suspicion, kind="stable")
    ranked = good[order]
    tops = {
        share: float(ranked[: max(1, int(np.ceil(share * len(ranked))))].mean())
        for share in SHARES
        if len(ranked)
    }
    pool = float(good.mean()) if len(good) else float("nan")
    return Purity(label=label, signal=signal, pool=pool, tops=tops)
