"""Does the Curate page choose, explain, save and export, and say what to do where nothing is?"""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from grace_engine import api, store
from grace_engine.config import Budget, CurateConfig, History, IngestConfig, Weights
from grace_engine.errors import InputError
from grace_engine.export.formats import FORMATS
from grace_engine.figures import selection as figures
from grace_engine.figures.frames import minus
from grace_engine.records import Selection
from grace_engine.ui import curate_export, curate_frames
from tests.pages.conftest import HOSTILE_NAME, ROOT

MakeView = Callable[..., api.RunView]


@pytest.fixture
def open_curate(monkeypatch: pytest.MonkeyPatch):
    """Open the page over a workspace, at a link."""

    def open_at(workspace: Path, **link: str) -> AppTest:
        monkeypatch.setenv("GRACE_WORKSPACE", str(workspace))
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        app.switch_page("pages/curate.py")
        for name, value in link.items():
            app.query_params[name] = value
        return app.run()

    return open_at


@pytest.fixture
def view_of(view_of_lengths: MakeView) -> MakeView:
    """A run of random gradients whose traces each have a record of their own."""

    def make(*lengths: int, **columns: list[object]) -> api.RunView:
        return view_of_lengths(*lengths, record_digest=[""] * len(lengths), **columns)

    return make


def numbers(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def address(app: AppTest) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else value[-1]
        for name, value in app.query_params.items()
    }


def says(app: AppTest) -> str:
    return "\n".join(str(text.value) for text in [*app.text, *app.markdown, *app.caption])


# What is shown


def test_without_a_workspace_the_page_says_how_to_make_one(open_curate, tmp_path: Path) -> None:
    app = open_curate(tmp_path / "none")

    assert not app.exception
    assert app.info[0].proto.title == "Nothing is stored here yet"


def test_without_a_run_the_page_says_how_to_score(
    open_curate, tmp_path: Path, sample_file: Path
) -> None:
    workspace = api.open_workspace(tmp_path / "w", create=True)
    api.ingest(workspace, [sample_file], IngestConfig(dataset="solutions"))

    app = open_curate(workspace.root)

    assert not app.exception
    assert app.info[0].proto.title == "Nothing is scored yet"


def test_the_choice_is_that_of_the_engine(open_curate, scored_workspace: api.Workspace) -> None:
    app = open_curate(scored_workspace.root, budget="30%", alpha="0.4", cap="2")

    view = api.run_view(scored_workspace, "latest", Weights(alpha=0.4))
    taken = api.live_choice(view, CurateConfig(budget="30%", cap_per_prompt=2))
    assert not app.exception
    shown = numbers(app)
    assert shown["Traces"] == f"{taken.n_selected:,}"
    assert shown["Tokens"] == f"{taken.tokens:,}"
    assert shown["Lowest value taken"] == f"{taken.cut:.4g}"
    right = view.traces["label.is_correct"][taken.selected]
    assert shown["Correct"] == f"{right.map({True: 1.0, False: 0.0}).mean():.1%}"


def test_a_slider_changes_the_budget_in_the_address(
    open_curate, scored_workspace: api.Workspace
) -> None:
    app = open_curate(scored_workspace.root)

    app.slider(key="budget-slider").set_value(50.0).run()

    assert address(app)["budget"] == "50%"
    assert numbers(app)["Traces"] == "20"


def test_a_change_of_kind_keeps_what_was_taken(
    open_curate, scored_workspace: api.Workspace
) -> None:
    app = open_curate(scored_workspace.root, budget="50%")
    tokens = numbers(app)["Tokens"].replace(",", "")

    app.segmented_control(key="budget-kind").set_value("tokens").run()

    assert address(app)["budget"] == f"{tokens}tok"
    assert numbers(app)["Traces"] == "20"


def test_a_typed_budget_that_is_none_is_a_sentence_and_changes_nothing(
    open_curate, scored_workspace: api.Workspace
) -> None:
    app = open_curate(scored_workspace.root, budget="10")

    app.text_input(key="budget-text").set_value("a lot").run()

    assert not app.exception
    assert "a lot" in app.toast[0].value
    assert address(app)["budget"] == "10"
    assert numbers(app)["Traces"] == "10"


