"""What do a choice and its settings read as: rows, sentences and the shell's command?

Pure: arrays and frames in, frames and text out.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pandas as pd

from grace_engine import api
from grace_engine.api import RunView
from grace_engine.config import Budget, CurateConfig, Weights
from grace_engine.figures import frames
from grace_engine.figures.frames import plain
from grace_engine.marks import marks_named
from grace_engine.records import Selection
from grace_engine.selection import SHARES, Taken, budget_text

NEAR = 5
"""Traces shown on each side of the cut."""

MAX_STRATA = 1000
"""A budget is split over at most this many values of a column."""

KINDS = {"fraction": "Share", "traces": "Traces", "tokens": "Tokens"}
"""Kinds of budget with their names for people."""


def near_cut(view: RunView, taken: Taken, count: int = NEAR) -> pd.DataFrame:
    """The ``count`` chosen and the ``count`` left-out traces that are nearest their stratum's cut.

    Those that a curator keeps or drops, or that were passed over for the cap or as duplicates, are
    not decided by the cut and stand nowhere here.

    Returns:
        ``trace_id``, ``selected``, ``rank``, ``value``, ``margin`` (value minus cut), ``dataset``,
        ``n_steps``, ``n_tokens``, ``correct`` and ``stratum``; the highest margin first.
    """
    margins = taken.values - taken.cuts[taken.strata.codes]
    decided = (taken.forced == 0) & ~np.isnan(margins) & ~taken.passed_over
    places = np.concatenate(
        [_nearest(margins, decided & side, count) for side in (taken.selected, ~taken.selected)]
    )
    places = places[np.lexsort((taken.rank[places], -margins[places]))]
    rows = view.traces.iloc[places]
    names = np.array(taken.strata.names, dtype=object)
    return pd.DataFrame(
        {
            "trace_id": taken.trace_ids[places],
            "selected": taken.selected[places],
            "rank": taken.rank[places],
            "value": taken.values[places],
            "margin": margins[places],
            "dataset": rows["dataset"].to_numpy(),
            "n_steps": rows["n_steps"].to_numpy(),
            "n_tokens": taken.n_tokens[places],
            "correct": correctness(rows),
            "stratum": names[taken.strata.codes[places]],
        }
    )


def _nearest(
    margins: npt.NDArray[np.float64], of: npt.NDArray[np.bool_], count: int
) -> npt.NDArray[np.intp]:
    places = np.flatnonzero(of)
    if len(places) > count:
        places = places[np.argpartition(np.abs(margins[places]), count - 1)[:count]]
    return places


def choice_rows(view: RunView, taken: Taken) -> pd.DataFrame:
    """A row a trace in rank order, for a file: its value, rank, and whether it is in."""
    frame = pd.DataFrame(
        {
            "rank": taken.rank,
            "trace_id": taken.trace_ids,
            "selected": taken.selected,
            "value": taken.values,
            "margin": taken.values - taken.cuts[taken.strata.codes],
            "by_hand": taken.forced,
            "dataset": view.traces["dataset"].to_numpy(),
            "n_steps": view.traces["n_steps"].to_numpy(),
            "n_tokens": taken.n_tokens,
        }
    )
    return frame.iloc[taken.order]


def correctness(traces: pd.DataFrame) -> npt.NDArray[np.float64]:
    """``[N]`` 1 where the answer is right, 0 where wrong, NaN where nobody says."""
    return np.asarray(frames.correctness(traces).map({True: 1.0, False: 0.0}), dtype=np.float64)


def share_correct(
    right: npt.NDArray[np.float64], selected: npt.NDArray[np.bool_]
) -> tuple[float, float] | None:
    """Share of right answers among the chosen and in the pool; None where nothing is labelled.

    Args:
        right: ``[N]`` as ``correctness`` has it.
        selected: ``[N]`` which are chosen.
    """
    known = ~np.isnan(right)
    inside = known & selected
    if not known.any():
        return None
    return (float(right[inside].mean()) if inside.any() else np.nan), float(right[known].mean())


def budget_of(kind: str, amount: float) -> str:
    """The form that ``Budget.parse`` reads: ``20%``, ``500`` or ``12000tok``."""
    if kind == "fraction":
        return f"{amount:g}%"
    return f"{round(amount)}" + ("tok" if kind == "tokens" else "")


def in_kind(budget: Budget, kind: str, taken: Taken | None) -> str:
    """The budget of another kind that allows as much as this one took."""
    if taken is None or budget.kind == kind:
        return {"fraction": "20%", "traces": "100", "tokens": "10000tok"}[kind]
    if kind == "tokens":
        return budget_of(kind, max(taken.tokens, 1))
    count = max(taken.n_selected, 1)
    if kind == "traces":
        return budget_of(kind, count)
    percent = Fraction(100 * count, max(len(taken.order), 1))
    return budget_of(kind, float(max(round(percent, 1), Fraction(1, 10))))


def turning_budget(found: api.Why) -> str:
    """The budget at which a trace changes sides: what it needs, or the next below; "" for none."""
    if not found.needed_budget or not found.selected:
        return found.needed_budget or ""
    needed = Budget.parse(found.needed_budget)
    step = Fraction(1, SHARES) if needed.kind == "fraction" else 1
    less = needed.amount - step
    return budget_text(replace(needed, amount=less)) if less > 0 else ""


def amount_of(budget: Budget) -> float:
    """Percent, traces or tokens of a budget."""
    return float(budget.amount * 100) if budget.kind == "fraction" else int(budget.amount)


def strata_columns(traces: pd.DataFrame) -> list[str]:
    """Columns with some, but not too many, different values: a budget may be split over them."""
    labels = [name for name in traces.columns if name.startswith("label.")]
    names = ["dataset", *([frames.CHECK] if frames.is_checked(traces) else []), *labels]
    return [n for n in names if n in traces and 1 < _kinds(traces[n]) <= MAX_STRATA]


def _kinds(column: pd.Series) -> int:
    return int(column.nunique(dropna=False))


def column_name(column: str) -> str:
    """A column of a run's traces as people call it; "" is the whole run."""
    if not column:
        return "Whole run"
    name = column.removeprefix("label.")
    return plain(name, 40) if name != column else column.capitalize().replace("_", " ")


