"""What does a page read of the workspace, and what is remembered between two reruns?

Grams are read once per run, state of the run and history; α and aggregation then move flat arrays.
Caches are shared by all sessions: what they return is never changed in place.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.config import Weights
from grace_engine.errors import GraceError, NotFoundError
from grace_engine.figures import frames
from grace_engine.figures.palette import colour_limits
from grace_engine.records import Judge, JudgedStep, ScoringRun, Selection
from grace_engine.store import WorkspaceUsage
from grace_engine.ui import filtering
from grace_engine.ui.text import fault_markdown

_NOTHING_SAID = api.Annotations(
    verdicts={},
    overrides={},
    looked=frozenset(),
    version=0,
    author="",
    can_undo=False,
    can_redo=False,
)


def workspace_path() -> str:
    """The workspace that the app was started for."""
    return os.environ.get("GRACE_WORKSPACE", "workspace")


@contextmanager
def faults_as_sentences() -> Iterator[None]:
    """Show a fault of the engine as one sentence and end the page there."""
    try:
        yield
    except GraceError as fault:
        st.error(fault_markdown(fault), icon=":material/error:")
        st.stop()


def opened_workspace() -> api.Workspace:
    """The workspace, to do something with it."""
    return api.open_workspace(workspace_path(), create=False)


@st.cache_data(ttl=1, max_entries=4, show_spinner=False)
def usage(workspace: str) -> WorkspaceUsage | None:
    """What the workspace holds; None where there is none yet."""
    try:
        return api.usage(api.open_workspace(workspace, create=False))
    except NotFoundError:
        return None


@st.cache_data(ttl=2, max_entries=4, show_spinner=False)
def list_runs(workspace: str) -> list[ScoringRun]:
    """All runs of the workspace, newest first; a burst of reruns asks the store once."""
    runs = _runs(workspace, stamp(workspace))
    return sorted(runs, key=lambda run: (run.created_at, run.id), reverse=True)


def run_view(workspace: str, run: ScoringRun, weights: Weights) -> api.RunView:
    """The run under ``weights``; Grams are read only where the history is new."""
    base = _run_under_history(workspace, run.id, run.updated_at, str(weights.history), weights)
    return replace(api.reweighted(base, weights), run=run)


def facts(workspace: str, view: api.RunView, annotations: api.Annotations) -> pd.DataFrame:
    """``filtering.annotated`` of the run: only the values are computed at every turn of α."""
    run, history = view.run, str(view.weights.history)
    known = _annotated(
        workspace, run.id, run.updated_at, history, annotations.version, view, annotations
    )
    return known.assign(value=view.values)


@st.cache_resource(max_entries=16, show_spinner=False)
def step_kinds(
    workspace: str, run: str, updated_at: str, _view: api.RunView
) -> npt.NDArray[np.object_]:
    """``[S]`` what the data says of each step; verdicts have signs of their own."""
    del run, updated_at  # parts of the key
    return api.step_kinds(api.open_workspace(workspace, create=False), _view, _NOTHING_SAID)


def fitted_limits(workspace: str, run: ScoringRun, view: api.RunView) -> dict[str, float]:
    """Where the fitted colour scale of each signal ends."""
    history = str(view.weights.history)
    return _limits(workspace, run.id, run.updated_at, history, view)


def annotations(workspace: str, run: str) -> api.Annotations:
    """What curators said so far, on steps as a run saw them; read anew only where the log grew."""
    return _annotations(workspace, run, _annotation_version(workspace))


def annotations_of_all(workspace: str) -> api.Annotations:
    """What curators said so far, of traces and of problems."""
    return _annotations(workspace, None, _annotation_version(workspace))


def forget_annotations() -> None:
    """Something was said: look at the log again."""
    _annotation_version.clear()


@st.cache_data(ttl=2, max_entries=4, show_spinner=False)
def list_selections(workspace: str) -> list[Selection]:
    """All saved selections without their choices, the latest first."""
    return _selections(workspace, stamp(workspace))


def stamp(workspace: str) -> str:
    """What is another text once something was stored: opening the store anew takes its time."""
    return api.open_workspace(workspace, create=False).database.stamp()


@st.cache_resource(max_entries=4, show_spinner=False)
def selection(workspace: str, selection_id: str) -> Selection:
    """A saved selection; its id is a digest of all that decided it."""
    return api.get_selection(api.open_workspace(workspace, create=False), selection_id)


@st.cache_data(ttl=2, max_entries=4, show_spinner=False)
def list_judges(workspace: str) -> list[Judge]:
    """All judge models that have read something, the latest first."""
    return _judges(workspace, stamp(workspace))


def judge_reads(workspace: str, run: str) -> dict[str, int]:
    """By judge, how many traces of a run it has read, most first: the first is shown at first."""
    return _judge_reads(workspace, run, stamp(workspace))


def judged(workspace: str, judge: str, view: api.RunView) -> api.StepJudge | None:
    """What a judge says of the steps of a run; None where it has read none of them."""
    known = {one.id: one for one in list_judges(workspace)}
    if judge not in known:
        return None
    run, now = view.run, f"{known[judge].updated_at} {known[judge].n_requests}"
    found = _judged(workspace, run.id, run.updated_at, judge, now, view)
    return found if any(found.texts) else None


def judged_on(workspace: str, view: api.RunView, trace: str) -> dict[int, JudgedStep]:
    """What the view's judge says of each step of one trace, with its reasons."""
    if view.judged is None:
        return {}
    judge = view.judged.judge
    return _judged_on(workspace, view.run.id, trace, judge.id, judge.n_requests)