def test_links_that_make_no_sense_leave_a_page_that_works(
    open_curate, scored_workspace: api.Workspace
) -> None:
    app = open_curate(
        scored_workspace.root, budget="nan%", per="label.<b>", selection="s-no", section="?"
    )

    assert not app.exception
    assert numbers(app)["Traces"] == "8"
    assert "The linked budget is none" in app.warning[0].value


def test_more_kept_than_the_budget_allows_is_a_sentence(
    open_curate, own_workspace: api.Workspace
) -> None:
    ids = api.run_view(own_workspace).traces["trace_id"].tolist()
    api.override(own_workspace, ids[:5], True, reason="fine")

    app = open_curate(own_workspace.root, budget="2")

    assert not app.exception
    assert "5 traces are kept by hand" in app.error[0].value.replace("\\", "")
    assert app.slider(key="budget-slider")  # to raise it


def test_overrides_are_counted_and_can_be_ignored(
    open_curate, own_workspace: api.Workspace
) -> None:
    ids = api.run_view(own_workspace).traces["trace_id"].tolist()
    api.override(own_workspace, ids[:2], True)
    api.override(own_workspace, ids[2:3], False)
    app = open_curate(own_workspace.root, budget="10")
    assert numbers(app)["By hand"] == "2 kept"

    app.toggle(key="overrides-box").set_value(False).run()

    assert address(app)["overrides"] == "no"
    assert numbers(app)["By hand"] == "2 kept"
    assert "not respected" in next(m.delta for m in app.metric if m.label == "By hand")


# Sections


def test_why_says_what_grace_why_says(open_curate, scored_workspace: api.Workspace) -> None:
    view = api.run_view(scored_workspace)
    trace = str(view.traces["trace_id"].iloc[7])
    found = api.why(view, CurateConfig(), None, trace)

    app = open_curate(scored_workspace.root, section="Why", trace=trace)

    shown = numbers(app)
    assert shown["In or out"] == ("In" if found.selected else "Out")
    assert shown["Value"] == minus(f"{found.value:.4f}")
    assert shown["Margin"] == minus(f"{found.margin:+.4f}")
    turns = "Leaves" if found.selected else "Enters"
    assert shown[f"{turns} at α"] == (f"{found.flip_alpha:g}" if found.flip_alpha else "none")
    below = "below" if found.selected else "at"
    assert shown[f"{turns} {below} a budget of"] == found.needed_budget
    assert app.code[0].value.startswith(f"grace why {trace} --run ")


def test_why_of_a_trace_that_is_not_there_is_a_sentence(
    open_curate, scored_workspace: api.Workspace
) -> None:
    app = open_curate(scored_workspace.root, section="Why", trace="nothing")

    assert not app.exception
    assert "has scored no trace" in app.error[0].value


@pytest.mark.parametrize("section", ["Bias", "Budget curve", "Enters and leaves", "Selections"])
def test_every_section_opens_by_its_link(
    open_curate, scored_workspace: api.Workspace, section: str
) -> None:
    app = open_curate(scored_workspace.root, section=section)

    assert not app.exception
    assert not app.error


def test_bias_shows_the_warnings_of_the_engine(open_curate, own_workspace: api.Workspace) -> None:
    app = open_curate(own_workspace.root, section="Bias", strategy="longest")

    said = app.expander[0].markdown[0].value.replace("\\", "")
    assert "may be one by length. Split the budget over strata" in said
    assert "strategy longest" not in said
    lines = app.warning[0].value.replace("\\", "").splitlines()
    assert lines[0].startswith("- Value mostly follows the token count")
    assert lines[0].endswith(": the choice may be one by length.")
    assert max(map(len, lines)) < 110
    details = "\n".join(said.value for said in app.expander[0].markdown).replace("\\", "")
    assert "traces with more tokens rank higher than those with fewer" in details


def test_the_command_shown_makes_the_selection_that_the_button_saves(
    open_curate, own_workspace: api.Workspace, grace
) -> None:
    app = open_curate(
        own_workspace.root,
        section="Selections",
        budget="40%",
        alpha="0.3",
        strategy="grace",
        cap="3",
        aggregate="min",
    )
    words = app.code[0].value.split()
    status, out, _ = grace(*words[1:], "--json")
    assert status == 0

    app.button(key="save-choice").click().run()

    assert address(app)["selection"] == json.loads(out)["selection"]


