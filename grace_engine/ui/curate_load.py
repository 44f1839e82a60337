"""What does the Curate page ask of the engine, and what is remembered between two reruns?"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.config import CurateConfig, Weights
from grace_engine.errors import NotFoundError
from grace_engine.records import DuplicateFinding, Of, ScoringRun, Selection, is_of_problems
from grace_engine.selection import Bias, Comparison, Duplicates, Taken
from grace_engine.ui import curate_frames, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """All that decides a choice; two equal ones are one choice.

    Attributes:
        workspace: Its folder.
        run: Id of the run.
        updated_at: When the run last changed.
        weights: How signals become values.
        config: The other settings.
        version: Last entry of the log of annotations.
        finding: By which duplicates are left out; None where they are not.
    """

    workspace: str
    run: str
    updated_at: str
    weights: Weights
    config: CurateConfig
    version: int
    finding: DuplicateFinding | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Live:
    """The choice on the screen.

    Attributes:
        asked: What decides it.
        view: The run under its weights.
        annotations: What curators said.
        duplicates: Those of which one is enough; None where all may be taken.
        taken: What the budget took.
    """

    asked: Asked
    view: api.RunView
    annotations: api.Annotations
    duplicates: Duplicates | None
    taken: Taken


@st.cache_resource(max_entries=12, show_spinner=False)
def taken(
    asked: Asked,
    _view: api.RunView,
    _annotations: api.Annotations,
    _duplicates: Duplicates | None,
) -> Taken:
    """What the budget takes."""
    return api.live_choice(_view, asked.config, _annotations, _duplicates)


def left_out(
    workspace: str, view: api.RunView, config: CurateConfig
) -> tuple[DuplicateFinding | None, Duplicates | None]:
    """The finding by which duplicates are left out, and its groups among the run's traces."""
    run = view.run
    finding = _finding(workspace, run, config.without_duplicates)
    return finding, _groups(workspace, run.id, run.updated_at, finding, view) if finding else None


@st.cache_data(ttl=2, max_entries=4, show_spinner=False)
def _finding(workspace: str, run: ScoringRun, of: Of | Literal[""]) -> DuplicateFinding | None:
    return api.finding_for(api.open_workspace(workspace, create=False), run, of)


@st.cache_resource(max_entries=4, show_spinner=False)
def _groups(
    workspace: str, run: str, updated_at: str, finding: DuplicateFinding, _view: api.RunView
) -> Duplicates:
    del run, updated_at  # parts of the key
    return api.duplicates_of(api.open_workspace(workspace, create=False), _view, finding)


@st.cache_resource(max_entries=24, show_spinner=False)
def why(asked: Asked, trace: str, _live: Live) -> api.Why:
    """Why a trace is in or out."""
    return api.why(_live.view, asked.config, _live.annotations, trace, _live.duplicates)


@st.cache_resource(max_entries=6, show_spinner=False)
def bias(asked: Asked, _live: Live) -> Bias:
    """Chosen against left out."""
    strategy = asked.config.strategy
    return api.bias(_live.view, _live.taken.selected, _live.taken.values, strategy)


def curve(live: Live) -> pd.DataFrame:
    """Value, share correct and tokens of every budget; the present budget plays no part."""
    return _curve(_without_budget(live.asked), live)


@st.cache_resource(max_entries=6, show_spinner=False)
def _curve(asked: Asked, _live: Live) -> pd.DataFrame:
    del asked  # the key
    return api.budget_curve(_live.view, _live.asked.config, _live.annotations, _live.duplicates)


@st.cache_resource(max_entries=6, show_spinner=False)
def change(asked: Asked, selection_id: str, _live: Live) -> Comparison:
    """The choice on the screen (b) against a saved selection (a)."""
    return api.compare(frame(asked.workspace, selection_id), _live.taken)


@st.cache_resource(max_entries=6, show_spinner=False)
def comparison(workspace: str, a: str, b: str) -> Comparison:
    """Two saved selections."""
    return api.compare(frame(workspace, a), frame(workspace, b))


@st.cache_resource(max_entries=4, show_spinner=False)
def frame(workspace: str, selection_id: str) -> pd.DataFrame:
    """A saved selection as a frame; its id is a digest of all that decided it."""
    return api.ranking_frame(load.selection(workspace, selection_id))


@st.cache_resource(max_entries=4, show_spinner=False)
def reasons(workspace: str, selection_id: str) -> dict[str, str]:
    """Why a saved selection left each trace out, by its id."""
    found = load.selection(workspace, selection_id)
    return {choice.trace_id: choice.reason for choice in found.choices if not choice.selected}


@st.cache_data(ttl=2, max_entries=4, show_spinner=False)
def counts(workspace: str) -> dict[str, tuple[int, int, int]]:
    """Chosen traces, traces and chosen tokens of every selection."""
    return api.selection_counts(api.open_workspace(workspace, create=False))


@st.cache_data(ttl=2, max_entries=4, show_spinner=False)
def how_trained(workspace: str) -> dict[str, api.HowTrained]:
    """How each selection trained, as far as one was."""
    return api.how_trained(api.open_workspace(workspace, create=False))


def forget_selections() -> None:
    """One was saved, renamed or deleted: look again."""
    load.list_selections.clear()
    counts.clear()


def riding(workspace: str, selection_id: str) -> int:
    """Traces that ``original`` would write beside the chosen ones; 0 where their run is gone."""
    return _riding(workspace, selection_id, load.stamp(workspace))


@st.cache_data(max_entries=8, show_spinner=False)
def _riding(workspace: str, selection_id: str, stamp: str) -> int:
    del stamp  # part of the key
    try:
        return api.riding(api.open_workspace(workspace, create=False), selection_id)
    except NotFoundError:  # the export says so
        return 0


@st.cache_data(max_entries=8, show_spinner=False)
def strata_columns(workspace: str, run: str, updated_at: str, _traces: pd.DataFrame) -> list[str]:
    """Columns that a budget can be split over."""
    del workspace, run, updated_at  # the key
    return curate_frames.strata_columns(_traces)


def share_correct(live: Live) -> tuple[float, float] | None:
    """Share of right answers among the chosen and in the pool; None where nothing is labelled."""
    asked = live.asked
    right = _correctness(asked.workspace, asked.run, asked.updated_at, live.view.traces)
    return curate_frames.share_correct(right, live.taken.selected)


@st.cache_resource(max_entries=8, show_spinner=False)
def _correctness(
    workspace: str, run: str, updated_at: str, _traces: pd.DataFrame
) -> npt.NDArray[np.float64]:
    """``curate_frames.correctness``: it does not follow α or budget."""
    del workspace, run, updated_at  # the key
    return curate_frames.correctness(_traces)


def selections(workspace: str, *, of_problems: bool = False) -> dict[str, Selection]:
    """Saved selections of traces, or of problems, by id, without choices, the latest first."""
    return {
        one.id: one
        for one in load.list_selections(workspace)
        if is_of_problems(one.run_id) == of_problems
    }


def _without_budget(asked: Asked) -> Asked:
    return replace(asked, config=replace(asked.config, budget=CurateConfig().budget))
