"""Does the Curate page choose, explain, save and export, and say what to do where nothing is?"""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from grace_engine import api
from grace_engine.config import CurateConfig, History, IngestConfig, Weights
from grace_engine.figures import selection as figures
from grace_engine.figures.frames import minus
from tests.pages.conftest import HOSTILE_NAME
from tests.pages.looking import address, numbers, shown

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


def test_why_says_what_grace_why_shown(open_curate, scored_workspace: api.Workspace) -> None:
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
    assert "10 enter, 0 leave, 10 stay" in shown(app)
    assert f"Overlap (Jaccard) {10 / 20:.3f}" in shown(app)

    app.button(key="branch").click().run()
    assert address(app)["budget"] == "25%"
    assert address(app)["parent"] == first
    app.slider(key="budget-slider").set_value(30.0).run()
    second = save(app, "")
    assert api.get_selection(own_workspace, second).parent == first
    assert "parent" not in app.query_params

    app.selectbox(key="second-box").set_value(first).run()
    assert numbers(app)["In both"] == "10"
    assert "Budget 30% → 25%" in shown(app)

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
    assert "10 stay" in shown(app)
    assert "0 enter, 0 leave" in shown(app)
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


# Hostile names


@pytest.mark.long
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
