"""Which traces say the same, and what was looked at to find that?"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Of: TypeAlias = Literal["prompts", "traces"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateFinding:
    """One search for duplicates.

    Attributes:
        id: ``d-`` and eight hex digits: digest of everything that decided it.
        of: What was compared: prompts (text and images), or traces (the full text, no prompt).
        threshold: Lowest Jaccard similarity of near-duplicates.
        datasets: Names of the datasets that were looked at, sorted.
        data_digest: Of the ids of their traces.
        n_traces: Traces that were looked at.
        n_groups: Groups of two or more.
        n_members: Traces in groups.
        n_spanning: Groups with traces of more than one dataset.
        n_near: Groups of different texts; the others are exact duplicates. (All traces of one
            prompt are a group of prompts.)
        found_at: ISO 8601, UTC.
        is_older: Whether traces were added to those datasets, or went, since.
    """

    id: str
    of: Of
    threshold: float
    datasets: tuple[str, ...]
    data_digest: str
    n_traces: int
    n_groups: int
    n_members: int
    n_spanning: int
    n_near: int
    found_at: str = ""
    is_older: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateMember:
    """A trace of a group.

    Attributes:
        trace_id: The trace.
        similarity: Jaccard similarity of what was compared to that of the group's first trace.
        exact: Equal to the first one's after NFKC and white space folding.
        dataset: Its dataset.
        path: The file that it came from.
        line: 1-based line or row number there.
        variant: Which trace of its record.
        text: What was compared: its prompt or its full text.
    """

    trace_id: str
    similarity: float
    exact: bool
    dataset: str
    path: str
    line: int
    variant: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateGroup:
    """Traces that near-duplicates connect.

    Attributes:
        number: From 1 within its finding: groups that span datasets first, then those of most
            different texts, then the largest.
        n_traces: How many they are.
        n_different: Different texts among them.
        datasets: Theirs, sorted.
        members: The first of them, in order of arrival.
    """

    number: int
    n_traces: int
    n_different: int
    datasets: tuple[str, ...]
    members: tuple[DuplicateMember, ...]
