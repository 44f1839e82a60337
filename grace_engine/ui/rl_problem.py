"""What did the policy answer to one problem, right and wrong, and why is the problem in or out?"""

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.config import CurateConfig
from grace_engine.figures import rl
from grace_engine.figures.frames import minus, plain
from grace_engine.quantities import counted
from grace_engine.records import Selection
from grace_engine.ui import (
    charts,
    curate_frames,
    curate_state,
    curate_tables,
    rl_load,
    state,
    tables,
    text,
    verdicts,
)
from grace_engine.ui.rl_load import LiveProblems

_BOX, _ALL = "problem-box", "rollouts-all"
_SHOWN = 6
_NAMED = 200


def problem(live: LiveProblems, *, dark: bool) -> None:
    """Pick a problem; its verdict, its rollouts side by side, its steps as a heatmap."""
    opened = _choose(live)
    found = rl_load.why(live, opened)
    held = rl_load.rollouts(live, found.problem_id)
    st.html(text.facts_html(_facts(live, held)))
    _verdict(live, found)
    rollouts = held.rollouts
    names = {int(row["number"]): _name(row) for row in rollouts.to_dict("records")}
    if len(held.steps):
        charts.chart(
            rl.steps_chart(held.steps, names, dark=dark),
            key="rollout-steps",
            pixels=True,
            alt=f"Mean loss of each step of {held.steps['number'].nunique()} rollouts",
        )
        st.caption(
            "Mean −log π of the tokens of each step, in nats: what the policy was less sure of "
            "stands out. The best rewarded rollouts come first."
        )
    else:
        st.caption(text.as_markdown(held.uncut))
    _beside(rollouts, held)
    with st.container(horizontal=True):
        tables.save_csv("Rollouts as CSV", f"rollouts-{found.problem_id}", lambda: rollouts)
        if len(held.steps):
            tables.save_csv("Steps as CSV", f"steps-{found.problem_id}", lambda: held.steps)
    words = [found.problem_id, *flags(live.source.id, live.config)]
    st.code(curate_frames.command("why", words, live.workspace), language="shell")


def _choose(live: LiveProblems) -> str:
    """The open problem; at first the one of highest rank."""
    ids = live.rows["problem_id"].tolist()
    linked = state.get(curate_state.PROBLEM) or ids[0]
    prompts = dict(zip(ids, live.rows["prompt"], strict=True))
    place = ids.index(linked) if linked in prompts else -1
    st.session_state[_BOX] = linked
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox(
            "Problem",
            list(dict.fromkeys([linked, *ids[:_NAMED]])),
            format_func=lambda name: plain(f"{name} · {prompts.get(name, '')}", 80),
            key=_BOX,
            on_change=curate_state.write,
            args=(curate_state.PROBLEM, _BOX),
            accept_new_options=True,
            help="In rank order; or type an id, or a unique beginning of one.",
            width=300,
        )
        for name, label, to in (("previous", "‹ Rank", place - 1), ("next", "Rank ›", place + 1)):
            inside = place >= 0 and 0 <= to < len(ids)
            st.button(
                label,
                key=f"{name}-problem",
                disabled=not inside,
                on_click=lambda to=to: curate_state.put(**{curate_state.PROBLEM: ids[to]}),
            )
        if place >= 0:
            verdicts.trace_verdicts(linked, live.annotations)
    return linked


def _facts(live: LiveProblems, held: api.ProblemRollouts) -> dict[str, str]:
    group = held.group
    labels = ", ".join(f"{name}: {value}" for name, value in group.labels.items())
    found = {
        "Problem": group.prompt,
        "Reference": group.reference or "none is known",
        "From": f"{group.dataset} · {group.problem_id}" + (f" · {labels}" if labels else ""),
    }
    said = live.annotations.overrides.get(group.problem_id)
    if said is not None:
        note = f": {said.note}" if said.note else ""
        word = {"keep": "⊕ kept", "drop": "⊖ dropped"}[said.word]
        found["Curator"] = f"{word}{note}   — {said.author}, {said.created_at[:10]}"
    return found


def _verdict(live: LiveProblems, found: api.WhyProblem) -> None:
    place = f"rank {found.rank:,} of {found.n_problems:,}"
    if found.stratum:
        place = f"place {found.place:,} in its stratum"
    turns = "Leaves below" if found.selected else "Enters at"
    with curate_tables.numbers("why-problem"):
        curate_tables.metric("In or out", "In" if found.selected else "Out", place)
        curate_tables.metric("Value", _plain(found.value), f"cut {_plain(found.cut)}")
        curate_tables.metric(
            "Pass rate",
            "–" if found.pass_rate is None else f"{found.pass_rate:.1%}",
            f"of {found.n_rollouts:,} rollouts",
        )
        curate_tables.metric("Alignment", _plain(found.cosine), f"length of g {_plain(found.norm)}")
        curate_tables.metric(
            f"{turns} a budget of",
            _needed(found),
            f"now {live.config.budget}",
        )
    st.text(plain(f"{found.reason[:1].upper()}{found.reason[1:]}. Ranked by {found.ranked_by}."))
    if found.is_target:
        st.text("A target problem, too: its own gradient is part of the mean it is held against.")


