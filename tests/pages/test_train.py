"""Does the Train page show the run of its address, and does the address name what it shows?"""

from pathlib import Path

import pytest

from grace_engine import api
from grace_engine.jobs import Job
from grace_engine.ui import train_answers, train_results
from tests.pages.conftest import OpenPage
from tests.pages.looking import address, button, shown
from tests.training.test_telling import judged, some_run


@pytest.fixture
def trained(own_workspace: api.Workspace) -> api.Workspace:
    """Two selections, and two trainings that have found something."""
    for budget, name in (("25%", "mine"), ("10%", "other")):
        api.curate(own_workspace, budget, name=name)
    for number in (1, 2):
        judged(some_run(own_workspace, number), (1.0, 0.0) * number)
    return own_workspace


def run(number: int) -> str:
    return f"train-20260101-00000{number}-0000"


def test_a_link_opens_its_run_and_what_is_chosen_stands_in_the_address(
    open_page: OpenPage, trained: api.Workspace
) -> None:
    mine, other = (api.get_selection(trained, name).id for name in ("mine", "other"))
    page = open_page("train", trained.root, selection=mine, training=run(1))
    assert not page.exception
    assert page.selectbox(key="selection-box").value == mine
    assert page.selectbox(key="training-box").value == run(1)
    assert "judged on 2 problems." in shown(page)

    page.selectbox(key="training-box").select(run(2)).run()
    assert address(page)["training"] == run(2)
    assert "judged on 4 problems." in shown(page)
    page.selectbox(key="selection-box").select(other).run()
    assert address(page)["selection"] == other
    assert address(page)["training"] == run(2)


def test_an_address_that_names_nothing_opens_the_latest_and_says_which(
    open_page: OpenPage, trained: api.Workspace
) -> None:
    page = open_page("train", trained.root)
    assert address(page)["training"] == run(2)
    page = open_page("train", trained.root, training="train-gone")
    assert page.selectbox(key="training-box").value == run(2)
    assert "The linked training train-gone is not in this workspace" in shown(page).replace(
        "\\", ""
    )


def test_settings_that_a_link_names_are_filled_in(
    open_page: OpenPage, trained: api.Workspace
) -> None:
    """What writes them into the address is the browser."""
    said = {
        "train-seeds": "3",
        "train-epochs-cpu": "2",
        "train-against": ["full pool"],
        "train-budgets": "5, 10",
    }
    page = open_page("train", trained.root, **said)
    assert not page.exception
    assert page.number_input(key="train-seeds").value == 3
    assert page.number_input(key="train-epochs-cpu").value == 2.0
    assert page.multiselect(key="train-against").value == ["full"]
    assert page.text_input(key="train-budgets").value == "5, 10"


def test_a_run_that_is_started_stands_in_the_address(
    open_page: OpenPage, trained: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def start(workspace: api.Workspace, request: api.TrainRequest) -> Job:
        asked.append(request)
        some_run(workspace, 3, "finished")
        return api.get_job(workspace, run(3))

    monkeypatch.setattr(api, "start_training", start)
    page = open_page("train", trained.root, training=run(1))
    button(page, "Train").click().run()
    assert len(asked) == 1
    assert address(page)["training"] == run(3)
    assert page.selectbox(key="training-box").value == run(3)


def test_the_run_and_the_settings_are_there_again_when_the_sidebar_leads_back(
    open_page: OpenPage, trained: api.Workspace
) -> None:
    page = open_page("train", trained.root, training=run(1), **{"train-seeds": "3"})
    page.switch_page("pages/curate.py").run()
    shared = {name: address(page).get(name) for name in ("run", "alpha")}

    page.query_params.clear()
    page.switch_page("pages/train.py").run()

    assert not page.exception
    assert page.selectbox(key="training-box").value == run(1)
    assert address(page)["training"] == run(1)
    assert page.number_input(key="train-seeds").value == 3
    page.query_params.clear()
    page.switch_page("pages/curate.py").run()
    assert {name: address(page).get(name) for name in shared} == shared


def test_what_would_be_refused_is_not_begun(
    open_page: OpenPage, trained: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(api, "start_training", lambda *given: asked.append(given))
    page = open_page("train", trained.root, **{"train-length-cpu": "120"})
    button(page, "Train").click().run()
    assert not asked
    assert "the answer with it" in shown(page)


@pytest.mark.parametrize(
    ("cells", "pair"),
    [
        (["subset-0", "random-0", "untrained"], ("untrained", "subset-0")),
        (["subset-0", "full-0", "random-0"], ("random-0", "subset-0")),
        (["subset-0", "subset-1"], ("subset-1", "subset-0")),
    ],
)
def test_two_cells_stand_side_by_side_at_first(cells: list[str], pair: tuple[str, str]) -> None:
    assert train_answers._first_pair(cells) == pair


def test_answers_stand_in_a_table_of_their_own(trained: api.Workspace) -> None:
    report = api.training_report(Path(trained.root) / "runs" / run(2))
    arms = train_results._arms_frame(report.arms, report.measure)
    answers = train_results._answers_frame(report.arms)
    assert not {"right", "wrong"} & set(arms)
    assert answers.to_dict("records") == [
        {"arm": "subset", "right": 2, "wrong": 2, "not parsed": 0, "timed out": 0}
        | {"held-out loss": report.arms[0].held_out_loss}
    ]
