"""What does a judge model say of each step: is it true, right, coherent, and of use?"""

from grace_engine.judging.metrics import METRICS, JudgeMetric
from grace_engine.judging.planning import JudgePlan, draw, plan_judging
from grace_engine.judging.prompts import PROMPTS
from grace_engine.judging.running import JudgeReport, run_judging
from grace_engine.judging.settings import JudgeSettings

__all__ = [
    "METRICS",
    "PROMPTS",
    "JudgeMetric",
    "JudgePlan",
    "JudgeReport",
    "JudgeSettings",
    "draw",
    "plan_judging",
    "run_judging",
]
