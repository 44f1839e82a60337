"""With which inputs does a curator set a budget, and what was chosen at once?"""

import math
from collections.abc import Mapping
from typing import Literal

import streamlit as st

from grace_engine import api
from grace_engine.config import OF, STRATEGIES, Budget, CurateConfig
from grace_engine.errors import InputError
from grace_engine.figures.frames import minus, plain
from grace_engine.quantities import percent
from grace_engine.records import Of, Selection
from grace_engine.selection import Taken, rounded_up_text
from grace_engine.ui import curate_frames, curate_load, curate_state, curate_tables, state
from grace_engine.ui.curate_frames import KINDS
from grace_engine.ui.curate_load import Live
from grace_engine.ui.text import as_markdown

_KIND_BOX, _SLIDER, _TEXT, _PER_BOX, _AGAINST = (
    "budget-kind",
    "budget-slider",
    "budget-text",
    "per-box",
    "against-box",
)
_DUPLICATES_BOX = "duplicates-box"
_OVERRIDES, _LAST = "overrides-box", "budget-last"


def choose_config(workspace: str, view: api.RunView) -> CurateConfig:
    """Inputs for budget, strategy, strata, cap, duplicates and overrides."""
    text, unknown = curate_state.budget_text()
    if unknown:
        st.warning("The linked budget is none (20%, 500 or 1.2Mtok would be): this is 20%.")
    choose_budget(
        Budget.parse(text), text, len(view.traces), int(view.traces["n_tokens"].sum()), KINDS
    )
    run = view.run
    columns = curate_load.strata_columns(workspace, run.id, run.updated_at, view.traces)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        strategy = st.selectbox(
            "Strategy",
            STRATEGIES,
            key=curate_state.STRATEGY,
            bind="query-params",
            help="By what number traces are ranked: `grace` by value. To compare with: `random`, "
            "`longest` (tokens), `stepmax` (steps), `perplexity` (low mean loss), `peak-loss` (low "
            "highest loss).",
            width=150,
        )
        seed = 0
        if strategy == "random":
            seed = st.number_input(
                "Seed",
                min_value=0,
                key=curate_state.SEED,
                bind="query-params",
                help="Of the random strategy: the same seed draws the same traces.",
                width=110,
            )
        per = choose_per(columns)
        cap = st.number_input(
            "Cap per prompt",
            min_value=0,
            key=curate_state.CAP,
            bind="query-params",
            help="Most traces of one prompt; 0 for any number.",
            width=140,
        )
        without_duplicates = _choose_duplicates()
        overrides = choose_overrides("traces")
    return CurateConfig(
        budget=text,
        strategy=strategy,
        seed=seed,
        per=per,
        cap_per_prompt=cap,
        without_duplicates=without_duplicates,
        overrides=overrides,
    )


def choose_overrides(what: str) -> bool:
    """Whether what curators keep and drop is respected."""
    st.session_state[_OVERRIDES] = curate_state.overrides()
    return st.toggle(
        "Respect keeps and drops",
        key=_OVERRIDES,
        on_change=lambda: curate_state.put_overrides(respect=st.session_state[_OVERRIDES]),
        help=f"{what.capitalize()} that a curator keeps are in and those that one drops are out, "
        f"whatever their value. Kept {what} are charged to the budget.",
    )


def choose_budget(budget: Budget, text: str, n: int, tokens: int, kinds: Mapping[str, str]) -> None:
    """Inputs for a budget of n traces or problems; ``kinds`` says what people call its kinds."""
    kind = budget.kind
    st.session_state[_KIND_BOX] = kind
    st.session_state[_TEXT] = text
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.segmented_control(
            "Budget in",
            list(kinds),
            format_func=lambda name: kinds[name],
            key=_KIND_BOX,
            required=True,
            on_change=_turn_kind,
            args=(budget,),
            width="content",
            help=f"A change of kind keeps about as many {kinds['traces'].lower()}.",
        )
        amount = curate_frames.amount_of(budget)
        if kind == "fraction":
            step = 1.0 if amount == int(amount) else 0.1
            st.session_state[_SLIDER] = float(min(amount, 100.0))
            st.slider(
                f"Share of the {kinds['traces'].lower()}",
                min(1.0, float(amount)),
                100.0,
                step=step,
                format="%g%%",
                key=_SLIDER,
                on_change=_slide,
                args=(kind,),
            )
        else:
            most = max(n if kind == "traces" else tokens, 2)
            st.session_state[_SLIDER] = int(min(amount, most))
            st.slider(
                f"{kinds[kind]} of {most:,}",
                1,
                most,
                step=1,
                key=_SLIDER,
                on_change=_slide,
                args=(kind,),
            )
        st.text_input(
            "Budget",
            key=_TEXT,
            on_change=_type,
            width=130,
            help=f"As the shell reads it: `20%`, `500` {kinds['traces'].lower()} or `1.2Mtok`.",
        )


def _turn_kind(budget: Budget) -> None:
    kind = st.session_state[_KIND_BOX] or budget.kind
    live = st.session_state.get(_LAST)
    if kind != budget.kind:
        curate_state.put(budget=curate_frames.in_kind(budget, kind, live))


def _slide(kind: str) -> None:
    curate_state.put(budget=curate_frames.budget_of(kind, st.session_state[_SLIDER]))


def _type() -> None:
    text = st.session_state[_TEXT].strip()
    try:
        Budget.parse(text)
    except InputError as fault:  # the budget stays as it was
        curate_state.say(str(fault))
        return
    curate_state.put(budget=text)


