"""Do a judge's labels stand in Inspect beside the signals, told apart from the data's own?"""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import vl_convert

from grace_engine import api
from grace_engine.figures import frames, heatmap, palette
from grace_engine.records import Judge, JudgedStep
from grace_engine.report.judge_tables import judged_sentences
from grace_engine.ui import filtering, pane
from grace_engine.ui.filtering import Filters
from grace_engine.ui.frames import sort_options
from tests.judging.played import asked_for, blocks, no, reply
from tests.pages.conftest import OpenPage
from tests.served import Served

MakeView = Callable[..., api.RunView]
NAN = np.nan


def with_judge(view: api.RunView, validity: list[float]) -> api.RunView:
    """The view with a judge that was asked for validity alone."""
    values = {name: np.full(len(validity), NAN) for name in ("factuality", "coherence", "utility")}
    values |= {"validity": np.array(validity), "judge": np.array(validity)}
    texts = ["not valid" if v == 0 else "all positive" if v == 1 else "" for v in validity]
    judged = api.StepJudge(
        judge=Judge(id="j-1", model="m"), values=values, texts=np.array(texts, dtype=object)
    )
    return replace(view, judged=judged)


@pytest.fixture
def view(view_of_lengths: MakeView) -> api.RunView:
    """Four traces: doubted at its third step, good, not judged, doubted at its first."""
    return with_judge(view_of_lengths(3, 2, 1, 2), [1, 1, 0, 1, 1, NAN, 0, NAN])


def dashed(cells: pd.DataFrame, rows: pd.DataFrame, *more: Any, **selected: Any) -> int:
    """Dashed frames in the picture itself."""
    drawn = heatmap.heatmap(cells, rows["row"].tolist(), *more, **selected).to_dict()
    return vl_convert.vegalite_to_svg(drawn).count('stroke-dasharray="4,2"')


def test_cells_tell_the_judge_from_the_data(view: api.RunView) -> None:
    rows = frames.page_rows(frames.ranked_rows(view, "trace_id", descending=False), 1, 9)
    window = frames.StepWindow(first=1, last=3)
    kinds = np.array(["wrong", *[""] * 7], dtype=object)
    cells = frames.cells(view, rows, "validity", window, kinds, judged=view.judged)
    assert cells["value"].tolist()[:3] == [1, 1, 0]
    assert cells["bad"].tolist() == [True, *[False] * 7]
    assert cells["doubted"].tolist() == [False, False, True, False, False, False, True, False]
    assert cells["judge"].tolist()[2:6] == ["not valid", "all positive", "all positive", "–"]
    scale = palette.colour_scale("validity", 1.0, dark=False)
    spec = heatmap.heatmap_spec(cells, rows["row"].tolist(), window, scale)
    text = json.dumps({k: v for k, v in spec.items() if k != "datasets"})
    assert "dashed: doubted by the judge" in text
    assert dashed(cells, rows, window, scale) == 2
    # The red frame of a labelled step stays whole, the outline of an open one around its dashes.
    third = str(cells["trace_id"][2]), int(cells["step"][2])
    assert dashed(cells, rows, window, scale, selected=third) == 2
    plain = frames.cells(view, rows, "score", window, kinds)
    assert not plain["doubted"].any()
    shown = heatmap.heatmap_spec(plain, rows["row"].tolist(), window, scale)
    assert "dashed: doubted" not in json.dumps({k: v for k, v in shown.items() if k != "datasets"})


def test_traces_are_filtered_and_sorted_by_what_the_judge_doubts(view: api.RunView) -> None:
    rows = filtering.with_judge(frames.facts(view), view.judged, view.signals)  # type: ignore[arg-type]

    def meant(choice: str) -> list[bool]:
        return filtering.mask(rows, Filters(choices={"doubt": choice})).tolist()

    assert meant("any") == [True, False, False, True]
    assert meant("validity") == [True, False, False, True]
    assert meant("utility") == [False] * 4
    assert meant("none") == [False, True, False, False]
    assert meant("unread") == [False, False, True, False]
    below = filtering.mask(rows, Filters(ranges={"judge_mean": (None, 0.5)}))
    assert below.tolist() == [False, False, False, True]
    assert "judge_worst" in sort_options(rows)
    assert "judge_worst" not in sort_options(frames.facts(view))
    order = frames.reading_order(
        rows["trace_id"].to_numpy(object), rows["judge_worst"], descending=False
    )
    assert order.tolist() == [0, 3, 1, 2]  # the worst first, what nobody read last
    asked = filtering.read({"doubt": ["validity"], "judge_worst": ["..0.5"]})
    assert set(filtering.chips(asked)) == {"doubt", "judge_worst"}


