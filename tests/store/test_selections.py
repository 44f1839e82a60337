"""Does a selection come back with every choice and its reason?"""

from dataclasses import replace

import pytest

from grace_engine.errors import InputError, NotFoundError
from grace_engine.records import Choice, Selection
from grace_engine.store import (
    Workspace,
    delete_selection,
    get_selection,
    list_selections,
    rename_selection,
    save_selection,
)

SELECTION = Selection(
    id="s-00000001",
    name="first",
    run_id="r-1",
    strategy="grace",
    alpha=0.7,
    history="ema:0.8",
    aggregate="mean",
    history_only=False,
    budget="20%",
    seed=7,
    choices=tuple(
        Choice(
            trace_id=f"t{rank}",
            record_digest=f"d{rank}",
            value=None if rank == 3 else 1 / rank,
            rank=rank,
            selected=rank == 1,
            reason="value 1 is in the first 20%" if rank == 1 else "beyond the budget",
            n_tokens=10 * rank,
        )
        for rank in (1, 2, 3)
    ),
)


def test_a_selection_comes_back_whole(workspace: Workspace) -> None:
    saved = save_selection(workspace, SELECTION)
    assert saved.created_at.endswith("+00:00")
    assert get_selection(workspace, SELECTION.id) == saved
    assert replace(saved, created_at="") == SELECTION


def test_saving_twice_keeps_one_and_the_name_that_it_had(workspace: Workspace) -> None:
    first = save_selection(workspace, SELECTION)
    save_selection(workspace, replace(SELECTION, name="second"))
    assert [one.name for one in list_selections(workspace)] == ["first"]
    assert get_selection(workspace).choices == first.choices
    with pytest.raises(NotFoundError):
        get_selection(workspace, "second")


def test_saving_again_tells_the_name_that_was_not_given(workspace: Workspace) -> None:
    assert save_selection(workspace, replace(SELECTION, name="")).refused_name == ""
    assert save_selection(workspace, SELECTION).refused_name == ""  # it had none
    assert save_selection(workspace, SELECTION).refused_name == ""
    again = save_selection(workspace, replace(SELECTION, name="second"))
    assert (again.name, again.refused_name) == ("first", "second")
    again = save_selection(workspace, replace(SELECTION, name=""))
    assert (again.name, again.refused_name) == ("first", "")
    assert get_selection(workspace, "first").refused_name == ""


def test_a_name_is_given_to_one_selection_only(workspace: Workspace) -> None:
    save_selection(workspace, SELECTION)
    other = replace(SELECTION, id="s-00000002", name="other", alpha=0.1)
    save_selection(workspace, other)
    taken = r"'first' is taken by s-00000001 \(20%, saved \d{4}-\d\d-\d\d\)"

    with pytest.raises(InputError, match=taken):
        save_selection(workspace, replace(SELECTION, id="s-00000003"))
    with pytest.raises(InputError, match=taken):
        rename_selection(workspace, "other", "first")

    assert [one.name for one in list_selections(workspace)] == ["other", "first"]
    rename_selection(workspace, "first", "first")  # its own
    for unnamed in ("s-00000004", "s-00000005"):
        save_selection(workspace, replace(SELECTION, id=unnamed, name=""))


def test_a_name_that_several_older_selections_have_means_none_of_them(
    workspace: Workspace,
) -> None:
    for digit in "12":
        one = replace(SELECTION, id=f"s-0000000{digit}", name=f"n{digit}")
        save_selection(workspace, one)
    with workspace.database.unit() as connection:
        connection.execute("UPDATE selections SET name = 'both'")

    with pytest.raises(InputError, match=r"2 selections are named 'both': s-00000002 .*s-00000001"):
        get_selection(workspace, "both")

    assert rename_selection(workspace, "s-00000002", "mine") == "s-00000002"
    assert get_selection(workspace, "both").id == "s-00000001"


def test_a_selection_is_found_by_name_id_beginning_or_as_the_latest(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="Nothing was selected"):
        get_selection(workspace)
    other = replace(SELECTION, id="s-00000002", name="")
    last = replace(SELECTION, id="s-00000003", name="last", alpha=0.1)
    for one in (SELECTION, other, last):
        save_selection(workspace, one)
    assert get_selection(workspace).id == last.id
    assert get_selection(workspace, "first").id == SELECTION.id
    assert get_selection(workspace, "s-00000001").id == SELECTION.id
    assert [one.id for one in list_selections(workspace)] == [last.id, other.id, SELECTION.id]
    assert all(one.choices == () for one in list_selections(workspace))
    with pytest.raises(InputError, match="beginning of 3 selection ids"):
        get_selection(workspace, "s-")
    for missing in ("nobody", ""):
        with pytest.raises(NotFoundError, match="no selection"):
            get_selection(workspace, missing)


def test_a_deleted_selection_is_gone_with_its_choices(workspace: Workspace) -> None:
    save_selection(workspace, SELECTION)
    assert delete_selection(workspace, "first") == SELECTION.id
    assert list_selections(workspace) == []
    with workspace.database.unit() as connection:
        assert connection.execute("SELECT count(*) FROM selection_choices").fetchall() == [(0,)]
