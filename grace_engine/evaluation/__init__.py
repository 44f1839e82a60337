"""How well do signals find what is known to be bad?"""

from grace_engine.evaluation.detection import (
    Detection,
    LabelledRun,
    StepRank,
    detect_steps,
    detect_traces,
    step_ranks,
)
from grace_engine.evaluation.purity import Purity, purity_of_top
from grace_engine.evaluation.ranking import average_precision, roc_auc

__all__ = [
    "Detection",
    "LabelledRun",
    "Purity",
    "StepRank",
    "average_precision",
    "detect_steps",
    "detect_traces",
    "purity_of_top",
    "roc_auc",
    "step_ranks",
]
