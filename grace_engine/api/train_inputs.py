"""Which traces does a training read, and which problems is it judged on?"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from grace_engine import ingest as reading, store, training
from grace_engine.api.annotating import annotations
from grace_engine.api.choosing import config_of, live_choice, weights_of
from grace_engine.api.duplicating import duplicates_in
from grace_engine.api.views import run_view
from grace_engine.errors import InputError, NotFoundError
from grace_engine.progress import Progress
from grace_engine.quantities import counted
from grace_engine.records import Problem, Reject, RejectedTrace, Trace, is_of_problems
from grace_engine.store import Workspace
from grace_engine.training import EvalProblem, Example

Traces: TypeAlias = Callable[[], Iterator[Trace]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainable:
    """What can be trained on.

    Attributes:
        selection: Id of the selection; "" for a file.
        subset: Its traces.
        pool: What they were chosen from; the file itself for a file.
    """

    selection: str
    subset: Traces
    pool: Traces


def trainable(workspace: Workspace, what: str) -> Trainable:
    """The traces of a selection, or of a file, and those of its pool.

    Raises:
        NotFoundError: There is neither a file nor a selection of that name.
    """
    if Path(what).is_file():

        def of_file() -> Iterator[Trace]:
            return (item for item in _items_of(Path(what)) if isinstance(item, Trace))

        return Trainable(selection="", subset=of_file, pool=of_file)
    selection = store.get_selection(workspace, what)
    if is_of_problems(selection.run_id):
        raise InputError(
            f"Selection {selection.id} holds problems, which have no solutions to imitate: write "
            f"them for a trainer by reinforcement with grace export {selection.id} --as trl-grpo."
        )
    inside = [choice.trace_id for choice in selection.choices if choice.selected]
    every = [choice.trace_id for choice in selection.choices]

    def of(ids: list[str]) -> Iterator[Trace]:
        batches = store.iter_traces(workspace, ids=ids, run=selection.run_id)
        return (trace for batch in batches for trace in batch)

    return Trainable(selection=selection.id, subset=lambda: of(inside), pool=lambda: of(every))


def cuts(
    workspace: Workspace, selection: str, budgets: Sequence[float]
) -> Mapping[float, frozenset[str]]:
    """What the selection's settings take at each budget, in percent of its pool: trace ids.

    Raises:
        NotFoundError: Its scoring run is gone.
        InputError: Curators keep more than a budget allows.
    """
    if not budgets:
        return {}
    chosen = store.get_selection(workspace, selection)
    view = run_view(workspace, chosen.run_id, weights_of(chosen))
    config = config_of(chosen)
    said = annotations(workspace) if config.overrides else None
    twins = duplicates_in(workspace, view, config)
    found = {}
    for budget in budgets:
        taken = live_choice(view, replace(config, budget=f"{budget:g}%"), said, twins)
        found[budget] = frozenset(map(str, taken.trace_ids[taken.selected]))
    return found


def held_out(
    workspace: Workspace, name: str, tokenizer: Any, n_problems: int = 0
) -> tuple[tuple[EvalProblem, ...], tuple[Example, ...]]:
    """The problems that models are judged on, and examples whose loss is measured.

    Args:
        workspace: Where datasets are looked for.
        name: A dataset, or a file; "" for none.
        tokenizer: Of the model.
        n_problems: Most problems, the first ones; 0 for all.

    Raises:
        InputError: No problem has a reference answer.
        NotFoundError: There is neither a file nor a dataset of that name.
    """
    if not name:
        return (), ()
    problems: dict[str, EvalProblem] = {}
    traces: dict[str, Trace] = {}
    refused: list[Reject] = []
    for item in _items(workspace, name):
        if isinstance(item, Reject):
            refused.append(item)
            continue
        if item.reference is None or not item.reference.strip():
            continue
        if item.prompt not in problems:
            problems[item.prompt] = EvalProblem(
                id=item.id, prompt=item.prompt, reference=item.reference, labels=dict(item.labels)
            )
        if isinstance(item, Trace) and item.labels.get("is_correct") is not False:
            traces.setdefault(item.prompt, item)
    chosen = list(problems.values())[: n_problems or None]
    if not chosen:
        raise InputError(
            f"{name} holds no problem with a reference answer to judge models by."
            + (f" {_told_of(refused)}" if refused else "")
        )
    wanted = [traces[problem.prompt] for problem in chosen if problem.prompt in traces]
    found = training.examples_of(wanted, tokenizer)
    return tuple(chosen), tuple(one for one in found if isinstance(one, Example))


def told(
    found: Iterator[Example | RejectedTrace], progress: Progress
) -> Iterator[Example | RejectedTrace]:
    """The same, with each one counted."""
    for one in found:
        progress.advance(1)
        yield one


def _told_of(refused: Sequence[Reject]) -> str:
    """Where and why the first record of a file could not be read, and how many others."""
    first, more = refused[0], len(refused) - 1
    where = f"line {first.line:,}" if first.line else "the file"
    others = f", and {counted(more, 'more record')} cannot be read either" if more else ""
    return f"First, {where}: {first.reason}, {first.detail.rstrip('.')}{others}."


def _items(workspace: Workspace, name: str) -> Iterator[Trace | Problem | Reject]:
    if Path(name).is_file():
        yield from _items_of(Path(name))
        return
    if name not in {dataset.name for dataset in store.datasets(workspace)}:
        raise NotFoundError(f"{name} is neither a file nor a dataset of this workspace.")
    yield from (problem for problem, _ in store.list_problems(workspace, [name]))
    for batch in store.iter_traces(workspace, [name]):
        yield from batch


def _items_of(file: Path) -> Iterator[Trace | Problem | Reject]:
    items = reading.traces_of(file, dataset=file.stem, segmenter=reading.parse_segmenter("auto"))
    return (item for item in items if isinstance(item, (Trace, Problem, Reject)))
