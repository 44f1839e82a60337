"""Which properties of datasets go with the results of training on them, and how sure is that?"""

from grace_engine.evidence.correlating import (
    Average,
    Correlation,
    Correlations,
    Evidence,
    correlate,
)
from grace_engine.evidence.published import Cell, Published, published
from grace_engine.evidence.ranking import (
    MOST_EXACT,
    PValue,
    average_ranks,
    permutation_p,
    smallest_p,
    spearman,
)
from grace_engine.evidence.reading import read_evidence

__all__ = [
    "MOST_EXACT",
    "Average",
    "Cell",
    "Correlation",
    "Correlations",
    "Evidence",
    "PValue",
    "Published",
    "average_ranks",
    "correlate",
    "permutation_p",
    "published",
    "read_evidence",
    "smallest_p",
    "spearman",
]