def selection_name(selection: Selection) -> str:
    """Name, id and budget, on one line."""
    name = f"{plain(selection.name, 40)} · " if selection.name else ""
    return f"{name}{selection.id} · {selection.budget}"


def settings_now(run: str, weights: Weights, config: CurateConfig, taken: Taken) -> dict[str, str]:
    """What decides the choice on the screen, as ``settings_of`` says it of a saved one."""
    return _settings(run, weights, config, taken.n_kept, taken.n_dropped)


def settings_of(selection: Selection) -> dict[str, str]:
    """What decided a selection, for people, by setting."""
    return _settings(
        selection.run_id,
        api.weights_of(selection),
        api.config_of(selection),
        selection.n_kept,
        selection.n_dropped,
    )


def _settings(
    run: str, weights: Weights, config: CurateConfig, n_kept: int, n_dropped: int
) -> dict[str, str]:
    by_hand = f"{n_kept} kept, {n_dropped} dropped" if config.overrides else "not respected"
    return {
        "Run": run,
        "Budget": config.budget,
        "Strategy": config.strategy + (f", seed {config.seed}" if config.seed else ""),
        "α": f"{weights.alpha:g}",
        "History": f"{weights.history}" + (" only" if weights.history_only else ""),
        "Trace value": weights.aggregate,
        "Budget per": column_name(config.per),
        "Cap per prompt": str(config.cap_per_prompt or "none"),
        "Without duplicate": config.without_duplicates or "none left out",
        "Keeps and drops": by_hand,
    }


def differing(a: dict[str, str], b: dict[str, str]) -> str:
    """The settings in which two choices differ, as one sentence."""
    found = [f"{name} {a[name]} → {b[name]}" for name in a if a[name] != b[name]]
    return "Settings that differ: " + "; ".join(found) if found else "All settings are the same."


def moves(traces: pd.DataFrame, reasons: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Rows of ``Comparison.traces`` for people, with the reason of the side that leaves it out."""
    frame = traces.drop(columns=["in_a", "in_b"]).reset_index()
    if reasons is not None:
        frame["reason"] = [reasons.get(name, "not ranked") for name in frame["trace_id"]]
    return frame


def flags(run: str, weights: Weights, config: CurateConfig, *, budget: bool = True) -> list[str]:
    """The shell's flags for a run, its weights and a choice; defaults are left out."""
    base, usual = CurateConfig(), Weights()
    said = {
        "--run": (run, ""),
        "--budget": (config.budget if budget else "", ""),
        "--alpha": (f"{weights.alpha:g}", f"{usual.alpha:g}"),
        "--history": (str(weights.history), str(usual.history)),
        "--aggregate": (weights.aggregate, usual.aggregate),
        "--strategy": (config.strategy, base.strategy),
        "--seed": (str(config.seed), str(base.seed)),
        "--per": (config.per, base.per),
        "--cap": (str(config.cap_per_prompt), str(base.cap_per_prompt)),
        "--without-duplicates": (config.without_duplicates, base.without_duplicates),
    }
    found = [word for flag, (now, then) in said.items() if now != then for word in (flag, now)]
    found += ["--history-only"] if weights.history_only else []
    return [*found, *([] if config.overrides else ["--no-overrides"])]


def command(verb: str, words: Sequence[str], workspace: str) -> str:
    """A line for the shell; it too could be turned around by a name."""
    return marks_named(shlex.join(["grace", verb, *words, "--workspace", workspace]))
