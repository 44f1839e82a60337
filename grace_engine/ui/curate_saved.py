"""Which choices were saved, and what can be done with one: compare, branch, rename, delete?"""

from collections.abc import Callable, Collection, Sequence

import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.errors import GraceError
from grace_engine.figures.frames import plain
from grace_engine.figures.selection import comparison_chart
from grace_engine.records import Selection, is_of_problems
from grace_engine.ui import (
    charts,
    curate_export,
    curate_frames,
    curate_load,
    curate_state,
    curate_tables,
    load,
    state,
    tables,
)
from grace_engine.ui.curate_load import Live
from grace_engine.ui.text import fault_markdown

_LIST, _SECOND, _NAME, _NEW_NAME, _RENAMED, _CLEAR = (
    "saved-list",
    "second-box",
    "save-name",
    "new-name",
    "renamed",
    "clear-name",
)

_TRAINED = ["trained", "judged_on", "beside"]


def selections(live: Live, *, dark: bool) -> None:
    """Save the choice; the saved ones; what to do with the one that is picked."""
    asked = live.asked
    words = curate_frames.flags(asked.run, asked.weights, asked.config)
    save(
        lambda name, parent: api.save_choice(
            load.opened_workspace(),
            live.view,
            asked.config,
            live.annotations,
            live.duplicates,
            name=name,
            parent=parent,
        ),
        words,
        asked.workspace,
    )
    saved = curate_load.selections(asked.workspace)
    runs = {run.id for run in load.list_runs(asked.workspace)}
    picked(asked.workspace, saved, runs, curate_state.branch, dark=dark)


def picked(
    workspace: str,
    saved: dict[str, Selection],
    runs: Collection[str],
    branch: Callable[[Selection], None],
    *,
    dark: bool,
) -> None:
    """The saved selections; what to do with the one that is picked.

    Args:
        workspace: Where they are.
        saved: By id, the latest first.
        runs: Those that are there: a selection of another cannot be branched.
        branch: Takes over the settings of one.
        dark: Whether the page is dark.
    """
    if not saved:
        st.info(
            "A saved selection holds every trace or problem with its reason. It can be compared "
            "with others, branched and exported.",
            title="Nothing is saved yet",
            icon=":material/lightbulb:",
        )
        return
    linked = state.get(curate_state.SELECTION)
    _list(list(saved.values()), workspace, linked)
    if linked not in saved:
        st.caption("A click on a row picks a selection.")
        return
    with st.container(border=True):
        _actions(workspace, saved[linked], runs, branch)
    with st.container(border=True):
        curate_export.panel(workspace, saved[linked])
    with st.container(border=True):
        _compare(workspace, saved, linked, dark=dark)


def save(make: Callable[[str, str], Selection], words: Sequence[str], workspace: str) -> None:
    """A name and a button that saves; the shell's command beside it.

    Args:
        make: Saves under a name and as a branch of a selection.
        words: Flags of ``grace curate`` that make the same choice.
        workspace: Where it is saved.
    """
    parent = state.get(curate_state.PARENT)
    if st.session_state.pop(_CLEAR, False):
        st.session_state[_NAME] = ""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            "Save this choice as",
            key=_NAME,
            placeholder="A name, or none",
            max_chars=120,
            help="The same choice is saved once: it takes the new name.",
            width=280,
        )
        if st.button("Save", type="primary", icon=":material/save:", key="save-choice"):
            _save(make, name or "", parent)
    told = [*words]
    for flag, value in (("--name", (name or "").strip()), ("--parent", parent)):
        told += [flag, value] if value else []
    st.code(curate_frames.command("curate", told, workspace), language="shell")


def _save(make: Callable[[str, str], Selection], name: str, parent: str) -> None:
    """Save and begin anew; what refuses it is said, with all below still there."""
    try:
        chosen = make(name, parent)
    except GraceError as fault:
        st.error(fault_markdown(fault), icon=":material/error:")
        return
    curate_load.forget_selections()
    curate_state.put(**{curate_state.SELECTION: chosen.id, curate_state.PARENT: ""})
    curate_state.say(api.said_of_name(chosen) or f"Saved as {chosen.id}.")
    st.session_state[_CLEAR] = True
    st.rerun()


