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
from grace_engine.reproduce.rl_choices import (
    NOISY,
    UNBALANCED,
    ChoiceRequest,
    NoisyRewards,
    Unbalanced,
)
from grace_engine.reproduce.rl_noise import GradientNoise, NoiseRequest
from grace_engine.reproduce.rl_tables import choice_tables, noise_tables
from grace_engine.reproduce.subset import FULL, Subset, SubsetRequest
from grace_engine.reproduce.subset_tables import subset_tables
from grace_engine.reproduce.supervision import Supervision, SupervisionRequest
from grace_engine.reproduce.supervision_tables import supervision_tables

__all__ = [
    "FULL",
    "NOISY",
    "UNBALANCED",
    "ChoiceRequest",
    "GradientNoise",
    "NoiseRequest",
    "NoisyRewards",
    "Reproduction",
    "ResultTable",
    "Results",
    "Subset",
    "SubsetRequest",
    "Supervision",
    "SupervisionRequest",
    "Unbalanced",
    "choice_tables",
    "folder_of",
    "noise_tables",
    "read_results",
    "results",
    "run",
    "subset_tables",
    "supervision_tables",
    "write_results",
]
