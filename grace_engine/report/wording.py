"""Which sentences does a report say, on a page as in Markdown?"""

from collections.abc import Iterator

from grace_engine.quantities import counted
from grace_engine.report.advice import FEW, Advice, Weighed
from grace_engine.report.subjects import (
    FEWEST,
    Column,
    DatasetReport,
    Difference,
    Share,
    Spread,
)

CAVEATS = (
    "Text metrics describe how a trace is written, not whether it is true, and a judge model may "
    "be wrong. Neither says whether training on it helps. That is found by training on it: grace "
    "train, then grace correlate over your own datasets.",
    "Intervals are of means over traces as they are here, with traces of one prompt taken as one "
    "group; they say nothing of how a trained model varies from seed to seed.",
    "Perplexity and embeddings are those of the named model: another model gives other numbers, "
    "and a small model's hidden states are a poor measure of meaning.",
    "A difference that is clear may still be small: look at the distributions, too.",
)
"""What a reader of any report should know."""


INTERVALS = (
    "An interval ends where the number itself does (a share at 0 and 1, a length at 0), and there "
    f"is none of fewer than {FEWEST} prompts."
)
"""How intervals are to be read."""

UNDETERMINED = "und"
"""A language that nothing decides, as it is stored."""

_LARGEST = 3
"""Differences that a summary names of each other subject."""


def number(value: float, *, signed: bool = False) -> str:
    """Three significant digits; thousands apart."""
    sign = "+" if signed else ""
    if abs(value) >= 1e6:
        return format(value, f"{sign}.2e").replace("-", "−")
    digits = 3 - (abs(value) >= 10) - (abs(value) >= 100) - (abs(value) >= 1000)
    text = format(value, f"{sign},.{digits}f")
    return "0.000" if text in ("-0.000", "+0.000") else text.replace("-", "−")


def interval_text(spread: Spread) -> str:
    """``0.60 to 0.64``, or why there is none."""
    if spread.low is None or spread.high is None:
        return too_few(spread)
    return f"{number(spread.low)} to {number(spread.high)}"


def between_text(difference: Difference) -> str:
    """``+0.01 to +0.03``, or why there is none."""
    if difference.low is None or difference.high is None:
        return "too few for an interval"
    return f"{number(difference.low, signed=True)} to {number(difference.high, signed=True)}"


def ends_text(spread: Spread) -> str:
    """``0.41 to 0.80``: most traces; ``3 to 12`` of a number that is whole in every trace."""
    ends = (spread.quantiles[0], spread.quantiles[4])
    return " to ".join(f"{end:,.0f}" if spread.is_whole else number(end) for end in ends)


def too_few(spread: Spread | Share) -> str:
    """Why there is no interval."""
    prompts = "" if isinstance(spread, Spread) and spread.n == spread.n_prompts else " prompts"
    return f"too few for an interval, n = {spread.n_prompts:,}{prompts}"


def languages_note(report: DatasetReport) -> str:
    """What ``undetermined`` means; "" where no language is."""
    if not any(UNDETERMINED in subject.languages for subject in report.subjects):
        return ""
    return "Language undetermined: not enough words to tell."


def opening(report: DatasetReport) -> str:
    """What the first subject is, and what it is held against, in a sentence or three."""
    first = report.subjects[0]
    said = (
        f"The {first.kind} {first.name} holds {counted(first.n_traces, 'reasoning trace')} for "
        f"{counted(first.n_prompts, 'prompt')}. {first.detail}"
    )
    if first.n_known:
        said += (
            f" Of {counted(first.n_known, 'answer')} known to be right or wrong "
            f"{first.n_right:,} ({first.n_right / first.n_known:.0%}) {_are(first.n_right)} right."
        )
    others = [subject.name for subject in report.subjects[1:]]
    if others:
        said += f" It is held against {', '.join(others)}."
    return said


