"""What is a choice made from: traces with values, overrides, prompts and strata?"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from grace_engine.errors import InputError
from grace_engine.records import Of

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MAX_STRATA = 1000
WITHOUT = "(none)"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Duplicates:
    """Which of N candidates say the same, of which one is enough.

    Attributes:
        of: What says the same: their prompts, or the traces themselves.
        threshold: Lowest Jaccard similarity of near-duplicates.
        is_older: Whether traces came or went since they were looked for.
        groups: ``[N]`` a number for the group of each, from 0; one that is alone has its own.
        similarity: ``[N]`` to the first trace of its group; 1 where alone.
        exact: ``[N]`` whether it says exactly what that one says.
        firsts: ``[N]`` id of that trace, which need not be a candidate.
    """

    of: Of
    threshold: float
    is_older: bool = False
    groups: Ints
    similarity: Floats
    exact: Bools
    firsts: npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """What a choice is made from, N traces.

    Attributes:
        trace_ids: ``[N]`` ids.
        record_digests: ``[N]`` digests of their source records.
        values: ``[N]`` higher is better; NaN where a trace has none.
        n_tokens: ``[N]`` the scoring model's tokens of steps and answer.
        no_value: Why a NaN value is one, for a person to read.
        no_value_of: The same for those that have a reason of their own, by id.
        keep: ``[N]`` a curator keeps it: in, whatever its value; None where none is kept.
        drop: ``[N]`` a curator drops it: out, whatever its value; None where none is dropped.
        groups: ``[N]`` a number for the prompt of each, from 0; needed for a cap.
        duplicates: Those of which one is enough; None where all may be taken.
        said: Who kept or dropped a trace and why, by its id, for a person to read.
        what: What they are, for a person to read: ``traces`` or ``problems``.
    """

    trace_ids: npt.NDArray[np.object_]
    record_digests: npt.NDArray[np.object_]
    values: Floats
    n_tokens: Ints
    no_value: str = "has no value"
    no_value_of: Mapping[str, str] = field(default_factory=dict)
    keep: Bools | None = None
    drop: Bools | None = None
    groups: Ints | None = None
    duplicates: Duplicates | None = None
    said: Mapping[str, str] = field(default_factory=dict)
    what: str = "traces"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strata:
    """Which part of the candidates each of them belongs to.

    Attributes:
        codes: ``[N]`` index into ``names``.
        names: Of the S strata, sorted.
    """

    codes: Ints
    names: tuple[str, ...]

    @classmethod
    def of(cls, column: pd.Series) -> "Strata":
        """A stratum for each different text of a column; what is missing is ``(none)``.

        Raises:
            InputError: There are more than ``MAX_STRATA``.
        """
        found, kinds = pd.factorize(column, use_na_sentinel=False)
        texts = np.array([WITHOUT if pd.isna(kind) else str(kind) for kind in kinds], dtype=object)
        if len(texts) > MAX_STRATA:
            raise InputError(
                f"{column.name} has {len(texts):,} different values: a budget is split over at "
                f"most {MAX_STRATA:,}. Choose a column such as dataset, a subject or a level."
            )
        names = sorted(set(texts))
        place = {name: code for code, name in enumerate(names)}
        lookup = np.array([place[text] for text in texts], dtype=np.int64)
        return cls(codes=lookup[found], names=tuple(names))

    @classmethod
    def one(cls, n: int) -> "Strata":
        """All ``n`` candidates together."""
        return cls(codes=np.zeros(n, dtype=np.int64), names=("",))
