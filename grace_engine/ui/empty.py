"""What does a page say where there is nothing to show yet?"""

import shlex
from typing import NoReturn

import streamlit as st

from grace_engine.api import RunView
from grace_engine.errors import NotFoundError
from grace_engine.records import ScoringRun
from grace_engine.ui import data_jobs, load
from grace_engine.ui.text import as_markdown


def runs_or_stop(workspace: str) -> list[ScoringRun]:
    """All runs, newest first; without one, say what to do next and end the page."""
    name = shlex.quote(workspace)
    try:
        runs = load.list_runs(workspace)
    except NotFoundError:
        _nothing(workspace, name)
    if not runs:
        held = load.usage(workspace)
        if held is None or not held.datasets:
            _nothing(workspace, name)
        _stop(
            workspace,
            "Nothing is scored yet",
            "A heatmap needs a scoring run. The traces are here; score them:",
            f"grace score --workspace {name}",
        )
    return runs


def traces_or_stop(view: RunView, workspace: str) -> None:
    """For a run without a scored trace, say what to do next and end the page."""
    if len(view.traces):
        return
    run, name = view.run, shlex.quote(workspace)
    _stop(
        workspace,
        "This run has scored no trace yet",
        f"{run.n_pending:,} traces are still to score and {run.n_rejected:,} were rejected. "
        "Scoring goes on where it stopped:",
        f"grace score --workspace {name}",
    )


def matches_or_stop(n_rows: int) -> None:
    """Where filters let nothing through, say so and end the page."""
    if not n_rows:
        st.info(
            "Take a filter away, above, or search for something else.",
            title="No trace matches all of these filters",
            icon=":material/filter_list_off:",
        )
        st.stop()


def _nothing(workspace: str, name: str) -> NoReturn:
    """The page of a workspace without traces: the sample in one click, or traces of one's own."""
    _stop(
        workspace,
        "Nothing is stored here yet",
        as_markdown(f"Nothing is stored at {workspace}. Begin with the sample: {data_jobs.SAMPLE}")
        + " Or ingest traces of your own.",
        f"grace ingest FILE.jsonl --workspace {name}",
        sample=True,
    )


def _stop(
    workspace: str, title: str, sentence: str, command: str, *, sample: bool = False
) -> NoReturn:
    """What runs in the background, or what to do; the page is drawn anew when that changes."""
    data_jobs.panel(workspace)
    if any(job.is_active for job in data_jobs.known_jobs(workspace)):
        st.info("The first traces are on their way.", icon=":material/hourglass_top:")
        st.stop()
    st.info(sentence, title=title, icon=":material/lightbulb:")
    if sample:
        data_jobs.offer_sample(workspace)
    st.page_link("pages/data.py", label="Do it on the Data page", icon=":material/database:")
    st.code(command, language="shell")
    st.stop()