def summary(report: DatasetReport) -> Iterator[str]:
    """What to know before reading on: the largest differences, and what a size would favour."""
    first = report.subjects[0]
    for other in report.subjects[1:]:
        clear = [
            (abs(found.mean) / found.deviation, column)
            for column in report.columns
            if (found := report.differences.get(column.name, {}).get(other.name))
            and found.is_clear
            and found.deviation > 0
        ]
        largest = [column for _, column in sorted(clear, key=lambda each: -each[0])[:_LARGEST]]
        if not largest:
            yield f"No difference between {first.name} and {other.name} is told apart from 0."
            continue
        told = [_against(report, column, first.name, other.name) for column in largest]
        yield f"Beside {other.name}, {first.name} has {_listed(told)}."
    if first.n_known and first.n_right < first.n_known:
        wrong = first.n_known - first.n_right
        yield (
            f"{wrong:,} of its {counted(first.n_known, 'known answer')} {_are(wrong)} wrong: grace "
            "check lists them."
        )
    if first.n_repeated:
        yield (
            f"{first.n_repeated:,} of its traces {'repeats' if first.n_repeated == 1 else 'repeat'}"
            " the reasoning of another one: grace duplicates groups them."
        )
    for advice in report.advice[:1]:
        if advice.scores and not advice.ties:
            yield (
                f"For a model of {advice.size:g}B the paper's findings favour "
                f"{next(iter(advice.scores))}, on weak evidence"
                + (" and with warnings that stand beside the ranking." if advice.warnings else ".")
            )


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _against(report: DatasetReport, column: Column, first: str, other: str) -> str:
    ours, theirs = (report.spreads[column.name][name].mean for name in (first, other))
    more = "higher" if ours > theirs else "lower"
    title = column.title if column.title.startswith("GRACE") else column.title.lower()
    if column.name == "n_steps":
        more = "more" if ours > theirs else "fewer"
    return f"{more} {title} ({number(ours)} against {number(theirs)})"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def advice_sentences(advice: Advice) -> Iterator[str]:
    """What the paper's findings say by one basis, with what speaks for it and against."""
    yield (
        f"By {advice.basis} of the paper's {advice.model_size:g}B model ({advice.model}), "
        f"{_strongest(advice)}."
    )
    if advice.scores:
        yield _ranking(advice)
    if not advice.scores:
        return
    missing: dict[str, list[str]] = {}
    for each in advice.weighed:
        if each.left_out and abs(each.rho) >= FEW:
            missing.setdefault(each.left_out, []).append(f"{each.title} ({_signed(each.rho)})")
    if missing:
        parts = (f"{', '.join(titles)}: {why}" for why, titles in missing.items())
        yield f"Not weighed: {'; '.join(parts)}."


def evidence_sentences(advice: Advice) -> Iterator[str]:
    """How little that evidence is."""
    yield (
        "Each correlation has four points, the four variants of one Polish dataset: no exact "
        "two-sided p can be below .083, and |ρ| of .8 or more comes by chance one time in three. "
        "Nothing here is significant."
    )
    yield (
        "The paper's two models differ in family, epochs, learning rate and schedule as well as "
        "in size, and each variant was trained once: size is not told apart from the rest."
    )
    if advice.scores:
        yield (
            "Orders go by means alone, also where a difference of means is not told apart from 0."
        )
        yield (
            "The number behind a dataset is its score from −1 to 1: the mean of its ranks by the "
            "weighed metrics (1 the highest among these, −1 the lowest), each times the number "
            "behind that metric, its mean ρ with the paper's gains, over the sum of their sizes."
        )
    yield "Perplexity is not among these metrics: the paper prints no row of correlations for it."
    if advice.is_far:
        yield (
            f"{advice.size:g}B is far from the {advice.model_size:g}B that was trained: nothing in "
            "the paper speaks of it."
        )


def _strongest(advice: Advice) -> str:
    up = [w for w in advice.weighed if w.rho >= 0.4][:4]
    down = [w for w in advice.weighed if w.rho <= -0.4][:4]
    parts = []
    if up:
        parts.append("more of " + _named(up) + " went with larger gains")
    if down:
        parts.append("more of " + _named(down) + " with smaller ones")
    return ", and ".join(parts) or "no metric went with gains"


def _named(weighed: list[Weighed]) -> str:
    return ", ".join(f"{each.title} (mean ρ {_signed(each.rho)})" for each in weighed)


def _ranking(advice: Advice) -> str:
    order = ", then ".join(f"{name} ({_signed(score)})" for name, score in advice.scores.items())
    first = next(iter(advice.scores))
    votes = [each for each in advice.weighed if each.order and abs(each.rho) >= FEW]
    speaks = [f"{each.title} {_signed(each.rho)}" for each in votes if each.order[0] == first]
    against = [f"{each.title} {_signed(each.rho)}" for each in votes if each.order[0] != first]
    said = f"That favours {order}."
    if advice.ties:
        return said + " The first two cannot be told apart."
    said += f" First by {', '.join(speaks) or 'no single metric'}"
    return said + (f"; not first by {', '.join(against)}." if against else ".")


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
