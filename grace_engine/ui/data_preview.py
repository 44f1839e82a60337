"""How does a page show the beginning of a file, as it would be ingested?"""

from pathlib import Path

import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.config import IngestConfig
from grace_engine.figures.frames import plain
from grace_engine.records import Trace
from grace_engine.ui import tables, text

_PLAIN = text.StepLook(colour=None, number="", details="")
_HEIGHT = 520


def look(path: Path, config: IngestConfig) -> api.Preview:
    """The file's beginning under ``config``; read again only when the file has changed.

    Raises:
        GraceError: As ``api.preview``.
    """
    return _look(str(path), _stamp(path), config.dataset, config.segmenter, config.mapping)


def cut_beside(
    found: api.Preview, path: Path, config: IngestConfig, segmenter: str
) -> tuple[Trace | None, ...]:
    """The traces of a preview as another segmenter cuts them; remembered as ``look`` is."""
    return _cut_beside(str(path), _stamp(path), segmenter, config, found)


def _stamp(path: Path) -> tuple[int, ...]:
    return (path.stat().st_mtime_ns, path.stat().st_size) if path.exists() else ()


@st.cache_resource(max_entries=8, show_spinner="Cutting the steps…")
def _cut_beside(
    path: str, stamp: tuple[int, ...], segmenter: str, config: IngestConfig, _found: api.Preview
) -> tuple[Trace | None, ...]:
    del stamp  # part of the key
    return api.cut_beside(_found, path, config, segmenter)


@st.cache_resource(max_entries=8, show_spinner="Reading the beginning of the file…")
def _look(
    path: str, stamp: tuple[int, ...], dataset: str, segmenter: str, mapping: str
) -> api.Preview:
    del stamp  # part of the key
    return api.preview(path, IngestConfig(dataset=dataset, segmenter=segmenter, mapping=mapping))


def show(
    found: api.Preview, others: tuple[Trace | None, ...] | None = None, segmenter: str = ""
) -> None:
    """Ten traces step by step, under one segmenter or two, and what would be rejected.

    Args:
        found: The file's beginning.
        others: ``cut_beside`` of it; None to show it alone.
        segmenter: What cut the others.
    """
    if not found.traces:
        st.warning("None of these records could be used.", icon=":material/warning:")
    if found.rejects:
        _rejects(found, expanded=not found.traces)
    if not found.traces:
        return
    many = f"The first {len(found.traces)} traces" if len(found.traces) > 1 else "The one trace"
    st.markdown(f"##### {many}, as they will be cut")
    with st.container(height=_HEIGHT, key="preview-pane"):
        if others is None:
            for trace in found.traces:
                st.html(text.facts_html(_facts(trace)) + _steps(trace))
        else:
            _side_by_side(found, others, segmenter)


def _side_by_side(found: api.Preview, others: tuple[Trace | None, ...], segmenter: str) -> None:
    """The same traces under two segmenters; one of them may refuse a trace."""
    left, right = st.columns(2)
    left.text(plain(f"Cut by {found.segmenter}"))
    right.text(plain(f"Cut by {segmenter}"))
    for trace, other in zip(found.traces, others, strict=True):
        st.html(text.facts_html(_facts(trace)))
        left, right = st.columns(2)
        left.html(_steps(trace))
        if other is not None:
            right.html(_steps(other))
        else:
            right.text("This segmenter rejects the trace.")


def _steps(trace: Trace) -> str:
    return text.trace_html(trace, [_PLAIN] * len(trace.steps), _PLAIN)


def _facts(trace: Trace) -> dict[str, str]:
    answer = trace.answer
    origin = " (appended from its field)" if answer.appended else ""
    labels = ", ".join(f"{name}: {value}" for name, value in trace.labels.items())
    place = f"line {trace.record.line}" + (f" · {trace.variant}" if trace.variant else "")
    steps = "1 step" if len(trace.steps) == 1 else f"{len(trace.steps):,} steps"
    return {
        "Trace": f"{place} · {steps}" + (f" · {labels}" if labels else ""),
        "Prompt": trace.prompt,
        "Answer": text.answer_of(trace) + origin,
    }


def _rejects(found: api.Preview, *, expanded: bool) -> None:
    of = "" if found.is_whole else f" of the first {found.n_records:,} records"
    with st.expander(
        f"{found.n_rejected:,}{of} would be rejected, and why",
        icon=":material/block:",
        expanded=expanded,
    ):
        tables.table(
            pd.DataFrame(
                [
                    {
                        "reason": group.reason,
                        "how many": group.count,
                        "such as line": group.example.line,
                        "detail": group.example.detail,
                        "record begins": group.example.excerpt,
                    }
                    for group in found.rejects
                ]
            ),
            alt="What would be rejected, by reason",
        )
