"""What did the paper on reasoning supervision find that speaks for one of several datasets?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
    )
    bases = (
        weigh(basis="the mean over the paper's six averaged benchmarks", correlations=six),
        weigh(basis="the mean over the paper's two reasoning benchmarks", correlations=two),
    )
    return _warned(bases, columns, spreads, subjects)


def _warned(
    bases: tuple[Advice, ...],
    columns: Sequence[Column],
    spreads: Mapping[str, Mapping[str, report.Spread]],
    subjects: Sequence[Subject],
) -> tuple[Advice, ...]:
    """The same with what makes their rankings doubtful; nothing where nothing is ranked."""
    counting = {one.title for basis in bases for one in basis.weighed if one.counts}
    found = list(
        report.doubts(
            subjects,
            {one.title: spreads[one.name] for one in columns if one.published},
            counting=counting,
            reader=next(
                (c.made_by.partition(",")[0] for c in columns if c.name == "perplexity"), ""
            ),
        )
    )
    if not found:
        return bases
    says = tuple(doubt.says for doubt in found)
    return tuple(
        replace(basis, warnings=says, worst=found[0].clause) if basis.scores else basis
        for basis in bases
    )
