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


def test_saving_twice_keeps_one_and_takes_the_new_name(workspace: Workspace) -> None:
    first = save_selection(workspace, SELECTION)
    save_selection(workspace, replace(SELECTION, name="second"))
    assert [one.name for one in list_selections(workspace)] == ["second"]
    assert get_selection(workspace).choices == first.choices
    with pytest.raises(NotFoundError):
        get_selection(workspace, "first")


def test_a_selection_is_found_by_name_id_beginning_or_as_the_latest(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="Nothing was selected"):
        get_selection(workspace)
    other = replace(SELECTION, id="s-00000002", name="")
    namesake = replace(SELECTION, id="s-00000003", alpha=0.1)
    for one in (SELECTION, other, namesake):
        save_selection(workspace, one)
    assert get_selection(workspace).id == namesake.id
    assert get_selection(workspace, "first").id == namesake.id  # the last of that name
    assert get_selection(workspace, "s-00000001").id == SELECTION.id
    assert [one.id for one in list_selections(workspace)] == [namesake.id, other.id, SELECTION.id]
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
