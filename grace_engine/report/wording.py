"""Which sentences does a report say, on a page as in Markdown?"""

from collections.abc import Iterator, Sequence

from grace_engine.quantities import counted
from grace_engine.report.advice import FEW, Advice, Weighed
from grace_engine.report.intervals import MANY_SAME
from grace_engine.report.subjects import (
    FEWEST,
    Column,
    DatasetReport,
    Difference,
    Share,
    Spread,
    Subject,
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
    "An interval is that of Student's t over prompts, cut where the number itself ends: a share at "
    f"0 and 1, a length at 0. None is given for fewer than {FEWEST} prompts, nor where all have "
    f"the same value; a comparison rests on such a value only from {MANY_SAME} prompts on."
)
"""How intervals are to be read."""

N_TRACES = "Where not all traces have a number, the traces that have it are counted."
"""What a number of traces behind a mean is."""

UNDETERMINED = "und"
"""A language that nothing decides, as it is stored."""

UNCHOSEN = ("", "random", "longest", "perplexity")
"""Strategies, and none at all, that do not look at GRACE signals."""

_LARGEST = 3
"""Differences that a summary names of each other subject."""


def number(value: float, *, signed: bool = False) -> str:
    """Three significant digits; thousands apart."""
    sign = "+" if signed else ""
    if abs(value) >= 1e6:
        return format(value, f"{sign}.2e").replace("-", "−")
    if value == 0:
        return "0"
    digits = 3 - (abs(value) >= 10) - (abs(value) >= 100) - (abs(value) >= 1000)
    text = format(value, f"{sign},.{digits}f")
    return "0.000" if text in ("-0.000", "+0.000") else text.replace("-", "−")


def interval_text(spread: Spread) -> str:
    """``0.60 to 0.64``, or why there is none."""
    if spread.low is None or spread.high is None:
        return no_interval(spread)
    return f"{number(spread.low)} to {number(spread.high)}"


def between_text(difference: Difference) -> str:
    """``+0.01 to +0.03``, or why there is none."""
    if difference.low is None or difference.high is None:
        return difference.reason
    return f"{number(difference.low, signed=True)} to {number(difference.high, signed=True)}"


def ends_text(spread: Spread) -> str:
    """``0.41 to 0.80``: most traces; ``3 to 12`` of a number that is whole in every trace."""
    ends = (spread.quantiles[0], spread.quantiles[4])
    return " to ".join(f"{end:,.0f}" if spread.is_whole else number(end) for end in ends)


def no_interval(spread: Spread | Share) -> str:
    """Why there is no interval."""
    is_apart = isinstance(spread, Spread) and spread.n == spread.n_prompts
    n = f"{spread.n_prompts:,}" if is_apart else counted(spread.n_prompts, "prompt")
    if spread.n_prompts < FEWEST:
        return f"too few for an interval, n = {n}"
    return f"{'all the same' if is_apart else 'the same for every prompt'}, n = {n}"


def traces_text(spread: Spread, n_traces: int) -> str:
    """``24 traces`` where not all have the number; "" where all have."""
    return counted(spread.n, "trace") if spread.n < n_traces else ""


def missing_text(report: DatasetReport, column: Column) -> str:
    """How many traces have no number and why, in a sentence; "" where all have one."""
    said = [
        f"{n:,} of {subject.name} {'has' if n == 1 else 'have'} none: {reason.rstrip('.')}"
        for subject in report.subjects
        for reason, n in subject.why.get(column.name, {}).items()
    ]
    return f"{'; '.join(said)}." if said else ""


def undrawn_text(report: DatasetReport) -> str:
    """Which differences are in a table and not in its chart, in a sentence; "" where none is."""
    titles: dict[str, list[str]] = {}
    for column in report.columns:
        for other, difference in report.differences.get(column.name, {}).items():
            if not difference.is_drawn:
                titles.setdefault(other, []).append(column.title)
    if not titles:
        return ""
    said = "; ".join(f"{', '.join(named)} (less {other})" for other, named in titles.items())
    return f"In the table alone, without an interval or of traces that are all alike: {said}."


def shared_text(report: DatasetReport) -> str:
    """With which subjects the first one shares how many traces; "" where with none."""
    said = [f"{n:,} with {name}" for name, n in report.shared.items() if n]
    return f"Traces that it shares: {', '.join(said)}." if said else ""


