"""Do verdicts of several curators on one page agree, replace, withdraw, and say so?"""

import pytest
from streamlit.testing.v1 import AppTest

from grace_engine import api


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
    assert standing(own_workspace, trace) == []
    assert said(app) == ["Step 1: “wrong” is withdrawn, and nothing stands there now."]
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
    assert said(app) == [f"Undone: drop of trace {trace}. “drop” by anna stands there now."]


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
