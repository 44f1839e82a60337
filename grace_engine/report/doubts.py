"""What of several datasets makes it doubtful to rank them by their metrics?"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from grace_engine.quantities import counted
from grace_engine.report.subjects import FEW_TRACES, Spread, Subject
from grace_engine.report.wording import UNDETERMINED, number

UNREAD = 1000.0
"""Perplexity from which on a model reads no text: words of English drawn by nothing but their
frequency have about as much (962 in the Wall Street Journal: Jurafsky and Martin, Speech and
Language Processing, chapter on n-gram models)."""

TIMES_OTHERS = 10.0
"""Times the middle of the others' perplexity from which on the same is to be feared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One thing that makes a ranking doubtful.

    Attributes:
        says: The sentence that stands beside the ranking.
        clause: The same in a few words, for a summary.
    """

    says: str
    clause: str


def doubts(
    subjects: Sequence[Subject],
    measured: Mapping[str, Mapping[str, Spread]],
    *,
    counting: Collection[str],
    reader: str,
) -> Iterator[Doubt]:
    """What stands beside a ranking, the worst first; nothing for a single subject.

    Args:
        subjects: What is ranked.
        measured: By title of a metric and subject.
        counting: Titles of those that have a say in the ranking.
        reader: The model that perplexity is of.
    """
    if len(subjects) < 2:
        return
    few = [f"{one.name} ({one.n_traces:,})" for one in subjects if one.n_traces < FEW_TRACES]
    if few:
        yield Doubt(
            says=f"Fewer than {FEW_TRACES} traces, whose means may be chance: {', '.join(few)}.",
            clause=f"these have few traces: {', '.join(few)}",
        )
    ranking = {title: spreads for title, spreads in measured.items() if title in counting}
    if thin := _of_few(subjects, ranking):
        yield Doubt(
            says=f"Some metrics are of fewer than {FEW_TRACES} traces, so that their means may be "
            f"chance: {thin}.",
            clause=f"these metrics are of few traces: {thin}",
        )
    languages = {one.name: main for one in subjects if (main := _main_language(one))}
    if len(set(languages.values())) > 1:
        said = ", ".join(f"{name} {language}" for name, language in languages.items())
        yield Doubt(
            says=f"The languages differ ({said}), and with them length, symbols, redundancy and "
            "embeddings, whatever the reasoning is worth.",
            clause=f"the languages differ ({said})",
        )
    perplexity = measured.get("Perplexity", {})
    middles = {name: spread.quantiles[2] for name, spread in perplexity.items()}
    for name, middle in middles.items():
        others = [value for other, value in middles.items() if other != name]
        usual = float(np.median(others)) if others else middle
        if middle < UNREAD and middle < TIMES_OTHERS * usual:
            continue
        why = (
            f"{UNREAD:,.0f} or more is what words drawn by nothing but their frequency have"
            if middle >= UNREAD
            else f"{TIMES_OTHERS:g} times or more that of the others, {number(usual)}"
        )
        model = reader or "The model that measures"
        yield Doubt(
            says=f"{model} hardly reads {name}: half of its traces have "
            f"a perplexity over {number(middle)} ({why}), so that semantic alignment and flow, "
            "where they are of this model's hidden states, mean little there.",
            clause=f"{model} hardly reads {name}",
        )


def _of_few(subjects: Sequence[Subject], measured: Mapping[str, Mapping[str, Spread]]) -> str:
    """Metrics that few of a subject's traces have; those that the same traces have together."""
    titles: dict[str, list[str]] = {}
    for title, spreads in measured.items():
        few = few_of(subjects, spreads)
        if few:
            said = ", ".join(f"{counted(n, 'trace')} of {name}" for name, n in few.items())
            titles.setdefault(said, []).append(title)
    return "; ".join(f"{', '.join(named)} ({said})" for said, named in titles.items())


def few_of(subjects: Sequence[Subject], spreads: Mapping[str, Spread]) -> dict[str, int]:
    """By subject, how many traces have a number where these are few and not all."""
    return {
        one.name: spread.n
        for one in subjects
        if (spread := spreads.get(one.name)) and spread.n < min(FEW_TRACES, one.n_traces)
    }


def _main_language(subject: Subject) -> str:
    known = {name: n for name, n in subject.languages.items() if name != UNDETERMINED}
    return max(known, key=lambda name: known[name]) if known else ""
