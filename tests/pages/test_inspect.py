"""Does the Inspect page show a run, follow its widgets, and say what to do where nothing is?"""

import shutil
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from grace_engine import api
from grace_engine.config import History, IngestConfig, ScoreConfig, Weights
from grace_engine.ui import data_jobs
from grace_engine.ui.pane import VIEWS
from tests.pages.conftest import ROOT


@pytest.fixture
def own_workspace(scored_workspace: api.Workspace, tmp_path: Path) -> api.Workspace:
    """A copy of the scored workspace, to say something in."""
    shutil.copytree(scored_workspace.root, tmp_path / "w")
    return api.open_workspace(tmp_path / "w", create=False)


def texts(app: AppTest) -> str:
    return "\n".join(text.value for text in app.text)


def facts(app: AppTest) -> str:
    return next(html.value for html in app.html if "g-head" in html.value)


def ranked(workspace: api.Workspace, weights: Weights | None = None):
    view = api.run_view(workspace, "latest", weights)
    rows = view.traces.assign(value=view.values).sort_values(
        ["value", "trace_id"], ascending=[False, True]
    )
    return list(zip(rows["trace_id"], rows["value"], strict=True))


def test_without_a_workspace_the_page_says_how_to_make_one(open_app, tmp_path: Path) -> None:
    app = open_app(tmp_path / "none yet")

    assert not app.exception
    assert app.info[0].proto.title == "Nothing is stored here yet"
    assert f"'{tmp_path}/none yet'" in app.code[0].value
    assert not (tmp_path / "none yet").exists()


def test_one_click_on_the_page_that_opens_first_prepares_the_sample(
    open_app, tmp_path: Path
) -> None:
    app = open_app(tmp_path / "w")

    next(each for each in app.button if each.label == "Prepare the sample").click().run()

    assert not app.exception
    workspace = api.open_workspace(tmp_path / "w", create=False)
    (job,) = api.list_jobs(workspace)
    assert job.spec.kind == "sample"
    assert job.spec.title in texts(app)
    api.cancel_job(workspace, job.id)
    deadline = time.monotonic() + 120
    while api.get_job(workspace, job.id).is_active:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_guide_and_the_pages_say_the_same_time_for_the_sample() -> None:
    guide = " ".join((ROOT / "docs" / "guide.md").read_text().split())

    assert "15 to 30 seconds on two idle cores, more beside other work" in guide
    assert "15 to 30 seconds on two idle cores, more beside other work" in data_jobs.SAMPLE


def test_without_a_run_the_page_says_how_to_score(
    open_app, tmp_path: Path, sample_file: Path
) -> None:
    workspace = api.open_workspace(tmp_path / "w", create=True)
    api.ingest(workspace, [sample_file], IngestConfig(dataset="solutions"))

    app = open_app(workspace.root)

    assert not app.exception
    assert app.info[0].proto.title == "Nothing is scored yet"
    assert any("grace score" in code.value for code in app.code)


def test_a_run_that_scored_nothing_says_so(open_app, tmp_path: Path, sample_file: Path) -> None:
    workspace = api.open_workspace(tmp_path / "w", create=True)
    api.ingest(workspace, [sample_file], IngestConfig(dataset="solutions"))
    model = str(ROOT / "sample_data" / "tiny-reasoner")
    api.score(workspace, ScoreConfig(model=model, max_length=1))

    app = open_app(workspace.root)

    assert not app.exception
    assert app.info[0].proto.title == "This run has scored no trace yet"
    assert "39 were rejected" in app.info[0].value


def test_a_file_that_is_no_workspace_is_a_sentence(open_app, tmp_path: Path) -> None:
    (tmp_path / "grace.duckdb").write_bytes(b"not a database")

    app = open_app(tmp_path)

    assert not app.exception
    assert len(app.error) == 1


def test_the_best_trace_opens_first(open_app, scored_workspace: api.Workspace) -> None:
    app = open_app(scored_workspace.root)

    best, value = ranked(scored_workspace)[0]
    assert not app.exception
    assert app.query_params["trace"] == best
    assert app.query_params["run"] == api.get_run(scored_workspace, "latest").id
    assert f"{value:+.3f}" in facts(app)


