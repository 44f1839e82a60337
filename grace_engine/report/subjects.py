"""What does a report hold of each dataset or selection, and how sure are its means?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from grace_engine.report.advice import Advice

if TYPE_CHECKING:
    from grace_engine.report.judged import JudgedSubject

FEWEST = 5
"""Prompts from which on a mean has an interval."""

FEW_TRACES = 30
"""Traces below which a mean says little of a dataset."""

Bounds: TypeAlias = tuple[float | None, float | None]
"""The least and the most that a number can be; None for no bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A number that every trace may have.

    Attributes:
        name: As code and JSON have it.
        title: As a heading.
        published: Its name in the paper on reasoning supervision; "" where it has none.
        how: How it is defined.
        made_by: The model or library that made it here.
        bounds: Between which it lies for every trace.
    """

    name: str
    title: str
    published: str = ""
    how: str
    made_by: str = ""
    bounds: Bounds = (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A dataset or a selection, as far as a report speaks of it.

    Attributes:
        name: Its name.
        kind: ``dataset`` or ``selection``.
        detail: Where it comes from, for a person to read.
        n_traces: Its traces.
        n_prompts: Different prompts among them.
        refused: Traces of its files that could not be used, by reason; empty for a selection.
        n_known: Traces whose answer is known to be right or wrong.
        n_right: Those that are right.
        n_repeated: Traces whose reasoning another one before them has, white space aside.
        languages: Traces by language.
        chosen_by: The strategy by which a selection was chosen; "" for a dataset.
        lists_wrong: What lists its wrong answers, as a clause; "" where nothing does.
        numbers: A row a trace: a column for each ``Column``, NaN where there is none.
        prompts: ``[n]`` the prompt that each trace answers, as a digest.
        why: By column: why traces have no number, with how many they are.
    """

    name: str
    kind: str
    detail: str
    n_traces: int
    n_prompts: int
    refused: Mapping[str, int]
    n_known: int
    n_right: int
    n_repeated: int
    languages: Mapping[str, int]
    numbers: pd.DataFrame = field(repr=False)
    prompts: npt.NDArray[np.object_] = field(repr=False)
    why: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    chosen_by: str = ""
    lists_wrong: str = ""

    @property
    def answer_rate(self) -> float | None:
        """Share of its files' traces whose answer was found; None for a selection."""
        if self.kind != "dataset":
            return None
        without = sum(n for reason, n in self.refused.items() if "answer" in reason)
        return self.n_traces / (self.n_traces + without) if self.n_traces + without else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How a number is distributed over traces.

    Attributes:
        n: Traces that have it.
        n_prompts: Different prompts among them.
        mean: Their mean.
        low: Lower end of the mean's 95% interval, which ends where the number itself does; None
            for fewer than ``FEWEST`` prompts, or where these are all the same.
        high: Upper end.
        quantiles: The 5th, 25th, 50th, 75th and 95th percentile.
        is_whole: Whether it is a whole number in every trace.
        is_same: Whether it is the same for every prompt.
    """

    n: int
    n_prompts: int
    mean: float
    low: float | None
    high: float | None
    quantiles: tuple[float, float, float, float, float]
    is_whole: bool = False
    is_same: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share of all parts of traces, whichever trace they are of.

    Attributes:
        n_prompts: Different prompts of these traces.
        mean: The share.
        low: Lower end of its 95% interval; None for fewer than ``FEWEST`` prompts, or where these
            are all the same.
        high: Upper end.
        is_same: Whether it is the same for every prompt.
    """

    n_prompts: int
    mean: float
    low: float | None
    high: float | None
    is_same: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A mean less another one.

    Attributes:
        mean: The difference.
        low: Lower end of its 95% interval; None where there is none.
        high: Upper end.
        deviation: Standard deviation of traces within both, pooled: what the difference is small
            or large beside.
        reason: Why there is no interval; "" where there is one.
    """

    mean: float
    low: float | None
    high: float | None
    deviation: float
    reason: str = ""

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    @property
    def is_drawn(self) -> bool:
        """Whether it has an interval, and traces that differ, whose deviation is its unit."""
        return self.low is not None and self.deviation > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetReport:
    """Everything that a report says.

    Attributes:
        subjects: The first is what it is about, the others what it is held against.
        columns: Numbers that at least one trace of them has, in the order shown.
        absent: What was not measured, with the reason.
        spreads: By column and subject.
        differences: By column and other subject: the first one's mean less the other's.
        shared: By other subject: traces that are in the first one, too.
        advice: What the paper found for the size of the model to be trained; empty where no size
            was given.
        judged: By subject, what a judge says of it (``judged.JudgedSubject``); those of which it
            says nothing are not there.
        citation: Of the paper.
        made_at: ISO 8601, UTC.
        version: Of the studio.
    """

    subjects: tuple[Subject, ...]
    columns: tuple[Column, ...]
    absent: Mapping[str, str]
    spreads: Mapping[str, Mapping[str, Spread]]
    differences: Mapping[str, Mapping[str, Difference]]
    shared: Mapping[str, int]
    advice: tuple[Advice, ...] = ()
    judged: Mapping[str, "JudgedSubject"] = field(default_factory=dict)
    citation: str = ""
    made_at: str = ""
    version: str = ""
