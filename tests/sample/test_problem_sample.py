"""Does the example of problems make rollouts and policy gradients to choose from?"""

import pytest

from grace_engine import api
from grace_engine.api import sample


@pytest.mark.slow
def test_the_example_is_made_once_and_can_be_chosen_from(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "SAMPLE_PROBLEMS", 4)
    monkeypatch.setattr(sample, "SAMPLE_TARGETS", 3)
    workspace = api.open_workspace(tmp_path / "w", create=True)
    report = api.prepare_problem_sample(workspace)
    assert report.run.n_done + report.run.n_without == 4
    assert {one.name for one in api.list_rollout_sets(workspace)} == {"planted", "held_out"}
    view = api.problem_view(workspace, report.run.id)
    assert view.strategies[:4] == ("gradalign", "gradalign-inner", "learnalign", "align")
    assert api.certainty(view) is not None
    again = api.prepare_problem_sample(workspace)
    assert (again.run.id, again.n_computed) == (report.run.id, 0)