# Saved selections


def save(app: AppTest, name: str) -> str:
    app.text_input(key="save-name").set_value(name).run()
    app.button(key="save-choice").click().run()
    assert not app.exception
    assert not app.error
    return address(app)["selection"]


def test_a_choice_is_saved_compared_branched_renamed_and_deleted(
    open_curate, own_workspace: api.Workspace
) -> None:
    app = open_curate(own_workspace.root, section="Selections", budget="25%", alpha="0.5")
    first = save(app, "mine")
    assert api.get_selection(own_workspace, "mine").id == first

    app.slider(key="budget-slider").set_value(50.0).run()
    assert "10 enter, 0 leave, 10 stay" in says(app)
    assert f"Overlap (Jaccard) {10 / 20:.3f}" in says(app)

    app.button(key="branch").click().run()
    assert address(app)["budget"] == "25%"
    assert address(app)["parent"] == first
    app.slider(key="budget-slider").set_value(30.0).run()
    second = save(app, "")
    assert api.get_selection(own_workspace, second).parent == first
    assert "parent" not in app.query_params

    app.selectbox(key="second-box").set_value(first).run()
    assert numbers(app)["In both"] == "10"
    assert "Budget 30% → 25%" in says(app)

    app.text_input(key=f"new-name-{second}-0").set_value("other")
    app.button(key="rename-it").click().run()
    assert api.get_selection(own_workspace, "other").id == second
    assert app.text_input(key=f"new-name-{second}-1").value == "other"  # of a popover that is shut

    app.button(key="delete").click().run()
    assert api.list_selections(own_workspace)[0].id == second  # asked, not yet done
    app.button(key="delete-it").click().run()
    assert [one.id for one in api.list_selections(own_workspace)] == [first]
    assert "selection" not in app.query_params


def test_a_selection_by_history_only_is_branched_and_every_state_has_a_link(
    open_curate, own_workspace: api.Workspace, grace
) -> None:
    weights = Weights(alpha=0.5, history=History.parse("window:2"), history_only=True)
    first = api.curate(own_workspace, "25%", weights=weights)

    app = open_curate(own_workspace.root, section="Selections", selection=first.id)
    app.button(key="branch").click().run()

    assert not app.exception
    assert app.toggle(key="history-only").value is True
    assert "10 stay" in says(app)
    assert "0 enter, 0 leave" in says(app)
    words = app.code[0].value.split()
    second = save(app, "branched")
    branch = api.get_selection(own_workspace, second)
    assert (branch.parent, branch.history_only) == (first.id, True)
    assert [c.trace_id for c in branch.choices] == [c.trace_id for c in first.choices]
    status, out, _ = grace(*words[1:], "--json")
    assert (status, json.loads(out)["selection"]) == (0, second)

    link = {"history-only": "true", "history": "window:2", "budget": "25%"}
    again = open_curate(own_workspace.root, **link)
    assert again.toggle(key="history-only").value is True
    assert numbers(again)["Lowest value taken"] == numbers(app)["Lowest value taken"]


def test_selections_are_counted_without_reading_their_choices(
    own_workspace: api.Workspace,
) -> None:
    chosen = [api.curate(own_workspace, budget) for budget in ("25%", "3")]

    counts = api.selection_counts(own_workspace)

    assert counts == {
        one.id: (
            sum(choice.selected for choice in one.choices),
            len(one.choices),
            sum(choice.n_tokens for choice in one.choices if choice.selected),
        )
        for one in chosen
    }


def test_the_page_goes_on_where_it_was_left(open_curate, scored_workspace: api.Workspace) -> None:
    app = open_curate(scored_workspace.root, budget="7", section="Bias", strategy="longest")
    app.switch_page("pages/inspect.py").run()

    app.query_params.clear()
    app.switch_page("pages/curate.py").run()

    assert not app.exception
    assert numbers(app)["Traces"] == "7"
    assert address(app)["section"] == "Bias"
    assert app.selectbox(key="strategy").value == "longest"


