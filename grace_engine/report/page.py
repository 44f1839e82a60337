"""How does a report look as one HTML file that needs no network and no script?"""

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files

import numpy as np

from grace_engine.report.advice import FEW, Advice
from grace_engine.report.drawing import N_COLOURS, forest, histogram
from grace_engine.report.judge_tables import HEAD, MEANING, judged_rows, judged_sentences
from grace_engine.report.subjects import Column, DatasetReport, Difference, Spread
from grace_engine.report.tables import FACTS
from grace_engine.report.wording import (
    CAVEATS,
    INTERVALS,
    N_TRACES,
    advice_sentences,
    between_text,
    ends_text,
    evidence_sentences,
    interval_text,
    languages_note,
    missing_text,
    number,
    opening,
    refused_text,
    shared_text,
    summary,
    traces_text,
    undrawn_text,
)


def as_html(report: DatasetReport) -> str:
    """The whole page. Names and reasons that come from data are text in it, never markup."""
    title = f"{report.subjects[0].name}: dataset report"
    style = (files(__package__) / "page.css").read_text(encoding="utf-8")
    body = "\n".join(_sections(report))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style></head>\n"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def _sections(report: DatasetReport) -> Iterator[str]:
    first = report.subjects[0]
    yield f'<header><p class="kind">Dataset report</p><h1>{escape(first.name)}</h1>'
    yield f'<p class="lead">{escape(opening(report))}</p></header>'
    said = list(summary(report))
    if said:
        yield '<section class="summary"><h2>In short</h2><ul>'
        yield from (f"<li>{escape(each)}</li>" for each in said)
        yield "</ul></section>"
    yield from _facts(report)
    yield from _measured(report)
    yield from _distributions(report)
    yield from _differences(report)
    yield from _judged(report)
    yield from _advice(report)
    yield "<section><h2>What these numbers do not say</h2><ul>"
    yield from (f"<li>{escape(caveat)}</li>" for caveat in CAVEATS)
    yield "</ul></section>"
    yield from _made(report)
    yield (
        f"<footer>Made by grace-studio {escape(report.version)} on {escape(report.made_at)}. "
        "Nothing in this file is loaded from elsewhere.</footer>"
    )


def _facts(report: DatasetReport) -> Iterator[str]:
    head = [""] + [_named(report, name.name) for name in report.subjects]
    rows = [
        [escape(label), *(escape(fact(subject)) for subject in report.subjects)]
        for label, fact in FACTS.items()
    ]
    yield f"<section><h2>At a glance</h2>{_table(head, rows)}"
    if note := languages_note(report):
        yield f'<p class="note">{escape(note)}</p>'
    others = [subject for subject in report.subjects[1:] if subject.detail]
    if others:
        yield '<ul class="details">'
        yield from (f"<li>{escape(f'{s.name}: {s.detail}')}</li>" for s in others)
        yield "</ul>"
    if refused := refused_text(report):
        yield f'<p class="note">{escape(refused)}</p>'
    yield "</section>"


def _measured(report: DatasetReport) -> Iterator[str]:
    head = ["Metric"] + [_named(report, subject.name) for subject in report.subjects]
    rows = [
        [
            escape(column.title),
            *(
                _spread(report.spreads[column.name].get(s.name), s.n_traces)
                for s in report.subjects
            ),
        ]
        for column in report.columns
    ]
    yield (
        f"<section><h2>Metrics</h2>{_table(head, rows)}"
        '<p class="note">Mean over traces with its 95% interval, below it the 5th to the 95th '
        f"percentile of single traces. {escape(INTERVALS)} {escape(N_TRACES)}</p></section>"
    )


def _distributions(report: DatasetReport) -> Iterator[str]:
    yield "<section><h2>Distributions</h2>"
    yield _legend(report)
    yield '<div class="charts">'
    for column in report.columns:
        values = {
            subject.name: subject.numbers[column.name].to_numpy(dtype=np.float64)
            for subject in report.subjects
            if column.name in subject.numbers
        }
        if any((~np.isnan(one)).any() for one in values.values()):
            yield f"<figure><figcaption>{escape(column.title)}</figcaption>"
            yield f"{histogram(values, column.title, column.bounds)}</figure>"
    yield (
        '</div><p class="note">Share of traces by value; the first and the last bar hold what lies '
        "beyond the 1st and 99th percentile, the ticks below stand at the means.</p></section>"
    )


def _differences(report: DatasetReport) -> Iterator[str]:
    others = [subject.name for subject in report.subjects[1:]]
    if not others:
        return
    first = report.subjects[0].name
    rows = [(column.title, report.differences.get(column.name, {})) for column in report.columns]
    yield f"<section><h2>How {escape(first)} differs</h2>{_legend(report, skip=1)}"
    if drawn := forest(rows, others):
        yield f'<figure class="wide">{drawn}</figure>'
        yield (
            f'<p class="note">Mean of {escape(first)} less mean of the other, in standard '
            "deviations of single traces, with 95% intervals; an open circle is not told apart "
            "from 0. Prompts and traces that both hold count as pairs.</p>"
        )
    if undrawn := undrawn_text(report):
        yield f'<p class="note">{escape(undrawn)}</p>'
    head = ["Metric", *(f"less {_named(report, name)}" for name in others)]
    yield _table(
        head,
        [
            [escape(title), *(_difference(by_other.get(name)) for name in others)]
            for title, by_other in rows
        ],
    )
    if shared := shared_text(report):
        yield f'<p class="note">{escape(shared)}</p>'
    yield "</section>"