def test_changed_weights_change_values_and_order_without_reading_grams(
    open_app, scored_workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app(scored_workspace.root)
    read = []
    monkeypatch.setattr(api, "run_view", lambda *args: read.append(args))

    app.slider(key="alpha").set_value(0.0)
    app.selectbox(key="aggregate").set_value("min")
    del app.query_params["trace"]
    app.run()

    monkeypatch.undo()
    best, value = ranked(scored_workspace, Weights(alpha=0.0, aggregate="min"))[0]
    assert not app.exception
    assert not read
    assert app.query_params["trace"] == best
    assert f"{value:+.3f}".replace("-", "−") in facts(app)


def test_another_history_is_computed_from_stored_grams(
    open_app, scored_workspace: api.Workspace
) -> None:
    app = open_app(scored_workspace.root, history="ema:0.35", sort="Value")

    best, value = ranked(scored_workspace, Weights(history=History.parse("ema:0.35")))[0]
    assert not app.exception
    assert app.query_params["trace"] == best
    assert f"{value:+.3f}" in facts(app)


def test_a_history_that_is_none_is_a_sentence(open_app, scored_workspace: api.Workspace) -> None:
    app = open_app(scored_workspace.root, history="window:0")

    assert not app.exception
    assert "is not known" in app.error[0].value


def test_buttons_walk_through_steps_and_traces(open_app, scored_workspace: api.Workspace) -> None:
    app = open_app(scored_workspace.root)
    order = [trace for trace, _ in ranked(scored_workspace)]
    assert app.button(key="previous-trace").disabled

    app.button(key="next-trace").click().run()
    assert (app.query_params["trace"], app.query_params["step"]) == (order[1], "1")

    n_steps = len(api.trace_view(scored_workspace, order[1]).trace.steps)
    for _ in range(n_steps - 1):
        app.button(key="next-step").click().run()
    assert app.query_params["step"] == str(n_steps)
    assert app.button(key="next-step").disabled
    assert not app.exception


def test_the_next_trace_turns_the_page(open_app, scored_workspace: api.Workspace) -> None:
    order = [trace for trace, _ in ranked(scored_workspace)]
    app = open_app(scored_workspace.root, trace=order[24])

    app.button(key="next-trace").click().run()

    assert (app.query_params["trace"], app.query_params["page"]) == (order[25], "2")


def test_another_order_brings_up_the_page_of_the_open_trace(
    open_app, scored_workspace: api.Workspace
) -> None:
    best, _ = ranked(scored_workspace)[0]
    app = open_app(scored_workspace.root, trace=best)
    assert app.query_params["page"] == "1"

    app.selectbox(key="order").set_value("Ascending").run()
    assert (app.query_params["trace"], app.query_params["page"]) == (best, "2")

    app.selectbox(key="order").set_value("Descending").run()
    assert (app.query_params["trace"], app.query_params["page"]) == (best, "1")


def test_an_unknown_linked_run_is_named_and_so_is_the_one_that_is_shown(
    open_app, scored_workspace: api.Workspace
) -> None:
    app = open_app(scored_workspace.root, run="r-ffffffff")

    said = app.warning[0].value.replace("\\", "")
    assert "r-ffffffff is not in this workspace; this is tiny-reasoner · upstream · " in said


def test_a_link_reopens_run_signal_sort_trace_and_step(
    open_app, scored_workspace: api.Workspace
) -> None:
    view = api.run_view(scored_workspace)
    longest = view.traces.sort_values("n_steps").iloc[-1]

    app = open_app(
        scored_workspace.root,
        signal="Alignment",
        sort="Steps",
        order="Ascending",
        page="2",
        trace=longest["trace_id"],
        step="3",
    )

    assert not app.exception
    assert app.selectbox(key="sort").value == "Steps"
    assert app.selectbox(key="order").value == "Ascending"
    assert app.query_params["trace"] == longest["trace_id"]
    assert any('aria-current="step" aria-label="step 3,' in html.value for html in app.html)


def test_a_link_to_a_trace_alone_opens_the_page_that_holds_it(
    open_app, scored_workspace: api.Workspace
) -> None:
    last, _ = ranked(scored_workspace)[-1]

    app = open_app(scored_workspace.root, trace=last)

    assert (app.query_params["trace"], app.query_params["page"]) == (last, "2")


@pytest.mark.parametrize(
    "link",
    [
        {"run": "r-ffffffff"},
        {"trace": "<script>"},
        {"step": "999"},
        {"step": "-1", "page": "x", "steps": "9" * 5000},
        {"signal": "nothing", "sort": "nothing", "rows": "7", "alpha": "9"},
    ],
)
def test_a_broken_link_still_opens_the_page(
    open_app, scored_workspace: api.Workspace, link: dict[str, str]
) -> None:
    app = open_app(scored_workspace.root, **link)

    assert not app.exception
    assert not app.error
    assert "g-step" in "".join(html.value for html in app.html)


def test_filters_of_a_link_combine_and_the_count_says_how_many(
    open_app, scored_workspace: api.Workspace
) -> None:
    traces = api.run_view(scored_workspace).traces
    meant = traces[(traces["n_steps"] >= 3) & ~traces["label.is_correct"].astype(bool)]

    app = open_app(scored_workspace.root, correct="wrong", n_steps="3..")

    assert not app.exception
    assert f"{len(meant)} of {len(traces)} traces" in texts(app)
    assert app.query_params["trace"] in set(meant["trace_id"])
    assert {"Wrong answer", "Steps ≥ 3"} <= {b.label.replace("\\", "") for b in app.button}


def test_a_filter_can_be_set_and_taken_away(open_app, scored_workspace: api.Workspace) -> None:
    app = open_app(scored_workspace.root, rows="50", sort="Steps", alpha="0.5")

    app.text_input(key="filter-q").set_value("nowhere in any trace").run()
    assert app.info[0].proto.title == "No trace matches all of these filters"
    assert "trace" not in app.query_params

    app.button(key="chip-q").click().run()
    assert not app.info
    assert not app.exception
    assert "q" not in app.query_params
    assert (app.query_params["rows"], app.query_params["sort"]) == ("50", "Steps")


def test_any_number_is_bounded_where_a_range_is_added(
    open_app, scored_workspace: api.Workspace
) -> None:
    app = open_app(scored_workspace.root)
    assert not [box for box in app.number_input if box.key.startswith("filter-")]

    app.selectbox(key="filter-add-range").set_value("alignment").run()
    app.number_input(key="filter-alignment-least").set_value(0.1).run()

    assert not app.exception
    assert app.query_params["alignment"] == "0.1.."
    assert "alignment" not in app.selectbox(key="filter-add-range").options
    assert app.number_input(key="filter-alignment-least").value == 0.1
    signals = api.run_view(scored_workspace).signals
    means = [signals.alignment[signals.steps_of(i)].mean() for i in range(len(signals.n_steps))]
    assert f"{sum(mean >= 0.1 for mean in means)} of {len(means)} traces" in texts(app)


def test_a_range_of_margins_is_about_the_budget_of_the_address(
    open_app, scored_workspace: api.Workspace
) -> None:
    app = open_app(scored_workspace.root, margin="0..", budget="10")

    assert not app.exception
    assert "10 of 39 traces" in texts(app)


def test_a_bad_expression_is_a_sentence(open_app, scored_workspace: api.Workspace) -> None:
    app = open_app(scored_workspace.root, q="(", regex="1")

    assert not app.exception
    assert "is no regular expression" in app.error[0].value.replace("\\", "")


def test_a_verdict_is_said_shown_withdrawn_and_undone(
    open_app, own_workspace: api.Workspace
) -> None:
    app = open_app(own_workspace.root)
    trace = app.query_params["trace"]

    app.button(key="verdict-wrong").click().run()
    (entry,) = api.annotations(own_workspace).verdicts[trace].values()
    assert (entry.word, entry.step) == ("wrong", 1)
    assert any("✗ wrong" in html.value for html in app.html)

    app.button(key="verdict-wrong").click().run()
    assert not api.annotations(own_workspace).verdicts

    app.button(key="undo").click().run()
    assert api.annotations(own_workspace).n_verdicts == 1
    assert "Undone" in app.toast[0].value
    app.button(key="undo").click().run()
    assert api.annotations(own_workspace).n_verdicts == 0
    assert app.button(key="undo").disabled


def test_all_filtered_traces_are_dropped_in_one_action(
    open_app, own_workspace: api.Workspace
) -> None:
    traces = api.run_view(own_workspace).traces
    wrong = set(traces.loc[traces["label.is_correct"] == False, "trace_id"])  # noqa: E712
    app = open_app(own_workspace.root, correct="wrong")
    assert app.button(key="drop-all").label == f"Drop all {len(wrong)}"

    app.button(key="drop-all").click().run()
    overrides = api.annotations(own_workspace).overrides
    assert {name: entry.word for name, entry in overrides.items()} == dict.fromkeys(wrong, "drop")
    assert "⊖ dropped" in facts(app)

    app.button(key="undo").click().run()
    assert not api.annotations(own_workspace).overrides


def test_an_opened_trace_was_looked_at_and_stays_listed(
    open_app, own_workspace: api.Workspace
) -> None:
    before = api.annotations(own_workspace).looked
    app = open_app(own_workspace.root, looked="no")
    first = app.query_params["trace"]

    app.run()
    assert app.query_params["trace"] == first
    assert api.annotations(own_workspace).looked - before == {first}

    app.button(key="next-trace").click().run()
    second = app.query_params["trace"]
    assert second != first
    assert api.annotations(own_workspace).looked - before == {first, second}


@pytest.mark.long
def test_traces_that_could_not_be_scored_are_listed_read_and_dropped(
    open_app, tmp_path: Path, sample_file: Path
) -> None:
    workspace = api.open_workspace(tmp_path / "w", create=True)
    api.ingest(workspace, [sample_file], IngestConfig(dataset="solutions"))
    model = str(ROOT / "sample_data" / "tiny-reasoner")
    run = api.score(workspace, ScoreConfig(model=model, max_length=150)).run
    assert 0 < run.n_rejected < 39
    app = open_app(workspace.root)

    button = app.button(key="list-unscored")
    assert button.label == f"List the {run.n_rejected} not scored"
    button.click().run()
    assert not app.exception
    assert app.query_params["scored"] == "no"
    (table,) = app.dataframe
    assert len(table.value) == run.n_rejected
    assert set(table.value["reason"]) == {"too-long"}
    first = app.query_params["trace"]
    assert api.ingested_trace(workspace, first).prompt[:9] in facts(app)
    assert "too-long: " in facts(app)

    app.button(key="next-trace").click().run()
    second = app.query_params["trace"]
    app.button(key="drop").click().run()
    assert {t: e.word for t, e in api.annotations(workspace).overrides.items()} == {second: "drop"}
    assert (app.dataframe[0].value["override"] == "drop").sum() == 1

    app.button(key="chip-scored").click().run()
    assert "scored" not in app.query_params
    assert "g-step" in "".join(html.value for html in app.html)


@pytest.mark.parametrize("how", VIEWS)
def test_every_view_of_a_trace_opens(open_app, scored_workspace: api.Workspace, how: str) -> None:
    app = open_app(scored_workspace.root, view=how)

    assert not app.exception
    assert not app.error


def test_a_trace_is_opened_by_the_beginning_of_its_id(
    open_app, scored_workspace: api.Workspace
) -> None:
    app = open_app(scored_workspace.root)
    last, _ = ranked(scored_workspace)[-1]

    app.text_input(key="jump-to").set_value(last[:8]).run()

    assert (app.query_params["trace"], app.query_params["page"]) == (last, "2")


def test_the_traces_nearest_the_cut_come_first(open_app, scored_workspace: api.Workspace) -> None:
    rows = ranked(scored_workspace)
    at_cut, cut = rows[9]

    app = open_app(scored_workspace.root, sort="Margin to the cut", budget="10", order="Ascending")

    assert not app.exception
    assert app.query_params["trace"] == at_cut
    assert any(f"a budget of 10: {cut:+.3f}" in caption.value for caption in app.caption)


def test_an_address_that_fell_behind_the_slider_is_written_anew(
    open_app, scored_workspace: api.Workspace
) -> None:
    app = open_app(scored_workspace.root, alpha="0.5")
    app.query_params["alpha"] = "0.6"  # as it stands after a key was held on a busy machine

    app.run()

    assert app.slider(key="alpha").value == 0.5
    assert app.query_params["alpha"] == "0.5"
