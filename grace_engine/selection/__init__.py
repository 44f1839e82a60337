"""Which traces are worth training on, under a budget, and why is each in or out?"""

from grace_engine.selection.choose import Candidates, choose
from grace_engine.selection.values import strategy_values

__all__ = ["Candidates", "choose", "strategy_values"]