def refused_text(report: DatasetReport) -> str:
    """Which traces of the first one's files could not be used; "" where all could."""
    said = [f"{n:,} {reason}" for reason, n in sorted(report.subjects[0].refused.items())]
    if not said:
        return ""
    return f"Could not be used of its files: {', '.join(said)} (grace rejects lists them)."


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
        yield from _differences(report, first, other)
    if first.n_known and first.n_right < first.n_known:
        wrong = first.n_known - first.n_right
        yield (
            f"{wrong:,} of its {counted(first.n_known, 'known answer')} {_are(wrong)} wrong"
            f"{f': {first.lists_wrong}' if first.lists_wrong else ''}."
        )
    if first.n_repeated:
        yield (
            f"{first.n_repeated:,} of its traces {'repeats' if first.n_repeated == 1 else 'repeat'}"
            " the reasoning of another one: grace duplicates groups them."
        )
    if report.advice and report.advice[0].scores:
        yield _favoured(report.advice)


def _differences(report: DatasetReport, first: Subject, other: Subject) -> Iterator[str]:
    """The largest: of texts alone where one side was chosen by the signals themselves."""
    chosen = [one.name for one in (first, other) if one.chosen_by not in UNCHOSEN]
    clear = [
        (abs(found.mean) / found.deviation, column)
        for column in report.columns
        if (found := report.differences.get(column.name, {}).get(other.name))
        and found.is_clear
        and found.deviation > 0
    ]
    largest = [column for _, column in sorted(clear, key=lambda each: -each[0])]
    signals = [column for column in largest if chosen and column.title.startswith("GRACE")]
    texts = [column for column in largest if column not in signals][:_LARGEST]
    if texts:
        told = [_against(report, column, first.name, other.name) for column in texts]
        yield f"Beside {other.name}, {first.name} has {_listed(told)}."
    else:
        of = "of texts " if signals else ""
        yield f"No difference {of}between {first.name} and {other.name} is told apart from 0."
    if signals:
        told = [_against(report, column, first.name, other.name) for column in signals[:1]]
        yield (
            f"It also has {_listed(told)}, but {_listed(chosen)} was chosen by such signals: that "
            "they differ is no finding."
        )


def _favoured(bases: Sequence[Advice]) -> str:
    """What a size would favour, by each basis where they do not agree, and what is doubtful."""
    one = bases[0]
    whose = f"For a model of {one.size:g}B the paper's findings"
    if one.is_far:
        whose = (
            f"Nothing in the paper speaks of a model of {one.size:g}B; its findings for the "
            f"{one.model_size:g}B model, the nearest,"
        )
    firsts = {basis.first for basis in bases}
    if firsts == {""}:
        said = f"{whose} favour none of these above the others"
    elif len(firsts) == 1:
        said = f"{whose} favour {one.first}, on weak evidence"
    else:
        told = (f"{basis.first or 'none above the others'} by {basis.basis}" for basis in bases)
        said = f"{whose} do not agree: they favour {', but '.join(told)}"
    if not one.worst:
        return f"{said}."
    n = len(one.warnings)
    more = f" ({n} warnings stand beside the ranking)" if n > 1 else ""
    return f"{said}. Mind that {one.worst}{more}."


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


def advice_sentences(advice: Advice, *, is_headed: bool = False) -> Iterator[str]:
    """What the paper's findings say by one basis, with what speaks for it and against.

    Args:
        advice: What it says.
        is_headed: Whether a heading names the basis.
    """
    by = "For the paper's" if is_headed else f"By {advice.basis}, for its"
    yield f"{by} {advice.model_size:g}B model ({advice.model}), {_strongest(advice)}."
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
    votes = [each for each in advice.weighed if each.counts]
    speaks = [_vote(each) for each in votes if each.order[0] == first]
    against = [_vote(each) for each in votes if each.order[0] != first]
    said = f"That favours {order}."
    if advice.ties:
        return said + " The first two cannot be told apart."
    said += f" First by {', '.join(speaks) or 'no single metric'}"
    return said + (f"; not first by {', '.join(against)}." if against else ".")


def _vote(weighed: Weighed) -> str:
    """``Factuality +0.45 (from as few as 5 traces)``."""
    said = f"{weighed.title} {_signed(weighed.rho)}"
    if not weighed.few:
        return said
    return f"{said} (from as few as {counted(min(weighed.few.values()), 'trace')})"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
