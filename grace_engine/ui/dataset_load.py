"""What does the Dataset page ask of the engine, and what is remembered between two reruns?

A report of the same names, models and size is made once for each state of the store.
"""

from collections.abc import Sequence

import streamlit as st

from grace_engine import api
from grace_engine.errors import NotFoundError
from grace_engine.supervision import MeasureConfig
from grace_engine.ui import load


def subjects(workspace: str, names: Sequence[str], config: MeasureConfig) -> api.Subjects:
    """What a report would be about, and how much of it is still to be measured."""
    return _subjects(workspace, load.stamp(workspace), tuple(names), config)


def report(
    workspace: str, names: Sequence[str], config: MeasureConfig, target_size: str
) -> api.DatasetReport:
    """A report of what is measured already."""
    return _report(workspace, load.stamp(workspace), tuple(names), config, target_size)


def near_duplicates(workspace: str, names: Sequence[str]) -> api.NearDuplicates | None:
    """Equal and nearly equal traces; None where nobody looked for them."""
    return _near_duplicates(workspace, load.stamp(workspace), tuple(names))


def trained_on(workspace: str) -> list[api.TrainedOn]:
    """What trainings of the workspace found; cells are few and small, and read anew."""
    return api.trained_on(api.open_workspace(workspace, create=False))


@st.cache_resource(max_entries=16, show_spinner="Looking at what is measured…")
def _subjects(
    workspace: str, stamp: str, names: tuple[str, ...], config: MeasureConfig
) -> api.Subjects:
    del stamp  # part of the key
    return api.report_subjects(api.open_workspace(workspace, create=False), names, config)


@st.cache_resource(max_entries=8, show_spinner="Putting the report together…")
def _report(
    workspace: str, stamp: str, names: tuple[str, ...], config: MeasureConfig, target_size: str
) -> api.DatasetReport:
    del stamp  # part of the key
    opened = api.open_workspace(workspace, create=False)
    return api.dataset_report(
        opened, names[0], against=names[1:], target_size=target_size, config=config
    )


@st.cache_resource(max_entries=8, show_spinner=False)
def _near_duplicates(
    workspace: str, stamp: str, names: tuple[str, ...]
) -> api.NearDuplicates | None:
    del stamp  # part of the key
    try:
        return api.near_duplicates(api.open_workspace(workspace, create=False), names)
    except NotFoundError:
        return None
