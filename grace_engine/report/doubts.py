"""What of several datasets makes it doubtful to rank them by their metrics?"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from grace_engine.report.subjects import Spread, Subject
from grace_engine.report.wording import UNDETERMINED, number

FEW_TRACES = 30
"""Traces below which a mean says little of a dataset."""

UNREAD = 1000.0
"""Perplexity from which on a model reads no text: words of English drawn by nothing but their
frequency have about as much (962 in the Wall Street Journal: Jurafsky and Martin, Speech and
Language Processing, chapter on n-gram models)."""

TIMES_OTHERS = 10.0
"""Times the middle of the others' perplexity from which on the same is to be feared."""


def doubts(
    subjects: Sequence[Subject], perplexity: Mapping[str, Spread], reader: str
) -> Iterator[str]:
    """Sentences that stand beside a ranking; none for a single subject.

    Args:
        subjects: What is ranked.
        perplexity: Of each subject that has one.
        reader: The model that it is of.
    """
    if len(subjects) < 2:
        return
    few = [f"{one.name} ({one.n_traces:,})" for one in subjects if one.n_traces < FEW_TRACES]
    if few:
        yield (f"Fewer than {FEW_TRACES} traces, whose means may be chance: {', '.join(few)}.")
    languages = {one.name: main for one in subjects if (main := _main_language(one))}
    if len(set(languages.values())) > 1:
        said = ", ".join(f"{name} {language}" for name, language in languages.items())
        yield (
            f"The languages differ ({said}), and with them length, symbols, redundancy and "
            "embeddings, whatever the reasoning is worth."
        )
    middles = {name: spread.quantiles[2] for name, spread in perplexity.items()}
    for name, middle in middles.items():
        others = [value for other, value in middles.items() if other != name]
        usual = float(np.median(others)) if others else middle
        if middle < UNREAD and middle < TIMES_OTHERS * usual:
            continue
        why = (
            f"{UNREAD:,.0f} or more, which words by their frequency alone have"
            if middle >= UNREAD
            else f"{TIMES_OTHERS:g} times or more that of the others, {number(usual)}"
        )
        yield (
            f"{reader or 'The model that measures'} hardly reads {name}: half of its traces have "
            f"a perplexity over {number(middle)} ({why}), so that semantic alignment and flow, "
            "where they are of this model's hidden states, mean little there."
        )


def _main_language(subject: Subject) -> str:
    known = {name: n for name, n in subject.languages.items() if name != UNDETERMINED}
    return max(known, key=lambda name: known[name]) if known else ""
