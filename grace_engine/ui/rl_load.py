"""What does the Problems page read of the workspace, and what is remembered between two reruns?"""

from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.config import CurateConfig
from grace_engine.errors import NotFoundError
from grace_engine.records import PolicyRun, RolloutSet
from grace_engine.selection import Taken
from grace_engine.ui import load


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A set of rollouts, or a run of policy gradients that was taken of one.

    Attributes:
        rollouts: The set.
        run: The run; None where the set alone is looked at.
        target: The run's target set; None without one.
    """

    rollouts: RolloutSet
    run: PolicyRun | None = None
    target: RolloutSet | None = None

    @property
    def id(self) -> str:
        """Of the run, or of the set."""
        return self.run.id if self.run else self.rollouts.id

    @property
    def version(self) -> str:
        """What is another text once something was added."""
        return f"{self.rollouts.updated_at} {self.run.updated_at if self.run else ''}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveProblems:
    """The choice of problems on the screen.

    Attributes:
        workspace: Its folder.
        source: What is chosen from.
        view: Its problems.
        config: How they are chosen.
        annotations: What curators said.
        taken: What the budget took.
        rows: As ``api.problem_rows`` has them.
    """

    workspace: str
    source: Source
    view: api.ProblemView
    config: CurateConfig
    annotations: api.Annotations
    taken: Taken
    rows: pd.DataFrame

    @property
    def key(self) -> tuple[str, str, str, CurateConfig, int]:
        """All that decides the choice."""
        version = self.annotations.version
        return (self.workspace, self.source.id, self.source.version, self.config, version)


def sources(workspace: str) -> list[Source]:
    """Runs of policy gradients, the latest first, then sets of rollouts; none without either."""
    try:
        return _sources(workspace, load.stamp(workspace))
    except NotFoundError:
        return []


@st.cache_resource(max_entries=4, show_spinner=False)
def _sources(workspace: str, stamp: str) -> list[Source]:
    del stamp  # part of the key
    opened = api.open_workspace(workspace, create=False)
    sets = {one.id: one for one in api.list_rollout_sets(opened)}
    runs = [
        Source(rollouts=sets[run.set_id], run=run, target=sets.get(run.target_id))
        for run in api.list_policy_runs(opened)
        if run.set_id in sets
    ]
    return [*runs, *(Source(rollouts=one) for one in sets.values())]


def view(workspace: str, source: Source) -> api.ProblemView:
    """The problems of a source."""
    return _view(workspace, source.id, source.version)


@st.cache_resource(max_entries=4, show_spinner="Reading the problems…")
def _view(workspace: str, source: str, version: str) -> api.ProblemView:
    del version  # part of the key
    return api.problem_view(api.open_workspace(workspace, create=False), source)


def live(
    workspace: str,
    source: Source,
    view: api.ProblemView,
    config: CurateConfig,
    annotations: api.Annotations,
) -> LiveProblems:
    """The choice under these settings."""
    taken, rows = _taken(
        workspace, source.id, source.version, config, annotations.version, view, annotations
    )
    return LiveProblems(
        workspace=workspace,
        source=source,
        view=view,
        config=config,
        annotations=annotations,
        taken=taken,
        rows=rows,
    )


@st.cache_resource(max_entries=12, show_spinner=False)
def _taken(
    workspace: str,
    source: str,
    version: str,
    config: CurateConfig,
    said: int,
    _view: api.ProblemView,
    _annotations: api.Annotations,
) -> tuple[Taken, pd.DataFrame]:
    del workspace, source, version, said  # parts of the key
    found = api.live_problem_choice(_view, config, _annotations)
    return found, api.problem_rows(_view, found)


def methods(live: LiveProblems) -> api.Methods:
    """What each strategy would take."""
    return _methods(live.key, live)


@st.cache_resource(max_entries=6, show_spinner=False)
def _methods(key: tuple[object, ...], _live: LiveProblems) -> api.Methods:
    del key  # the key
    return api.methods(_live.view, _live.config, _live.annotations)


def curve(live: LiveProblems) -> pd.DataFrame:
    """Value, pass rate and tokens of every budget; the present budget plays no part."""
    workspace, source, version, config, said = live.key
    return _curve(
        (workspace, source, version, replace(config, budget=CurateConfig().budget), said), live
    )


@st.cache_resource(max_entries=6, show_spinner=False)
def _curve(key: tuple[object, ...], _live: LiveProblems) -> pd.DataFrame:
    del key  # the key
    return api.problem_curve(_live.view, _live.config, _live.annotations)


def why(live: LiveProblems, problem: str) -> api.WhyProblem:
    """Why a problem is in or out."""
    return api.why_problem(live.view, live.config, live.annotations, problem)


def rollouts(live: LiveProblems, problem: str) -> api.ProblemRollouts:
    """The rollouts of a problem, right ones first."""
    run = live.source.run
    normalise = run is None or run.normalise
    return _rollouts(
        live.workspace, live.source.rollouts.id, live.source.version, problem, normalise
    )


@st.cache_resource(max_entries=16, show_spinner="Reading the rollouts…")
def _rollouts(
    workspace: str, rollouts: str, version: str, problem: str, normalise: bool
) -> api.ProblemRollouts:
    del version  # part of the key
    opened = api.open_workspace(workspace, create=False)
    return api.problem_rollouts(opened, rollouts, problem, normalise=normalise)
