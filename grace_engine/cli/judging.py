"""How does the shell say how well signals find what is known to be bad?"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grace_engine import api
from grace_engine.cli import console
from grace_engine.cli.options import DEFAULT_WORKSPACE, HistoryOption, JsonOption, WorkspaceOption
from grace_engine.config import History, Weights

if TYPE_CHECKING:
    from grace_engine.evaluation import Detection

_STEP_SIGNALS = ("score α=0.7", "alignment", "consistency", "norm")
_TRACE_SIGNALS = ("value α=0.7", "value α=1", "value α=0", "min α=0.7")
# Of several runs beside each other; --json has the rest.
_BESIDE = ("score α=0.7", "norm", "value α=0.7")
# The same for every proxy, since they come from the model's predictions alone.
_STEP_LOSSES = ("loss", "fresh loss")
_TRACE_LOSSES = ("loss", "peak loss", "answer loss")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)


@console.speaks
def evaluate(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    run: Annotated[
        list[str] | None,
        typer.Option(help="Scoring run; may be given again, or `all`. Default: latest."),
    ] = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="Only this dataset; may be given again.")
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            help="A trace label, `steps`, or a file (.jsonl, .csv, .parquet) with trace_id, label "
            "and, for steps, step; may be given again. Default: what the data says."
        ),
    ] = None,
    history: HistoryOption = "uniform",
    sample: Annotated[
        bool,
        typer.Option(
            "--sample",
            help="Score the shipped traces under both shipped models with every proxy, and "
            "evaluate those runs.",
        ),
    ] = False,
    figures: Annotated[
        Path | None, typer.Option(help="Folder to write figures to, as SVG.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Tables as Markdown.")] = False,
    resamples: Annotated[int, typer.Option(min=0, help="Bootstrap draws of traces.")] = 500,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Hold signals against labels: which errors do they find, how clean is the top?"""
    opened = api.open_workspace(workspace, create=sample)
    weights = Weights(history=History.parse(history))
    found: list[api.Evaluation] = []
    with console.progress() as bars:
        runs = _runs(opened, run or ["latest"])
        if sample:
            runs = api.score_sample(opened, bars)
        bars.begin("Evaluating", len(runs), "runs")
        for wanted in runs:
            found += api.evaluate(
                opened,
                wanted,
                datasets=dataset or (),
                labels=labels or (),
                weights=weights,
                resamples=resamples,
                seed=seed,
            )
            bars.advance(1)
    if figures is not None:
        for path in api.write_figures(found, figures):
            console.note(f"Wrote {path}.")
    if as_json:
        console.emit_json({"evaluations": [_without_nan(asdict(one)) for one in found]})
        return
    for name in dict.fromkeys(one.dataset for one in found):
        _say(name, [one for one in found if one.dataset == name], markdown)


def _runs(workspace: "api.Workspace", wanted: list[str]) -> list[str]:
    if wanted != ["all"]:
        return wanted
    return [run.id for run in api.list_runs(workspace) if run.n_scored]


def _say(dataset: str, found: list["api.Evaluation"], markdown: bool) -> None:
    first = max(found, key=lambda one: one.n_traces)
    counted = f"{first.n_traces:,} traces of {dataset}"
    places = [("within", "others of its trace"), ("across", "steps of all traces")]
    for where, what in places[: 1 if len(found) > 1 else None]:
        _areas(
            f"A bad step told from the {what}: area under the ROC curve (95% interval). {counted}.",
            found,
            lambda one, where=where: [d for d in one.steps if d.where == where],  # type: ignore[misc]
            _STEP_SIGNALS,
            _STEP_LOSSES,
            markdown,
        )
    _areas(
        f"A bad trace told from good ones: area under the ROC curve (95% interval). {counted}.",
        found,
        lambda one: list(one.traces),
        _TRACE_SIGNALS,
        _TRACE_LOSSES,
        markdown,
    )
    labels = list(dict.fromkeys(p.label for p in first.purity))
    for label in labels[: 1 if len(found) > 1 else None]:
        pool = next(p.pool for p in first.purity if p.label == label)
        rows = []
        for one, signals in _with_losses(found, _TRACE_SIGNALS, _TRACE_LOSSES):
            by_signal = {p.signal: p for p in one.purity if p.label == label}
            rows += [
                (*_scorer(one, name), *(f"{top:.2f}" for top in by_signal[name].tops.values()))
                for name in signals
            ]
        console.table(
            f"Share of good traces at the top of the ranking, by {label}; {pool:.2f} of the pool "
            f"are good. {counted}.",
            ["model", "proxy", "ranked by", "top 5%", "top 10%", "top 20%", "top 50%"],
            rows,
            markdown=markdown,
        )


def _areas(
    title: str,
    found: list["api.Evaluation"],
    of: Callable[["api.Evaluation"], list["Detection"]],
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
    rows = []
    for one, shown in _with_losses(found, signals, losses):
        cells = {(d.kind, d.signal): d for d in of(one)}
        rows += [
            (*_scorer(one, name), *(_area(cells.get((kind, name))) for kind in kinds))
            for name in shown
        ]
    titled = [f"{kind.replace('_', ' ')} ({n})" for kind, n in kinds.items()]
    console.table(title, ["model", "proxy", "signal", *titled], rows, markdown=markdown)


def _with_losses(
    found: list["api.Evaluation"], signals: Sequence[str], losses: Sequence[str]
) -> Iterable[tuple["api.Evaluation", Sequence[str]]]:
    """Each evaluation with its signals, and each model's losses once."""
    for one in found:
        yield one, [name for name in signals if len(found) == 1 or name in _BESIDE]
    for one in api.one_a_model(found):
        yield one, losses


def _scorer(one: "api.Evaluation", signal: str) -> tuple[str, str, str]:
    model = Path(one.run.model).name
    if signal in _STEP_LOSSES + _TRACE_LOSSES:
        return model, "–", signal
    partly = f" ({one.n_traces:,} traces)" if one.run.n_pending else ""
    return model, one.run.gradient + partly, signal


def _area(found: "Detection | None") -> str | None:
    if found is None:
        return None
    low, high = found.auc_interval
    return f"{found.auc:.2f} ({low:.2f}–{high:.2f})"


def _without_nan(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and value != value else value
