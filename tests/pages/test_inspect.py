"""Does the Inspect page show a run, follow its widgets, and say what to do where nothing is?"""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from grace_engine import api
from grace_engine.config import History, IngestConfig, ScoreConfig, Weights
from tests.pages.conftest import ROOT


@pytest.fixture
def open_app(monkeypatch: pytest.MonkeyPatch):
    """Open the app over a workspace, at a link."""

    def open_at(workspace: Path, **link: str) -> AppTest:
        monkeypatch.setenv("GRACE_WORKSPACE", str(workspace))
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for name, value in link.items():
            app.query_params[name] = value
        return app.run()

    return open_at


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
    assert app.info[0].proto.title == "There is no workspace yet"
    assert f"grace sample --workspace '{tmp_path}/none yet'" in [code.value for code in app.code]
    assert not (tmp_path / "none yet").exists()


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
