"""What did the paper on reasoning supervision find that speaks for one of several datasets?"""

from collections.abc import Mapping, Sequence
from functools import partial

from grace_engine import evidence, report
from grace_engine.judging import METRICS as JUDGED
from grace_engine.report import Advice, Column, Subject
from grace_engine.supervision import METRICS

_REASONING = ("MoT-PL-eval Polish", "LightR1 English")


def advised(
    size: float,
    columns: Sequence[Column],
    spreads: Mapping[str, Mapping[str, report.Spread]],
    subjects: Sequence[Subject],
) -> tuple[Advice, ...]:
    """What the paper's two ways of averaging say."""
    paper = evidence.published()
    found = evidence.correlate(paper.evidence, paper.averaged)
    six: dict[str, dict[str, float]] = {model: {} for model in paper.sizes}
    two: dict[str, dict[str, float]] = {model: {} for model in paper.sizes}
    for mean in found.averages:
        if mean.metric in paper.printed[mean.model] and mean.rho is not None:
            six[mean.model][mean.metric] = mean.rho
    for model, metrics in two.items():
        for metric in paper.printed[model]:
            cells = [
                cell.rho
                for cell in found.cells
                if (cell.model, cell.metric) == (model, metric)
                and cell.result in _REASONING
                and cell.rho is not None
            ]
            metrics[metric] = sum(cells) / len(cells)
    means = {
        column.published: {name: spread.mean for name, spread in spreads[column.name].items()}
        for column in columns
        if column.published
    }
    reader = next((c.made_by.partition(",")[0] for c in columns if c.name == "perplexity"), "")
    doubts = list(
        report.doubts(subjects, {c.title: spreads[c.name] for c in columns if c.published}, reader)
    )
    weigh = partial(
        report.advise,
        size,
        paper.sizes,
        means=means,
        subjects=[subject.name for subject in subjects],
        titles={one.published: one.title for one in METRICS.values()}
        | {one.published: one.title for one in JUDGED.values()},
        few={
            column.published: report.few_of(subjects, spreads[column.name])
            for column in columns
            if column.published
        },
        warnings=[doubt.says for doubt in doubts],
        worst=doubts[0].clause if doubts else "",
    )
    return (
        weigh(basis="the mean over the paper's six averaged benchmarks", correlations=six),
        weigh(basis="the mean over the paper's two reasoning benchmarks", correlations=two),
    )
