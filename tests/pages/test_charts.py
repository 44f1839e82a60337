"""Do figures say what their numbers say?"""

from collections.abc import Callable

import numpy as np
import pytest

from grace_engine.api import RunView
from grace_engine.figures import palette
from grace_engine.ui import charts, frames

MakeView = Callable[..., RunView]


def heatmap(view: RunView, signal: str = "score") -> dict[str, object]:
    rows = frames.page_rows(frames.ranked_rows(view), 1, 25)
    window = frames.step_window(1, int(rows["n_steps"].max()))
    cells = frames.cells(view, rows, signal, window)
    scale = palette.colour_scale(signal, 0.5, dark=False)
    selected = (cells["trace_id"].iloc[0], 1)
    return charts.heatmap(cells, rows["row"].tolist(), window, scale, selected=selected).to_dict()


def test_a_click_selects_a_trace_and_a_step(view_of_lengths: MakeView) -> None:
    spec = heatmap(view_of_lengths(3, 2))

    (pick,) = spec["params"]
    assert pick["name"] == charts.SELECTION
    assert pick["select"]["fields"] == ["trace_id", "step", "turn"]


def test_the_heatmap_holds_every_step_and_outlines_one(view_of_lengths: MakeView) -> None:
    spec = heatmap(view_of_lengths(3, 2))

    (data,) = spec["datasets"].values()
    assert len(data) == 5
    assert [cell["selected"] for cell in data].count(True) == 1


def test_a_step_that_is_labelled_bad_is_framed_and_the_legend_says_so(
    view_of_lengths: MakeView,
) -> None:
    view = view_of_lengths(3, 2)
    rows = frames.page_rows(frames.ranked_rows(view), 1, 25)
    window = frames.step_window(1, 3)
    kinds = np.array(["clean", "wrong", "", "clean", "clean"], dtype=object)
    cells = frames.cells(view, rows, "nll", window, kinds)
    scale = palette.colour_scale("nll", 1.0, dark=False)
    spec = charts.heatmap(cells, rows["row"].tolist(), window, scale).to_dict()

    (data,) = spec["datasets"].values()
    assert [(c["step"], c["label"]) for c in data if c["bad"]] == [(2, "wrong")]
    assert spec["encoding"]["fill"]["legend"]["title"][-1] == "framed in red: labelled as bad"


def test_the_legend_says_how_the_scale_was_fitted(view_of_lengths: MakeView) -> None:
    spec = heatmap(view_of_lengths(3, 2), "consistency")

    fill = spec["encoding"]["fill"]
    assert fill["scale"]["domain"] == [pytest.approx(x / 6) for x in range(-3, 4)]
    assert fill["legend"]["title"] == [
        "Consistency · 98% of cosines within ±0.5",
        "outlined: no value",
    ]


def test_tooltips_have_fixed_names_so_that_none_becomes_a_picture(
    view_of_lengths: MakeView,
) -> None:
    spec = heatmap(view_of_lengths(3, **{"label.image": ["http://pwned.invalid/p.png"]}))

    titles = [tip["title"] for tip in spec["encoding"]["tooltip"]]
    assert titles == ["Trace", "Step", *palette.SIGNALS.values(), "Label", "Tokens", "Trace value"]


def test_the_trace_chart_marks_the_step_and_carries_the_chosen_signal(
    view_of_lengths: MakeView,
) -> None:
    steps = frames.step_table(view_of_lengths(4), 0)

    score = charts.trace_chart(
        steps, palette.colour_scale("alignment", 0.5, dark=True), step=3, dark=True
    )
    loss = charts.trace_chart(steps, palette.colour_scale("nll", 1.0, dark=True), step=3, dark=True)

    assert [trace.name for trace in score.data] == ["Score", "Alignment", "Consistency"]
    assert [trace.name for trace in loss.data] == ["Loss"]
    assert (score.layout.shapes[0].x0, score.layout.shapes[0].x1) == (2.5, 3.5)
