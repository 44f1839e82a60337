"""Are traces that a run could not score tried again from the Data page?"""

from pathlib import Path

import pytest

from grace_engine import api
from grace_engine.api import running
from grace_engine.config import IngestConfig, ScoreConfig
from tests.conftest import SAMPLE
from tests.pages.conftest import OpenPage


def test_failed_traces_are_tried_again_by_the_settings_of_their_run(
    scored_workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = api.get_run(scored_workspace, "latest")
    monkeypatch.setattr(running, "begin", lambda _, spec: spec)

    spec = api.start_retry(scored_workspace, run.id)

    assert "failed ones again" in spec.title
    assert spec.settings["retry_failed"] is True
    found = api.forecast(scored_workspace, ScoreConfig(**spec.settings))
    assert found is not None
    assert found.run == run.id


def test_the_button_of_a_run_by_flags_that_are_not_stored_says_so(
    open_data: OpenPage, tmp_path: Path, sample_file: Path
) -> None:
    workspace = api.open_workspace(tmp_path / "w", create=True)
    api.ingest(workspace, [sample_file], IngestConfig(dataset="solutions"))
    model = str(SAMPLE / "tiny-reasoner")
    run = api.score(workspace, ScoreConfig(model=model, max_length=150)).run
    app = open_data(workspace.root, tab="Rejected")

    button = app.button(key=f"retry-{run.id}")
    assert button.label == f"Try {run.n_rejected} of {run.id} again"
    button.click().run()

    assert not app.exception
    assert "was scored by what is not stored with it" in app.error[0].value
    assert [each.id for each in api.list_runs(workspace)] == [run.id]
    assert not api.list_jobs(workspace)
