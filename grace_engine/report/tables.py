"""How does a report read as JSON, and as Markdown?"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from grace_engine.report.judge_tables import (
    HEAD,
    MEANING,
    judged_document,
    judged_rows,
    judged_sentences,
)
from grace_engine.report.subjects import DatasetReport, Difference, Spread, Subject
from grace_engine.report.wording import (
    CAVEATS,
    INTERVALS,
    N_TRACES,
    UNDETERMINED,
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
)


def as_document(report: DatasetReport) -> dict[str, Any]:
    """The report as JSON values; single traces are left out."""
    return {
        "made_at": report.made_at,
        "version": report.version,
        "subjects": [_facts(subject) for subject in report.subjects],
        "metrics": [
            {
                **asdict(column),
                "spreads": {
                    name: _spread(spread) for name, spread in report.spreads[column.name].items()
                },
                "differences": {
                    name: asdict(difference)
                    for name, difference in report.differences.get(column.name, {}).items()
                },
            }
            for column in report.columns
        ],
        "judged": judged_document(report),
        "not_measured": dict(report.absent),
        "shared_traces": dict(report.shared),
        "advice": [asdict(advice) | {"is_far": advice.is_far} for advice in report.advice],
        "citation": report.citation,
    }


def as_markdown(report: DatasetReport) -> str:
    """The report as Markdown: the same sentences and tables as the page, without its charts."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: DatasetReport) -> Iterator[str]:
    names = [subject.name for subject in report.subjects]
    yield f"# {_plain(names[0])}: dataset report"
    yield ""
    yield _plain(opening(report))
    yield ""
    said = list(summary(report))
    yield from (f"- {_plain(each)}" for each in said)
    if said:
        yield ""
    yield from _table(
        ["", *names],
        [[label, *(fact(subject) for subject in report.subjects)] for label, fact in FACTS.items()],
    )
    if note := languages_note(report):
        yield note
        yield ""
    for subject in report.subjects[1:]:
        if subject.detail:
            yield f"- {_plain(f'{subject.name}: {subject.detail}')}"
    if refused := refused_text(report):
        yield f"- {_plain(refused)}"
    yield ""
    yield "## Metrics"
    yield ""
    yield from _table(["metric", *names], spread_rows(report))
    yield "Mean, its 95% interval in brackets, then the 5th to the 95th percentile of traces."
    yield f"{INTERVALS} {N_TRACES}"
    yield ""
    for other in names[1:]:
        yield from _table(
            ["metric", f"{names[0]} less {other}"],
            [
                [column.title, difference_text(report.differences[column.name].get(other))]
                for column in report.columns
            ],
        )
    if shared := shared_text(report):
        yield _plain(shared)
        yield ""
    if report.judged:
        yield "## What a judge model says"
        yield ""
        yield from _table(list(HEAD), judged_rows(report))
        yield MEANING
        for sentence in judged_sentences(report):
            yield f"- {_plain(sentence)}"
        yield ""
    if report.advice:
        yield f"## For a model of {report.advice[0].size:g}B"
        yield ""
        for sentence in (*evidence_sentences(report.advice[0]), *report.advice[0].warnings):
            yield f"- {_plain(sentence)}"
        for advice in report.advice:
            for sentence in advice_sentences(advice):
                yield f"- {_plain(sentence)}"
        yield ""
        yield f"Source: {_plain(report.citation)}."
        yield ""
    yield "## Caveats"
    yield ""
    yield from (f"- {_plain(caveat)}" for caveat in CAVEATS)
    yield ""
    yield "## How each number was made"
    yield ""
    for column in report.columns:
        made = f" Made by {column.made_by}." if column.made_by else ""
        missing = f" {none}" if (none := missing_text(report, column)) else ""
        yield f"- **{column.title}**: {_plain(column.how + made + missing)}"
    for title, why in report.absent.items():
        yield f"- **{title}**: not measured, {_plain(why)}"
    yield ""
    yield f"grace-studio {report.version}, {report.made_at}"


def spread_rows(report: DatasetReport) -> list[list[str]]:
    """A row a metric: its title, and its spread for each subject."""
    return [
        [
            column.title,
            *(
                spread_text(report.spreads[column.name].get(s.name), s.n_traces)
                for s in report.subjects
            ),
        ]
        for column in report.columns
    ]


def spread_text(spread: Spread | None, n_traces: int) -> str:
    """``0.62 (0.60 to 0.64); 0.41 to 0.80``, and of how many traces where not of all."""
    if spread is None:
        return "–"
    few = f"; {n}" if (n := traces_text(spread, n_traces)) else ""
    return f"{number(spread.mean)} ({interval_text(spread)}); {ends_text(spread)}{few}"


def difference_text(difference: Difference | None) -> str:
    """``+0.02 (+0.01 to +0.03)``, and whether that leaves out 0."""
    if difference is None:
        return "–"
    said = f"{number(difference.mean, signed=True)} ({between_text(difference)})"
    return said if difference.is_clear or difference.low is None else f"{said}, not told apart"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _correct(subject: Subject) -> str:
    if not subject.n_known:
        return "not known"
    known = f" of {subject.n_known:,}" + (" known" if subject.n_known < subject.n_traces else "")
    return f"{_share(subject.n_right, subject.n_known)}{known}"


def _languages(subject: Subject) -> str:
    every = sorted(subject.languages.items(), key=lambda each: -each[1])
    shown = every if len(every) <= _LANGUAGES else every[: _LANGUAGES - 1]
    named = [(name.replace(UNDETERMINED, "undetermined"), n) for name, n in shown]
    if others := sum(n for _, n in every[len(shown) :]):
        named.append((f"{len(every) - len(shown)} others", others))
    return ", ".join(f"{name} {_share(n, subject.n_traces)}" for name, n in named) or "–"


def _found(subject: Subject) -> str:
    if subject.answer_rate is None:
        return "all: a selection has no others"
    whole = round(subject.n_traces / subject.answer_rate) if subject.answer_rate else 0
    return f"{subject.answer_rate:.1%} of {whole:,} in its files"


_LANGUAGES = 4  # that are named; of more the last ones are counted together

FACTS = {
    "traces": lambda s: f"{s.n_traces:,}",
    "prompts": lambda s: f"{s.n_prompts:,}",
    "answer found": _found,
    "answer right": _correct,
    "repeated reasoning": lambda s: _share(s.n_repeated, s.n_traces),
    "language": _languages,
}
"""What is said of each subject beside its metrics."""


def _facts(subject: Subject) -> dict[str, Any]:
    return {
        "name": subject.name,
        "kind": subject.kind,
        "detail": subject.detail,
        "n_traces": subject.n_traces,
        "n_prompts": subject.n_prompts,
        "refused": dict(subject.refused),
        "answer_rate": subject.answer_rate,
        "n_known": subject.n_known,
        "n_right": subject.n_right,
        "n_repeated": subject.n_repeated,
        "languages": dict(subject.languages),
        "why": {name: dict(reasons) for name, reasons in subject.why.items()},
    }


def _spread(spread: Spread) -> dict[str, Any]:
    found = asdict(spread)
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in found.items()
    }


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for row in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(_plain(cell) for cell in row)} |"
    yield ""


def _plain(text: str) -> str:
    """Text in which nothing is markup, on one line."""
    folded = " ".join(text.split())
    for sign in "\\|<>*_`[]":
        folded = folded.replace(sign, f"\\{sign}")
    return folded