@st.cache_data(max_entries=64, show_spinner=False)
def _judged_on(
    workspace: str, run: str, trace: str, judge: str, n_requests: int
) -> dict[int, JudgedStep]:
    del n_requests  # part of the key
    opened = api.open_workspace(workspace, create=False)
    return {one.step: one for one in api.judged_on(opened, trace, judge, run)}


@st.cache_data(ttl=60, max_entries=32, show_spinner=False)
def search(
    workspace: str, datasets: tuple[str, ...], updated_at: str, text: str, *, regex: bool
) -> set[str]:
    """Traces whose prompt, steps or answer hold the text."""
    del updated_at  # part of the key
    found = api.open_workspace(workspace, create=False)
    return api.search_traces(found, datasets, text, regex=regex)


@st.cache_data(ttl=60, max_entries=64, show_spinner=False)
def same_prompt(workspace: str, trace: str) -> list[str]:
    """Traces with the prompt of this one, itself too."""
    return api.same_prompt(api.open_workspace(workspace, create=False), trace)


@st.cache_data(max_entries=8, show_spinner=False)
def label_values(
    workspace: str, run: str, updated_at: str, _traces: pd.DataFrame
) -> dict[str, list[str]]:
    """Labels of a run's traces that can be filters, with their values."""
    del workspace, run, updated_at  # parts of the key
    return filtering.label_values(_traces)


@st.cache_data(max_entries=8, show_spinner=False)
def number_labels(workspace: str, run: str, updated_at: str, _traces: pd.DataFrame) -> list[str]:
    """Columns of a run's labels that can be bounded."""
    del workspace, run, updated_at  # parts of the key
    return filtering.number_labels(_traces)


@st.cache_data(max_entries=4, show_spinner=False)
def unscored(workspace: str, run: str, updated_at: str) -> list[api.UnscoredTrace]:
    """The traces that a run could not score."""
    del updated_at  # part of the key
    return api.unscored(api.open_workspace(workspace, create=False), run=run)


@st.cache_resource(max_entries=64, show_spinner=False)
def trace_view(
    workspace: str, run: str, updated_at: str, trace: str, weights: Weights | None = None
) -> api.TraceView:
    """One trace as a run saw it; without weights its scores are not those of the page."""
    del updated_at  # part of the key
    return api.trace_view(api.open_workspace(workspace, create=False), trace, run, weights)


