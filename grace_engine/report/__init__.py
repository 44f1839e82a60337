"""How does a dataset's worth read, for a team that has to decide on it?"""

from grace_engine.report.advice import Advice, Weighed, advise, size_of
from grace_engine.report.doubts import Doubt, doubts, few_of
from grace_engine.report.intervals import difference_of, share_of, spread_of, t_of
from grace_engine.report.judged import (
    JudgedMetric,
    JudgedSubject,
    averages,
    n_labelled,
    trace_shares,
)
from grace_engine.report.page import as_html
from grace_engine.report.subjects import (
    Bounds,
    Column,
    DatasetReport,
    Difference,
    Share,
    Spread,
    Subject,
)
from grace_engine.report.tables import as_document, as_markdown

__all__ = [
    "Advice",
    "Bounds",
    "Column",
    "DatasetReport",
    "Difference",
    "Doubt",
    "JudgedMetric",
    "JudgedSubject",
    "Share",
    "Spread",
    "Subject",
    "Weighed",
    "advise",
    "as_document",
    "as_html",
    "as_markdown",
    "averages",
    "difference_of",
    "doubts",
    "few_of",
    "n_labelled",
    "share_of",
    "size_of",
    "spread_of",
    "t_of",
    "trace_shares",
]
