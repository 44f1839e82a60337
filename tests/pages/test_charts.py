"""Do figures say what their numbers say?"""

import json
import re
from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from grace_engine.api import RunView
from grace_engine.errors import InputError
from grace_engine.figures import frames, heatmap as figure, overview, palette, trace
from grace_engine.figures.datasets import parallel_chart
from grace_engine.figures.selection import comparison_chart, why_chart

MakeView = Callable[..., RunView]


def heatmap(view: RunView, signal: str = "score", **more: object) -> dict[str, object]:
    rows = frames.page_rows(frames.ranked_rows(view), 1, 25)
    window = frames.StepWindow(first=1, last=int(rows["n_steps"].max()))
    cells = frames.cells(view, rows, signal, window, **more)
    scale = palette.colour_scale(signal, 0.5, dark=False)
    selected = (cells["trace_id"].iloc[0], 1)
    return figure.heatmap(cells, rows["row"].tolist(), window, scale, selected=selected).to_dict()


def test_a_click_selects_a_trace_and_a_step(view_of_lengths: MakeView) -> None:
    spec = heatmap(view_of_lengths(3, 2))

    (pick,) = spec["params"]
    assert pick["name"] == figure.SELECTION
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
    window = frames.StepWindow(first=1, last=3)
    kinds = np.array(["clean", "wrong", "", "clean", "clean"], dtype=object)
    cells = frames.cells(view, rows, "nll", window, kinds)
    scale = palette.colour_scale("nll", 1.0, dark=False)
    spec = figure.heatmap(cells, rows["row"].tolist(), window, scale).to_dict()

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


def test_the_legend_shows_each_stop_and_no_gradient(view_of_lengths: MakeView) -> None:
    legend = heatmap(view_of_lengths(3, 2))["encoding"]["fill"]["legend"]

    assert legend["type"] == "symbol", "a gradient is lost when the address changes"
    assert legend["values"] == [pytest.approx(x / 6) for x in range(-3, 4)]
    assert legend["labelExpr"].startswith("indexof([0, 3, 6], datum.index) < 0 ? '' : ")


def test_tooltips_have_fixed_names_so_that_none_becomes_a_picture(
    view_of_lengths: MakeView,
) -> None:
    spec = heatmap(view_of_lengths(3, **{"label.image": ["http://pwned.invalid/p.png"]}))

    titles = [tip["title"] for tip in spec["encoding"]["tooltip"]]
    names = ["Trace", "Step", *palette.SIGNALS.values(), "Label", "Verdict"]
    assert titles == [*names, "Tokens", "Trace value"]


def test_the_trace_chart_marks_the_step_and_carries_the_chosen_signal(
    view_of_lengths: MakeView,
) -> None:
    steps = frames.step_table(view_of_lengths(4), 0)

    score = trace.trace_chart(
        steps, palette.colour_scale("alignment", 0.5, dark=True), step=3, dark=True
    )
    loss = trace.trace_chart(steps, palette.colour_scale("nll", 1.0, dark=True), step=3, dark=True)

    assert [line.name for line in score.data] == ["Score", "Alignment", "Consistency"]
    assert [line.name for line in loss.data] == ["Loss"]
    assert (score.layout.shapes[0].x0, score.layout.shapes[0].x1) == (2.5, 3.5)


def test_steps_that_no_judge_labelled_have_no_bar_and_a_trace_of_such_shows_the_score_in_grey(
    view_of_lengths: MakeView,
) -> None:
    steps = frames.step_table(view_of_lengths(3), 0)
    scale = palette.colour_scale("judge", 1.0, dark=False)
    partly = trace.trace_chart(steps.assign(judge=[1.0, np.nan, 0.5]), scale, step=1, dark=False)
    none = trace.trace_chart(steps.assign(judge=np.nan), scale, step=1, dark=False)

    assert list(partly.data[0].x) == [1, 3]
    assert list(partly.data[0].marker.color) == [scale.colour(1.0), scale.colour(0.5)]
    assert (none.data[0].name, list(none.data[0].y)) == ("Score", steps["score"].tolist())
    assert set(none.data[0].marker.color) == {"#8a9099"}


