"""Does the Curate page keep names of selections apart?"""

from pathlib import Path

from streamlit.testing.v1 import AppTest

from grace_engine import api
from tests.pages.looking import numbers, shown
from tests.pages.test_curate import save


def test_a_name_that_another_selection_has_is_refused_with_all_below_still_there(
    open_curate,
    own_workspace: api.Workspace,
) -> None:
    first = api.curate(own_workspace, "20%", name="first")
    other = api.curate(own_workspace, "30%", name="other")
    app: AppTest = open_curate(
        own_workspace.root, section="Selections", budget="50%", selection=other.id
    )

    app.text_input(key="save-name").set_value("first").run()
    app.button(key="save-choice").click().run()

    assert not app.exception
    assert f"is taken by {first.id} (20%" in app.error[0].value.replace("\\", "")
    assert len(app.dataframe[0].value) == 2
    assert app.button(key="export-it")

    app.text_input(key=f"new-name-{other.id}-0").set_value("first")
    app.button(key="rename-it").click().run()

    assert f"is taken by {first.id} (20%" in app.error[0].value.replace("\\", "")
    assert app.button(key="export-it")
    assert {one.name for one in api.list_selections(own_workspace)} == {"first", "other"}


def test_a_choice_that_is_saved_under_another_name_says_so(
    open_curate,
    own_workspace: api.Workspace,
    grace,
) -> None:
    app: AppTest = open_curate(own_workspace.root, section="Selections")
    found = save(app, "fifteen")

    save(app, "sixteen")

    said = f"This very choice is saved as 'fifteen' already ({found}) and keeps that name:"
    assert said in app.toast[0].value.replace("\\", "")
    _, _, err = grace("curate", "--name", "sixteen", "-w", own_workspace.root)
    assert said in " ".join(err.split())
    assert [one.name for one in api.list_selections(own_workspace)] == ["fifteen"]
    assert grace("curate", "--name", "fifteen", "-w", own_workspace.root, "--budget", 3)[0] == 1


def test_what_rides_along_is_told_before_the_files_are_written(
    open_curate,
    own_workspace: api.Workspace,
    tmp_path: Path,
) -> None:
    chosen = api.curate(own_workspace, "25%")
    report = api.export(own_workspace, chosen.id, tmp_path / "chosen.jsonl")
    assert report.n_riding > 0
    link = {"section": "Selections", "selection": chosen.id}

    app: AppTest = open_curate(own_workspace.root, **link)

    assert f"{report.n_riding} traces that are not chosen would ride along" in shown(app)
    app.selectbox(key="export-format").set_value("messages").run()
    assert "ride along" not in shown(app)


def test_strata_that_round_their_share_up_are_told(
    open_curate,
    own_workspace: api.Workspace,
    grace,
) -> None:
    app: AppTest = open_curate(own_workspace.root, budget="1%", per="label.source")
    n = int(numbers(app)["Traces"])
    assert n > 1
    said = f"Each stratum's share is rounded up: {n} traces are in, where 1% of all 39 is 1."
    assert said in shown(app)
    flags = ("--budget", "1%", "--per", "label.source", "-w", own_workspace.root)
    assert said in " ".join(grace("curate", *flags)[2].split())

    assert "rounded up" not in shown(open_curate(own_workspace.root, budget="1%"))
    assert "rounded up" not in shown(
        open_curate(own_workspace.root, budget="7", per="label.source")
    )
