"""Which problems does a curator look at, and by which method and budget are they chosen?"""

import math
from pathlib import PurePath

import streamlit as st

from grace_engine import api
from grace_engine.config import Band, Budget, CurateConfig
from grace_engine.errors import InputError
from grace_engine.figures.frames import minus, plain
from grace_engine.quantities import counted, percent
from grace_engine.ui import curate_controls, curate_frames, curate_state, curate_tables, state
from grace_engine.ui.rl_load import LiveProblems, Source
from grace_engine.ui.text import as_markdown

KINDS = {"fraction": "Share", "traces": "Problems", "tokens": "Tokens"}
"""Kinds of budget with their names for people."""

_SET_BOX = "set-box"
_BAND = CurateConfig().band


def choose_source(found: list[Source]) -> Source:
    """A selectbox of runs of gradients and sets of rollouts; a link names its own."""
    by_id = {one.id: one for one in found}
    linked = state.get(curate_state.SET)
    if linked and linked not in by_id:
        st.warning(
            as_markdown(
                f"The linked rollouts {linked} are not in this workspace; these are "
                f"{source_name(found[0])}."
            )
        )
    st.session_state[_SET_BOX] = linked if linked in by_id else found[0].id
    chosen = st.selectbox(
        "Rollouts or policy gradients",
        list(by_id),
        format_func=lambda name: source_name(by_id[name]),
        key=_SET_BOX,
        on_change=curate_state.write,
        args=(curate_state.SET, _SET_BOX),
        help="`g-…` are policy gradients of a set of rollouts `o-…`.",
    )
    curate_state.put(**{curate_state.SET: chosen})
    source = by_id[chosen]
    st.caption(as_markdown(_facts(source)))
    return source


def source_name(source: Source) -> str:
    """What it is of, which gradients, and its id, on one line."""
    name = plain(source.rollouts.name, 24)
    kind = source.run.kind if source.run else "rollouts"
    return f"{name} · {kind} · {source.id}"


def _facts(source: Source) -> str:
    rollouts, run = source.rollouts, source.run
    model = plain(PurePath(rollouts.model).name, 40) or "a policy that the file does not name"
    said = (
        f"{counted(rollouts.n_problems, 'problem')} of {plain(rollouts.name, 40)}, "
        f"{counted(rollouts.n_rollouts, 'rollout')} by {model}"
    )
    said += f", {counted(rollouts.n_failed, 'problem')} without any" if rollouts.n_failed else ""
    if run is None:
        return said + "; no policy gradients."
    said += f"; {counted(run.n_done, 'policy gradient')}"
    if source.target is not None:
        said += (
            f" against {counted(run.n_target, 'problem')} of {plain(source.target.name, 40)} "
            f"({source.target.id})"
        )
    return said + "."


def choose_config(view: api.ProblemView) -> CurateConfig:
    """Inputs for budget, method, strata and overrides."""
    fitting = view.strategies
    text, unknown = curate_state.budget_text()
    if unknown:
        st.warning("The linked budget is none (20%, 500 or 1.2Mtok would be): this is 20%.")
    budget = Budget.parse(text)
    if budget.kind == "tokens" and not view.tokens_known:
        st.warning("The tokens of these rollouts are not known, for they came as texts: 20%.")
        text = CurateConfig().budget
        budget = Budget.parse(text)
    kinds = KINDS if view.tokens_known else {k: v for k, v in KINDS.items() if k != "tokens"}
    curate_controls.choose_budget(
        budget, text, len(view.problems), int(view.problems["n_tokens"].sum()), kinds
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        strategy = st.selectbox(
            "Method",
            fitting,
            key=curate_state.METHOD,
            bind="query-params",
            help="By what number problems are ranked: `gradalign` by the cosine of the policy "
            "gradient with that of the target, `gradalign-inner` by their inner product, "
            "`learnalign` and `align` by alignment with the other problems, `accgreedy` by how "
            "near the pass rate is to one half; `band` and `random` draw.",
            width=170,
        )
        seed, band, zero = 0, _BAND, False
        if strategy in ("random", "band"):
            seed = st.number_input(
                "Seed", min_value=0, key=curate_state.METHOD_SEED, bind="query-params", width=110
            )
        if strategy == "band":
            band = _choose_band()
        per = curate_controls.choose_per(curate_frames.strata_columns(view.problems))
        overrides = curate_controls.choose_overrides("problems")
        if strategy not in ("random", "band", "accgreedy"):
            zero = st.toggle(
                "Without variance: 0",
                key=curate_state.ZERO,
                bind="query-params",
                help="A problem whose rewards are all equal has no policy gradient. Methods "
                "by gradient never take it; with this it has the value 0, as in GradAlign's "
                "released code.",
            )
    return CurateConfig(
        budget=text,
        strategy=strategy or fitting[0],
        seed=int(seed),
        band=band,
        zero_without_variance=bool(zero),
        per=per,
        overrides=overrides,
    )


def _choose_band() -> str:
    text = st.text_input(
        "Pass rates",
        value=_BAND,
        key=curate_state.BAND,
        bind="query-params",
        width=130,
        help="LOW-HIGH: of the problems inside, a draw.",
    )
    try:
        Band.parse(text or _BAND)
    except InputError as fault:
        st.warning(as_markdown(str(fault)))
        return _BAND
    return text or _BAND


def metrics(live: LiveProblems) -> None:
    """How much is in, where the cut is, how often the policy is right; and what is by hand."""
    taken, rates = live.taken, live.rows["pass_rate"]
    chosen = live.rows.loc[live.rows["selected"].astype(bool), "pass_rate"]
    with curate_tables.numbers("problems"):
        curate_tables.metric("Problems", f"{taken.n_selected:,}", f"of {len(taken.order):,}")
        known = live.view.tokens_known
        curate_tables.metric(
            "Tokens of rollouts",
            f"{taken.tokens:,}" if known else "–",
            f"of {int(taken.n_tokens.sum()):,}" if known else "not known",
        )
        cut = "–" if math.isnan(taken.cut) else minus(f"{taken.cut:.4g}")
        curate_tables.metric("Lowest value taken", cut, "the cut")
        curate_tables.metric(
            "Mean pass rate", percent(chosen.mean()), f"of all {percent(rates.mean())}"
        )
        n_without = int((live.rows["reason"] != "").sum())
        if live.source.run is not None:
            curate_tables.metric(
                "Policy gradients", f"{len(live.rows) - n_without:,}", f"{n_without:,} have none"
            )
        kept, dropped = (int((taken.forced == sign).sum()) for sign in (1, -1))
        if kept or dropped:
            curate_tables.metric("By hand", f"{kept:,} kept", f"{dropped:,} dropped")
