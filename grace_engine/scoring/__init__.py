"""How are traces scored by a model, and what does it cost?"""

from grace_engine.scoring.estimate import Estimate, estimate
from grace_engine.scoring.plan import ScoringPlan, plan_scoring
from grace_engine.scoring.run import ScoreReport, run_scoring

__all__ = ["Estimate", "ScoreReport", "ScoringPlan", "estimate", "plan_scoring", "run_scoring"]
