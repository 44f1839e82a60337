"""How does what was chosen differ from what was left out?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from grace_engine.quantities import percent
from grace_engine.selection.candidates import WITHOUT, Bools, Floats

MAX_VALUES = 30
FOLLOWS = 0.5
"""Rank correlation from which a value is said to follow a count."""
FACTOR = 2.0
"""A category whose share among the chosen is this many times its share of all is told."""
EXPECTED = 5
"""Fewest traces of a category that chance would have chosen, for its shift to be told."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bias:
    """Chosen against left out.

    A standardised difference is the difference of the means (of a category: of the shares) over
    the root of the mean of both variances; NaN where nothing varies or one side is empty.

    Attributes:
        n_chosen: Traces that are in.
        n_left: Traces that are out.
        numbers: A row for each count, indexed by its name; columns ``chosen_`` and ``left_`` with
            ``mean``, ``q1``, ``median`` and ``q3``, ``difference`` (standardised) and
            ``rank_correlation`` (Spearman's, with the value, over traces that have one).
        categories: A row for each value of each column: ``column``, ``category``, ``n_chosen``,
            ``n_left``, ``share_chosen``, ``share_left``, ``share_all``, ``shift`` (share of
            the chosen over share of all), ``difference`` (standardised).
        skipped: Columns with more than ``MAX_VALUES`` different values.
        warnings: What a curator should know, as sentences.
        briefs: The same, a line each.
    """

    n_chosen: int
    n_left: int
    numbers: pd.DataFrame
    categories: pd.DataFrame
    skipped: tuple[str, ...]
    warnings: tuple[str, ...]
    briefs: tuple[str, ...]


def bias_of(
    selected: Bools,
    values: Floats,
    counts: Mapping[str, np.ndarray],
    columns: pd.DataFrame,
    strategy: str = "grace",
) -> Bias:
    """Compare the chosen of N traces with those left out.

    Args:
        selected: ``[N]``.
        values: ``[N]`` what traces were ranked by; NaN where there is none.
        counts: ``[N]`` numbers by name for a person to read, such as ``token count``.
        columns: N rows; those with at most ``MAX_VALUES`` different values are compared.
        strategy: What traces were ranked by: it is not to be compared with itself.
    """
    numbers = pd.DataFrame.from_dict(
        {name: _of_count(selected, values, count) for name, count in counts.items()},
        orient="index",
        columns=_COUNT,
    )
    found = {name: _of_column(selected, columns[name]) for name in columns.columns}
    compared = [frame for frame in found.values() if frame is not None]
    empty = pd.DataFrame(columns=_CATEGORY)
    categories = pd.concat(compared, ignore_index=True) if compared else empty
    told = [
        _follows(str(name), float(rho), strategy)
        for name, rho in numbers["rank_correlation"].items()
        if abs(rho) >= FOLLOWS
    ]
    told += _shifts(categories, int(np.count_nonzero(selected)), columns)
    return Bias(
        n_chosen=int(np.count_nonzero(selected)),
        n_left=int(np.count_nonzero(~selected)),
        numbers=numbers,
        categories=categories,
        skipped=tuple(name for name, frame in found.items() if frame is None),
        warnings=tuple(warning for warning, _ in told),
        briefs=tuple(brief for _, brief in told),
    )


def rank_correlation(left: np.ndarray, right: np.ndarray) -> float:
    """Spearman's ρ over the pairs without a NaN, equal numbers sharing their mean rank.

    NaN where there are fewer than two such pairs, or where one side does not vary.
    """
    known = ~(np.isnan(left) | np.isnan(right))
    ranks = [pd.Series(side[known]).rank().to_numpy(dtype=np.float64) for side in (left, right)]
    first, second = (side - side.mean() if len(side) else side for side in ranks)
    scale = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / scale) if scale > 0 else float("nan")


_COUNT = [
    *(f"{side}_{name}" for side in ("chosen", "left") for name in ("mean", "q1", "median", "q3")),
    "difference",
    "rank_correlation",
]
_CATEGORY = [
    "column",
    "category",
    "n_chosen",
    "n_left",
    "share_chosen",
    "share_left",
    "share_all",
    "shift",
    "difference",
]


