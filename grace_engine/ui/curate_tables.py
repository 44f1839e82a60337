"""How do traces, differences and selections stand in tables?

A table draws its cells as text. What is long is cut, and the rest goes into the CSV beside it.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from grace_engine.figures.frames import plain
from grace_engine.quantities import percent
from grace_engine.ui import curate_frames, curate_state, state, tables
from grace_engine.ui.curate_load import Live
from grace_engine.ui.text import as_markdown

MOST_ROWS = 200
"""Rows of a table that reach the browser."""

_NEAR = "near-table"


def numbers(name: str) -> DeltaGenerator:
    """A row of ``metric``s."""
    return st.container(horizontal=True, gap="small", wrap=False, key=f"numbers-{name}")


def metric(label: str, value: str, note: str) -> None:
    """A number with what it is held against."""
    st.metric(
        plain(label), plain(value), plain(note), delta_color="off", delta_arrow="off", border=True
    )


def near(live: Live, rows: pd.DataFrame) -> None:
    """The traces nearest the cut; a click on one explains it, its link opens Inspect."""
    shown = pd.DataFrame(
        {
            "side": ["In" if inside else "Out" for inside in rows["selected"]],
            "margin": rows["margin"],
            "value": rows["value"],
            "rank": rows["rank"],
            "trace_id": rows["trace_id"],
            "dataset": [plain(str(name), 40) for name in rows["dataset"]],
            "n_steps": rows["n_steps"],
            "n_tokens": rows["n_tokens"],
            "correct": rows["correct"].map({1.0: "right", 0.0: "wrong"}).fillna("–"),
            "stratum": [plain(name, 40) for name in rows["stratum"]],
            "inspect": [inspect_url(name) for name in rows["trace_id"]],
        }
    )
    if len(live.taken.strata.names) == 1:
        shown = shown.drop(columns="stratum")
    tables.table(
        shown,
        signed={"margin": "+.4f", "value": ".4f"},
        key=_NEAR,
        on_select=lambda: _explain(rows["trace_id"].tolist()),
        selection_mode=["single-row", "single-cell"],
        column_config={
            "side": "Side",
            "margin": "Margin",
            "value": "Value",
            "rank": st.column_config.NumberColumn("Rank", format="localized"),
            "trace_id": "Trace",
            "dataset": "Dataset",
            "n_steps": "Steps",
            "n_tokens": st.column_config.NumberColumn("Tokens", format="localized"),
            "correct": "Answer",
            "stratum": "Stratum",
            "inspect": st.column_config.LinkColumn("Inspect", display_text="open ↗"),
        },
        alt="Traces nearest the cut",
    )


def _explain(ids: list[str]) -> None:
    picked = st.session_state[_NEAR]["selection"]
    rows = [*picked.get("rows", []), *(cell[0] for cell in picked.get("cells", []))]
    if rows:
        curate_state.open_why(ids[rows[0]])


def inspect_url(trace: str) -> str:
    """The address of a trace in Inspect, relative to this page's."""
    return "./?" + urlencode(curate_state.link(**{state.TRACE: trace}))


def moves(title: str, name: str, rows: pd.DataFrame, sides: Mapping[str, str]) -> None:
    """Traces that only one side takes, the best rank first, with a CSV of all."""
    st.markdown(f"**{as_markdown(title)}: {len(rows):,}**")
    if not len(rows):
        return
    shown = rows.head(MOST_ROWS)
    tables.table(
        shown.assign(inspect=[inspect_url(trace) for trace in shown["trace_id"]]),
        signed={"value_a": ".4f", "value_b": ".4f"},
        height=min(35 * (len(shown) + 1) + 3, 283),
        key=f"moves-{name}",
        column_order=[
            *("trace_id", "rank_a", "rank_b", "value_a", "value_b", "n_tokens"),
            *("reason", "inspect"),
        ],
        column_config={
            "trace_id": "Trace",
            **{
                f"rank_{side}": st.column_config.NumberColumn(f"Rank {word}", format="localized")
                for side, word in sides.items()
            },
            **{f"value_{side}": f"Value {word}" for side, word in sides.items()},
            "n_tokens": st.column_config.NumberColumn("Tokens", format="localized"),
            "reason": st.column_config.TextColumn("Why it is left out", width=240),
            "inspect": st.column_config.LinkColumn("Inspect", display_text="open ↗"),
        },
        alt=f"{title}: traces with rank and value on both sides",
    )
    if len(rows) > MOST_ROWS:
        st.caption(f"The first {MOST_ROWS}; the CSV holds all.")
    tables.save_csv(f"All {len(rows):,} as CSV", f"moves-{name}", lambda: rows)


def bias_counts(numbers: pd.DataFrame) -> None:
    """Length and steps: median and quartiles of both sides, and how value follows them."""
    tables.table(
        pd.DataFrame(
            {
                "count": [str(name).capitalize() for name in numbers["count"]],
                "chosen": _quartiles(numbers, "chosen"),
                "left": _quartiles(numbers, "left"),
                "rho": numbers["rank_correlation"],
            }
        ),
        signed={"rho": "+.2f"},
        column_config={
            "count": "",
            "chosen": st.column_config.TextColumn("Chosen", help="Median (quartiles)"),
            "left": st.column_config.TextColumn("Left out", help="Median (quartiles)"),
            "rho": st.column_config.NumberColumn(
                "ρ with value", help="Spearman's rank correlation"
            ),
        },
        alt="Tokens and steps of chosen and left-out traces",
    )


def _quartiles(numbers: pd.DataFrame, side: str) -> list[str]:
    return [
        f"{row[f'{side}_median']:,.0f} ({row[f'{side}_q1']:,.0f}–{row[f'{side}_q3']:,.0f})"
        for row in numbers.to_dict("records")
    ]


def bias_categories(categories: pd.DataFrame) -> None:
    """Datasets and labels: their share of both sides."""
    if not len(categories):
        return
    shown = categories.head(MOST_ROWS)
    tables.table(
        pd.DataFrame(
            {
                "column": [curate_frames.column_name(str(name)) for name in shown["column"]],
                "category": [plain(str(name), 30) for name in shown["category"]],
                "chosen": shown["share_chosen"].astype(float),
                "left": shown["share_left"].astype(float),
                "n_chosen": shown["n_chosen"],
            }
        ),
        signed={"chosen": percent, "left": percent},
        height=min(35 * (len(shown) + 1) + 3, 388),
        column_config={
            "column": "Of",
            "category": "Value",
            "chosen": st.column_config.NumberColumn(
                "Chosen", help="Share of the chosen traces that have this value"
            ),
            "left": st.column_config.NumberColumn(
                "Left out", help="Share of the left-out traces that have it"
            ),
            "n_chosen": st.column_config.NumberColumn(
                "Chosen traces", format="localized", help="How many of the chosen traces have it"
            ),
        },
        alt="Shares of datasets and labels among chosen and left-out traces",
    )
