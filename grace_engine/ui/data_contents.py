"""What is in the workspace, how large is it, and what goes when something is deleted?"""

import itertools
from collections.abc import Callable
from pathlib import PurePath

import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.figures.frames import plain
from grace_engine.jobs import Job
from grace_engine.quantities import counted, size
from grace_engine.store import WorkspaceUsage
from grace_engine.ui import data_jobs, load, tables
from grace_engine.ui.controls import run_name

# Between two looks at the store while a run fills it.
_FOLLOW_SECONDS = 2.0


def contents(workspace: str, held: WorkspaceUsage | None) -> None:
    """Datasets, runs, sizes, deletion; or what to begin with."""
    jobs = data_jobs.known_jobs(workspace)
    if held is None or not held.datasets:
        if any(job.is_active for job in jobs):
            st.info("The first traces are on their way.", icon=":material/hourglass_top:")
        else:
            _begin(workspace)
    else:
        follows = _FOLLOW_SECONDS if any(job.is_active for job in jobs) else None
        st.fragment(_holdings, run_every=follows, key="data-holdings")(workspace)
        _deletion(workspace, held, jobs)
    if jobs:
        undone = any(data_jobs.is_left_undone(job, jobs) for job in jobs)
        label = f"Background runs ({len(jobs)})"
        with st.expander(label, icon=":material/history:", expanded=undone):
            data_jobs.history(workspace, jobs)


def _begin(workspace: str) -> None:
    st.info(
        f"Begin with the sample: {data_jobs.SAMPLE} Or add traces of your own.",
        title="Nothing is stored here yet",
        icon=":material/lightbulb:",
    )
    data_jobs.offer_sample(workspace)


def _holdings(workspace: str) -> None:
    """Sizes, datasets and runs; drawn anew while something runs that changes them."""
    held = load.usage(workspace)
    if held is None:
        return
    _sizes(held)
    st.markdown("##### Datasets")
    tables.table(_datasets(held), alt="Datasets of the workspace")
    st.markdown("##### Scoring runs")
    if held.runs:
        runs = _runs(held, data_jobs.known_jobs(workspace))
        tables.table(runs, alt="Scoring runs, the latest first")
    else:
        st.text("Nothing is scored yet: Score does that.")


def _sizes(held: WorkspaceUsage) -> None:
    n_traces = sum(dataset.n_traces for dataset in held.datasets)
    n_rejected = sum(dataset.n_rejected for dataset in held.datasets)
    st.text(
        f"{counted(n_traces, 'trace')} and {counted(n_rejected, 'rejected record')} · "
        f"{counted(len(held.runs), 'scoring run')} · "
        f"{counted(len(held.selections), 'selection')} · database {size(held.file_bytes)}, "
        f"folder {size(held.folder_bytes)}"
    )


def _datasets(held: WorkspaceUsage) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "dataset": each.name,
                "traces": each.n_traces,
                "problems": each.n_problems,
                "rejected": each.n_rejected,
                "steps cut by": each.segmenter,
                "text and records": size(held.dataset_bytes.get(each.name, 0)),
                "since": each.created_at[:16].replace("T", " "),
                "sources": ", ".join(each.sources),
            }
            for each in held.datasets
        ]
    )


def _runs(held: WorkspaceUsage, jobs: list[Job]) -> pd.DataFrame:
    under_way = _under_way(held, jobs)
    return pd.DataFrame(
        [
            {
                "run": each.id,
                "state": "complete"
                if not each.n_pending
                else "under way"
                if each.id in under_way
                else "in part",
                "model": PurePath(each.model).name,
                "gradient": each.gradient,
                "datasets": ", ".join(each.datasets),
                "scored": each.n_scored,
                "not scorable": each.n_rejected,
                "still to score": each.n_pending,
                "Grams": size(held.run_bytes.get(each.id, 0)),
                "model named as": each.model,
                "last scored": each.updated_at[:16].replace("T", " "),
            }
            for each in held.runs
        ]
    )


def _under_way(held: WorkspaceUsage, jobs: list[Job]) -> set[str]:
    """Ids of the scoring runs that background runs work on: the latest that each may mean."""
    found: set[str] = set()
    for job in jobs:
        if job.is_active:
            meant = (run.id for run in held.runs if api.may_score(job, run))
            found.update(itertools.islice(meant, 1))
    return found


def _deletion(workspace: str, held: WorkspaceUsage, jobs: list[Job]) -> None:
    names = {("dataset", each.name): plain(f"Dataset {each.name}") for each in held.datasets}
    names |= {("run", each.id): f"Run {run_name(each)}" for each in held.runs}
    things: list[tuple[str, str]] = list(names)
    with (
        st.expander("Delete a dataset or a run", icon=":material/delete:"),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        chosen = st.selectbox(
            "What to delete",
            things,
            index=None,
            format_func=names.__getitem__,
            placeholder="Choose a dataset or a run",
            width=420,
        )
        busy = any(job.is_active for job in jobs)
        asked = st.button(
            "Delete…",
            disabled=chosen is None or busy,
            help="Wait until nothing runs in the background." if busy else None,
        )
    if asked and chosen is not None:
        _confirm(workspace, held, *chosen)


@st.dialog("Delete for good?", icon=":material/delete:")
def _confirm(workspace: str, held: WorkspaceUsage, kind: str, name: str) -> None:
    st.text(plain(_what_goes(held, kind, name)))
    with st.container(horizontal=True):
        gone = st.button(
            "Delete it",
            type="primary",
            key="delete-it",
            on_click=_delete,
            args=(workspace, kind, name),
        )
        if st.button("Keep it", key="keep-it") or gone:
            st.rerun()


def _what_goes(held: WorkspaceUsage, kind: str, name: str) -> str:
    if kind == "run":
        run = next(each for each in held.runs if each.id == name)
        return (
            f"Run {run.id} of {run.model} goes, with the step Grams of {run.n_scored:,} traces "
            "that no other run uses. The traces stay, and so do selections that it decided. "
            "Scoring again would take as long as it took."
        )
    dataset = next(each for each in held.datasets if each.name == name)
    touched = [run.id for run in held.runs if name in run.datasets]
    return (
        f"Dataset {name} goes: {dataset.n_traces:,} traces, {dataset.n_rejected:,} rejected "
        f"records and their source records, and what {len(touched):,} run(s) scored on them. "
        "Selections stay, though its traces can no longer be exported. The source files are not "
        "touched."
    )


def _delete(workspace: str, kind: str, name: str) -> None:
    """Callback of the dialog."""
    verbs: dict[str, Callable[[api.Workspace, str], object]] = {
        "dataset": api.delete_dataset,
        "run": api.delete_run,
    }
    data_jobs.attempt(lambda: verbs[kind](api.open_workspace(workspace, create=False), name))
    load.usage.clear()
