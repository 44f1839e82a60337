"""How does a frame stand on a page, and become a CSV file that no spreadsheet runs?"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import pandas as pd
import streamlit as st

from grace_engine.export import safe_cell
from grace_engine.figures.frames import minus, plain

Form: TypeAlias = str | Callable[[float], str]
"""How a number is written: Python's format, or a function of it."""


_MOST_WHOLE = 20
"""Rows up to which a table has none behind a scroll of its own."""


def table(
    frame: pd.DataFrame,
    alt: str,
    signed: Mapping[str, Form] | None = None,
    *,
    marked: int | None = None,
    **look: Any,
) -> None:
    """A table of a frame: its texts stand on one line each, with direction marks by name.

    Args:
        frame: What to show, without its index.
        alt: What it is, for who does not see it.
        signed: Columns of numbers that the browser would write otherwise, with the form of each: a
            format of ``st.column_config`` has a hyphen for the minus that charts draw.
        marked: Place, from 0, of a row on another ground and in bold, where columns are
            ``signed``; None for none.
        look: As ``st.dataframe`` takes it.
    """
    shown = frame.rename(columns=lambda name: plain(str(name)))
    for name in shown.columns:
        if shown[name].dtype == object or isinstance(shown[name].dtype, pd.StringDtype):
            shown[name] = [plain(v) if isinstance(v, str) else v for v in shown[name]]
    drawn = with_minus(shown, signed, marked) if signed else shown
    if len(shown) <= _MOST_WHOLE:
        look = {"height": "content"} | look  # the browser's own height hides rows from the 10th on
    st.dataframe(drawn, hide_index=True, alt=alt, **look)


def with_minus(frame: pd.DataFrame, signed: Mapping[str, Form], marked: int | None = None) -> Any:
    """A frame whose columns of ``signed`` are written in these formats, with a true minus.

    The row at the place ``marked``, from 0, has another ground.

    They still sort as numbers. What is too large for pandas to write out stays as it is.
    """
    if frame.size > int(pd.get_option("styler.render.max_elements")):
        return frame
    forms: dict[Any, Any] = {name: partial(_written, form) for name, form in signed.items()}
    styled = frame.style.format(forms, na_rep="–")
    if marked is None:
        return styled
    return styled.apply(
        lambda row: [_MARKED if row.name == frame.index[marked] else ""] * len(row), axis=1
    )


_MARKED = "background-color: #8a909955; font-weight: bold"


def _written(form: Form, number: float) -> str:
    return minus(format(number, form) if isinstance(form, str) else form(number))


def csv_of(frame: pd.DataFrame) -> bytes:
    """UTF-8 CSV with a header; text that a spreadsheet would run begins with an apostrophe."""
    safe = frame.rename(columns=lambda name: safe_cell(str(name)))
    for name in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[name]):
            safe[name] = [safe_cell(cell) if isinstance(cell, str) else cell for cell in safe[name]]
    return safe.to_csv(index=False).encode()


def save_csv(label: str, name: str, frame: Callable[[], pd.DataFrame]) -> None:
    """A button that saves a frame, which is made when it is pressed."""
    st.download_button(
        label,
        lambda: csv_of(frame()),
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"csv-{name}",
        icon=":material/download:",
        on_click="ignore",
    )