def _list(saved: list[Selection], workspace: str, linked: str) -> None:
    counts = curate_load.counts(workspace)
    trained = curate_load.how_trained(workspace)
    of_problems = all(is_of_problems(one.run_id) for one in saved)
    rows = []
    for one in saved[: curate_tables.MOST_ROWS]:
        chosen, ranked, tokens = counts.get(one.id, (0, 0, 0))
        said = trained.get(one.id)
        rows.append(
            {
                "picked": "●" if one.id == linked else "",
                "name": plain(one.name, 60),
                "id": one.id,
                "chosen": chosen,
                "ranked": ranked,
                "tokens": tokens,
                "trained": said.found if said else api.NOT_TRAINED,
                "judged_on": said.judged_on if said else "",
                "beside": said.beside if said else "",
                "settings": _settings(one),
                "by_hand": f"{one.n_kept} kept, {one.n_dropped} dropped" if one.overrides else "–",
                "parent": one.parent,
                "created": pd.to_datetime(one.created_at, utc=True),
            }
        )
    tables.table(
        pd.DataFrame(rows).drop(columns=_TRAINED if of_problems else []),
        height=min(35 * (len(rows) + 1) + 3, 260),
        key=_LIST,
        on_select=lambda: _pick([one.id for one in saved]),
        selection_mode=["single-row", "single-cell"],
        column_config={
            "picked": st.column_config.TextColumn("", width=30),
            "name": "Name",
            "id": "Selection",
            "chosen": st.column_config.NumberColumn("Chosen", format="localized"),
            "ranked": st.column_config.NumberColumn("of", format="localized"),
            "tokens": st.column_config.NumberColumn("Tokens", format="localized"),
            "trained": "How it trained",
            "judged_on": "Judged on",
            "beside": "Less the other arm",
            "settings": "Settings",
            "by_hand": "By hand",
            "parent": "Branch of",
            "created": st.column_config.DatetimeColumn("Saved", format="YYYY-MM-DD HH:mm"),
        },
        alt="Saved selections, the latest first",
    )


def _settings(one: Selection) -> str:
    said = [one.run_id, one.strategy, one.budget]
    if not is_of_problems(one.run_id):
        said += [f"α {one.alpha:g}", one.history, one.aggregate]
    said += [one.band] if one.band else []
    said += ["without variance 0"] if one.zero_without_variance else []
    said += [f"per {curate_frames.column_name(one.per)}"] if one.per else []
    said += [f"at most {one.cap_per_prompt} a prompt"] if one.cap_per_prompt else []
    said += [f"no duplicate {one.without_duplicates}"] if one.without_duplicates else []
    return " · ".join(said)


def _pick(ids: list[str]) -> None:
    picked = st.session_state[_LIST]["selection"]
    rows = [*picked.get("rows", []), *(cell[0] for cell in picked.get("cells", []))]
    if rows:
        curate_state.put(**{curate_state.SELECTION: ids[rows[0]]})
        curate_state.ask_rerun()


def _actions(
    workspace: str,
    one: Selection,
    runs: Collection[str],
    branch: Callable[[Selection], None],
) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.text(curate_frames.selection_name(one), width="stretch")
        st.button(
            "Branch",
            icon=":material/fork_right:",
            key="branch",
            disabled=one.run_id not in runs,
            help="Take its settings over; what is saved next remembers it as its parent. "
            "(Not where its run is gone.)",
            on_click=_branch,
            args=(one, branch),
        )
        _rename(one)
        if st.button("Delete", icon=":material/delete:", key="delete"):
            _confirm(one)
    if not is_of_problems(one.run_id):
        _training(workspace, one)


