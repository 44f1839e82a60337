"""Does the Curate page keep names of selections apart?"""

from streamlit.testing.v1 import AppTest

from grace_engine import api
from tests.pages.test_curate import address, open_curate, save  # noqa: F401 - a fixture


def test_a_name_that_another_selection_has_is_refused_with_all_below_still_there(
    open_curate,  # noqa: F811
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
    open_curate,  # noqa: F811
    own_workspace: api.Workspace,
    grace,
) -> None:
    app: AppTest = open_curate(own_workspace.root, section="Selections")
    found = save(app, "fifteen")

    save(app, "sixteen")

    said = f"{found} was named 'fifteen' and is now named 'sixteen'."
    assert said in app.toast[0].value.replace("\\", "")
    _, _, err = grace("curate", "--name", "fifteen", "-w", own_workspace.root)
    said = f"{found} was named 'sixteen' and is now named 'fifteen'."
    assert said in " ".join(err.split())
    assert grace("curate", "--name", "fifteen", "-w", own_workspace.root, "--budget", 3)[0] == 1