def _of_count(selected: Bools, values: Floats, count: np.ndarray) -> dict[str, float]:
    found: dict[str, float] = {}
    moments = []
    for side, members in (("chosen", selected), ("left", ~selected)):
        part = count[members].astype(np.float64)
        some = len(part) > 0
        quartiles = np.percentile(part, [25, 50, 75]) if some else np.full(3, np.nan)
        mean, variance = (part.mean(), part.var()) if some else (np.nan, np.nan)
        found[f"{side}_mean"] = float(mean)
        found |= {
            f"{side}_{name}": float(at)
            for name, at in zip(("q1", "median", "q3"), quartiles, strict=True)
        }
        moments.append((mean, variance))
    (mean, variance), (other_mean, other_variance) = moments
    spread = np.sqrt((variance + other_variance) / 2)
    found["difference"] = float((mean - other_mean) / spread) if spread > 0 else float("nan")
    found["rank_correlation"] = rank_correlation(values, count.astype(np.float64))
    return found


def _of_column(selected: Bools, column: pd.Series) -> pd.DataFrame | None:
    """A row for each value, the most frequent first; None where there are too many."""
    codes, kinds = pd.factorize(column, use_na_sentinel=False)
    if len(kinds) > MAX_VALUES:
        return None
    chosen = np.bincount(codes[selected], minlength=len(kinds)).astype(np.float64)
    left = np.bincount(codes[~selected], minlength=len(kinds)).astype(np.float64)
    share_chosen, share_left = (
        side / side.sum() if side.sum() else np.full(len(kinds), np.nan) for side in (chosen, left)
    )
    share_all = (chosen + left) / max(len(codes), 1)
    variances = (share * (1 - share) for share in (share_chosen, share_left))
    spread = np.sqrt(sum(variances) / 2)
    frame = pd.DataFrame(
        {
            "column": column.name,
            "category": [WITHOUT if pd.isna(kind) else str(kind) for kind in kinds],
            "n_chosen": chosen.astype(np.int64),
            "n_left": left.astype(np.int64),
            "share_chosen": share_chosen,
            "share_left": share_left,
            "share_all": share_all,
            "shift": share_chosen / share_all,
            "difference": np.divide(
                share_chosen - share_left,
                spread,
                out=np.full(len(kinds), np.nan),
                where=spread > 0,
            ),
        }
    )
    return frame.iloc[np.argsort(-(chosen + left), kind="stable")]


def _follows(name: str, rho: float, strategy: str) -> tuple[str, str]:
    """A sentence, and what it says at least."""
    more, less = ("more", "fewer") if rho > 0 else ("fewer", "more")
    unit = name.removesuffix(" count") + "s"
    follows = f"Value mostly follows the {name} (ρ = {rho:.2f})".replace("-", "−")
    plainly = "stepmax" if unit == "steps" else "longest"
    other = f"Compare it with the strategy {plainly}, or split" if plainly != strategy else "Split"
    return (
        f"{follows}: traces with {more} {unit} rank higher than those with {less}, so the choice "
        f"may be one by length. {other} the budget over strata.",
        f"{follows}: the choice may be one by length.",
    )


def _shifts(
    categories: pd.DataFrame, n_chosen: int, columns: pd.DataFrame
) -> list[tuple[str, str]]:
    """A sentence for each category whose share differs by ``FACTOR`` where chance would not.

    Beside it what it says at least. Categories of the very same traces are told once.
    """
    told = (categories["share_all"] * n_chosen >= EXPECTED) & (
        (categories["shift"] >= FACTOR) | (categories["shift"] <= 1 / FACTOR)
    )
    same: dict[bytes, list[dict[Any, Any]]] = {}
    for row in categories[told].to_dict("records"):
        values = columns[row["column"]]
        members = values.isna() if row["category"] == WITHOUT else values.astype(str)
        if row["category"] != WITHOUT:
            members = members == row["category"]
        same.setdefault(members.to_numpy(bool).tobytes(), []).append(row)
    return [_shift(rows) for rows in same.values()]


def _shift(rows: list[dict[Any, Any]]) -> tuple[str, str]:
    """One or more categories of the same traces."""
    row, *others = rows
    also = ", ".join(f"{one['column']} {one['category']!r}" for one in others)
    briefly = also.replace("label.", "")
    chosen, pool = percent(row["share_chosen"]), percent(row["share_all"])
    return (
        f"{row['column']} {row['category']!r}{f' (the same traces: {also})' if also else ''} is "
        f"{chosen} of the chosen and {pool} of all traces, {row['shift']:.2g} times its share "
        f"(told where a share shifts by a factor of {FACTOR:g} or more and chance would choose "
        f"{EXPECTED} or more). A budget per stratum would hold it.",
        f"{str(row['column']).removeprefix('label.')} {row['category']!r}"
        f"{f' ({briefly})' if also else ''}: "
        f"{chosen} of the chosen, {pool} of all traces.",
    )
