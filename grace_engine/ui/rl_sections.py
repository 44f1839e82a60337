"""What does a curator look at below the numbers of a choice of problems? One section at a time."""

import math

import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.figures import rl
from grace_engine.figures.frames import minus, plain
from grace_engine.quantities import counted
from grace_engine.ui import (
    charts,
    curate_curve,
    curate_frames,
    curate_load,
    curate_saved,
    curate_state,
    curate_tables,
    load,
    rl_empty,
    rl_load,
    rl_problem,
    state,
    tables,
)
from grace_engine.ui.rl_load import LiveProblems
from grace_engine.ui.text import as_markdown

SECTIONS = ("Overview", "One problem", "Methods", "How sure", "Budget curve", "Selections")

_BOX, _CHART, _FIRST, _SECOND = "rl-section-box", "rl-chart", "first-method", "second-method"
_ENDS = 8
_FORMS = {"cosine": "+.3f", "norm": ".3f"}


@st.fragment
def sections(live: LiveProblems, *, dark: bool) -> None:
    """A row of sections, and the chosen one; a change of section reruns nothing else."""
    curate_state.rerun_if_asked()
    linked = state.get(curate_state.SECTION)
    st.session_state[_BOX] = linked if linked in SECTIONS else SECTIONS[0]
    chosen = st.segmented_control(
        "Section",
        SECTIONS,
        key=_BOX,
        required=True,
        on_change=curate_state.write,
        args=(curate_state.SECTION, _BOX),
        label_visibility="collapsed",
    )
    with load.faults_as_sentences():
        if chosen == "One problem":
            rl_problem.problem(live, dark=dark)
        elif chosen == "Methods":
            _methods(live, dark=dark)
        elif chosen == "How sure":
            _certainty(live, dark=dark)
        elif chosen == "Budget curve":
            _curve(live, dark=dark)
        elif chosen == "Selections":
            _selections(live, dark=dark)
        else:
            _overview(live, dark=dark)


def _overview(live: LiveProblems, *, dark: bool) -> None:
    rows, opened = live.rows, state.get(curate_state.PROBLEM)
    column, title = _height(live)
    left, right = st.columns([0.42, 0.58], gap="medium")
    with left:
        charts.chart(
            rl.pass_rate_chart(rows, dark=dark),
            key="pass-rate-chart",
            alt="Problems by pass rate, the chosen ones lit",
        )
    with right:
        if rows[column].notna().any():
            charts.chart(
                rl.alignment_chart(rows, column, title, opened, dark=dark),
                key=_CHART,
                on_select=_open_point,
                selection_mode="points",
                alt=f"{title} against pass rate, the chosen problems lit",
            )
        else:
            rl_empty.without_gradients(live.workspace, live.source)
    tables.save_csv(f"All {len(rows):,} problems as CSV", "problems", lambda: rows)
    known = rows[rows[column].notna()].sort_values(column, ascending=False, kind="stable")
    near = title if column == "cosine" else f"{title} of {live.config.strategy}"
    with st.container(horizontal=True):
        st.caption(f"By {near.lower()}. A click on a row opens its problem.")
    left, right = st.columns(2, gap="medium")
    with left:
        _ends("Nearest to what is asked", "nearest", known.head(_ENDS), column, title)
    with right:
        _ends("Farthest from it", "farthest", known[_ENDS:].tail(_ENDS).iloc[::-1], column, title)


def _height(live: LiveProblems) -> tuple[str, str]:
    """What stands against the pass rate: the alignment with the target, or the method's value."""
    if live.rows["cosine"].notna().any():
        return "cosine", "Alignment with the target"
    return "value", "Value"


def _open_point() -> None:
    points = st.session_state[_CHART]["selection"].get("points", [])
    if points and points[0].get("customdata"):
        _open(str(points[0]["customdata"][0]))


def _open(problem: str) -> None:
    curate_state.put(**{curate_state.PROBLEM: problem, curate_state.SECTION: "One problem"})


