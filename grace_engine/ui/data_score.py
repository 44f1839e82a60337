"""With which model and settings are the traces scored, and what will that take?"""

from dataclasses import replace
from pathlib import Path

import streamlit as st

from grace_engine import api
from grace_engine.config import PROXIES, TARGETS, ScoreConfig
from grace_engine.errors import GraceError
from grace_engine.figures.frames import plain
from grace_engine.quantities import duration, size
from grace_engine.records import ScoringRun
from grace_engine.store import WorkspaceUsage
from grace_engine.ui import data_jobs
from grace_engine.ui.data_paths import confined
from grace_engine.ui.text import facts_html, fault_markdown

_SAMPLE = 100
_PROXIES = {
    "upstream": "upstream: as published, fast",
    "lm_head": "lm_head: exact gradient of the output layer",
    "exact": "exact: autograd over the parameters, slow",
}
_TARGETS = {"own": "the trace's own answer", "reference": "the reference of the data"}


def score(workspace: str, held: WorkspaceUsage | None) -> None:
    """Choose model and settings, see the estimate, start a run."""
    if held is None or not held.datasets:
        st.info(
            "There is nothing to score yet: add traces, or prepare the sample under Contents.",
            icon=":material/lightbulb:",
        )
        return
    try:
        config = _choose(workspace, held)
    except GraceError as fault:
        st.error(fault_markdown(fault), icon=":material/error:")
        return
    chosen = [d for d in held.datasets if not config.datasets or d.name in config.datasets]
    total = sum(each.n_traces for each in chosen)
    names = {each.name for each in chosen}
    scored = any(_covers(run, config, names) for run in held.runs)
    begun = any(_is_of(run, config) for run in held.runs)
    _start_buttons(workspace, config, total, scored=scored, begun=begun)
    version = ";".join(f"{d.name}={d.n_traces}" for d in chosen)
    version += ";".join(f"{r.id}={r.n_scored}" for r in held.runs)
    st.fragment(_estimate, key="data-estimate")(workspace, config, version)


def _choose(workspace: str, held: WorkspaceUsage) -> ScoreConfig:
    left, right = st.columns(2, gap="medium")
    shipped = shipped_models()
    known = list(dict.fromkeys([*shipped, *(run.model for run in held.runs)]))
    with left:
        model = st.selectbox(
            "Model",
            known,
            format_func=lambda name: shipped.get(name) or plain(name),
            accept_new_options=True,
            key="scorer",
            bind="query-params",
            help="A shipped model, or type a hub id (`Qwen/Qwen3-0.6B`) or the path of a folder "
            "with a causal LM in safetensors.",
        )
        datasets = st.multiselect(
            "Datasets",
            [each.name for each in held.datasets],
            format_func=plain,
            key="score-datasets",
            bind="query-params",
            placeholder="all of the workspace",
        )
    with right:
        proxy = st.selectbox(
            "Gradient",
            PROXIES,
            format_func=_PROXIES.__getitem__,
            key="proxy",
            bind="query-params",
            help="What stands for a step's gradient.",
        )
        with st.container(horizontal=True):
            discount = st.number_input(
                "Entropy discount",
                min_value=0.0,
                value=0.0,
                step=1.0,
                key="discount",
                bind="query-params",
                width=180,
                help="c of a token's weight exp(−c · entropy of its prediction). 0: the paper's "
                "plain mean; 10 is a good start.",
            )
            target = st.selectbox(
                "Aimed at",
                TARGETS,
                format_func=_TARGETS.__getitem__,
                key="target",
                bind="query-params",
                help="Whose answer the steps are held against.",
            )
    return ScoreConfig(
        model=confined_model(model or "", set(known), workspace),
        proxy=proxy,
        entropy_discount=discount,
        target=target,
        datasets=tuple(datasets),
    )


