"""Do verdicts of several curators on one page agree, replace, withdraw, and say so?"""

import re

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from grace_engine import api
from grace_engine.config import ScoreConfig
from grace_engine.ui import tables
from tests.pages.conftest import ROOT


@pytest.fixture(autouse=True)
def _ben(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRACE_AUTHOR", "ben")


@pytest.fixture
def trace(own_workspace: api.Workspace) -> str:
    view = api.run_view(own_workspace)
    return str(view.signals.trace_ids[0])


def said(app: AppTest) -> list[str]:
    """Toasts as people read them."""
    return [toast.value.replace("\\", "") for toast in app.toast]


def standing(workspace: api.Workspace, trace: str) -> list[tuple[str, str]]:
    entries = api.annotations(workspace).verdicts.get(trace, {}).values()
    return [(entry.word, entry.author) for entry in entries]


def test_a_second_curator_agrees_by_the_key_and_takes_back_only_their_own(
    open_app, own_workspace: api.Workspace, trace: str
) -> None:
    api.mark(own_workspace, trace, "irrelevant", step=1, author="anna")
    app = open_app(own_workspace.root, trace=trace)

    app.button(key="verdict-irrelevant").click().run()
    assert standing(own_workspace, trace) == [("irrelevant", "ben")]
    assert said(app) == ["Step 1: irrelevant, as anna said."]

    app.button(key="undo").click().run()
    assert standing(own_workspace, trace) == [("irrelevant", "anna")]
    assert "“irrelevant” by anna stands there now." in said(app)[0]

    app.button(key="verdict-wrong").click().run()
    assert standing(own_workspace, trace) == [("wrong", "ben")]
    assert said(app) == ["Step 1: wrong, in place of “irrelevant” by anna."]

    app.button(key="verdict-wrong").click().run()
    assert standing(own_workspace, trace) == [("irrelevant", "anna")]
    assert said(app) == ["Step 1: “wrong” is withdrawn; “irrelevant” by anna stands there again."]
    assert len([e for e in api.annotation_log(own_workspace) if e.kind == "verdict"]) == 4


def test_a_second_curator_drops_too_and_undo_says_that_the_trace_stays_dropped(
    open_app, own_workspace: api.Workspace, trace: str
) -> None:
    api.override(own_workspace, [trace], False, author="anna")
    app = open_app(own_workspace.root, trace=trace)

    app.button(key="drop").click().run()
    assert api.annotations(own_workspace).overrides[trace].author == "ben"
    assert said(app) == ["This trace: drop, as anna said."]

    app.button(key="undo").click().run()
    assert api.annotations(own_workspace).overrides[trace].author == "anna"
    assert said(app) == [f"Undone: drop of trace {trace}. “drop” by anna stands there now."]


def test_ones_own_verdict_and_override_are_withdrawn_by_the_same_key(
    open_app, own_workspace: api.Workspace, trace: str
) -> None:
    app = open_app(own_workspace.root, trace=trace)
    for key, about in (("verdict-good", "Step 1: “good”"), ("keep", "This trace: “keep”")):
        app.button(key=key).click().run()
        assert said(app) == [], "the filled button says it"
        app.button(key=key).click().run()
        assert said(app) == [f"{about} is withdrawn; nothing stands there now."]
    now = api.annotations(own_workspace)
    assert (dict(now.verdicts), dict(now.overrides)) == ({}, {})


def test_a_note_needs_a_word_and_saving_closes_the_popover_and_says_what_was_done(
    open_app, own_workspace: api.Workspace, trace: str
) -> None:
    app = open_app(own_workspace.root, trace=trace)
    app.session_state["note"] = True
    app.text_area(key=f"note-{trace}-1").set_value("unclear")
    app.button(key="say-it").click().run()
    assert said(app) == ["A verdict needs a word: type one, such as wrong, to save it on step 1."]
    assert app.session_state["note"] is True
    assert standing(own_workspace, trace) == []

    app.text_input(key=f"word-{trace}-1").set_value("wrong")
    app.button(key="say-it").click().run()
    assert said(app) == ["Step 1: wrong."]
    assert app.session_state["note"] is False
    (entry,) = api.annotations(own_workspace).verdicts[trace].values()
    assert (entry.word, entry.note) == ("wrong", "unclear")

    app.session_state["note"] = True
    app.text_input(key=f"reason-{trace}").set_value("doubtful")
    app.button(key="drop-why").click().run()
    assert said(app) == ["This trace: drop."]
    assert app.session_state["note"] is False
    assert api.annotations(own_workspace).overrides[trace].note == "doubtful"


@pytest.mark.long
@pytest.mark.parametrize("view", ["Text", "Matrix", "Same prompt", "Two runs"])
def test_a_verdict_stands_beside_its_step_in_every_view(
    open_app, own_workspace: api.Workspace, view: str
) -> None:
    model = str(ROOT / "sample_data" / "tiny-reasoner")
    listed = api.run_view(own_workspace).traces
    (trace, *_) = next(
        ids
        for name in listed["trace_id"]
        if len(ids := api.same_prompt(own_workspace, name)) > 1 or view != "Same prompt"
    )
    if view == "Two runs":
        api.score(own_workspace, ScoreConfig(model=model, proxy="lm_head"))
    api.mark(own_workspace, trace, "off topic", step=1)

    app = open_app(own_workspace.root, trace=trace, view=view)

    assert not app.exception
    shown = "".join(html.value for html in app.html)
    assert shown.count("✎ off topic") == (2 if view == "Two runs" else 1)


def test_the_facts_hold_the_traces_id(open_app, own_workspace: api.Workspace, trace: str) -> None:
    app = open_app(own_workspace.root, trace=trace)

    assert any(f"   id {trace}</dd>" in html.value for html in app.html)


def test_the_table_of_numbers_marks_the_open_step() -> None:
    frame = pd.DataFrame({"Step": [1, 2, 3], "Score": [0.1, -0.2, 0.3]})

    marked = tables.with_minus(frame, {"Score": "+.1f"}, 1).to_html()

    assert marked.count("background-color") == 1
    assert re.search(r"#T_\w+_row1_col0, #T_\w+_row1_col1 \{\s*background-color", marked)
