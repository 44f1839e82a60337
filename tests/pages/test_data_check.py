"""Does the Data page check answers in the background, and show what came out?"""

from grace_engine import api
from grace_engine.ui import data_check
from tests.pages.looking import button, shown, wait_for_the_end


def test_one_click_checks_all_answers_and_the_page_counts_them(
    open_data, own_workspace: api.Workspace
) -> None:
    data_check._counts.clear()
    app = open_data(own_workspace.root, tab="Answers")
    assert "39 of 39 traces have a reference answer; 0 are checked." in shown(app)
    button(app, "Check answers").click().run()
    assert not app.exception

    opened = wait_for_the_end(own_workspace.root)
    (job,) = api.list_jobs(opened)
    assert (job.spec.kind, job.state) == ("check", "finished")
    assert "39 answers checked" in job.says
    data_check._counts.clear()
    again = open_data(own_workspace.root, tab="Answers")
    assert not again.exception
    assert "39 are checked" in shown(again)
    row = again.dataframe[0].value.iloc[0]
    assert row["right"] + row["wrong"] == 39
    assert button(again, "Check answers again")
