"""What could not be used, and why?"""

from collections import Counter
from pathlib import PurePath

import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.figures.frames import plain
from grace_engine.records import Reject
from grace_engine.store import WorkspaceUsage
from grace_engine.ui import data_jobs, tables

# Rows of one table: a browser searches them at once, and more nobody reads.
_MOST_ROWS = 2000


def rejects(workspace: str, held: WorkspaceUsage | None) -> None:
    """Counts by reason and the rejected records, at ingest and by scoring runs."""
    if held is None or not held.datasets:
        st.info("Nothing was ingested yet.", icon=":material/lightbulb:")
        return
    names = [each.name for each in held.datasets]
    opened = api.open_workspace(workspace, create=False)
    with st.container(horizontal=True):
        dataset = st.selectbox(
            "Dataset",
            [None, *names],
            format_func=lambda name: "All datasets" if name is None else plain(name),
            key="rejects-of",
            width=320,
        )
        found = api.rejects(opened, dataset)
        counts = Counter(each.reason for each in found)
        reason = st.selectbox(
            "Reason",
            [None, *(name for name, _ in counts.most_common())],
            format_func=lambda name: "All reasons" if name is None else plain(name),
            key="rejects-because",
            width=320,
        )
    if found:
        st.markdown("##### Rejected at ingest")
        tables.table(
            pd.DataFrame(counts.most_common(), columns=["reason", "records or traces"]),
            width="content",
            alt="Rejected records by reason",
        )
        shown = [each for each in found if reason in (None, each.reason)]
        _table(
            pd.DataFrame(
                [
                    {
                        "from": _place(each),
                        "reason": each.reason,
                        "variant": each.variant,
                        "detail": each.detail,
                        "record begins": each.excerpt,
                        "file": each.path,
                    }
                    for each in shown[:_MOST_ROWS]
                ]
            ),
            len(shown),
        )
    else:
        st.success("Every record became a trace.", icon=":material/check_circle:")
    _unscored(workspace, opened, dataset or "")


def _place(reject: Reject) -> str:
    """Its file, and the line in it unless the file was refused as a whole."""
    name = PurePath(reject.path).name
    return f"{name}, line {reject.line}" if reject.line else name


def _unscored(workspace: str, opened: api.Workspace, dataset: str) -> None:
    found = api.unscored(opened, dataset)
    if not found:
        return
    st.markdown("##### Not scorable, by run")
    with st.container(horizontal=True, vertical_alignment="center"):
        for run, count in Counter(each.run for each in found).items():
            st.button(
                f"Try {count:,} of {run} again",
                key=f"retry-{run}",
                icon=":material/replay:",
                help="Scores in the background, by the settings of that run, what it could not "
                "score: worth it where the model, its files or the machine changed since. "
                "As `grace score --retry-failed`.",
                on_click=data_jobs.launch,
                args=(api.start_retry, run),
                kwargs={"workspace": workspace},
            )
    _table(
        pd.DataFrame(
            [
                {
                    "run": each.run,
                    "from": f"{PurePath(each.path).name}, line {each.line}",
                    "trace": each.trace_id,
                    "reason": each.reason,
                    "detail": each.detail,
                    "file": each.path,
                }
                for each in found[:_MOST_ROWS]
            ]
        ),
        len(found),
    )


def _table(rows: pd.DataFrame, total: int) -> None:
    tables.table(rows, alt="What could not be used, with file, line and reason")
    if total > len(rows):
        st.text(f"The first {len(rows):,} of {total:,}; grace rejects lists all of them.")
