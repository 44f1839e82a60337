"""What does a choice favour, beside what it left out, other budgets and other choices?"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from grace_engine import selection
from grace_engine.api.annotating import Annotations
from grace_engine.api.choosing import candidates_of, config_of, ranked, ranked_by
from grace_engine.api.views import RunView
from grace_engine.config import Budget, CurateConfig
from grace_engine.errors import InputError
from grace_engine.figures.frames import CHECK, correctness, is_checked
from grace_engine.records import Selection
from grace_engine.selection import Bias, Comparison, Duplicates, Taken

SHARES = (1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100)
"""Percent of the traces that ``budget_curve`` tries."""


def bias(
    view: RunView,
    selected: npt.NDArray[np.bool_],
    values: npt.NDArray[np.float64] | None = None,
    strategy: str = "grace",
) -> Bias:
    """How the chosen differ from those left out: length, steps, dataset, labels, correctness.

    Args:
        view: The run.
        selected: ``[N]`` what is in, in the order of the view (``Taken.selected``).
        values: ``[N]`` what was ranked by (``Taken.values``); the view's values when None.
        strategy: The strategy that ranked.
    """
    kinds = [name for name in view.traces.columns if name.startswith("label.")]
    kinds += [CHECK] if is_checked(view.traces) else []
    return selection.bias_of(
        selected,
        view.values if values is None else values,
        {
            "token count": view.traces["n_tokens"].to_numpy(),
            "step count": view.traces["n_steps"].to_numpy(),
        },
        view.traces[["dataset", *kinds]],
        strategy,
    )


def bias_of_selection(view: RunView, chosen: Selection) -> Bias:
    """``bias`` of a saved selection: what it took, and what it ranked by."""
    config = config_of(chosen)
    return bias(view, chosen_of(view, chosen), ranked_by(view, config), config.strategy)


def chosen_of(view: RunView, chosen: Selection) -> npt.NDArray[np.bool_]:
    """``[N]`` which traces of a view a saved selection took, in the order of the view."""
    inside = [choice.trace_id for choice in chosen.choices if choice.selected]
    found: npt.NDArray[np.bool_] = view.traces["trace_id"].isin(inside).to_numpy(dtype=bool)
    return found


def budget_curve(
    view: RunView,
    config: CurateConfig,
    annotations: Annotations | None = None,
    duplicates: Duplicates | None = None,
) -> pd.DataFrame:
    """What each share of the traces would give, so that a knee can be seen.

    Strata, cap, overrides and duplicates hold at every share; the config's own budget plays no
    part.

    Returns:
        A row for each of ``SHARES``: ``share`` (0 to 1), ``n``, ``value`` (mean of the taken),
        ``lowest_value``, ``tokens`` and ``share_correct`` (of the taken that are known
        to be right or wrong, by label or by check; NaN where none is). Shares that kept traces
        alone exceed are left out.
    """
    in_order = ranked(view, config, candidates_of(view, config, annotations, duplicates))
    return curve_of(in_order, _correct(view), "share_correct")


def curve_of(
    in_order: selection.Ranked, measure: npt.NDArray[np.float64], name: str
) -> pd.DataFrame:
    """A ranking cut at each of ``SHARES``; shares that kept items alone exceed are left out.

    Args:
        in_order: N ranked traces or problems.
        measure: ``[N]`` what is averaged over those that are taken; NaN counts for nothing.
        name: Of its column, the last one.
    """
    rows = []
    for percent in SHARES:
        try:
            taken = in_order.take(Budget.parse(f"{percent}%"))
        except InputError:  # more is kept than this share allows
            continue
        values, known = (of[taken.selected] for of in (taken.values, measure))
        values, known = values[~np.isnan(values)], known[~np.isnan(known)]
        rows.append(
            {
                "share": percent / 100,
                "n": taken.n_selected,
                "value": values.mean() if len(values) else math.nan,
                "lowest_value": values.min() if len(values) else math.nan,
                "tokens": taken.tokens,
                name: known.mean() if len(known) else math.nan,
            }
        )
    return pd.DataFrame(rows, columns=["share", "n", "value", "lowest_value", "tokens", name])


def compare(a: Selection | Taken | pd.DataFrame, b: Selection | Taken | pd.DataFrame) -> Comparison:
    """Who is in a and not in b and the other way round; of one run or of two, by trace id.

    Each side is a saved selection, what ``live_choice`` took, or either as ``ranking_frame`` made
    it, where one side stays while the other moves.
    """
    frames = [side if isinstance(side, pd.DataFrame) else ranking_frame(side) for side in (a, b)]
    return selection.compare_frames(*frames)


def ranking_frame(side: Selection | Taken) -> pd.DataFrame:
    """A row a trace, indexed by its id and sorted by it: value, rank, selected, n_tokens."""
    if isinstance(side, Taken):
        columns: dict[str, Any] = {
            "value": side.values,
            "rank": side.rank,
            "selected": side.selected,
            "n_tokens": side.n_tokens,
        }
        ids = side.trace_ids.tolist()
    else:
        names = ("value", "rank", "selected", "n_tokens")
        columns = {name: [getattr(choice, name) for choice in side.choices] for name in names}
        ids = [choice.trace_id for choice in side.choices]
    frame = pd.DataFrame(columns, index=pd.Index(ids, dtype=object, name="trace_id"))
    frame = frame.astype({"value": "float64", "rank": "int64", "selected": bool})
    return frame if frame.index.is_monotonic_increasing else frame.sort_index()


def _correct(view: RunView) -> npt.NDArray[np.float64]:
    """``[N]`` 1 where a trace's answer is right, 0 where wrong, NaN where nobody says."""
    column = correctness(view.traces)
    return np.asarray(column.map({True: 1.0, False: 0.0}), dtype=np.float64)
