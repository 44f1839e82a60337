"""How does the shell say how well signals find what is known to be bad?"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grace_engine import api
from grace_engine.cli import console
from grace_engine.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from grace_engine.evaluation import Detection

_STEP_SIGNALS = ("alignment", "consistency", "score α=0.7", "score α=0.3", "loss", "norm")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)


@console.speaks
def evaluate(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    run: Annotated[
        list[str] | None, typer.Option(help="Scoring run; may be given again. Default: latest.")
    ] = None,
    resamples: Annotated[int, typer.Option(help="Bootstrap draws of traces.")] = 500,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Hold signals against labels: which errors do they find, how clean is the top?"""
    opened = api.open_workspace(workspace, create=False)
    found = [
        api.evaluate(opened, wanted, resamples=resamples, seed=seed) for wanted in run or ["latest"]
    ]
    if as_json:
        console.emit_json({"evaluations": [_without_nan(asdict(one)) for one in found]})
        return
    for one in found:
        _say(one)


def _say(one: "api.Evaluation") -> None:
    title = f"{one.proxy} of {one.model} (run {one.run}, {one.n_traces:,} traces)"
    for where, what in (("within", "within its trace"), ("across", "across traces")):
        _detections(
            f"Area under the ROC curve: a bad step told from the others {what}. {title}",
            [d for d in one.steps if d.where == where],
            _STEP_SIGNALS,
        )
    _detections(
        f"Area under the ROC curve: bad traces told from good ones by value. {title}",
        list(one.traces),
        tuple(dict.fromkeys(d.signal for d in one.traces)),
    )
    console.table(
        "Share of good traces at the top of the ranking",
        ["ranked by", "pool", "top 5%", "top 10%", "top 20%", "top 50%"],
        [(p.signal, p.pool, *p.tops.values()) for p in one.purity],
    )


def _detections(title: str, found: list["Detection"], signals: tuple[str, ...]) -> None:
    if not found:
        return
    cells = {(d.kind, d.signal): d for d in found}
    kinds = list(dict.fromkeys(d.kind for d in found))
    shown = [s for s in signals if any((kind, s) in cells for kind in kinds)]
    counts = {kind: next(d.n_bad for d in found if d.kind == kind) for kind in kinds}
    console.table(
        title,
        ["kind", "bad", *shown],
        [(kind, counts[kind], *(_area(cells.get((kind, s))) for s in shown)) for kind in kinds],
    )


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
