"""What is said of datasets beside each other, once they are measured?"""

import shlex
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.figures.datasets import distributions_chart, parallel_chart, results_chart
from grace_engine.figures.frames import plain
from grace_engine.report.judge_tables import HEAD, MEANING, judged_rows, judged_sentences
from grace_engine.report.tables import FACTS, difference_text, spread_rows
from grace_engine.report.wording import (
    INTERVALS,
    N_TRACES,
    advice_sentences,
    evidence_sentences,
    languages_note,
    missing_text,
    opening,
    refused_text,
    shared_text,
    summary,
)
from grace_engine.training import Interval
from grace_engine.ui import charts, dataset_load, tables
from grace_engine.ui.dataset_choose import Asked
from grace_engine.ui.text import as_markdown

SECTION, METRIC = "section", "metric"


def sections(workspace: str, asked: Asked, found: api.DatasetReport, *, dark: bool) -> None:
    """One section at a time, by the address."""
    shown: dict[str, Callable[[], None]] = {
        "Metrics": lambda: _metrics(found),
        "Distributions": lambda: _distributions(found, dark=dark),
        "Compared": lambda: _compared(found, dark=dark),
        "Ranking": lambda: _ranking(found),
        "Duplicates": lambda: _duplicates(workspace, asked),
        "Training": lambda: _training(workspace, asked, found, dark=dark),
        "Save": lambda: _save(found),
    }
    chosen = st.segmented_control(
        "Section",
        list(shown),
        default="Metrics",
        required=True,
        key=SECTION,
        bind="query-params",
        label_visibility="collapsed",
    )
    shown[chosen]()


def _metrics(found: api.DatasetReport) -> None:
    st.text(plain(opening(found)))
    for said in summary(found):
        st.text(plain(f"• {said}"))
    names = [subject.name for subject in found.subjects]
    facts = pd.DataFrame(
        [
            {"": label} | {subject.name: fact(subject) for subject in found.subjects}
            for label, fact in FACTS.items()
        ]
    )
    tables.table(facts, alt="What the datasets hold")
    for note in filter(None, (languages_note(found), refused_text(found))):
        st.caption(as_markdown(note))
    frame = pd.DataFrame(spread_rows(found), columns=["metric", *names])
    tables.table(frame, alt="Metrics of each dataset")
    st.caption(
        "Mean over traces with its 95% interval; then the 5th to the 95th percentile of single "
        f"traces. {INTERVALS} {N_TRACES} Save has a report with how each number is made."
    )
    tables.save_csv("Metrics as CSV", f"metrics-{names[0]}", lambda: _long(found))
    _judged(found)
    for column in found.columns:
        if missing := missing_text(found, column):
            st.caption(as_markdown(f"{column.title}: {missing}"))
    for title, why in found.absent.items():
        st.caption(as_markdown(f"{title}: not measured, {why}"))


def _judged(found: api.DatasetReport) -> None:
    if not found.judged:
        return
    st.markdown("**What a judge model says**")
    frame = pd.DataFrame(judged_rows(found), columns=list(HEAD))
    tables.table(frame, alt="Positive labels of a judge model, over traces and over steps")
    for said in judged_sentences(found):
        st.text(plain(said))
    st.caption(as_markdown(MEANING))


def _distributions(found: api.DatasetReport, *, dark: bool) -> None:
    values = {
        column.title: {
            subject.name: subject.numbers[column.name].to_numpy(dtype=np.float64)
            for subject in found.subjects
            if column.name in subject.numbers
        }
        for column in found.columns
    }
    bounds = {column.title: column.bounds for column in found.columns}
    charts.chart(
        distributions_chart(values, bounds, dark=dark),
        key="distributions-chart",
        alt="Share of traces by value of each metric, an outline a dataset",
    )
    st.caption(
        "Share of traces by value; the first and the last bin hold what lies beyond the 1st and "
        "the 99th percentile."
    )
    tables.save_csv("Values as CSV", f"values-{found.subjects[0].name}", lambda: _values(found))


def _compared(found: api.DatasetReport, *, dark: bool) -> None:
    names = [subject.name for subject in found.subjects]
    if len(names) < 2:
        st.info("Choose a second dataset or selection above.", icon=":material/lightbulb:")
        return
    frame = _long(found)
    charts.chart(
        parallel_chart(frame, dark=dark),
        key="parallel-chart",
        alt="A line a dataset over all metrics",
    )
    st.caption(
        "Mean of each metric that several have, from the middle of those shown, in standard "
        "deviations of single traces (pooled): what is far apart here is apart for most traces, "
        "too, but not where the mean is of a few: those have no interval in the table below."
    )
    differences = pd.DataFrame(
        [
            {"metric": column.title}
            | {
                f"less {name}": difference_text(found.differences[column.name].get(name))
                for name in names[1:]
            }
            for column in found.columns
        ]
    )
    st.markdown(as_markdown(f"{names[0]} less the others"))
    tables.table(differences, alt="Differences of the means, with 95% intervals")
    if shared := shared_text(found):
        st.caption(as_markdown(shared))
    tables.save_csv("Compared as CSV", f"compared-{names[0]}", lambda: frame)