@st.cache_data(max_entries=64, show_spinner=False)
def runs_with(workspace: str, trace: str, updated_at: str) -> list[str]:
    """Ids of the runs that have scored a trace."""
    del updated_at  # part of the key
    return api.runs_with(api.open_workspace(workspace, create=False), trace)


@st.cache_data(ttl=2, max_entries=4, show_spinner=False)
def _annotation_version(workspace: str) -> int:
    return _version(workspace, stamp(workspace))


@st.cache_data(max_entries=4, show_spinner=False)
def _version(workspace: str, stamp: str) -> int:
    del stamp  # part of the key
    return api.annotation_version(api.open_workspace(workspace, create=False))


@st.cache_data(max_entries=4, show_spinner=False)
def _runs(workspace: str, stamp: str) -> list[ScoringRun]:
    del stamp  # part of the key
    opened = api.open_workspace(workspace, create=False)
    # What is remembered of a run is keyed by its time; the checks of its answers are part of it.
    version = api.checks_version(opened)
    return [replace(run, updated_at=f"{run.updated_at} {version}") for run in api.list_runs(opened)]


@st.cache_data(max_entries=4, show_spinner=False)
def _selections(workspace: str, stamp: str) -> list[Selection]:
    del stamp  # part of the key
    return api.list_selections(api.open_workspace(workspace, create=False))


@st.cache_data(max_entries=4, show_spinner=False)
def _judges(workspace: str, stamp: str) -> list[Judge]:
    del stamp  # part of the key
    return api.list_judges(api.open_workspace(workspace, create=False))


@st.cache_data(max_entries=4, show_spinner=False)
def _judge_reads(workspace: str, run: str, stamp: str) -> dict[str, int]:
    del stamp  # part of the key
    return api.judge_reads(api.open_workspace(workspace, create=False), run=run)


@st.cache_resource(max_entries=4, show_spinner=False)
def _judged(
    workspace: str, run: str, updated_at: str, judge: str, now: str, _view: api.RunView
) -> api.StepJudge:
    del run, updated_at, now  # parts of the key
    found = api.step_judge(api.open_workspace(workspace, create=False), _view, judge)
    if found is None:  # pragma: no cover - a judge that is named is there, or it raises
        raise AssertionError(judge)
    return found


@st.cache_resource(max_entries=2, show_spinner=False)
def _annotations(workspace: str, run: str | None, version: int) -> api.Annotations:
    del version  # part of the key
    return api.annotations(api.open_workspace(workspace, create=False), run=run)


@st.cache_resource(max_entries=6, show_spinner="Reading the run's step Grams…")
def _run_under_history(
    workspace: str, run: str, updated_at: str, history: str, _weights: Weights
) -> api.RunView:
    del updated_at, history  # parts of the key
    return api.run_view(api.open_workspace(workspace, create=False), run, _weights)


@st.cache_resource(max_entries=6, show_spinner=False)
def _facts(
    workspace: str, run: str, updated_at: str, history: str, _view: api.RunView
) -> pd.DataFrame:
    del workspace, run, updated_at, history  # parts of the key
    return frames.facts(_view)


@st.cache_resource(max_entries=6, show_spinner=False)
def _annotated(
    workspace: str,
    run: str,
    updated_at: str,
    history: str,
    version: int,
    _view: api.RunView,
    _annotations: api.Annotations,
) -> pd.DataFrame:
    del version  # part of the key
    return filtering.annotated(_facts(workspace, run, updated_at, history, _view), _annotations)


@st.cache_data(max_entries=24, show_spinner=False)
def _limits(
    workspace: str, run: str, updated_at: str, history: str, _view: api.RunView
) -> dict[str, float]:
    del workspace, run, updated_at, history  # parts of the key
    return colour_limits(_view.signals)
