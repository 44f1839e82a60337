"""Is an answer right, where the data has a reference?"""

from grace_engine.answers.checker import Checker, check_pairs
from grace_engine.answers.process import Limits

__all__ = ["Checker", "Limits", "check_pairs"]
