"""How many answers are checked against their references, and what came out?"""

import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.records import OUTCOMES
from grace_engine.store import CheckCount, WorkspaceUsage
from grace_engine.ui import data_jobs


def answers(workspace: str, held: WorkspaceUsage | None) -> None:
    """Counts by dataset, and a button that checks what is not checked yet."""
    if held is None or not held.datasets:
        st.info("There is nothing to check yet: add traces.", icon=":material/lightbulb:")
        return
    counts = _counts(workspace)
    n_known = sum(each.n_with_reference for each in counts)
    n_traces = sum(each.n_traces for each in counts)
    n_checked = sum(each.n_checked for each in counts)
    st.text(
        f"{n_known:,} of {n_traces:,} traces have a reference answer; {n_checked:,} are checked."
    )
    busy = any(
        job.is_active and job.spec.kind == "check" for job in data_jobs.known_jobs(workspace)
    )
    st.button(
        "Check answers" if n_checked < n_known else "Check answers again",
        type="primary" if n_checked < n_known else "secondary",
        icon=":material/fact_check:",
        disabled=busy or not n_known,
        help="Wait until the checks above have ended, or cancel them."
        if busy
        else "With math-verify, in the background. What was checked already is not checked again "
        "unless all are.",
        on_click=data_jobs.attempt,
        args=(lambda: _start(workspace, again=n_checked == n_known),),
    )
    if n_checked:
        st.dataframe(_table(counts), hide_index=True, alt="Checked answers by dataset")
        st.caption(
            "Not parsed: math-verify finds no answer in one of the two. Timed out: no verdict "
            "within the limits of time and memory. Inspect filters by these, and by "
            "“Data and check disagree”."
        )


def _start(workspace: str, *, again: bool) -> None:
    api.start_checking(api.open_workspace(workspace, create=False), again=again)


def _table(counts: list[CheckCount]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "dataset": each.dataset,
                "traces": each.n_traces,
                "with a reference": each.n_with_reference,
                **{outcome: each.by_outcome.get(outcome, 0) for outcome in OUTCOMES},
                "not checked": each.n_with_reference - each.n_checked,
            }
            for each in counts
        ]
    )


@st.cache_data(ttl=2, max_entries=4, show_spinner=False)
def _counts(workspace: str) -> list[CheckCount]:
    return api.check_counts(api.open_workspace(workspace, create=False))
