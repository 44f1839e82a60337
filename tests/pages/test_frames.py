"""Do pages show the right rows and cells, in the right order?"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from grace_engine import api
from grace_engine.api import RunView
from grace_engine.config import History, Weights
from grace_engine.errors import InputError
from grace_engine.figures import frames
from grace_engine.ui import filtering, frames as screen, listing

MakeView = Callable[..., RunView]


def test_rows_are_ranked_by_value_and_those_without_one_come_last(
    view_of_lengths: MakeView,
) -> None:
    view = replace(view_of_lengths(2, 3, 1, 4), values=np.array([0.1, np.nan, 0.5, 0.3]))

    down, up = frames.ranked_rows(view), frames.ranked_rows(view, descending=False)

    assert down["index"].tolist() == [2, 3, 0, 1]
    assert up["index"].tolist() == [0, 3, 2, 1]


def test_ties_go_by_trace_id_in_both_directions(view_of_lengths: MakeView) -> None:
    view = view_of_lengths(3, 5, 3, 5)

    down = frames.ranked_rows(view, "n_steps")
    up = frames.ranked_rows(view, "n_steps", descending=False)

    assert down["index"].tolist() == [1, 3, 0, 2]
    assert up["index"].tolist() == [0, 2, 1, 3]


@pytest.mark.parametrize(
    ("labels", "ascending"),
    [
        ([2, None, 10, 1], [3, 0, 2, 1]),
        (["b", "a", None, "c"], [1, 0, 3, 2]),
        ([True, False, None, True], [1, 0, 3, 2]),
        (["b", 10, None, "a"], [1, 3, 0, 2]),
    ],
)
def test_rows_are_sorted_by_labels_of_any_kind(
    view_of_lengths: MakeView, labels: list[object], ascending: list[int]
) -> None:
    view = view_of_lengths(1, 1, 1, 1, **{"label.kind": labels})

    assert "label.kind" in screen.sort_options(view.traces)
    rows = frames.ranked_rows(view, "label.kind", descending=False)
    assert rows["index"].tolist() == ascending


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", ["value", "n_steps", "peak_loss", "trace_id"])
def test_the_fast_order_is_that_of_sorting_by_every_id(
    view_of_lengths: MakeView, sort: str, descending: bool
) -> None:
    rng = np.random.default_rng(4)
    view = view_of_lengths(*rng.integers(1, 5, 200))
    values = rng.choice([0.0, -0.0, 0.25, -1.5, np.inf, np.nan], 200)
    rows = frames.facts(replace(view, values=values)).assign(peak_loss=rng.integers(0, 3, 200) / 2)
    shuffled = rows.iloc[rng.permutation(200)]

    fast = frames.ranked(rows, sort, descending=descending)
    slow = frames.ranked(shuffled, sort, descending=descending)

    sign = -1 if descending else 1
    known = sorted(
        rows[rows[sort].notna()].itertuples(),
        key=lambda row: (
            (sign * int(row.trace_id, 16),)
            if sort == "trace_id"
            else (sign * getattr(row, sort), row.trace_id)
        ),
    )
    missing = sorted(rows.loc[rows[sort].isna(), "trace_id"])
    assert fast["trace_id"].tolist() == [row.trace_id for row in known] + missing
    pd.testing.assert_frame_equal(fast, slow)


def test_other_weights_change_scores_and_values_alone(view_of_lengths: MakeView) -> None:
    view = view_of_lengths(3, 1, 4, 2)
    weights = Weights(alpha=0.25, aggregate="min")

    found = api.reweighted(view, weights)
    anew = api.view_of(view.run, weights, view.signals, view.traces.set_index("trace_id"))

    assert found.weights == weights
    np.testing.assert_array_equal(found.scores, anew.scores, strict=True)
    np.testing.assert_array_equal(found.values, anew.values, strict=True)
    pd.testing.assert_frame_equal(found.traces, anew.traces)
    with pytest.raises(InputError, match="history uniform, not of window:2"):
        api.reweighted(view, Weights(history=History.parse("window:2")))


def test_pages_hold_every_row_once(view_of_lengths: MakeView) -> None:
    rows = frames.ranked_rows(view_of_lengths(*[2] * 60))

    pages = [frames.page_rows(rows, page, 25) for page in (1, 2, 3)]

    assert screen.page_count(60, 25) == 3
    assert [len(page) for page in pages] == [25, 25, 10]
    shown = [trace for page in pages for trace in page["trace_id"]]
    assert shown == rows["trace_id"].tolist()


def test_row_labels_are_unique_and_say_what_is_right(view_of_lengths: MakeView) -> None:
    view = view_of_lengths(
        1,
        1,
        1,
        variant=["a", "a", "b"],
        line=[4, 4, 4],
        **{"label.is_correct": [True, True, False]},
    )

    rows = frames.ranked_rows(view, "trace_id", descending=False)

    assert frames.page_rows(rows, 1, 25)["row"].tolist() == [
        "✓ a · 4 #0000000000000000",
        "✓ a · 4 #0000000000000001",
        "✗ b · 4",
    ]


def test_a_label_that_is_no_verdict_marks_nothing(view_of_lengths: MakeView) -> None:
    view = view_of_lengths(1, 1, **{"label.is_correct": ["maybe", None]})

    assert frames.ranked_rows(view)["correct"].tolist() == [None, None]


def test_cells_hold_the_numbers_of_their_steps(view_of_lengths: MakeView) -> None:
    view = view_of_lengths(3, 1, 5)
    rows = frames.page_rows(frames.ranked_rows(view), 1, 25)

    cells = frames.cells(view, rows, "alignment", screen.step_window(1, 5))

    assert len(cells) == 9
    for cell in cells.itertuples():
        index = int(rows.loc[rows["trace_id"] == cell.trace_id, "index"].iloc[0])
        where = view.signals.steps_of(index)
        assert cell.value == view.signals.alignment[where][cell.step - 1]
        assert cell.of == view.signals.n_steps[index]
        assert cell.tokens == view.signals.n_tokens[where][cell.step - 1]


def test_a_window_of_steps_leaves_out_what_lies_beside_it(view_of_lengths: MakeView) -> None:
    view = view_of_lengths(100, 45, 3)
    rows = frames.page_rows(frames.ranked_rows(view, "n_steps"), 1, 25)
    window = screen.step_window(screen.window_holding(41), 100)

    cells = frames.cells(view, rows, "score", window)

    assert (window.first, window.last) == (41, 80)
    assert cells.groupby("trace_id", sort=False)["step"].agg(["min", "max"]).values.tolist() == [
        [41, 80],
        [41, 45],
    ]


def test_step_table_agrees_with_the_run(view_of_lengths: MakeView) -> None:
    view = view_of_lengths(2, 4)

    table = frames.step_table(view, 1)

    assert table["step"].tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(table["score"], view.scores[2:])
    assert np.isnan(table["consistency"].iloc[0])


def test_numbers_read_as_people_write_them() -> None:
    numbers = np.array([0.25, -0.5, np.nan])

    assert frames.number_texts(numbers, "score") == ["+0.250", "−0.500", "–"]
    assert frames.number_texts(numbers[:1], "nll") == ["0.25"]


def test_plain_text_is_one_short_line_without_control_marks() -> None:
    assert frames.plain("a\n\tb\u202ec\x00", 20) == "a b[U+202E]c"
    assert frames.plain("abcdef", 4) == "abc…"


@pytest.mark.parametrize("signal", ["score", "judge"])
def test_the_file_of_a_pages_steps_names_its_signal(view_of_lengths: MakeView, signal: str) -> None:
    view = view_of_lengths(3, 2)
    rows = frames.page_rows(frames.ranked_rows(view), 1, 25)
    cells = frames.cells(view, rows, "score", frames.StepWindow(first=1, last=3))

    steps = listing.steps_of_page(cells, signal)

    assert list(steps.columns) == [
        "trace_id", "row", "step", signal, "label", "verdict", "judge_says", "doubted", "tokens"
    ]  # fmt: skip
    assert steps[signal].tolist() == cells["value"].tolist()


def test_the_mean_loss_of_a_trace_is_a_number_to_sort_and_to_bound_by(
    view_of_lengths: Callable[..., RunView],
) -> None:
    view = view_of_lengths(3, 2)
    means = frames.facts(view)["mean_loss"].tolist()
    assert means == pytest.approx(
        [float(np.mean(view.signals.nll[view.signals.steps_of(i)])) for i in (0, 1)]
    )
    assert filtering.RANGES["mean_loss"] == screen.sort_options(view.traces)["mean_loss"]
