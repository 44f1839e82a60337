"""On which problems is a training judged, and how is each of them put?"""

import streamlit as st

from grace_engine import api
from grace_engine.errors import InputError
from grace_engine.figures.frames import plain
from grace_engine.store import WorkspaceUsage
from grace_engine.training import Asking
from grace_engine.ui import data_paths

_SHIPPED = "planted problems, held out (shipped)"
_NOTHING = "nothing"


def judged_on(workspace: str, held: WorkspaceUsage) -> tuple[str, int, Asking]:
    """Dataset or file, most problems of it, and how they are put."""
    names = [each.name for each in held.datasets]
    file = api.sample_folder() / "planted" / "held_out.jsonl"
    offered = [_NOTHING, *([_SHIPPED] if file.is_file() else []), *names]
    chosen = (
        st.selectbox(
            "Judged on",
            offered,
            index=1 if file.is_file() and "planted" in names else 0,
            format_func=plain,
            accept_new_options=True,
            key="train-eval",
            bind="query-params",
            help="Problems with reference answers that no arm is trained on: a dataset, or the "
            "path of a file.",
        )
        or _NOTHING
    )
    n_problems = st.number_input(
        "Problems",
        0,
        100_000,
        100,
        key="train-problems",
        bind="query-params",
        help="The first ones; 0 for all.",
    )
    with st.container(horizontal=True):
        k = st.number_input(
            "pass@k",
            0,
            1000,
            0,
            key="train-pass-k",
            bind="query-params",
            help="A problem counts as far as one of k sampled answers is right. 0: one greedy "
            "answer.",
        )
        temperature = st.number_input(
            "Temperature",
            0.01,
            5.0,
            0.8,
            key="train-temperature",
            bind="query-params",
            disabled=not k,
            help="Of sampled answers.",
        )
    asking = Asking(k=int(k), temperature=float(temperature))
    return _source(chosen, names, str(file), workspace), int(n_problems), asking


def _source(chosen: str, names: list[str], shipped: str, workspace: str) -> str:
    if chosen in names:
        return chosen
    if chosen == _NOTHING:
        return ""
    if chosen == _SHIPPED:
        return shipped
    path = data_paths.confined(chosen.strip(), workspace)
    if not path.is_file():
        raise InputError(f"{chosen} is neither a dataset of this workspace nor a file.")
    return str(path)
