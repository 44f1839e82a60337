"""Which tables say how well signals find what is known to be bad?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from grace_engine import api
from grace_engine.cli import console
from grace_engine.quantities import counted

if TYPE_CHECKING:
    from grace_engine.evaluation import Detection, Purity

_STEP_SIGNALS = ("score α=0.7", "alignment", "consistency", "norm")
_TRACE_SIGNALS = ("value α=0.7", "value α=1", "value α=0", "min α=0.7")
# Of several runs beside each other; --json has the rest.
_BESIDE = ("score α=0.7", "norm", "value α=0.7")
# The same for every proxy, since they come from the model's predictions alone.
_STEP_LOSSES = ("loss", "fresh loss")
_TRACE_LOSSES = ("loss", "peak loss", "answer loss")


def say(dataset: str, found: list[api.Evaluation], markdown: bool) -> None:
    """Print what was found in one dataset: of several runs side by side the main signals alone."""
    first = max(found, key=lambda one: one.n_traces)
    of_steps, of_traces = _counts_of_steps(first), _counts_of_traces(first)
    for note in dict.fromkeys(note for one in found for note in one.notes):
        console.note(note)
    if first.n_verdicts:
        console.note(_verdicts(first))
    for lacking in first.untold:
        console.note(f"{dataset}: {lacking.reason}")
    places = [("within", "others of its trace"), ("across", "steps of all traces")]
    for where, what in places[: 1 if len(found) > 1 else None]:
        _areas(
            f"A bad step told from the {what}: area under the ROC curve (95% interval). "
            f"{of_steps}.",
            found,
            lambda one, where=where: [d for d in one.steps if d.where == where],  # type: ignore[misc]
            _STEP_SIGNALS,
            _STEP_LOSSES,
            markdown,
        )
    _areas(
        f"A bad trace told from good ones: area under the ROC curve (95% interval). {of_traces}.",
        found,
        lambda one: list(one.traces),
        _TRACE_SIGNALS,
        _TRACE_LOSSES,
        markdown,
    )
    labels = list(dict.fromkeys(p.label for one in found for p in one.purity))
    names = api.scorer_names(found)
    for label in labels[: 1 if len(found) > 1 else None]:
        rows = []
        for one, signals in _with_losses(found, _TRACE_SIGNALS, _TRACE_LOSSES):
            tops = {p.signal: p for p in one.purity if p.label == label}
            rows += [
                (*_scorer(one, names, name), f"{tops[name].pool:.2f}", *_shares(tops[name]))
                for name in signals
                if name in tops
            ]
        console.table(
            f"Share of good traces at the top of the ranking, by {label}. "
            f"{_counts_of_traces(first, label)}.",
            ["model", "proxy", "ranked by", "pool", "top 5%", "top 10%", "top 20%", "top 50%"],
            rows,
            markdown=markdown,
        )
    if len(found) == 1:
        _say_more(first, of_steps, of_traces, markdown)


def _say_more(one: api.Evaluation, of_steps: str, of_traces: str, markdown: bool) -> None:
    """What a single run has room for: average precision, ranks, and values by label."""
    for what, detections, counts in (
        (
            "A bad step told from the others of its trace",
            [d for d in one.steps if d.where == "within"],
            of_steps,
        ),
        ("A bad trace told from good ones", list(one.traces), of_traces),
    ):
        _table(
            f"{what}: average precision (95% interval). {counts}.",
            ["kind", "signal", "bad", "chance", "average precision"],
            [
                (d.kind, d.signal, d.n_bad, f"{d.n_bad / (d.n_bad + d.n_good):.2f}", _precision(d))
                for d in detections
            ],
            markdown=markdown,
        )
    _table(
        f"Where the bad step stands in its trace, 1 the most suspicious. {of_steps}.",
        ["kind", "signal", "traces", "mean rank", "first", "first by chance"],
        [
            (
                r.kind,
                r.signal,
                r.n_traces,
                f"{r.mean_rank:.2f}",
                f"{r.first:.2f}",
                f"{r.chance:.2f}",
            )
            for r in one.ranks
        ],
        markdown=markdown,
    )
    _table(
        f"Mean value of good and of bad traces. {of_traces}.",
        ["label", "value", "good", "bad"],
        [
            (label, name, means["good"], means["bad"])
            for label, by_signal in one.by_label.items()
            for name, means in by_signal.items()
        ],
        markdown=markdown,
    )


def _table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, markdown: bool
) -> None:
    """A table, where there is anything to put into it."""
    if rows:
        console.table(title, columns, rows, markdown=markdown)


def _counts_of_steps(one: api.Evaluation) -> str:
    """How many traces a table of steps is about, and how many steps where not all carry a label."""
    if one.n_traces_with_steps == one.n_traces:
        return f"{counted(one.n_traces, 'trace')} of {one.dataset}"
    return (
        f"{counted(one.n_labelled_steps, 'labelled step')} of "
        f"{counted(one.n_traces_with_steps, 'trace')}, of {one.n_traces:,} of {one.dataset}"
    )


def _counts_of_traces(one: api.Evaluation, label: str = "") -> str:
    """How many traces a table of traces is about: those with this label, or with any."""
    n_labelled = one.n_labelled_traces.get(label) or max(one.n_labelled_traces.values(), default=0)
    if n_labelled == one.n_traces:
        return f"{counted(one.n_traces, 'trace')} of {one.dataset}"
    return f"{counted(n_labelled, 'labelled trace')}, of {one.n_traces:,} of {one.dataset}"


def _verdicts(one: api.Evaluation) -> str:
    """How many verdicts there are, by word and, where several gave them, by author."""
    words = ", ".join(f"{n:,} {word}" for word, n in one.verdicts.items())
    by = ", ".join(f"{n:,} by {name}" for name, n in one.authors.items())
    return (
        f"Of the labels of {one.dataset}, {one.n_verdicts:,} are verdicts of curators "
        f"({words}{f'; {by}' if len(one.authors) > 1 else ''}). --labels verdicts takes them "
        "alone, --labels steps leaves them out."
    )


def _areas(
    title: str,
    found: list[api.Evaluation],
    of: Callable[[api.Evaluation], list[Detection]],
    signals: Sequence[str],
    losses: Sequence[str],
    markdown: bool,
) -> None:
    every = [d for one in found for d in of(one)]
    if not every:
        return
    kinds: dict[str, int] = {}
    for d in every:
        kinds[d.kind] = max(d.n_bad, kinds.get(d.kind, 0))
    rows, names = [], api.scorer_names(found)
    for one, shown in _with_losses(found, signals, losses):
        cells = {(d.kind, d.signal): d for d in of(one)}
        rows += [
            (*_scorer(one, names, name), *(_area(cells.get((kind, name))) for kind in kinds))
            for name in shown
        ]
    titled = [f"{kind.replace('_', ' ')} ({n})" for kind, n in kinds.items()]
    console.table(title, ["model", "proxy", "signal", *titled], rows, markdown=markdown)


def _with_losses(
    found: list[api.Evaluation], signals: Sequence[str], losses: Sequence[str]
) -> Iterable[tuple[api.Evaluation, Sequence[str]]]:
    """Each evaluation with its signals, and each model's losses once."""
    for one in found:
        yield one, [name for name in signals if len(found) == 1 or name in _BESIDE]
    for one in api.one_a_model(found):
        yield one, losses


def _scorer(
    one: api.Evaluation, names: dict[str, tuple[str, str]], signal: str
) -> tuple[str, str, str]:
    model, gradient = names[one.run.id]
    if signal in _STEP_LOSSES + _TRACE_LOSSES:
        return model, one.run.setting or "–", signal
    partly = f" ({one.n_traces:,} traces)" if one.run.n_pending else ""
    return model, gradient + partly, signal


def _area(found: Detection | None) -> str | None:
    return None if found is None else _with_interval(found.auc, found.auc_interval)


def _precision(found: Detection) -> str:
    return _with_interval(found.precision, found.precision_interval)


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    """Without resamples there is no interval."""
    low, high = interval
    return f"{value:.2f}" + ("" if low != low else f" ({low:.2f}–{high:.2f})")


def _shares(found: Purity) -> list[str]:
    return [f"{top:.2f}" for top in found.tops.values()]