def _judged(report: DatasetReport) -> Iterator[str]:
    if not report.judged:
        return
    rows = [[escape(cell) for cell in row] for row in judged_rows(report)]
    yield f"<section><h2>What a judge model says</h2>{_table(list(HEAD), rows)}"
    said = " ".join((MEANING, *judged_sentences(report)))
    yield f'<p class="note">{escape(said)}</p></section>'


def _advice(report: DatasetReport) -> Iterator[str]:
    if not report.advice:
        return
    yield f"<section><h2>For a model of {report.advice[0].size:g}B parameters</h2>"
    yield '<div class="evidence"><strong>Weak evidence.</strong>'
    yield from (f"<p>{escape(said)}</p>" for said in evidence_sentences(report.advice[0]))
    yield "</div>"
    if warnings := report.advice[0].warnings:
        yield '<div class="evidence"><strong>Look before you follow it.</strong>'
        yield from (f"<p>{escape(said)}</p>" for said in warnings)
        yield "</div>"
    for advice in report.advice:
        yield f"<h3>By {escape(advice.basis)}</h3>"
        said = advice_sentences(advice, is_headed=True)
        yield from (f"<p>{escape(each)}</p>" for each in said)
        yield _weighed(advice, report)
    yield f'<p class="note">Source: {escape(report.citation)}.</p></section>'


def _weighed(advice: Advice, report: DatasetReport) -> str:
    compares = len(report.subjects) > 1
    rows = []
    for each in advice.weighed:
        weight = "too near 0 to count" if abs(each.rho) < FEW else ""
        order = " › ".join(each.order) or ("" if weight else each.left_out)
        reads = [_bar(each.rho), escape(order if compares else weight)]
        rows.append([escape(each.title), *reads])
    last = "order that it favours" if compares else ""
    return _table(["Metric", "mean ρ with gains", last], rows)


def _bar(rho: float) -> str:
    """A number beside a bar from the middle."""
    left = 50 + 50 * min(rho, 0.0)
    side = "up" if rho >= 0 else "down"
    shown = f"{rho:+.2f}".replace("-", "−")
    return (
        f'<span class="rho"><span class="bar"><i class="{side}" style="left:{left:.0f}%;'
        f'width:{50 * abs(rho):.0f}%"></i></span>{shown}</span>'
    )


def _made(report: DatasetReport) -> Iterator[str]:
    yield "<section><h2>How each number was made</h2>"
    yield '<dl class="made">'
    for column in report.columns:
        yield f"<dt>{escape(column.title)}</dt><dd>{escape(_how(column))}{_missing(report, column)}"
        yield "</dd>"
    for title, why in report.absent.items():
        yield f"<dt>{escape(title)}</dt><dd>Not measured: {escape(why)}</dd>"
    yield "</dl></section>"


def _how(column: Column) -> str:
    return f"{column.how} Here by: {column.made_by}." if column.made_by else column.how


def _missing(report: DatasetReport, column: Column) -> str:
    said = missing_text(report, column)
    return f" <em>{escape(said)}</em>" if said else ""


def _spread(spread: Spread | None, n_traces: int) -> str:
    if spread is None:
        return "–"
    interval = f" <small>{interval_text(spread)}</small>"
    few = f"; {n}" if (n := traces_text(spread, n_traces)) else ""
    ends = f"{ends_text(spread)}{few}"
    return f"<b>{number(spread.mean)}</b>{interval}<br><small>{ends}</small>"


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return "–"
    mean = number(difference.mean, signed=True)
    ends = between_text(difference)
    if difference.low is None:
        return f"{mean} <small>{ends}</small>"
    if difference.is_clear:
        return f"<b>{mean}</b> <small>{ends}</small>"
    return f"{mean} <small>{ends}, not told apart</small>"


def _named(report: DatasetReport, name: str) -> str:
    """A name with its colour."""
    place = [subject.name for subject in report.subjects].index(name) % N_COLOURS
    return f'<span class="key s{place}"></span>{escape(name)}'


def _legend(report: DatasetReport, skip: int = 0) -> str:
    names = [subject.name for subject in report.subjects][skip:]
    if len(report.subjects) == 1:
        return ""
    return f'<p class="legend">{" ".join(f"<span>{_named(report, n)}</span>" for n in names)}</p>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(
        f"<tr><th>{row[0]}</th>{''.join(f'<td>{cell}</td>' for cell in row[1:])}</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'
        "</div>"
    )
