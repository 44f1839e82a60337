"""Which metrics of datasets go with the results of training on them: the paper's, or the user's?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grace_engine import evidence
from grace_engine.evidence import Cell, Correlations, Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceReport:
    """Correlations and what they were made from.

    Attributes:
        source: The file, or the paper's citation.
        evidence: Metrics and results.
        found: What came out.
        printed: The paper's printed cells beside the recomputed ones; empty for a file.
        averaged: The results whose mean ρ is shown, where these are not all.
    """

    source: str
    evidence: Evidence
    found: Correlations
    printed: tuple[Cell, ...] = ()
    averaged: tuple[str, ...] = ()


def correlate_file(path: Path, results: Sequence[str] = ()) -> EvidenceReport:
    """Correlate the metrics of a CSV or JSON file with its results.

    Args:
        path: The file; ``evidence.read_evidence`` says its form.
        results: Columns of a CSV file that are results.

    Raises:
        ReadError: The file is not of that form.
        InputError: It holds nothing to correlate.
    """
    read = evidence.read_evidence(path, results)
    return EvidenceReport(source=str(path), evidence=read, found=evidence.correlate(read))


def correlate_published() -> EvidenceReport:
    """Recompute the correlations of the paper from its published metrics and accuracies."""
    paper = evidence.published()
    found = evidence.correlate(paper.evidence, paper.averaged)
    return EvidenceReport(
        source=paper.citation,
        evidence=paper.evidence,
        found=found,
        printed=tuple(paper.compare(found)),
        averaged=paper.averaged,
    )
