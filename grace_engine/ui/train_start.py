"""What should be trained on, how, and against what?"""

from dataclasses import replace

import streamlit as st

from grace_engine import api
from grace_engine.errors import GraceError, InputError
from grace_engine.figures.frames import plain
from grace_engine.marks import marks_named
from grace_engine.quantities import counted, size
from grace_engine.records import Selection
from grace_engine.store import WorkspaceUsage
from grace_engine.training import (
    AGAINST,
    Lora,
    TrainSettings,
    counted_cells,
    percents,
    preset,
)
from grace_engine.ui import data_jobs, data_score, linked, state, train_judging
from grace_engine.ui.text import as_markdown, facts_html, fault_markdown

SELECTION, TRAINING = "selection", "training"
"""Query parameters, written here and by the page's boxes."""

_PLAN = "train-plan"
_SHOWN = 3
_PRESETS = {
    "cpu": "cpu: all weights of a small model",
    "paper": "paper: GRACE's settings, LoRA",
}
_AGAINST = {
    "random": "random",
    "full": "full pool",
    "untrained": "untrained",
}


def form(workspace: str, saved: list[Selection], held: WorkspaceUsage) -> None:
    """Choose, see what the trainer will do, start."""
    try:
        request = _choose(workspace, saved, held)
    except GraceError as fault:
        st.error(fault_markdown(fault), icon=":material/error:")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        # Not by callbacks: they would have the settings from before what was typed last.
        if st.button(
            "Preview",
            icon=":material/visibility:",
            help="What the trainer reads, cuts and learns from. No weights are loaded.",
        ):
            st.session_state[_PLAN] = request
        if st.button(
            "Train",
            type="primary",
            icon=":material/play_arrow:",
            key="train-start",
            help="Begins in the background; where the device is taken, it waits for it.",
        ):
            data_jobs.attempt(lambda: _start(workspace, request))
            st.rerun()  # what runs is shown above
    if st.session_state.get(_PLAN) == request:
        _preview(workspace, request)
    else:
        st.caption("Preview shows the examples with what is learned, cut rows, steps and memory.")


def _start(workspace: str, request: api.TrainRequest) -> None:
    """Begin, unless it would be refused; the address names the run from now on."""
    with st.spinner("Rendering the examples…"):
        _plan(workspace, request).require_whole()
    job = api.start_training(api.open_workspace(workspace, create=True), request)
    state.publish(**{TRAINING: job.id})


def _choose(workspace: str, saved: list[Selection], held: WorkspaceUsage) -> api.TrainRequest:
    names = {one.id: f"{plain(one.name, 40) or one.id} · {one.budget} · {one.id}" for one in saved}
    left, middle, right = st.columns(3, gap="medium")
    with left:
        chosen = linked.one_of(
            "Selection", names, SELECTION, what="selection", first=next(iter(names))
        )
        against = st.multiselect(
            "Against",
            AGAINST,
            default=["random", "untrained"],
            format_func=_AGAINST.__getitem__,
            key="train-against",
            bind="query-params",
            help="A random subset of the same tokens, the full pool, the model before.",
        )
        with st.container(horizontal=True):
            seeds = st.number_input(
                "Seeds",
                1,
                20,
                1,
                key="train-seeds",
                bind="query-params",
                help="Trainings of each arm. With one, an interval speaks of problems only.",
                width=110,
            )
            budgets = st.text_input(
                "Budgets, %",
                key="train-budgets",
                bind="query-params",
                placeholder="5, 10, 20, 50, 100",
                help="Shares of the pool at which the selection's ranking is cut, each trained "
                "beside a random draw of as many tokens. Empty: only the selection as it is.",
            )
    with middle:
        name = st.selectbox(
            "Preset",
            list(_PRESETS),
            format_func=_PRESETS.__getitem__,
            key="train-preset",
            bind="query-params",
        )
        settings = _settings(name, workspace, held)
    with right:
        evaluate_on, n_problems, asking = train_judging.judged_on(workspace, held)
    return api.TrainRequest(
        what=chosen or "",
        settings=settings,
        against=tuple(against),
        n_seeds=int(seeds),
        budgets=percents(budgets or ""),
        evaluate_on=evaluate_on,
        n_problems=n_problems,
        asking=asking,
    )