def _ranking(found: api.DatasetReport) -> None:
    if not found.advice:
        st.info(
            "Say above which size of model is to be trained, such as 8B.",
            icon=":material/lightbulb:",
        )
        return
    if len(found.subjects) < 2:
        st.info("A ranking needs a second dataset or selection.", icon=":material/lightbulb:")
    with st.container(border=True):
        st.markdown("**Weak evidence**")
        for said in evidence_sentences(found.advice[0]):
            st.text(plain(said))
    if warnings := found.advice[0].warnings:
        with st.container(border=True):
            st.markdown("**Look before you follow it**")
            for said in warnings:
                st.text(plain(said))
    for advice in found.advice:
        st.markdown(as_markdown(f"By {advice.basis}"))
        for said in advice_sentences(advice, is_headed=True):
            st.text(plain(said))
        frame = pd.DataFrame(
            [
                {
                    "metric": each.title,
                    "mean ρ with gains": each.rho,
                    "order that it favours": ", then ".join(each.order) or each.left_out,
                }
                for each in advice.weighed
            ]
        )
        tables.table(
            frame,
            alt=f"What each metric favours, {advice.basis}",
            signed={frame.columns[1]: "+.2f"},
        )
    st.caption(as_markdown(f"Source: {found.citation}."))


def _duplicates(workspace: str, asked: Asked) -> None:
    found = dataset_load.near_duplicates(workspace, asked.names)
    if found is None:
        st.info(
            "Duplicate traces were not looked for in all of these yet.",
            icon=":material/content_copy:",
        )
        st.page_link("pages/data.py", label="Look for them on the Data page")
        return
    rows = []
    for name in found.names:
        n = found.n_traces[name]
        row: dict[str, object] = {"dataset": name, "traces": n}
        for other in found.names:
            count = found.counts[name, other]
            row[f"like one in {other}"] = f"{count:,} ({count / n:.1%})"
        rows.append(row)
    frame = pd.DataFrame(rows)
    tables.table(frame, alt="Traces with an equal or nearly equal one, within and between")
    st.caption(
        f"Traces that another one equals or nearly equals (Jaccard similarity of "
        f"{found.finding.threshold:g} or more). A trace that stands in two of them is no "
        "duplicate of itself."
    )
    if found.finding.is_older:
        st.warning(
            "Traces came or went since this was found: find duplicates again on the Data page.",
            icon=":material/history:",
        )
    tables.save_csv("Duplicates as CSV", f"near-duplicates-{found.names[0]}", lambda: frame)


def _training(workspace: str, asked: Asked, found: api.DatasetReport, *, dark: bool) -> None:
    by_name = dict(zip(asked.names, (s.name for s in found.subjects), strict=True))
    told = [one for one in dataset_load.trained_on(workspace) if one.subject in by_name]
    groups = list(dict.fromkeys(f"{one.model}: {one.result}" for one in told))
    if not told:
        st.info(
            "No model was trained on these and judged yet. With results of three or more of them "
            "grace correlate --trained says which metrics go with results.",
            icon=":material/model_training:",
        )
        st.page_link("pages/train.py", label="Train", icon=":material/model_training:")
        return
    left, right = st.columns(2, gap="medium")
    columns = {column.title: column.name for column in found.columns}
    metric = left.selectbox("Metric", list(columns), key=METRIC, bind="query-params")
    group = right.selectbox("Result", groups, format_func=plain, key="result")
    kept = {by_name[o.subject]: o.found for o in told if f"{o.model}: {o.result}" == group}
    frame = _results(found, columns[metric], kept)
    charts.chart(
        results_chart(frame, metric, group, dark=dark),
        key="results-chart",
        alt=f"{group} against {metric}",
    )
    st.caption(
        "95% intervals over problems and seeds. With so few points nothing is shown by one chart: "
        "grace correlate --trained has every metric with exact p."
    )
    tables.save_csv("Results as CSV", f"results-{found.subjects[0].name}", lambda: frame)


def _results(found: api.DatasetReport, column: str, kept: dict[str, Interval]) -> pd.DataFrame:
    spreads = found.spreads[column]
    return pd.DataFrame(
        [
            {
                "dataset": name,
                "metric": spreads[name].mean,
                "mean": interval.mean,
                "low": interval.low,
                "high": interval.high,
            }
            for name, interval in kept.items()
            if name in spreads
        ],
        columns=["dataset", "metric", "mean", "low", "high"],
    )


def _save(found: api.DatasetReport) -> None:
    st.markdown("The whole report as one file.")
    kinds = {
        ".html": ("One page", "text/html", "Light and dark, no script, nothing loaded."),
        ".md": ("Markdown", "text/markdown", "The same sentences and tables."),
        ".json": ("All numbers", "application/json", "Every number, for programs."),
    }
    with st.container(horizontal=True):
        for ending, (label, mime, says) in kinds.items():
            st.download_button(
                f"{label} ({ending})",
                partial(api.report_bytes, found, ending),
                file_name=f"report{ending}",
                mime=mime,
                key=f"report{ending}",
                icon=":material/download:",
                help=says,
                on_click="ignore",
            )
    names = [subject.name for subject in found.subjects]
    size = f" --target-size {found.advice[0].size:g}B" if found.advice else ""
    first, *others = (shlex.quote(plain(name)) for name in names)
    against = "".join(f" --against {name}" for name in others)
    said = f"grace report {first}{against}{size} --to report.html"
    st.code(said, language="shell", wrap_lines=True)


def _long(found: api.DatasetReport) -> pd.DataFrame:
    """A row a dataset and metric."""
    rows = []
    for column in found.columns:
        for subject in found.subjects:
            spread = found.spreads[column.name].get(subject.name)
            if spread is not None:
                rows.append(
                    {
                        "dataset": subject.name,
                        "metric": column.title,
                        "mean": spread.mean,
                        "low": spread.low,
                        "high": spread.high,
                        "traces": spread.n,
                        "deviation": float(subject.numbers[column.name].std(ddof=0)),
                    }
                )
    return pd.DataFrame(rows)


def _values(found: api.DatasetReport) -> pd.DataFrame:
    """A row a trace."""
    parts = [
        subject.numbers.rename_axis("trace_id").reset_index().assign(dataset=subject.name)
        for subject in found.subjects
    ]
    return pd.concat(parts, ignore_index=True)
