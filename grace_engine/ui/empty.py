"""What does a page say where there is nothing to show yet?"""

import shlex
from typing import NoReturn

import streamlit as st

from grace_engine.api import RunView
from grace_engine.errors import NotFoundError
from grace_engine.records import ScoringRun
from grace_engine.ui import load
from grace_engine.ui.text import as_markdown


def runs_or_stop(workspace: str) -> list[ScoringRun]:
    """All runs, newest first; without one, say what to do next and end the page."""
    name = shlex.quote(workspace)
    try:
        runs = load.list_runs(workspace)
    except NotFoundError:
        _stop(
            "There is no workspace yet",
            f"Nothing is stored at {as_markdown(workspace)}. Begin with the shipped sample, or "
            "with traces of your own:",
            f"grace sample --workspace {name}",
            f"grace ingest FILE.jsonl --workspace {name}",
        )
    if not runs:
        _stop(
            "Nothing is scored yet",
            "A heatmap needs a scoring run. Ingest traces if you have not, then score them:",
            f"grace ingest FILE.jsonl --workspace {name}",
            f"grace score --workspace {name}",
        )
    return runs


def traces_or_stop(view: RunView, workspace: str) -> None:
    """For a run without a scored trace, say what to do next and end the page."""
    if len(view.traces):
        return
    run, name = view.run, shlex.quote(workspace)
    _stop(
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


def _stop(title: str, sentence: str, *commands: str) -> NoReturn:
    st.info(sentence, title=title, icon=":material/lightbulb:")
    st.page_link("pages/data.py", label="Do it on the Data page", icon=":material/database:")
    for command in commands:
        st.code(command, language="shell")
    st.stop()
