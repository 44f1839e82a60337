"""Are the numbers right that the Curate page draws and writes down, page or no page?"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from grace_engine import api
from grace_engine.config import Budget, CurateConfig, History, Weights
from grace_engine.figures import selection as figures
from grace_engine.records import Selection
from grace_engine.ui import curate_frames

MakeView = Callable[..., api.RunView]

A_SELECTION = Selection(
    id="s-00000000",
    name="",
    run_id="r-0",
    strategy="grace",
    alpha=0.7,
    history="uniform",
    aggregate="mean",
    history_only=False,
    budget="20%",
    seed=0,
    choices=(),
)


@pytest.fixture
def view_of(view_of_lengths: MakeView) -> MakeView:
    """A run of random gradients whose traces each have a record of their own."""

    def make(*lengths: int, **columns: list[object]) -> api.RunView:
        return view_of_lengths(*lengths, record_digest=[""] * len(lengths), **columns)

    return make


def test_the_traces_nearest_the_cut_are_those_of_smallest_margin(
    view_of: MakeView,
) -> None:
    view = view_of(*[2] * 12)
    taken = api.live_choice(view, CurateConfig(budget="50%"))
    order = taken.order.tolist()

    near = curate_frames.near_cut(view, taken, 2)

    assert near["trace_id"].tolist() == taken.trace_ids[order[4:8]].tolist()
    assert near["selected"].tolist() == [True, True, False, False]
    assert near["margin"].tolist() == pytest.approx((taken.values - taken.cut)[order[4:8]])


def test_kept_dropped_and_capped_traces_are_not_near_the_cut(view_of: MakeView) -> None:
    view = view_of(*[2] * 6, prompt_digest=["p"] * 3 + ["q"] * 3)
    taken = api.live_choice(view, CurateConfig(budget="100%", cap_per_prompt=1))

    near = curate_frames.near_cut(view, taken)

    assert near["selected"].tolist() == [True, True]


def test_each_stratum_has_its_own_cut(view_of: MakeView) -> None:
    view = view_of(*[2] * 8, dataset=["a"] * 4 + ["b"] * 4)
    taken = api.live_choice(view, CurateConfig(budget="50%", per="dataset"))

    near = curate_frames.near_cut(view, taken).set_index("trace_id")

    assert sorted(near.loc[near["margin"] == 0, "stratum"]) == ["a", "b"]
    assert near["selected"].sum() == 4


def test_share_correct_counts_only_what_is_labelled() -> None:
    traces = pd.DataFrame({"label.is_correct": [True, False, None, True, None]})

    assert curate_frames.share_correct(
        curate_frames.correctness(traces), np.array([True, True, True, False, True])
    ) == (
        pytest.approx(1 / 2),
        pytest.approx(2 / 3),
    )
    assert curate_frames.share_correct(np.array([np.nan]), np.array([True])) is None


@pytest.mark.parametrize(
    ("kind", "amount", "text"),
    [("fraction", 20.0, "20%"), ("fraction", 12.5, "12.5%"), ("traces", 5, "5"),
     ("tokens", 12000, "12000tok")],
)  # fmt: skip
def test_a_budget_reads_back_as_it_was_written(kind: str, amount: float, text: str) -> None:
    assert curate_frames.budget_of(kind, amount) == text
    budget = Budget.parse(text)
    assert (budget.kind, curate_frames.amount_of(budget)) == (kind, amount)


def test_flags_leave_defaults_out_and_hold_all_else() -> None:
    assert curate_frames.flags("r-1", Weights(), CurateConfig()) == [
        "--run", "r-1", "--budget", "20%",
    ]  # fmt: skip
    weights = Weights(alpha=0.5, history=History.parse("window:2"), aggregate="min")
    config = CurateConfig(
        budget="9",
        strategy="random",
        seed=4,
        per="label.a b",
        cap_per_prompt=2,
        overrides=False,
    )

    line = curate_frames.command("curate", curate_frames.flags("r-1", weights, config), "my w")

    assert line == (
        "grace curate --run r-1 --budget 9 --alpha 0.5 --history window:2 --aggregate min "
        "--strategy random --seed 4 --per 'label.a b' --cap 2 --no-overrides --workspace 'my w'"
    )


def test_only_columns_with_some_values_split_a_budget() -> None:
    traces = pd.DataFrame(
        {
            "dataset": ["a", "a"],
            "label.level": ["1", "2"],
            "label.same": ["x", "x"],
            "line": [1, 2],
        }
    )

    assert curate_frames.strata_columns(traces) == ["label.level"]


def test_the_waterfall_ends_at_the_value(view_of: MakeView) -> None:
    view = view_of(4, 3)
    found = api.why(view, CurateConfig(), None, str(view.traces["trace_id"].iloc[0]))

    figure = figures.why_chart(found.steps, found.value, found.cut, dark=True)

    alignment, consistency, value = figure.data
    tops = [base + part for base, part in zip(consistency.base, consistency.y, strict=True)]
    assert tops[-1] == pytest.approx(found.value)
    assert alignment.base[1] == pytest.approx(tops[0])
    assert value.y == (found.value,)


def test_the_curve_leaves_out_what_nobody_labelled(view_of: MakeView) -> None:
    view = view_of(*[2] * 20)
    curve = api.budget_curve(view, CurateConfig())
    now = {"share": 0.2, "value": 0.1, "share_correct": float("nan"), "tokens": 10.0}

    figure = figures.curve_chart(curve, now, dark=False)

    titles = [note.text for note in figure.layout.annotations]
    assert titles == ["Mean value", "Tokens"]


def test_settings_that_differ_are_named() -> None:
    other = replace(A_SELECTION, budget="5", alpha=0.1, overrides=True, n_kept=2)
    a, b = (curate_frames.settings_of(one) for one in (A_SELECTION, other))

    assert curate_frames.differing(a, b) == (
        "Settings that differ: Budget 20% → 5; α 0.7 → 0.1; "
        "Keeps and drops not respected → 2 kept, 0 dropped"
    )
    assert curate_frames.differing(a, a) == "All settings are the same."