def choose_per(columns: list[str]) -> str:
    """The column that the budget is split over; "" for none."""
    linked = state.get(curate_state.PER)
    options = ["", *columns]
    if linked not in options:
        st.toast("The linked column is not one that this run's budget can be split over.")
        linked = ""
        curate_state.put(per="")
    st.session_state[_PER_BOX] = linked
    return st.selectbox(
        "Budget per",
        options,
        format_func=curate_frames.column_name,
        key=_PER_BOX,
        on_change=curate_state.write,
        args=(curate_state.PER, _PER_BOX),
        help="The budget then holds within each value of this column, so that none crowds out "
        "the others.",
        width=165,
    )


def _choose_duplicates() -> Of | Literal[""]:
    """Duplicates of what are left out."""
    linked = state.get(curate_state.DUPLICATES)
    st.session_state[_DUPLICATES_BOX] = linked if linked in OF else ""
    return st.selectbox(
        "Without duplicate",
        ["", *OF],
        format_func=lambda name: name or "none left out",
        key=_DUPLICATES_BOX,
        on_change=curate_state.write,
        args=(curate_state.DUPLICATES, _DUPLICATES_BOX),
        help="Of each group of (near-)duplicates only the trace that ranks best is taken. The Data "
        "page finds them, under Duplicates.",
        width=150,
    )


def remember(taken: Taken) -> None:
    """Keep what was taken, for a change of the budget's kind."""
    st.session_state[_LAST] = taken
    if said := curate_state.said():
        st.toast(as_markdown(said))


def metrics(live: Live) -> None:
    """How much is in, where the cut is, how many are right; and the counts of overrides."""
    taken = live.taken
    pool = int(taken.n_tokens.sum())
    with curate_tables.numbers("chosen"):
        curate_tables.metric("Traces", f"{taken.n_selected:,}", f"of {len(taken.order):,}")
        curate_tables.metric("Tokens", f"{taken.tokens:,}", f"of {pool:,}")
        cut = "–" if math.isnan(taken.cut) else minus(f"{taken.cut:.4g}")
        among = f"in {len(taken.strata.names)} strata" if len(taken.strata.names) > 1 else "the cut"
        curate_tables.metric("Lowest value taken", cut, among)
        right = curate_load.share_correct(live)
        if right:
            curate_tables.metric("Correct", percent(right[0]), f"in the pool {percent(right[1])}")
        if live.duplicates:
            n_out = int((taken.stand_in >= 0).sum())
            curate_tables.metric(
                "Duplicates", f"{n_out:,} passed over", f"at {live.duplicates.threshold:g}"
            )
        kept, dropped = _overridden(live)
        if kept or dropped:
            ignored = "" if live.asked.config.overrides else ", not respected"
            curate_tables.metric("By hand", f"{kept:,} kept", f"{dropped:,} dropped{ignored}")
    if live.asked.config.per and (
        said := rounded_up_text(taken.budget, taken.n_selected, len(taken.order))
    ):
        st.caption(said)


def older(live: Live) -> None:
    """Say so where duplicates were looked for before the data became what it is."""
    if live.duplicates and live.duplicates.is_older:
        st.warning(
            "Traces came or went since duplicates were looked for: look again on the Data page, "
            "under Duplicates.",
            icon=":material/history:",
        )


def _overridden(live: Live) -> tuple[int, int]:
    """Traces of the run that curators keep and drop, whether that is respected or not."""
    if live.asked.config.overrides:
        return live.taken.n_kept, live.taken.n_dropped
    here = set(live.view.traces["trace_id"]) if live.annotations.overrides else set()
    words = [e.word for trace, e in live.annotations.overrides.items() if trace in here]
    return words.count("keep"), words.count("drop")


def against(live: Live) -> str:
    """The saved selection to compare with, and how the choice differs from it; its id or ""."""
    saved = curate_load.selections(live.asked.workspace)
    linked = state.get(curate_state.SELECTION)
    if linked and linked not in saved:
        st.toast("The linked selection is not in this workspace.")
        linked = ""
    if not saved:
        return linked
    st.session_state[_AGAINST] = linked
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="against"):
        st.selectbox(
            "Against a saved selection",
            ["", *saved],
            format_func=lambda name: (
                curate_frames.selection_name(saved[name]) if name else "Choose one to compare with"
            ),
            key=_AGAINST,
            on_change=curate_state.write,
            args=(curate_state.SELECTION, _AGAINST),
            help="Who enters and who leaves since it was saved.",
            width=340,
        )
        if linked:
            found = curate_load.change(live.asked, linked, live)
            st.text(
                f"{len(found.only_b):,} enter, {len(found.only_a):,} leave, {found.n_both:,} stay\n"
                f"Overlap (Jaccard) {_number(found.jaccard)} · rank correlation "
                f"{_number(found.rank_correlation)}",
            )
    _branch_note(saved)
    return linked


def _branch_note(saved: dict[str, Selection]) -> None:
    parent = state.get(curate_state.PARENT)
    if not parent:
        return
    name = curate_frames.selection_name(saved[parent]) if parent in saved else plain(parent, 30)
    st.button(
        as_markdown(f"Branch of {name}"),
        key="no-branch",
        icon=":material/close:",
        icon_position="right",
        help="Save it as a selection of its own, without a parent",
        on_click=curate_state.put,
        kwargs={curate_state.PARENT: ""},
    )


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