def _ends(title: str, name: str, rows: pd.DataFrame, column: str, what: str) -> None:
    if rows.empty:
        return
    st.markdown(f"**{as_markdown(title)}**")
    key = f"rl-{name}"

    def pick() -> None:
        picked = st.session_state[key]["selection"]
        places = [*picked.get("rows", []), *(cell[0] for cell in picked.get("cells", []))]
        if places:
            _open(str(rows["problem_id"].iloc[places[0]]))

    tables.table(
        pd.DataFrame(
            {
                "number": rows[column],
                "pass_rate": 100 * rows["pass_rate"],
                "side": ["In" if inside else "Out" for inside in rows["selected"]],
                "prompt": [plain(str(text), 160) for text in rows["prompt"]],
            }
        ),
        signed={"number": "+.4f"},
        key=key,
        on_select=pick,
        selection_mode=["single-row", "single-cell"],
        column_config={
            "number": what.split(" with ", maxsplit=1)[0],
            "pass_rate": st.column_config.NumberColumn("Pass rate", format="%.1f%%"),
            "side": "Side",
            "prompt": st.column_config.TextColumn("Problem", width="large"),
        },
        alt=title,
    )


def _methods(live: LiveProblems, *, dark: bool) -> None:
    found = rl_load.methods(live)
    charts.chart(
        rl.methods_chart(found.shared, found.jaccard, dark=dark),
        key="methods-chart",
        alt="How many problems every two methods both take",
    )
    st.caption(
        "Problems that both of two methods take under this budget; the colour is their share of "
        "what either takes. Methods that need what was not taken are left out."
    )
    tables.save_csv(
        "Overlap as CSV", "methods", lambda: found.shared.rename_axis("method").reset_index()
    )
    names = list(found.taken)
    here = names.index(live.config.strategy) if live.config.strategy in names else 0
    with st.container(horizontal=True, vertical_alignment="bottom"):
        a = st.selectbox("From", names, index=here, key=_FIRST, bind="query-params", width=190)
        b = st.selectbox(
            "to",
            names,
            index=(here + 1) % len(names),
            key=_SECOND,
            bind="query-params",
            width=190,
        )
    if not a or not b or a == b:
        st.caption("Two different methods show who enters and who leaves, and why.")
        return
    change = api.compare(found.taken[a], found.taken[b])
    left, right = st.columns(2, gap="medium")
    with left:
        _moves(live, f"Enter with {b}", "enter", change.only_b, (a, b))
    with right:
        _moves(live, f"Leave with {b}", "leave", change.only_a, (a, b))


def _moves(
    live: LiveProblems, title: str, name: str, rows: pd.DataFrame, methods: tuple[str, str]
) -> None:
    st.markdown(f"**{as_markdown(title)}: {len(rows):,}**")
    if not len(rows):
        return
    known = live.rows.set_index("problem_id").loc[rows.index]
    shown = pd.DataFrame(
        {
            "rank_a": rows["rank_a"].to_numpy(),
            "rank_b": rows["rank_b"].to_numpy(),
            "pass_rate": 100 * known["pass_rate"].to_numpy(),
            "cosine": known["cosine"].to_numpy(),
            "norm": known["norm"].to_numpy(),
            "reason": known["reason"].to_numpy(),
            "prompt": [plain(str(text), 120) for text in known["prompt"]],
        }
    )
    empty = [c for c in ("cosine", "norm") if shown[c].isna().all()]
    empty += ["reason"] if not shown["reason"].any() else []
    frame = shown.assign(problem_id=rows.index.to_numpy())
    tables.table(
        shown.drop(columns=empty).head(curate_tables.MOST_ROWS),
        signed={c: form for c, form in _FORMS.items() if c not in empty},
        height=min(35 * (len(shown) + 1) + 3, 320),
        key=f"rl-moves-{name}",
        column_config={
            "prompt": st.column_config.TextColumn("Problem", width="medium"),
            "rank_a": st.column_config.NumberColumn("Rank", help=f"By {methods[0]}."),
            "rank_b": st.column_config.NumberColumn("then", help=f"By {methods[1]}."),
            "pass_rate": st.column_config.NumberColumn("Pass rate", format="%.1f%%"),
            "cosine": "Alignment",
            "norm": "Length of g",
            "reason": "No gradient since",
        },
        alt=title,
    )
    tables.save_csv(f"{counted(len(frame), 'problem')} as CSV", f"methods-{name}", lambda: frame)


