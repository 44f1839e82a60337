"""How do evaluations become figures in a folder?"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from grace_engine.api.evaluating import Evaluation, one_a_model, scorer_names
from grace_engine.errors import InputError, MissingExtraError, ResourceError
from grace_engine.evaluation import Detection
from grace_engine.figures.evaluation import areas_chart, profiles_chart, purity_chart

# Of several runs beside each other; a single run shows all that it has.
_ALWAYS = ("score α=0.7", "norm", "value α=0.7", "value α=1")
_RANKED = ("value α=0.7", "peak loss")
_LOSSES = ("loss", "fresh loss", "peak loss", "answer loss")


def write_figures(evaluations: Sequence[Evaluation], folder: Path | str) -> list[Path]:
    """Write SVG figures of evaluations; the files' paths.

    For each dataset: ``steps-DATASET.svg`` and ``traces-DATASET.svg``, areas by kind of error;
    ``top-DATASET-LABEL.svg``, good traces at the top of each ranking; and for each run
    ``around-DATASET-RUN.svg``, the signals around the first bad step.

    Raises:
        MissingExtraError: An installation without the library that draws them.
        InputError: The folder cannot be made.
        ResourceError: The disk is full.
    """
    try:
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "Figures as files need another library: pip install 'grace-studio[figures]'"
        ) from error
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{target} cannot be a folder for figures: {error.strerror}.") from error
    written = []
    for name in dict.fromkeys(one.dataset for one in evaluations):
        own = [one for one in evaluations if one.dataset == name]
        for file, chart in _charts(name, own):
            path = target / file
            try:
                chart.save(str(path))
            except OSError as error:
                raise ResourceError(f"{path} cannot be written: {error.strerror}.") from error
            written.append(path)
    return written


def _charts(dataset: str, found: Sequence[Evaluation]) -> Iterator[tuple[str, Any]]:
    named, names = _file_name(dataset), scorer_names(found)
    steps = _areas(found, lambda one: [d for d in one.steps if d.where == "within"])
    if len(steps):
        title = f"A bad step told from the others of its trace, {dataset}"
        yield f"steps-{named}.svg", areas_chart(steps, title)
    traces = _areas(found, lambda one: list(one.traces))
    if len(traces):
        title = f"A bad trace told from good ones, {dataset}"
        yield f"traces-{named}.svg", areas_chart(traces, title)
    for label in dict.fromkeys(p.label for one in found for p in one.purity):
        tops = _tops(found, label)
        fullest = max(found, key=lambda one: one.n_traces)
        pool = next((p.pool for p in fullest.purity if p.label == label), float("nan"))
        title = f"Good traces (by {label}) at the top of each ranking, {dataset}"
        yield f"top-{named}-{_file_name(label)}.svg", purity_chart(tops, pool, title)
    for one in found:
        if one.profiles:
            title = f"Around the first bad step, {dataset}, {' · '.join(names[one.run.id])}"
            points = pd.DataFrame([asdict(point) for point in one.profiles])
            yield f"around-{named}-{one.run.id}.svg", profiles_chart(points, title)


def _areas(
    found: Sequence[Evaluation], of: Callable[[Evaluation], list[Detection]]
) -> pd.DataFrame:
    """A row a ranking and kind; a model's losses stand once, last."""
    rows, names = [], scorer_names(found)
    for one in found:
        rows += [
            {"ranking": " · ".join((*names[one.run.id], d.signal)), **_cell(d)}
            for d in of(one)
            if d.signal in (_ALWAYS if len(found) > 1 else {d.signal}) and d.signal not in _LOSSES
        ]
    for one in one_a_model(found):
        rows += [
            {"ranking": f"{_of_model(one, names)} · {d.signal}", **_cell(d)}
            for d in of(one)
            if d.signal in _LOSSES
        ]
    return pd.DataFrame(rows)


def _cell(found: Detection) -> dict[str, Any]:
    low, high = found.auc_interval
    return {"kind": found.kind.replace("_", " "), "auc": found.auc, "low": low, "high": high}


def _of_model(one: Evaluation, names: dict[str, tuple[str, str]]) -> str:
    """What a loss depends on: the model, and a setting that is not as usual."""
    return ", ".join(filter(None, (names[one.run.id][0], one.run.setting)))


def _tops(found: Sequence[Evaluation], label: str) -> pd.DataFrame:
    names = scorer_names(found)
    ranked = [(one, *names[one.run.id], _RANKED[:1]) for one in found]
    ranked += [(one, _of_model(one, names), "", _RANKED[1:]) for one in one_a_model(found)]
    return pd.DataFrame(
        [
            {
                "model": model,
                "ranking": " · ".join(filter(None, (gradient, purity.signal))),
                "top": top,
                "good": good,
            }
            for one, model, gradient, signals in ranked
            for purity in one.purity
            if purity.label == label and purity.signal in signals
            for top, good in [*purity.tops.items(), (1.0, purity.pool)]
        ]
    )


def _file_name(text: str) -> str:
    """A part of a file's name, without anything that leads out of the folder."""
    return re.sub(r"[^\w.-]+", "_", text).strip(".") or "_"
