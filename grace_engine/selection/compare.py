"""Who is in one subset and not in another, and how alike are the two rankings?"""

from dataclasses import dataclass, field

import pandas as pd

from grace_engine.selection.bias import rank_correlation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Two subsets a and b, of one run or of two.

    Attributes:
        n_a: Traces that are in a.
        n_b: Traces that are in b.
        n_both: Traces that are in both.
        n_common: Traces that both ranked.
        overlap: ``n_both`` over the smaller of the two; NaN where one is empty.
        jaccard: ``n_both`` over the traces in either; NaN where both are empty.
        rank_correlation: Spearman's ρ of the two rankings over the common traces.
        tokens_a: Tokens of a.
        tokens_b: Tokens of b.
        tokens_both: Tokens, as a counts them, of the traces in both.
        traces: A row for each trace that is in either, indexed by its id, the best rank first:
            ``in_a``, ``in_b``, ``value_a``, ``value_b``, ``rank_a``, ``rank_b`` and ``n_tokens``;
            missing where the other did not rank it.
    """

    n_a: int
    n_b: int
    n_both: int
    n_common: int
    overlap: float
    jaccard: float
    rank_correlation: float
    tokens_a: int
    tokens_b: int
    tokens_both: int
    traces: pd.DataFrame = field(repr=False)

    @property
    def both(self) -> pd.DataFrame:
        """The traces that are in both."""
        return self.traces[self.traces["in_a"] & self.traces["in_b"]]

    @property
    def only_a(self) -> pd.DataFrame:
        """The traces that are in a alone."""
        return self.traces[self.traces["in_a"] & ~self.traces["in_b"]]

    @property
    def only_b(self) -> pd.DataFrame:
        """The traces that are in b alone."""
        return self.traces[~self.traces["in_a"] & self.traces["in_b"]]


def compare_frames(a: pd.DataFrame, b: pd.DataFrame) -> Comparison:
    """Compare two rankings by trace id.

    Args:
        a: A row a ranked trace, indexed by its id: ``value``, ``rank``, ``selected``, ``n_tokens``.
        b: The same of the other.
    """
    joined = pd.concat([a.add_suffix("_a"), b.add_suffix("_b")], axis=1, sort=True)
    in_a, in_b = (
        joined[name].eq(other=True).to_numpy(dtype=bool, na_value=False)
        for name in ("selected_a", "selected_b")
    )
    ranks = joined[["rank_a", "rank_b"]].astype("float64")
    tokens = joined["n_tokens_a"].fillna(joined["n_tokens_b"])
    traces = pd.DataFrame(
        {
            "in_a": in_a,
            "in_b": in_b,
            "value_a": joined["value_a"],
            "value_b": joined["value_b"],
            "rank_a": ranks["rank_a"].astype("Int64"),
            "rank_b": ranks["rank_b"].astype("Int64"),
            "n_tokens": tokens.astype("int64"),
        },
        index=joined.index,
    )[in_a | in_b]
    best = ranks.min(axis=1)[in_a | in_b]
    n_a, n_b, n_both = int(in_a.sum()), int(in_b.sum()), int((in_a & in_b).sum())
    smaller, either = min(n_a, n_b), n_a + n_b - n_both
    return Comparison(
        n_a=n_a,
        n_b=n_b,
        n_both=n_both,
        n_common=int(ranks.notna().all(axis=1).sum()),
        overlap=n_both / smaller if smaller else float("nan"),
        jaccard=n_both / either if either else float("nan"),
        rank_correlation=rank_correlation(ranks["rank_a"].to_numpy(), ranks["rank_b"].to_numpy()),
        tokens_a=int(joined["n_tokens_a"][in_a].sum()),
        tokens_b=int(joined["n_tokens_b"][in_b].sum()),
        tokens_both=int(joined["n_tokens_a"][in_a & in_b].sum()),
        traces=traces.iloc[best.to_numpy().argsort(kind="stable")],
    )
