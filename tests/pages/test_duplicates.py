"""Do the pages find duplicates, show them side by side as text, and leave them out of a choice?"""

import json
import re
import time
from pathlib import Path

import pytest

from grace_engine import api
from grace_engine.config import CurateConfig, IngestConfig
from tests.pages.conftest import HOSTILE_NAME, HOSTILE_STEPS
from tests.pages.looking import shown

PATIENCE = 180.0
# What a widget that reads Markdown would take for markup: not escaped.
BARE = re.compile(r"(?<!\\)(?:<img|<script|:red\[)")


@pytest.fixture
def hostile(tmp_path: Path) -> api.Workspace:
    """Two datasets that share a hostile trace, and differ in another."""
    workspace = api.open_workspace(tmp_path / "w", create=True)
    trace = "\n".join(HOSTILE_STEPS) + "\n#### <b>7</b>"
    for dataset in (HOSTILE_NAME, "other"):
        rows = [{"question": f"Q {dataset}", "answer": trace}]
        rows += [{"question": "Q", "answer": f"Only in {dataset}.\n#### 1"}]
        path = tmp_path / f"{len(dataset)}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        api.ingest(workspace, [path], IngestConfig(dataset=dataset))
    return workspace


@pytest.mark.long
def test_one_click_finds_groups_and_shows_them_side_by_side(
    open_page, hostile: api.Workspace
) -> None:
    app = open_page("data", hostile.root, tab="Duplicates")
    assert not app.exception
    assert app.info[0].proto.title == "Nothing is found yet"

    app.button(key="find-duplicates").click().run()
    deadline = time.monotonic() + PATIENCE
    while any(job.is_active for job in api.list_jobs(hostile)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (job,) = api.list_jobs(hostile)
    assert job.state == "finished", job.says
    assert job.spec.settings == {"of": "traces", "datasets": [], "threshold": 0.8}

    app = open_page("data", hostile.root, tab="Duplicates")
    assert not app.exception
    said = shown(app)
    assert "1 group of traces with a similarity of 0.8 or more: 2 traces among" in said
    assert "Across datasets: 1." in said
    assert "Group 1 · 2 traces, 1 different traces · across" in said
    assert "equal to the first" in said
    texts = [each.value for each in app.html if "g-text" in each.value]
    assert len(texts) == 2
    assert all("&lt;script&gt;window.pwned = 1" in text for text in texts)


def test_hostile_duplicates_are_never_markup(open_page, hostile: api.Workspace) -> None:
    api.find_duplicates(hostile, "traces")
    app = open_page("data", hostile.root, tab="Duplicates")
    assert not app.exception
    for kind in (app.markdown, app.caption, app.info, app.error, app.warning, app.success):
        assert not [each.value for each in kind if BARE.search(each.value)]
    for each in app.html:
        assert "<script" not in each.value
        assert "<img" not in each.value


def test_an_older_finding_and_none_at_all_are_said(
    open_page, hostile: api.Workspace, tmp_path: Path
) -> None:
    api.find_duplicates(hostile, "traces", ["other"], 1.0)
    app = open_page("data", hostile.root, tab="Duplicates")
    assert "No duplicate traces of 1 or more among the 2 traces of other" in shown(app)
    extra = tmp_path / "extra.jsonl"
    extra.write_text('{"question": "Why?", "answer": "Two and two.\\n#### 4"}\n')
    api.ingest(hostile, [extra], IngestConfig(dataset="other"))
    app = open_page("data", hostile.root, tab="Duplicates")
    assert "Traces came or went since this was found" in shown(app)


def test_a_choice_leaves_duplicates_out_once_they_were_looked_for(
    open_page, own_workspace: api.Workspace
) -> None:
    root = own_workspace.root
    app = open_page("curate", root, budget="100%", without_duplicates="prompts")
    assert not app.exception
    assert "grace duplicates solutions --of prompts" in shown(app).replace("\\", "")

    api.find_duplicates(own_workspace, "prompts")
    app = open_page("curate", root, budget="100%", without_duplicates="prompts")
    assert not app.exception
    metrics = {metric.label: metric.value for metric in app.metric}
    # Thirty-nine traces answer eight prompts.
    assert (metrics["Traces"], metrics["Duplicates"]) == ("8", "31 passed over")
    config = CurateConfig(budget="100%", without_duplicates="prompts")
    view = api.run_view(own_workspace)
    taken = api.live_choice(view, config, None, api.duplicates_in(own_workspace, view, config))
    assert taken.n_selected == 8

    app = open_page(
        "curate", root, budget="100%", without_duplicates="prompts", section="Selections"
    )
    assert any("--without-duplicates prompts" in each.value for each in app.code)
    app.button(key="save-choice").click().run()
    (saved,) = api.list_selections(own_workspace)
    assert saved.without_duplicates == "prompts"
    app.selectbox(key="duplicates-box").set_value("").run()
    assert {m.label: m.value for m in app.metric}["Traces"] == "39"
    app.button(key="branch").click().run()
    assert app.selectbox(key="duplicates-box").value == "prompts"
