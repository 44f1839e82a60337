"""What is found when an answer is held against a reference?"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Outcome: TypeAlias = Literal["right", "wrong", "not parsed", "timed out"]
OUTCOMES: tuple[Outcome, ...] = ("right", "wrong", "not parsed", "timed out")
Side: TypeAlias = Literal["", "answer", "reference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPair:
    """An answer to check and what it is held against.

    Attributes:
        answer: A bare answer, or a whole text that ends in one.
        reference: A bare answer, or a whole solution, held to be right.
    """

    answer: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCheck:
    """What came out for a pair.

    Attributes:
        outcome: One of ``OUTCOMES``. ``timed out`` is whatever came to no verdict within the
            limits: of time, of memory, or because the pair ends the process that checks it.
        side: Which side could not be read, where the outcome is ``not parsed``; else "".
        detail: How it was decided, or why it was not, for a person to read.
    """

    outcome: Outcome
    side: Side = ""
    detail: str