@pytest.mark.parametrize("as_format", FORMATS)
def test_a_selection_is_exported_within_the_workspace(
    open_curate, own_workspace: api.Workspace, as_format: str
) -> None:
    chosen = api.curate(own_workspace, "25%")
    store.rename_selection(own_workspace, chosen.id, "../../out")  # as an older version let it be
    app = open_curate(own_workspace.root, section="Selections", selection=chosen.id)

    app.selectbox(key="export-format").set_value(as_format).run()
    app.checkbox(key="export-annotate").set_value(True).run()
    app.button(key="export-it").click().run()

    assert not app.exception
    assert not app.error
    file = own_workspace.root / "exports" / "out" / f"{as_format}-annotated.jsonl"
    assert json.loads(file.read_bytes().splitlines()[0])["grace"]
    manifest = json.loads((file.parent / "manifest.json").read_bytes())
    assert manifest["file"] == file.name
    assert "traces in" in says(app)


def test_another_export_of_the_same_name_is_not_replaced_unasked(
    open_curate, own_workspace: api.Workspace
) -> None:
    chosen = api.curate(own_workspace, "25%", name="same")
    file = own_workspace.root / "exports" / "same" / "original.jsonl"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"mine\n")
    app = open_curate(own_workspace.root, section="Selections", selection=chosen.id)

    app.button(key="export-it").click().run()
    assert not app.exception
    assert len(app.error) == 1
    assert "Tick “Replace another export”" in app.error[0].value
    assert "overwrite" not in app.error[0].value
    assert file.read_bytes() == b"mine\n"

    app.checkbox(key="export-replace").set_value(True).run()
    app.button(key="export-it").click().run()
    assert not app.error
    assert file.read_bytes() != b"mine\n"


def test_an_export_never_follows_a_link_out_of_the_workspace(
    own_workspace: api.Workspace, tmp_path: Path
) -> None:
    chosen = api.curate(own_workspace, "25%", name="trap")
    (tmp_path / "outside").mkdir()
    (own_workspace.root / "exports").symlink_to(tmp_path / "outside")

    with pytest.raises(InputError, match="leads out of the workspace"):
        curate_export.target(str(own_workspace.root), chosen, "original", annotate=False)


@pytest.mark.parametrize("name", ["..", "/etc/passwd", "a\\b\0c", "  ", "x" * 500])
def test_names_of_selections_never_become_paths(tmp_path: Path, name: str) -> None:
    chosen = replace(A_SELECTION, name=name)

    path = curate_export.target(str(tmp_path), chosen, "messages", annotate=False)

    assert path.parent.parent == tmp_path.resolve() / "exports"
    assert path.name == "messages.jsonl"


# Hostile names


@pytest.mark.parametrize(
    "section", ["Nearest the cut", "Why", "Enters and leaves", "Bias", "Budget curve", "Selections"]
)
def test_hostile_names_are_escaped_wherever_markdown_is_read(
    open_curate, hostile_workspace: Path, tmp_path: Path, section: str
) -> None:
    shutil.copytree(hostile_workspace, tmp_path / "w")
    workspace = api.open_workspace(tmp_path / "w", create=False)
    chosen = api.curate(workspace, "50%", name=HOSTILE_NAME)

    app = open_curate(
        workspace.root, section=section, selection=chosen.id, parent=chosen.id, per="dataset"
    )

    assert not app.exception
    read = [*app.markdown, *app.warning, *app.info, *app.error, *app.caption, *app.success]
    read = [str(element.value) for element in read] + [button.label for button in app.button]
    for text in read:
        assert not re.search(r"(?<!\\)(:red\[|<img|\$y)", text)


def test_hostile_categories_are_escaped_in_plotly() -> None:
    rows = pd.DataFrame(
        {
            "what": ["<img src=x onerror=1>:red[x]$y$", "<b>a</b>"],
            "difference": [0.5, -0.5],
            "chosen": ["<i>1</i>", "2"],
            "left": ["1", "2"],
            "of": ["a", "a"],
        }
    )

    figure = figures.bias_chart(rows, dark=False).to_plotly_json()

    drawn = [*figure["layout"]["yaxis"]["ticktext"], *np.ravel(figure["data"][0]["customdata"])]
    assert all("<" not in text for text in drawn)
    assert "&lt;b&gt;a&lt;/b&gt;" in drawn


# Pure parts


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
