"""Which sentences does a report say, on a page as in Markdown?"""

from collections.abc import Iterator

from grace_engine.report.advice import FEW, Advice, Weighed
from grace_engine.report.subjects import Column, DatasetReport

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


_LARGEST = 3
"""Differences that a summary names of each other subject."""


def number(value: float, *, signed: bool = False) -> str:
    """Three significant digits; thousands apart."""
    if abs(value) >= 1e6:
        return f"{value:+.2e}" if signed else f"{value:.2e}"
    if abs(value) >= 1000:
        return f"{value:+,.0f}" if signed else f"{value:,.0f}"
    digits = 1 if abs(value) >= 100 else 2 if abs(value) >= 10 else 3
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return "0.000" if text in ("-0.000", "+0.000") else text.replace("-", "−")


def opening(report: DatasetReport) -> str:
    """What the first subject is, and what it is held against, in a sentence or three."""
    first = report.subjects[0]
    said = (
        f"The {first.kind} {first.name} holds {first.n_traces:,} reasoning traces for "
        f"{first.n_prompts:,} prompts. {first.detail}"
    )
    if first.n_known:
        said += (
            f" Of {first.n_known:,} answers that are known to be right or wrong "
            f"{first.n_right / first.n_known:.0%} are right."
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
        yield f"{wrong:,} of its {first.n_known:,} known answers are wrong: grace check lists them."
    if first.n_repeated:
        yield (
            f"{first.n_repeated:,} of its traces repeat the reasoning of another one: "
            "grace duplicates groups them."
        )
    for advice in report.advice[:1]:
        if advice.scores and not advice.ties:
            yield (
                f"For a model of {advice.size:g}B the paper's findings favour "
                f"{next(iter(advice.scores))}, on weak evidence."
            )


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
    missing = [
        f"{each.published} ({_signed(each.rho)})"
        for each in advice.weighed
        if not each.order and abs(each.rho) >= FEW
    ]
    if missing and advice.scores:
        yield f"Not weighed, since they were not measured here: {', '.join(missing)}."


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
    return ", ".join(f"{each.published} (mean ρ {_signed(each.rho)})" for each in weighed)


def _ranking(advice: Advice) -> str:
    order = ", then ".join(f"{name} ({_signed(score)})" for name, score in advice.scores.items())
    first = next(iter(advice.scores))
    votes = [each for each in advice.weighed if each.order and abs(each.rho) >= FEW]
    speaks = [f"{each.published} {_signed(each.rho)}" for each in votes if each.order[0] == first]
    against = [f"{each.published} {_signed(each.rho)}" for each in votes if each.order[0] != first]
    said = f"That favours {order}."
    if advice.ties:
        return said + " The first two cannot be told apart."
    said += f" First by {', '.join(speaks) or 'no single metric'}"
    return said + (f"; not first by {', '.join(against)}." if against else ".")


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