@pytest.mark.parametrize(
    ("n_steps", "ticks"),
    [(1, [1]), (3, [1, 2, 3]), (20, [*range(1, 21)]), (30, [*range(1, 31, 2)])],
)
def test_the_trace_chart_has_ticks_at_whole_steps_that_exist(
    view_of_lengths: MakeView, n_steps: int, ticks: list[int]
) -> None:
    steps = frames.step_table(view_of_lengths(n_steps), 0)
    scale = palette.colour_scale("score", 0.5, dark=False)

    drawn = trace.trace_chart(steps, scale, step=1, dark=False)

    assert list(drawn.layout.xaxis.tickvals) == ticks


def test_a_verdict_stands_as_a_sign_in_its_cell(view_of_lengths: MakeView) -> None:
    view = view_of_lengths(3, 2)
    first, second = view.signals.trace_ids

    spec = heatmap(view, words={(first, 2): "wrong", (second, 1): "off topic"})

    rectangles, *signs = spec["layer"]
    assert rectangles["mark"]["type"] == "rect"
    assert [layer["mark"]["type"] for layer in signs] == ["text", "text"]
    for layer in signs:
        drawn = spec["datasets"][layer["data"]["name"]]
        assert {(c["trace_id"], c["step"], c["mark"]) for c in drawn} == {
            (first, 2, "✗"),
            (second, 1, "✎"),
        }
    (pick,) = spec["params"]
    assert pick["views"] == [rectangles["name"]]


def test_rows_that_were_not_looked_at_are_bold_by_place_alone(view_of_lengths: MakeView) -> None:
    rows = frames.page_rows(frames.ranked_rows(view_of_lengths(2, 2, 2)), 1, 25)
    window = frames.StepWindow(first=1, last=2)
    cells = frames.cells(view_of_lengths(2, 2, 2), rows, "score", window)
    scale = palette.colour_scale("score", 0.5, dark=False)

    spec = figure.heatmap(cells, rows["row"].tolist(), window, scale, fresh=[0, 2]).to_dict()

    weight = spec["encoding"]["y"]["axis"]["labelFontWeight"]["condition"]
    assert weight["test"] == "indexof([0,2], round(datum.index * 2)) >= 0"


@pytest.mark.parametrize("words", [{}, {("0000000000000000", 2): "wrong"}])
def test_the_kept_form_of_a_heatmap_is_the_heatmap(
    view_of_lengths: MakeView, words: dict[tuple[str, int], str]
) -> None:
    view = view_of_lengths(3, 2, 50)
    rows = frames.page_rows(frames.ranked_rows(view), 1, 25)
    labels, window = rows["row"].tolist(), frames.StepWindow(first=1, last=4)
    scale = palette.colour_scale("score", 0.5, dark=True)
    kinds = np.array(["wrong_result"] + [""] * 54, dtype=object)
    cells = frames.cells(view, rows, "score", window, kinds, words)
    more = {"selected": (view.signals.trace_ids[1], 2), "dark": True, "turn": 3, "fresh": [0, 2]}
    figure.heatmap_spec(cells, labels[::-1], window, scale, dark=True)  # leaves nothing behind

    chart = figure.heatmap(cells, labels, window, scale, **more).to_dict()
    spec = figure.heatmap_spec(cells, labels, window, scale, **more)

    drawn = {name: frame.to_dict("records") for name, frame in spec.pop("datasets").items()}
    named = sorted(chart.pop("datasets").items(), key=lambda one: -len(one[1]))
    assert list(drawn.values()) == [records for _, records in named]
    assert len(drawn) == (2 if words else 1)
    chart["config"].pop("view")
    assert chart.pop("background") == "#14171c", "a page has a ground of its own"
    assert _named(spec, dict(zip(drawn, "ab", strict=False))) == _named(
        chart, {name: letter for (name, _), letter in zip(named, "ab", strict=False)}
    )