def shipped_models() -> dict[str, str]:
    """Folders of the shipped models, with their names for people."""
    folder = api.sample_folder()
    return {
        str(folder / name): f"{name} (shipped)" for name in ("tiny-reasoner", "tiny-reasoner-early")
    }


def confined_model(typed: str, known: set[str], workspace: str) -> str:
    """The model; a folder has to be one that pages may read, unless the list offered it."""
    typed = typed.strip()
    if not typed or typed in known:
        return typed
    local = typed.startswith((".", "/", "~")) or "\\" in typed or Path(typed).exists()
    return str(confined(typed, workspace)) if local or typed.count("/") > 1 else typed


def _covers(run: ScoringRun, config: ScoreConfig, datasets: set[str]) -> bool:
    """Whether a run with these settings has come to every trace of the datasets."""
    return set(run.datasets) == datasets and not run.n_pending and _is_of(run, config)


def _is_of(run: ScoringRun, config: ScoreConfig) -> bool:
    """Whether a run scored something with these settings."""
    settings = ("model", "proxy", "entropy_discount", "target")
    return run.n_scored > 0 and all(
        getattr(run, name) == getattr(config, name) for name in settings
    )


def _start_buttons(
    workspace: str, config: ScoreConfig, total: int, *, scored: bool, begun: bool
) -> None:
    busy = any(job.is_active and job.spec.device for job in data_jobs.known_jobs(workspace))
    why = "It waits in the queue until the run above has ended." if busy else None
    with st.container(horizontal=True, vertical_alignment="center"):
        if total > _SAMPLE:
            _button(
                f"Score a sample of {_SAMPLE}",
                replace(config, sample=_SAMPLE),
                workspace,
                why=why or "To see whether model and steps make sense before the whole is scored.",
                primary=not begun,
            )
        _button(
            f"Score all {total:,}",
            config,
            workspace,
            why=why or ("All of these are scored under these settings." if scored else None),
            primary=not scored and (begun or total <= _SAMPLE),
        )


def _button(
    name: str,
    config: ScoreConfig,
    workspace: str,
    *,
    why: str | None,
    primary: bool = False,
) -> None:
    st.button(
        name,
        type="primary" if primary else "secondary",
        icon=":material/play_arrow:",
        help=why,
        on_click=data_jobs.launch,
        args=(api.start_scoring, config),
        kwargs={"workspace": workspace},
    )


def _estimate(workspace: str, config: ScoreConfig, version: str) -> None:
    try:
        with st.spinner("Estimating…"):
            found = _forecast(workspace, config, version)
    except GraceError as fault:
        st.error(fault_markdown(fault), icon=":material/error:")
        return
    if found is None:
        st.info(
            "This model is not on this machine yet: the run downloads it first. Scoring a sample "
            "then tells how long the whole takes.",
            icon=":material/cloud_download:",
        )
        return
    if not found.n_pending:
        st.success(
            f"All {found.n_traces:,} traces are scored under these settings already, or cannot be.",
            icon=":material/check_circle:",
        )
        return
    about = "" if found.n_rendered >= found.n_traces - found.n_done else "about "
    rejected = f", {about}{found.n_rejected:,} cannot be scored" if found.n_rejected else ""
    told = f" From {found.n_rendered:,} of the traces." if about else ""
    st.html(
        facts_html(
            {
                "To score": f"{about}{found.n_pending:,} of {found.n_traces:,} traces, "
                f"{about}{found.n_tokens:,} tokens; {found.n_done:,} are done{rejected}",
                "Time": f"about {duration(max(1.0, found.seconds))} on {found.device}, once the "
                "model is loaded",
                "Disk": f"{about}{size(found.disk_bytes)} before compression",
                "Run": found.run,
                "Basis": f"{found.basis}.{told}",
            }
        )
    )


@st.cache_data(max_entries=16, show_spinner=False)
def _forecast(workspace: str, config: ScoreConfig, version: str) -> api.Forecast | None:
    del version  # part of the key
    return api.forecast(api.open_workspace(workspace, create=False), config)
