"""What did the paper on reasoning supervision measure, and which of its numbers come out again?

Numbers of "What properties of reasoning supervision are associated with improved downstream model
quality?" (arXiv 2605.13290v1, CC BY 4.0): four variants of one dataset, two models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import orjson

from grace_engine.evidence.correlating import Correlations, Evidence

AVERAGE = "average"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A printed correlation beside the recomputed one.

    Attributes:
        model: What was trained.
        metric: The row.
        result: The column, or ``average``.
        printed: As the paper has it.
        recomputed: From its own tables, rounded as printed.
    """

    model: str
    metric: str
    result: str
    printed: float
    recomputed: float | None

    @property
    def differs(self) -> bool:
        """Whether they are not the same to the two printed decimals."""
        return self.recomputed is None or round(self.recomputed, 2) != round(self.printed, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The paper's tables.

    Attributes:
        title: Of the paper.
        source: Where its numbers stand.
        licence: Of the paper.
        sizes: Billions of parameters of each model.
        averaged: The benchmarks whose correlations it averages.
        evidence: Metrics and relative gains in percent, over its four variants.
        printed: ρ as printed, by model, metric and result or ``average``. Perplexity has no row.
    """

    title: str
    source: str
    licence: str
    sizes: Mapping[str, float]
    averaged: tuple[str, ...]
    evidence: Evidence
    printed: Mapping[str, Mapping[str, Mapping[str, float]]]

    @property
    def citation(self) -> str:
        """Title, place and licence, in one line."""
        return f"“{self.title}” ({self.source}; {self.licence})"

    def compare(self, found: Correlations) -> list[Cell]:
        """Every printed correlation beside the one that ``correlate`` finds."""
        known: dict[tuple[str, str, str], float | None] = {
            (cell.model, cell.metric, cell.result): cell.rho for cell in found.cells
        }
        known |= {(mean.model, mean.metric, AVERAGE): mean.rho for mean in found.averages}
        return [
            Cell(
                model=model,
                metric=metric,
                result=result,
                printed=printed,
                recomputed=known.get((model, metric, result)),
            )
            for model, rows in self.printed.items()
            for metric, row in rows.items()
            for result, printed in row.items()
        ]


@cache
def published() -> Published:
    """The paper's tables, from the file beside this module."""
    document = orjson.loads((files(__package__) / "published.json").read_bytes())
    return Published(
        title=document["title"],
        source=document["source"],
        licence=document["licence"],
        sizes=document["sizes_in_billions"],
        averaged=tuple(document["averaged"]),
        evidence=Evidence(
            datasets=tuple(document["datasets"]),
            metrics=document["metrics"],
            results={
                model: {
                    name: _gains(values, document["before"][model][name])
                    for name, values in results.items()
                }
                for model, results in document["results"].items()
            },
        ),
        printed=document["printed"],
    )


def _gains(accuracies: Sequence[float], before: float) -> list[float]:
    """Relative gains in percent over the model before training."""
    return [100 * (accuracy - before) / before for accuracy in accuracies]