def _needed(found: api.WhyProblem) -> str:
    """A budget, with the problems that a share comes to: ``1.6% (1 problem)``."""
    n = found.needed_problems
    said = found.needed_budget or "none"
    return said if n is None else f"{said} ({counted(n, 'problem')})"


def _plain(number: float | None) -> str:
    return "–" if number is None else minus(f"{number:.4f}")


def _beside(rollouts: pd.DataFrame, held: api.ProblemRollouts) -> None:
    """Rollouts above the group's mean reward on the left, the others on the right."""
    mean = held.group.pass_rate
    better = rollouts["reward"] > (1.0 if mean is None else mean)
    better |= (rollouts["reward"] == mean) & (rollouts["reward"] == 1.0)
    binary = set(rollouts["reward"].dropna()) <= {0.0, 1.0}
    names = ("Right", "Wrong") if binary else ("Above the group's mean", "At or below it")
    most = max(int(better.sum()), int((~better).sum()))
    shown = _SHOWN
    if most > _SHOWN and st.toggle(f"All {len(rollouts):,} rollouts", key=_ALL):
        shown = most
    for side, name, part in zip(
        st.columns(2, gap="medium"), names, (rollouts[better], rollouts[~better]), strict=True
    ):
        with side:
            st.markdown(f"**{text.as_markdown(name)}: {len(part):,}**")
            blocks = [_block(row) for row in part.head(shown).to_dict("records")]
            if blocks:
                st.html(f'<div class="g-rollouts">{"".join(blocks)}</div>')
            if len(part) > shown:
                st.caption(f"{len(part) - shown:,} more.")


def _block(row: Mapping[Hashable, Any]) -> str:
    facts = {_name(row): "  ".join(_numbers(row))}
    return text.facts_html(facts) + text.plain_html(str(row["text"]) or "(nothing)")


def _name(row: Mapping[Hashable, Any]) -> str:
    reward = float(row["reward"])
    sign = "–" if math.isnan(reward) else {1.0: "✓", 0.0: "✗"}.get(reward, f"{reward:g}")
    return f"#{row['number']} {sign}"


def _numbers(row: Mapping[Hashable, Any]) -> list[str]:
    advantage, tokens, logprob = (float(row[name]) for name in ("advantage", "n_tokens", "logprob"))
    said = [f"advantage {minus(f'{advantage:+.2f}')}"] if not math.isnan(advantage) else []
    said += [f"{tokens:,.0f} tokens"] if not math.isnan(tokens) else []
    said += [f"log π {minus(f'{logprob:.3f}')} a token"] if not math.isnan(logprob) else []
    said += [] if row["finished"] else ["cut at the longest length"]
    reward = float(row["reward"])
    if math.isnan(reward) or row["outcome"] not in ("right", "wrong", "given", "scored"):
        said.append(str(row["detail"] or row["outcome"]))
    return said


def flags(source: str, config: CurateConfig, *, budget: bool = True) -> list[str]:
    """The shell's flags for a choice of problems; defaults are left out."""
    base = CurateConfig()
    said = {
        "--budget": (config.budget if budget else "", ""),
        "--seed": (str(config.seed), str(base.seed)),
        "--band": (config.band, base.band),
        "--per": (config.per, base.per),
    }
    found = ["--run", source, "--strategy", config.strategy]
    found += [word for flag, (now, then) in said.items() if now != then for word in (flag, now)]
    found += ["--zero-without-variance"] if config.zero_without_variance else []
    return [*found, *([] if config.overrides else ["--no-overrides"])]


def branch(selection: Selection) -> None:
    """Callback: take a selection's settings over; what is saved next is a branch of it."""
    st.session_state[curate_state.METHOD] = selection.strategy
    st.session_state[curate_state.METHOD_SEED] = selection.seed
    st.session_state[curate_state.ZERO] = selection.zero_without_variance
    if selection.band:
        st.session_state[curate_state.BAND] = selection.band
    curate_state.put(
        **{
            curate_state.SET: selection.run_id,
            curate_state.BUDGET: selection.budget,
            curate_state.PER: selection.per,
            curate_state.OVERRIDES: "" if selection.overrides else "no",
            curate_state.PARENT: selection.id,
            curate_state.SELECTION: selection.id,
        }
    )
