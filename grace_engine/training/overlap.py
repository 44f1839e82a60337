"""Which evaluation problems stand in the training data, so that knowing them proves nothing?"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grace_engine.training.evaluating import EvalProblem

_NOT_WORDS = re.compile(r"\W+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Evaluation problems whose prompt is a training prompt, too.

    Attributes:
        ids: Those problems.
        n_problems: All evaluation problems.
    """

    ids: tuple[str, ...]
    n_problems: int

    def __str__(self) -> str:
        """A sentence for people."""
        if not self.ids:
            return f"None of the {self.n_problems:,} evaluation prompts is a training prompt."
        are = "is a training prompt" if len(self.ids) == 1 else "are training prompts"
        return (
            f"{len(self.ids):,} of the {self.n_problems:,} evaluation prompts {are}, too: what is "
            "right there may be memory."
        )


def overlap(problems: Sequence[EvalProblem], prompts: Iterable[str]) -> Overlap:
    """Compare prompts by their words: case, white space and punctuation do not count.

    A prompt that was reworded is not found; ``grace duplicates`` finds near ones.
    """
    known = {_words(prompt) for prompt in prompts}
    return Overlap(
        ids=tuple(problem.id for problem in problems if _words(problem.prompt) in known),
        n_problems=len(problems),
    )


def _words(text: str) -> str:
    return _NOT_WORDS.sub(" ", text.casefold()).strip()