def test_without_a_judge_its_filter_lets_everything_through(view: api.RunView) -> None:
    rows = frames.facts(replace(view, judged=None))
    assert filtering.mask(rows, Filters(choices={"doubt": "any"})).all()


def test_a_step_says_why_it_is_doubted_and_hostile_reasons_are_text() -> None:
    said = JudgedStep(
        trace_id="t", step=1, labels={"validity": False}, reasons={"validity": "<b>no</b>"}
    )
    assert pane._doubt(said) == "⚖ not valid: <b>no</b>"
    assert pane._doubt(JudgedStep(trace_id="t", step=1, labels={"validity": True})) == ""
    failed = JudgedStep(trace_id="t", step=1, failures={"atoms": "invalid-reply"})
    assert pane._doubt(failed) == "⚖ not found out: atoms"


@pytest.fixture(scope="module")
def judged_workspace(
    _scored: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[api.Workspace]:
    root = tmp_path_factory.mktemp("judged-page") / "workspace"
    shutil.copytree(_scored, root)
    workspace = api.open_workspace(root, create=False)

    def doubting(body: dict[str, Any]) -> Any:
        found = blocks(body)
        if asked_for(body) == "atoms":
            return reply(json.dumps({"claims": [{"text": found["step"], "type": "meta"}]}))
        second = found["earlier-steps"].startswith("[1]") and "\n[2]" not in found["earlier-steps"]
        return reply(json.dumps(no("<b>By hand</b>.")) if second else '{"label": "positive"}')

    served = Served(doubting)
    api.judge(
        workspace,
        "solutions",
        api.JudgeSettings(endpoint=served.url, model="played", metrics=("validity",), sample=5),
    )
    yield workspace
    served.close()


def test_the_page_opens_the_worst_step_with_its_reason(
    judged_workspace: api.Workspace, open_app: OpenPage
) -> None:
    link = {
        "signal": "Validity", "sort": "Lowest judge score", "order": "Ascending", "doubt": "any",
    }  # fmt: skip
    app = open_app(judged_workspace.root, **link)
    assert not app.exception
    doubted = {one.trace_id for one in api.worst_steps(judged_workspace, limit=0)}
    assert app.query_params["trace"] in doubted
    assert app.query_params["step"] == "2"
    assert f"{len(doubted)} of " in "\n".join(text.value for text in app.text)
    markup = "\n".join(html.value for html in app.html)
    assert "⚖ not valid: &lt;b&gt;By hand&lt;/b&gt;." in markup
    assert "<b>By hand" not in markup
    assert app.session_state["signal"] == "Validity"


@pytest.mark.long
def test_the_worst_come_first_and_an_unjudged_trace_does_not_turn_the_page(
    judged_workspace: api.Workspace, open_app: OpenPage
) -> None:
    doubted = {one.trace_id for one in api.worst_steps(judged_workspace, limit=0)}
    view = api.run_view(judged_workspace, "latest")
    read = {t for t in view.signals.trace_ids if api.judged_on(judged_workspace, t)}
    unread = next(t for t in view.signals.trace_ids if t not in read)
    app = open_app(judged_workspace.root, trace=unread)
    app.selectbox(key="sort").set_value("Lowest judge score").run()
    assert not app.exception
    assert app.selectbox(key="order").value == "Ascending"
    assert app.query_params["trace"] in doubted
    app.selectbox(key="order").set_value("Descending").run()
    assert app.query_params["trace"] in read  # the unjudged stay last
    fresh = open_app(judged_workspace.root, sort="Lowest judge score")
    assert fresh.query_params["trace"] in doubted


@pytest.mark.long
def test_the_dataset_page_says_who_judged_how_much_at_which_cost(
    judged_workspace: api.Workspace, open_page: OpenPage
) -> None:
    report = api.dataset_report(judged_workspace, "solutions")
    app = open_page("dataset", judged_workspace.root)
    assert not app.exception
    said = "\n".join(str(each.value) for each in app.text)
    (sentence,) = judged_sentences(report)
    assert "played (judge j-" in sentence
    assert "read 5 of 39 traces of solutions" in sentence
    assert sentence in said
    shown = [each.value for each in app.dataframe if "of all steps" in each.value]
    assert [frame["metric"].tolist() for frame in shown] == [["validity"]]