def _named(spec: dict[str, object], names: dict[str, str]) -> str:
    """The specification as text, its datasets and its view by names of our own."""
    text = json.dumps(spec, sort_keys=True)
    for name, letter in names.items():
        text = text.replace(f'{{"name": "{name}"}}', f'{{"name": "{letter}"}}')
    return re.sub("view_[0-9a-f_]+", "view", text)


def test_a_charts_menu_saves_pictures_and_leads_nowhere_else(view_of_lengths: MakeView) -> None:
    actions = heatmap(view_of_lengths(2))["usermeta"]["embedOptions"]["actions"]

    assert actions == {"export": True, "source": False, "compiled": False, "editor": False}


def test_the_matrix_holds_cosines_and_frames_the_step() -> None:
    gradients = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])

    figured = trace.matrix_chart(
        gradients @ gradients.T, palette.colour_scale("score", 1.0, dark=False), step=2, dark=False
    )

    cells = np.asarray(figured.data[0].z)
    np.testing.assert_allclose(cells, [[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    across, down = figured.layout.shapes
    assert (across.y0, across.y1, down.x0, down.x1) == (1.5, 2.5, 1.5, 2.5)
    assert figured.layout.xaxis.ticktext == ("1", "2", "answer")


def test_numbers_below_zero_have_a_minus_and_no_hyphen() -> None:
    gradients = np.array([[1.0, 0.0], [-2.0, 0.5], [0.0, 3.0]])
    scale = palette.colour_scale("score", 1.0, dark=False)

    matrix, numbers = trace.matrix_chart(gradients @ gradients.T, scale, step=1, dark=False).data
    steps = pd.DataFrame(
        {"step": [1, 2], "alignment": [-0.5, 0.25], "consistency": [np.nan, -0.125]}
        | {"score": [-0.5, 0.1], "weight": [0.5, 0.5], "part": [-0.25, 0.05]}
        | {"from_alignment": [-0.25, 0.1], "from_consistency": [0.0, -0.05]}
    )
    why = why_chart(steps, -0.2, -0.3, dark=False)

    assert numbers.text[1] == "−0.97"
    assert matrix.customdata[0][1] == "−0.970"
    assert why.data[0].customdata[0] == ["−0.2500", "−0.500"]
    assert why.data[2].hovertemplate.startswith("Value −0.2000")
    assert "-" not in why.data[0].text[0]


def test_tenths_hold_as_many_traces_each_and_leave_out_those_without_a_value() -> None:
    values = np.array([*np.arange(20.0)[::-1], np.nan])

    tenths = overview.deciles(values)

    assert tenths.tolist() == [10, 10, 9, 9, 8, 8, 7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0]
    assert overview.deciles(np.array([])).tolist() == []


def test_the_overview_is_the_mean_over_the_steps_at_a_place(view_of_lengths: MakeView) -> None:
    view = view_of_lengths(*[3, 20, 5, 18] * 6)
    tenths = overview.deciles(view.values)

    cells = overview.overview_cells(view, "consistency")

    found = {(c.decile, c.place): (c.value, c.steps) for c in cells.itertuples()}
    expected: dict[tuple[int, int], list[float]] = {}
    for i, tenth in enumerate(tenths):
        for k, value in enumerate(view.signals.consistency[view.signals.steps_of(i)]):
            if not np.isnan(value):
                expected.setdefault((tenth, min(k + 1, 16)), []).append(value)
    assert found == {key: (pytest.approx(np.mean(v)), len(v)) for key, v in expected.items()}
    assert "16+" in set(cells["position"])


def test_the_overview_of_some_traces_keeps_the_tenths_of_all(view_of_lengths: MakeView) -> None:
    view = view_of_lengths(*[3, 20, 5, 18] * 6)
    tenths = overview.deciles(view.values)
    meant = np.arange(24) % 3 == 0

    cells = overview.overview_cells(view, "score", meant)

    found = {(c.decile, c.place): c.steps for c in cells.itertuples()}
    expected = Counter(
        (int(tenths[i]), min(k + 1, 16))
        for i in np.flatnonzero(meant)
        for k in range(int(view.signals.n_steps[i]))
    )
    assert found == dict(expected)


def test_the_overview_names_its_signal_and_scale_and_a_click_tells_the_step(
    view_of_lengths: MakeView,
) -> None:
    cells = overview.overview_cells(view_of_lengths(*[3, 20] * 6), "score")

    spec = overview.overview_chart(cells, palette.colour_scale("score", 0.5, dark=True)).to_dict()

    title = spec["title"]["text"] if isinstance(spec["title"], dict) else spec["title"]
    assert title == "Score by tenth of trace values and step"
    legend = spec["encoding"]["fill"]["legend"]
    assert legend["title"] == ["Mean score · 98% of cosines within ±0.5"]
    assert spec["params"][0]["select"]["fields"] == ["decile", "place", "turn"]


@pytest.mark.parametrize("dark", [False, True])
def test_the_selected_step_keeps_its_frame_inside_the_outline(
    view_of_lengths: MakeView, dark: bool
) -> None:
    view = view_of_lengths(3, 2)
    rows = frames.page_rows(frames.ranked_rows(view), 1, 25)
    window = frames.StepWindow(first=1, last=3)
    kinds = np.array(["clean", "wrong", "", "clean", "clean"], dtype=object)
    cells = frames.cells(view, rows, "score", window, kinds)
    scale = palette.colour_scale("score", 0.5, dark=dark)
    bad = cells.loc[cells["bad"], "trace_id"].iloc[0]
    more = {"dark": dark, "selected": (bad, 2)}

    spec = figure.heatmap_spec(cells, rows["row"].tolist(), window, scale, **more)

    _, outer, inner = spec["layer"]
    assert outer["mark"]["strokeWidth"] > 2 * inner["mark"]["strokeWidth"]
    (when,) = inner["encoding"]["stroke"]["condition"]
    assert when["test"] == "datum.bad"
    (name,) = {layer["data"]["name"] for layer in (outer, inner)}
    drawn = spec["datasets"][name]
    assert list(zip(drawn["trace_id"], drawn["step"], strict=True)) == [(bad, 2)]
    other = figure.heatmap_spec(
        cells, rows["row"].tolist(), window, scale, **more | {"selected": (bad, 1)}
    )
    assert "layer" not in other


def test_the_signs_of_verdicts_are_dark_on_light_and_light_on_dark(
    view_of_lengths: MakeView,
) -> None:
    view = view_of_lengths(3)
    rows = frames.page_rows(frames.ranked_rows(view), 1, 25)
    window = frames.StepWindow(first=1, last=3)
    cells = frames.cells(
        view, rows, "score", window, words={(view.signals.trace_ids[0], 1): "wrong"}
    )
    inks = {}
    for dark in (False, True):
        scale = palette.colour_scale("score", 0.5, dark=dark)
        spec = figure.heatmap_spec(cells, rows["row"].tolist(), window, scale, dark=dark)
        _, halo, signs = spec["layer"]
        inks[dark] = (halo["mark"]["stroke"], signs["encoding"]["color"]["value"])
    assert inks == {False: ("#ffffff", "#14171c"), True: ("#14171c", "#ffffff")}


def test_a_row_tells_what_it_is_sorted_by(view_of_lengths: MakeView) -> None:
    view = view_of_lengths(3, 2)
    rows = frames.page_rows(frames.ranked_rows(view, "n_tokens"), 1, 25)
    window = frames.StepWindow(first=1, last=3)
    scale = palette.colour_scale("score", 0.5, dark=False)
    told = rows.assign(sorted=["Tokens: 9", "Tokens: 4"])

    cells = frames.cells(view, told, "score", window)
    spec = figure.heatmap_spec(cells, rows["row"].tolist(), window, scale)

    assert cells["sorted"].tolist() == ["Tokens: 9"] * int(told["n_steps"].iloc[0]) + (
        ["Tokens: 4"] * int(told["n_steps"].iloc[1])
    )
    assert spec["encoding"]["tooltip"][-1]["title"] == "Sorted by"


@pytest.mark.parametrize("dark", [False, True])
def test_the_numbers_of_a_matrix_stand_out_from_their_cells(dark: bool) -> None:
    scale = palette.colour_scale("score", 1.0, dark=dark)
    for value in np.linspace(-1, 1, 81):
        colour = scale.colour(float(value))
        assert palette.contrast(palette.ink_on(colour), colour) >= 4.5
    assert palette.contrast("#000000", "#ffffff") == pytest.approx(21)
    numbers = trace.matrix_chart(np.eye(4), scale, step=1, dark=dark).data[1]
    zero, one = palette.ink_on(scale.colour(0.0)), palette.ink_on(scale.colour(1.0))
    assert list(numbers.textfont.color) == [one if i % 5 == 0 else zero for i in range(16)]
    assert list(numbers.text)[:2] == ["1.00", "0.00"]


def test_a_matrix_names_the_verdicts_of_its_steps(view_of_lengths: MakeView) -> None:
    scale = palette.colour_scale("score", 1.0, dark=False)

    drawn = trace.matrix_chart(np.eye(31), scale, step=1, dark=False, signs={2: "✗", 3: "○"})

    named = dict(zip(drawn.layout.xaxis.tickvals, drawn.layout.xaxis.ticktext, strict=True))
    assert (named[2], named[3], named[31]) == ("2 ✗", "3 ○", "answer")


def test_dots_of_rank_one_are_whole() -> None:
    ranks = pd.DataFrame(
        {"rank_a": [1, 2], "rank_b": [2, 1], "in_a": [True, True], "in_b": [True, False]},
        index=["x", "y"],
    )
    drawn = comparison_chart(ranks, ("a", "b"), dark=False)
    assert {dots.cliponaxis for dots in drawn.data} == {False}


def test_a_notebook_is_told_which_signals_there_are(view_of_lengths: MakeView) -> None:
    with pytest.raises(InputError, match=r"no signal 'bogus' here: use one of score, alignment"):
        view_of_lengths(3).heatmap("bogus")
    assert view_of_lengths(3).heatmap(dark=True).to_dict()["background"] == "#14171c"


def test_a_notebook_gets_the_heatmap_of_the_best_traces(view_of_lengths: MakeView) -> None:
    view = view_of_lengths(3, 2, 4, 1)

    spec = view.heatmap("alignment", rows=2).to_dict()

    (data,) = spec["datasets"].values()
    best = set(view.signals.trace_ids[np.argsort(-view.values)[:2]])
    assert {cell["trace_id"] for cell in data} == best
    assert spec["encoding"]["fill"]["legend"]["title"][0].startswith("Alignment")


def test_datasets_are_apart_in_pooled_deviations_where_several_have_the_metric() -> None:
    columns = ["dataset", "metric", "mean", "deviation"]
    rows = [
        ("a", "Length", 4.0, 1.0), ("b", "Length", 14.0, 7.0),
        ("a", "Steps", 3.0, 0.0), ("b", "Steps", 3.0, 0.0),
        ("a", "Validity", 0.9, 0.1),
    ]  # fmt: skip
    a, b = parallel_chart(pd.DataFrame(rows, columns=columns), dark=True).data
    assert list(a.x) == ["Length", "Steps"], "one dataset alone has no middle to be away from"
    assert list(a.y) == [-1.0, 0.0]  # ±5, in units of √((1² + 7²) / 2)
    assert list(b.y) == [1.0, 0.0]
