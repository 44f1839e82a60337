"""What do the finished cells of ``grace reproduce supervision`` say, as tables?"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from grace_engine.evidence import Correlation, Correlations, Evidence, correlate
from grace_engine.evidence.correlating import FEWEST
from grace_engine.quantities import counted
from grace_engine.reproduce.framework import Results, ResultTable
from grace_engine.reproduce.supervision import SIZES
from grace_engine.reproduce.supervision_variants import METRICS, VARIANTS
from grace_engine.supervision import METRICS as TEXT_METRICS
from grace_engine.training import Interval, mean_interval, paired_interval

_Cells = list[Mapping[str, Any]]
_NONE = "–"
_ACCURACY = "accuracy"
_OTHER = "accuracy of the other size"
_SURE = 0.05


def supervision_tables(found: Results) -> tuple[ResultTable, ...]:
    """Accuracy by dataset and size; metrics by dataset; correlations; what was trained on."""
    cells = list(found.found.values())
    trained = [cell for cell in cells if cell.get("variant") and "right" in cell]
    texts = {cell["variant"]: cell["metrics"] for cell in cells if "metrics" in cell}
    evidence = evidence_of(found)
    correlated = correlate(evidence) if evidence else None
    known = correlated is not None and any(cell.rho is not None for cell in correlated.cells)
    return (
        *((_solved(found, cells, trained),) if trained else ()),
        *((_correlated(found, correlated),) if correlated and known else ()),
        *((_texts(texts),) if texts else ()),
        *((_taken(trained),) if trained else ()),
    )


def evidence_of(found: Results) -> Evidence | None:
    """Metrics of each dataset beside mean accuracies over seeds; None below three datasets.

    The accuracy of the other size stands among the metrics: it says whether sizes agree on which
    datasets are better.
    """
    cells = list(found.found.values())
    texts = {cell["variant"]: cell["metrics"] for cell in cells if "metrics" in cell}
    names = [name for name in VARIANTS if name in texts]
    accuracy = {
        size: [_mean_right(_of(cells, size, name)) for name in names] for size in _sizes(cells)
    }
    if len(names) < FEWEST or not accuracy:
        return None
    metrics = {metric: [float(texts[name][metric]) for name in names] for metric in METRICS}
    return Evidence(
        datasets=tuple(names),
        metrics=metrics,
        results={size: {_ACCURACY: values} for size, values in accuracy.items()},
    )


def _solved(found: Results, cells: _Cells, trained: _Cells) -> ResultTable:
    sizes, rows = _sizes(cells), []
    before = {size: _outcomes(_of(cells, size, "")) for size in sizes}
    row = ["nothing (the model before)"]
    for size in sizes:
        row += [_interval(mean_interval(before[size])), _NONE] if len(before[size]) else [_NONE] * 2
    rows.append(tuple(row))
    for variant in VARIANTS.values():
        row = [variant.title]
        for size in sizes:
            outcomes = _outcomes(_of(cells, size, variant.name))
            row.append(_interval(mean_interval(outcomes)) if len(outcomes) else _NONE)
            less = _NONE
            if len(outcomes) and len(before[size]):
                less = _interval(paired_interval(outcomes, before[size]), signed=True)
            row.append(less)
        if any(text != _NONE for text in row[1:]):
            rows.append(tuple(row))
    seeds = {cell["seed"] for cell in trained}
    partly = f" So far {found.progress}." if found.missing else ""
    what = ("right (95%)", "less before (95%)")
    return ResultTable(
        title=f"{found.settings['n_problems']:,} held-out problems, {counted(len(seeds), 'seed')}, "
        f"{found.settings['pool']['n_tokens']:,} tokens of each dataset.{partly} Problems solved "
        "after training on it, and the same less the model before.",
        columns=("trained on", *(f"{_named(cells, size)}: {w}" for size in sizes for w in what)),
        rows=tuple(rows),
    )


def _correlated(found: Results, all_cells: Correlations) -> ResultTable:
    sizes = list(dict.fromkeys(cell.model for cell in all_cells.cells))
    by = {(cell.metric, cell.model): cell for cell in all_cells.cells}
    cells = list(found.found.values())
    rows = []
    for metric in METRICS:
        row = [_title(metric)]
        for size in sizes:
            row += _correlation(by[metric, size])
        rows.append((*row, _carries([by[metric, size] for size in sizes])))
    looks = sum(cell.p is not None for cell in all_cells.cells)
    n = max((cell.n for cell in all_cells.cells), default=0)
    agree = _agreement(found)
    return ResultTable(
        title=f"Spearman's ρ with accuracy over {n} datasets, exact two-sided p, and "
        f"ρ with one dataset left out. {looks} are looked at: where nothing goes with "
        f"anything, {looks * _SURE:.1f} of them have a p below .05.{agree}",
        columns=(
            "metric",
            *(f"{_named(cells, s)}: {w}" for s in sizes for w in ("ρ", "p", "one left out")),
            "carries over",
        ),
        rows=tuple(rows),
    )


def _agreement(found: Results) -> str:
    """Whether both sizes rank the datasets alike."""
    evidence = evidence_of(found)
    if evidence is None or len(evidence.results) < len(SIZES):
        return ""
    first, second = (evidence.results[size][_ACCURACY] for size in SIZES)
    alone = Evidence(
        datasets=evidence.datasets,
        metrics={_OTHER: first},
        results={SIZES[1]: {_ACCURACY: second}},
    )
    cell = correlate(alone).cells[0]
    if cell.rho is None or cell.p is None:
        return ""
    return f" Both sizes' accuracies: ρ {cell.rho:+.2f}, p {_p(cell)}."


def _correlation(cell: Correlation) -> list[str]:
    if cell.rho is None:
        return [_NONE, _NONE, _NONE]
    spread = _NONE
    if cell.low is not None and cell.high is not None:
        spread = f"{cell.low:+.2f} to {cell.high:+.2f}"
    return [f"{cell.rho:+.2f}", _p(cell), spread]


def _p(cell: Correlation) -> str:
    if cell.p is None:
        return _NONE
    text = "<.001" if cell.p < 0.001 else f"{cell.p:.3f}".removeprefix("0")
    return text if cell.is_exact else f"≈{text}"


def _carries(cells: Sequence[Correlation]) -> str:
    """Whether what is shown at one size is shown at the other, in the same direction."""
    sure = [cell for cell in cells if cell.p is not None and cell.p < _SURE]
    if len(cells) < len(SIZES) or any(cell.rho is None for cell in cells):
        return _NONE
    if not sure:
        return "shown at neither size"
    if len(sure) < len(cells):
        return "shown at one size"
    signs = {(cell.rho or 0) > 0 for cell in sure}
    return "yes" if len(signs) == 1 else "no: opposite directions"


def _texts(texts: Mapping[str, Mapping[str, float]]) -> ResultTable:
    return ResultTable(
        title="Metrics of each dataset, means over its traces, embeddings and perplexity by the "
        "shipped model.",
        columns=("dataset", *(_title(metric).lower() for metric in METRICS)),
        rows=tuple(
            (variant.title, *(_number(texts[variant.name][metric]) for metric in METRICS))
            for variant in VARIANTS.values()
            if variant.name in texts
        ),
    )


def _taken(trained: _Cells) -> ResultTable:
    rows = []
    for variant in VARIANTS.values():
        group = [cell for cell in trained if cell["variant"] == variant.name]
        if group:
            means = [
                float(np.mean([cell[name] for cell in group]))
                for name in ("n_traces", "n_tokens", "n_learned", "n_steps")
            ]
            rights = [
                f"{float(_outcomes(_of(group, size, variant.name)).mean(axis=1)[at]):.1%}"
                for size in _sizes(group)
                for at in range(len(_of(group, size, variant.name)))
            ]
            rows.append((variant.title, *(f"{mean:,.0f}" for mean in means), ", ".join(rights)))
    return ResultTable(
        title="What was trained on, means over trainings, and problems solved by each seed, the "
        "shipped size first.",
        columns=("trained on", "traces", "tokens", "learned tokens", "steps", "right"),
        rows=tuple(rows),
    )


def _sizes(cells: _Cells) -> list[str]:
    there = {cell.get("size") for cell in cells if "right" in cell}
    return [size for size in SIZES if size in there]


def _named(cells: _Cells, size: str) -> str:
    """``shipped, 1.8M``."""
    numbers = [cell["n_parameters"] for cell in cells if cell.get("size") == size]
    return f"{size}, {numbers[0] / 1e6:.1f}M" if numbers else size


def _of(cells: _Cells, size: str, variant: str) -> _Cells:
    """Cells of a size and dataset, by seed; "" for the model before."""
    found = [
        cell
        for cell in cells
        if "right" in cell and cell["size"] == size and cell["variant"] == variant
    ]
    return sorted(found, key=lambda cell: int(cell["seed"]))


def _outcomes(group: _Cells) -> Any:
    """``[S, P]`` 1 where a seed's model solved a problem."""
    return np.array([[float(sign) for sign in cell["right"]] for cell in group])


def _mean_right(group: _Cells) -> float:
    return float(_outcomes(group).mean()) if group else float("nan")


def _title(metric: str) -> str:
    return "Steps" if metric == "n_steps" else TEXT_METRICS[metric].title


def _number(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def _interval(found: Interval, *, signed: bool = False) -> str:
    form = "{:+.1%}" if signed else "{:.1%}"
    mean, low, high = (form.format(number) for number in (found.mean, found.low, found.high))
    return f"{mean} ({low} to {high})"