def _settings(name: str, workspace: str, held: WorkspaceUsage) -> TrainSettings:
    base = preset(name)
    shipped = str(api.sample_folder() / "tiny-reasoner-early")
    known = list(dict.fromkeys([shipped, *(run.model for run in held.runs)]))
    model = st.selectbox(
        "Model",
        known,
        format_func=lambda path: (
            "tiny-reasoner-early (shipped)" if path == shipped else plain(path)
        ),
        accept_new_options=True,
        key="train-model",
        bind="query-params",
        help="A hub id, or the path of a folder with a causal LM in safetensors.",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        epochs = st.number_input(
            "Epochs",
            0.01,
            100.0,
            base.epochs,
            step=None,
            key=f"train-epochs-{name}",
            bind="query-params",
            width=80,
        )
        rate = st.number_input(
            "Learning rate",
            0.0,
            1.0,
            base.learning_rate,
            step=None,
            format="%.1e",
            key=f"train-rate-{name}",
            bind="query-params",
            width=95,
        )
        lora = st.toggle(
            "LoRA", value=base.lora is not None, key=f"train-lora-{name}", bind="query-params"
        )
    with st.expander("More settings", icon=":material/tune:"):
        batch = st.number_input(
            "Batch size", 1, 4096, base.batch_size, key=f"train-batch-{name}", bind="query-params"
        )
        steps = st.number_input(
            "Accumulation",
            1,
            4096,
            base.accumulation,
            key=f"train-accumulation-{name}",
            bind="query-params",
        )
        length = st.number_input(
            "Maximum length",
            2,
            1_000_000,
            base.max_length,
            key=f"train-length-{name}",
            bind="query-params",
        )
        accept = st.checkbox(
            "Train although examples lose their end",
            key=f"train-accept-{name}",
            bind="query-params",
        )
    return replace(
        base,
        model=data_score.confined_model(model or "", set(known), workspace),
        epochs=float(epochs),
        learning_rate=float(rate),
        lora=(base.lora or Lora()) if lora else None,
        batch_size=int(batch),
        accumulation=int(steps),
        max_length=int(length),
        accept_cut=accept,
    )


def _preview(workspace: str, request: api.TrainRequest) -> None:
    try:
        with st.spinner("Rendering the examples…"):
            plan = _plan(workspace, request)
    except GraceError as fault:
        st.error(fault_markdown(fault), icon=":material/error:")
        return
    if plan.overlap is not None:
        show = st.warning if plan.overlap.ids else st.success
        show(as_markdown(str(plan.overlap)))
    subset, settings = plan.subset, request.settings
    opened = api.open_workspace(workspace, create=False)
    facts = {size.name.capitalize(): str(size) for size in api.arm_sizes(plan)}
    if otherwise := api.counted_otherwise(opened, plan):
        facts["Tokens"] = otherwise
    facts |= {
        "Left out": ", ".join(f"{n:,} {why}" for why, n in subset.rejected_by_reason.items())
        or "nothing: every trace can be shown to the model",
        f"At {settings.max_length:,} tokens": subset.cut,
        "Memory": f"about {size(subset.memory)} ({subset.memory_basis})",
        "To do": f"{counted_cells(len(plan.cells), evaluated=bool(plan.problems))}: "
        f"{', '.join(cell.name for cell in plan.cells)}",
        "Judged on": f"{counted(len(plan.problems), 'problem')}, {request.asking}"
        if plan.problems
        else _not_judged(plan),
        "Time": str(api.expected_time(opened, plan)),
    }
    st.html(facts_html(facts))
    try:
        plan.require_whole()
    except InputError as fault:
        st.error(fault_markdown(fault), icon=":material/error:")
    for example in subset.examples[:_SHOWN]:
        with st.expander(f"Example {example.trace_id[:12]}: {example.n_learned:,} tokens learned"):
            st.caption("Given, nothing is learned from it")
            given = plan.tokenizer.decode(example.token_ids[: example.n_given])
            st.code(marks_named(given), language=None, wrap_lines=True)
            st.caption("Learned")
            learned = plan.tokenizer.decode(example.token_ids[example.n_given :])
            st.code(marks_named(learned), language=None, wrap_lines=True)


def _not_judged(plan: api.TrainPlan) -> str:
    if not plan.left_out:
        return "nothing"
    return f"nothing, so there is nothing to compare; left out: {', '.join(plan.left_out)}"


@st.cache_resource(max_entries=8, show_spinner=False)
def _plan(workspace: str, request: api.TrainRequest) -> api.TrainPlan:
    return api.plan_training(api.open_workspace(workspace, create=False), request)
