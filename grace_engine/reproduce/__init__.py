"""Do published claims hold at a size that fits here?"""

from grace_engine.reproduce.framework import (
    Reproduction,
    Results,
    ResultTable,
    folder_of,
    read_results,
    results,
    run,
    write_results,
)
from grace_engine.reproduce.subset import FULL, Subset, SubsetRequest
from grace_engine.reproduce.subset_tables import subset_tables

__all__ = [
    "FULL",
    "Reproduction",
    "ResultTable",
    "Results",
    "Subset",
    "SubsetRequest",
    "folder_of",
    "read_results",
    "results",
    "run",
    "subset_tables",
    "write_results",
]
