"""What do labels say of steps and traces: good, bad in some way, or nothing?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grace_engine.records import CLEAN, Label
from grace_engine.signals import SignalTable

Kinds = npt.NDArray[np.object_]

BAD = "bad"
"""Kind of an error whose label gives it no name."""

GOOD_WORDS = frozenset({"clean", "good", "correct", "right", "true", "ok", "+"})
_BAD_WORDS = frozenset({"bad", "false", "-"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledRun:
    """A run's signals beside what is known of its steps and traces: N traces, S steps.

    Attributes:
        signals: Signals of every step.
        step_kinds: ``[S]`` ``clean``, a kind of error, or "" where a step has no label.
        trace_kinds: By name of a trace label, ``[N]`` the same of traces.
    """

    signals: SignalTable
    step_kinds: Kinds
    trace_kinds: Mapping[str, Kinds]

    @property
    def owners(self) -> npt.NDArray[np.int64]:
        """``[S]`` index of each step's trace."""
        return np.repeat(np.arange(len(self.signals.trace_ids)), self.signals.n_steps)


def kinds_of(labels: Sequence[Label]) -> Kinds:
    """``[n]`` kinds: ``clean``, a kind of error, or "" for no label.

    Words: ``clean``, ``good``, ``correct``, ``right``, ``true``, ``ok`` and ``+`` are good;
    ``bad``, ``false`` and ``-`` are bad; any other word names a kind of error. False is bad. Of
    numbers, those below zero are bad where any is below zero (ratings -1, 0, 1), else those below
    one half; a text such as "-1" is a number.
    """
    read = [_read(label) for label in labels]
    numbers = [x for x in read if isinstance(x, float)]
    limit = 0.0 if any(x < 0 for x in numbers) else 0.5
    return np.array([_kind(label, limit) for label in read], dtype=object)


def error_kinds(kinds: Kinds) -> list[str]:
    """Kinds of error in order of name."""
    return sorted({str(kind) for kind in kinds} - {CLEAN, ""})


def _read(label: Label) -> str | float | bool:
    """A label as a truth value, a number, also one that is written as a text, or a word."""
    if label is None or label != label:
        return ""
    if isinstance(label, bool):
        return label
    try:
        return float(label)
    except ValueError:
        return str(label).strip()


def _kind(label: str | float | bool, limit: float) -> str:
    if isinstance(label, bool):
        return CLEAN if label else BAD
    if isinstance(label, float):
        return BAD if label < limit else CLEAN
    lowered = label.lower()
    return CLEAN if lowered in GOOD_WORDS else BAD if lowered in _BAD_WORDS else label
