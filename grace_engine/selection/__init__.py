"""Which traces are worth training on, under a budget, and why is each in or out?"""

from grace_engine.selection.allowance import rounded_up_text
from grace_engine.selection.bias import Bias, bias_of, rank_correlation
from grace_engine.selection.candidates import Candidates, Duplicates, Strata
from grace_engine.selection.choose import choices_of, choose, reasons
from grace_engine.selection.compare import Comparison, compare_frames
from grace_engine.selection.problems import (
    BY_GRADIENT,
    ProblemTable,
    cosines,
    pairwise_alignment,
    problem_values,
)
from grace_engine.selection.take import Ranked, Taken, take
from grace_engine.selection.values import strategy_values
from grace_engine.selection.why import (
    SHARES,
    budget_text,
    contributions,
    nearest_alpha,
    needed_budget,
    values_at,
)

__all__ = [
    "BY_GRADIENT",
    "SHARES",
    "Bias",
    "Candidates",
    "Comparison",
    "Duplicates",
    "ProblemTable",
    "Ranked",
    "Strata",
    "Taken",
    "bias_of",
    "budget_text",
    "choices_of",
    "choose",
    "compare_frames",
    "contributions",
    "cosines",
    "nearest_alpha",
    "needed_budget",
    "pairwise_alignment",
    "problem_values",
    "rank_correlation",
    "reasons",
    "rounded_up_text",
    "strategy_values",
    "take",
    "values_at",
]