def _certainty(live: LiveProblems, *, dark: bool) -> None:
    if live.source.run is None:
        rl_empty.without_gradients(live.workspace, live.source)
        return
    found = api.certainty(live.view)
    if found is None:
        rl_empty.without_halves(live.workspace, live.source)
        return
    with curate_tables.numbers("certainty"):
        curate_tables.metric("Reliability", _number(found.reliability), "of scores by all rollouts")
        curate_tables.metric("Correlation", _number(found.correlation), "between the halves")
        curate_tables.metric(
            "Problems", f"{len(found.halves):,}", f"of {found.n_gradients:,} with a gradient"
        )
    st.caption(
        "The rollouts of each problem were split in two: the first, third, … and the second, "
        "fourth, … Each half is a group of its own, scored against the same target. r is the "
        "correlation of the two scores; Spearman and Brown's formula, 2r/(1 + r), makes of it the "
        "reliability with all rollouts: 1 if other rollouts would give the same order, 0 if the "
        "order is chance. As a rule of thumb, below about .3 the ranking is not to be trusted: "
        "take more rollouts. A problem counts where both halves hold different rewards. How sure "
        "the target's own gradient is, is not in it."
    )
    left, right = st.columns([0.6, 0.4], gap="medium")
    with left:
        charts.chart(
            rl.certainty_chart(found.halves, dark=dark),
            key="certainty-chart",
            alt="Scores by one half of the rollouts against scores by the other",
        )
    with right:
        tables.table(
            found.halves.assign(pass_rate=100 * found.halves["pass_rate"]),
            signed={"first": "+.4f", "second": "+.4f"},
            height=330,
            column_config={
                "problem_id": "Problem",
                "first": "First half",
                "second": "Second half",
                "pass_rate": st.column_config.NumberColumn("Pass rate", format="%.1f%%"),
            },
            alt="Scores of each problem by two halves of its rollouts",
        )
        tables.save_csv("Halves as CSV", "halves", lambda: found.halves)


def _curve(live: LiveProblems, *, dark: bool) -> None:
    measured = "pass_rate", float(live.rows.loc[live.rows["selected"], "pass_rate"].mean())
    curate_curve.curve(rl_load.curve(live), live.taken, measured, "problems", dark=dark)
    st.caption(
        "The dashed line is the present choice. Strata and overrides hold throughout. The mean "
        "value is of the problems that have one; tokens are those of all rollouts"
        + ("." if live.view.tokens_known else ", which were not recorded of every one here.")
    )
    words = rl_problem.flags(live.source.id, live.config, budget=False)
    st.code(curate_frames.command("curve", words, live.workspace), language="shell")


def _number(value: float) -> str:
    return "–" if math.isnan(value) else minus(f"{value:.2f}")


def _selections(live: LiveProblems, *, dark: bool) -> None:
    curate_saved.save(
        lambda name, parent: api.curate_problems(
            load.opened_workspace(), live.config, live.source.id, name=name, parent=parent
        ),
        rl_problem.flags(live.source.id, live.config),
        live.workspace,
    )
    saved = curate_load.selections(live.workspace, of_problems=True)
    known = {one.id for one in rl_load.sources(live.workspace)}
    curate_saved.picked(live.workspace, saved, known, rl_problem.branch, dark=dark)
