"""How well do signals find what is known to be bad?"""

from grace_engine.evaluation.detection import (
    STEPS,
    Detection,
    StepRank,
    detect_steps,
    detect_traces,
    step_ranks,
)
from grace_engine.evaluation.labels import (
    BAD,
    GOOD_WORDS,
    Kinds,
    LabelledRun,
    error_kinds,
    kinds_of,
)
from grace_engine.evaluation.profiles import ProfilePoint, profiles
from grace_engine.evaluation.purity import Purity, purity_of_top
from grace_engine.evaluation.ranking import average_precision, roc_auc
from grace_engine.evaluation.suspicion import step_suspicion, trace_suspicion
from grace_engine.evaluation.untold import Untold, untold

__all__ = [
    "BAD",
    "GOOD_WORDS",
    "STEPS",
    "Detection",
    "Kinds",
    "LabelledRun",
    "ProfilePoint",
    "Purity",
    "StepRank",
    "Untold",
    "average_precision",
    "detect_steps",
    "detect_traces",
    "error_kinds",
    "kinds_of",
    "profiles",
    "purity_of_top",
    "roc_auc",
    "step_ranks",
    "step_suspicion",
    "trace_suspicion",
    "untold",
]
