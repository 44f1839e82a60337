"""Which datasets and selections are reported on, for which model, and what measures them?"""

from dataclasses import dataclass

import streamlit as st

from grace_engine import api
from grace_engine.errors import GraceError
from grace_engine.figures.frames import plain
from grace_engine.quantities import counted
from grace_engine.report import size_of
from grace_engine.store import WorkspaceUsage
from grace_engine.supervision import MeasureConfig
from grace_engine.ui import data_jobs, data_score, dataset_load
from grace_engine.ui.text import fault_markdown

OF, SIZE = "of", "size"
"""Keys of bound inputs; each is the query parameter too."""

_FIRST = 3
"""Datasets that are chosen at the start: more of them are a choice of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the page is about.

    Attributes:
        names: Datasets by name and selections by id, the first one held against the others.
        size: Of the model to be trained; "" for none.
        config: What measures.
    """

    names: tuple[str, ...]
    size: str
    config: MeasureConfig


def choose(workspace: str, held: WorkspaceUsage) -> Asked | None:
    """Names, size and models; None where nothing is chosen or what is typed is wrong."""
    chosen = api.list_selections(api.open_workspace(workspace, create=False))
    known = {each.name: plain(each.name, 40) for each in held.datasets}
    known |= {one.id: f"{plain(one.name, 40) or 'selection'} · {one.id}" for one in chosen}
    left, right = st.columns([4, 1], gap="medium", vertical_alignment="bottom")
    with left:
        names = st.multiselect(
            "Datasets and selections",
            list(known),
            default=[each.name for each in held.datasets][:_FIRST],
            format_func=known.__getitem__,
            key=OF,
            bind="query-params",
            placeholder="Choose what to report on",
            help="The first one is what the report is about; it is held against the others.",
        )
    with right:
        size = st.text_input(
            "Model to train",
            key=SIZE,
            bind="query-params",
            placeholder="8B",
            help="Its size, such as 8B, 0.6B or 600M: what a paper found for the nearest size "
            "ranks the datasets. Empty: no ranking.",
        ).strip()
    try:
        if size:
            size_of(size)
        config = _models(workspace)
    except GraceError as fault:
        st.error(fault_markdown(fault), icon=":material/error:")
        return None
    if not names:
        st.info("Choose a dataset or a selection above.", icon=":material/lightbulb:")
        return None
    return Asked(names=tuple(names), size=size, config=config)


def measured_or_stop(workspace: str, asked: Asked) -> None:
    """Where something is still to be measured, offer that and end the page."""
    found = dataset_load.subjects(workspace, asked.names, asked.config)
    if not found.n_unmeasured:
        return
    busy = any(j.is_active and j.spec.kind == "report" for j in data_jobs.known_jobs(workspace))
    part = "None" if found.n_unmeasured == found.n_traces else "Not all"
    st.info(
        f"{part} of the {counted(found.n_traces, 'trace')} are measured by these models yet: "
        f"{found.n_unmeasured:,} are left. What is measured is kept, also where you cancel.",
        title="Something is still to be measured",
        icon=":material/straighten:",
    )
    st.button(
        "Measure",
        type="primary",
        icon=":material/play_arrow:",
        key="measure",
        disabled=busy,
        help="Wait until the measuring above has ended." if busy else None,
        on_click=data_jobs.launch,
        args=(api.start_report, asked.names, asked.config),
        kwargs={"workspace": workspace},
    )
    st.stop()


def _models(workspace: str) -> MeasureConfig:
    shipped = data_score.shipped_models()
    with st.expander("What measures", icon=":material/tune:"):
        left, middle, right = st.columns(3, gap="medium")
        model = left.selectbox(
            "Model of tokens and perplexity",
            list(shipped),
            format_func=lambda name: shipped.get(name) or plain(name),
            accept_new_options=True,
            key="model",
            bind="query-params",
            help="A shipped model, a hub id, or the folder of a causal LM. Without an embedding "
            "model its hidden states say what is near in meaning.",
        )
        embeddings = middle.text_input(
            "Embedding model",
            key="embeddings",
            bind="query-params",
            placeholder="the model's hidden states",
            help="Folder or hub id of a sentence-transformers model; it needs "
            "`pip install 'grace-studio[embeddings]'`.",
        )
        parser = right.text_input(
            "Parser of sentences",
            key="parser",
            bind="query-params",
            placeholder="none: no syntactic depth",
            help="A spaCy pipeline, or `auto` for the installed one of each language; it needs "
            "`pip install 'grace-studio[syntax]'`.",
        )
    return MeasureConfig(
        model=data_score.confined_model(model or "", set(shipped), workspace),
        embeddings=data_score.confined_model(embeddings, set(), workspace),
        parser=data_score.confined_model(parser, set(), workspace),
    )