def _rename(one: Selection) -> None:
    """A box with a new name, at first the present one; it is shut once that is given."""
    # A popover of another key is another one, and stands shut.
    turn = int(st.session_state.get(_RENAMED, 0))
    with st.popover("Rename", icon=":material/edit:", key=f"rename-{one.id}-{turn}"):
        name = st.text_input(
            "New name", value=one.name, key=f"{_NEW_NAME}-{one.id}-{turn}", max_chars=120
        )
        if not st.button("Rename it", key="rename-it"):
            return
        try:
            api.rename_selection(load.opened_workspace(), one.id, name or "")
        except GraceError as fault:
            st.error(fault_markdown(fault), icon=":material/error:")
            return
    curate_load.forget_selections()
    st.session_state[_RENAMED] = turn + 1
    curate_state.say(f"{one.id} is now named {name!r}.")
    st.rerun()


def _training(workspace: str, one: Selection) -> None:
    """How it trained, with the way to the run; or that it has not, with the way to begin."""
    said = curate_load.how_trained(workspace).get(one.id)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.text(f"How it trained: {said or api.NOT_TRAINED}", width="stretch")
        where = {"selection": one.id} | ({"training": said.run} if said else {})
        st.page_link(
            "pages/train.py",
            label="See the run" if said else "Train it",
            icon=":material/model_training:",
            query_params=where,
        )


def _branch(one: Selection, branch: Callable[[Selection], None]) -> None:
    branch(one)
    curate_state.ask_rerun()


@st.dialog("Delete for good?", icon=":material/delete:")
def _confirm(one: Selection) -> None:
    st.text(
        f"Selection {curate_frames.selection_name(one)} goes, with the reason of every trace. "
        "What it chose from, and what was exported, stays."
    )
    with st.container(horizontal=True):
        if st.button(
            "Delete it", type="primary", key="delete-it", on_click=_delete, args=(one,)
        ) | st.button("Keep it", key="keep-it"):
            st.rerun()


def _delete(one: Selection) -> None:
    try:
        api.delete_selection(load.opened_workspace(), one.id)
    except GraceError as fault:
        curate_state.say(str(fault))
        return
    curate_load.forget_selections()
    gone = (curate_state.SELECTION, curate_state.PARENT, curate_state.SECOND)
    curate_state.put(**{name: "" for name in gone if state.get(name) == one.id})
    curate_state.say(f"{one.id} is deleted.")


def _compare(workspace: str, saved: dict[str, Selection], linked: str, *, dark: bool) -> None:
    others = [name for name in saved if name != linked]
    second = state.get(curate_state.SECOND)
    second = second if second in others else ""
    st.session_state[_SECOND] = second
    st.selectbox(
        "Compare it with",
        ["", *others],
        format_func=lambda name: (
            curate_frames.selection_name(saved[name]) if name else "Another saved selection"
        ),
        key=_SECOND,
        on_change=curate_state.write,
        args=(curate_state.SECOND, _SECOND),
        disabled=not others,
        help="Who differs, and why." if others else "There is only this one.",
        width=380,
    )
    if not second:
        return
    found = curate_load.comparison(workspace, linked, second)
    a, b = saved[linked], saved[second]
    with curate_tables.numbers("compare"):
        curate_tables.metric("In both", f"{found.n_both:,}", f"{found.tokens_both:,} tokens")
        curate_tables.metric("Jaccard", _number(found.jaccard), "of all in either")
        curate_tables.metric(
            "Rank correlation", _number(found.rank_correlation), f"{found.n_common:,} in common"
        )
    st.text(curate_frames.differing(curate_frames.settings_of(a), curate_frames.settings_of(b)))
    charts.chart(
        comparison_chart(found.traces, (a.name or a.id, b.name or b.id), dark=dark),
        key="compare-chart",
        pixels=True,
        alt="Ranks in both selections of the traces that either took",
    )
    tables.save_csv("Ranks as CSV", "compare", lambda: found.traces.reset_index())
    names = {"a": "here", "b": "there"}
    for rows, other, name, title in (
        (found.only_a, second, "only-a", f"Only in {curate_frames.selection_name(a)}"),
        (found.only_b, linked, "only-b", f"Only in {curate_frames.selection_name(b)}"),
    ):
        reasons = curate_load.reasons(workspace, other)
        curate_tables.moves(title, name, curate_frames.moves(rows, reasons), names)
    st.code(curate_frames.command("compare", [linked, second], workspace), language="shell")


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.3f}"
