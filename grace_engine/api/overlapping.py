"""How many traces of datasets and selections say the same as others within and between them?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grace_engine import store
from grace_engine.api.duplicating import duplicate_finding
from grace_engine.api.reporting import sources_of
from grace_engine.records import DuplicateFinding
from grace_engine.store import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class NearDuplicates:
    """Equal and nearly equal traces of some subjects.

    Attributes:
        finding: By which similarity, and when.
        names: Of the subjects, in order.
        n_traces: Traces of each.
        counts: By pair of names: traces of the first that another trace of the second equals or
            nearly equals; of a pair of one name, another of the same. A trace that is in both
            subjects is no duplicate of itself.
    """

    finding: DuplicateFinding
    names: tuple[str, ...]
    n_traces: Mapping[str, int]
    counts: Mapping[tuple[str, str], int]


def near_duplicates(workspace: Workspace, names: Sequence[str]) -> NearDuplicates:
    """What the latest search for duplicate traces found in these datasets and selections.

    Raises:
        NotFoundError: One of them does not exist, or duplicates were not looked for in all of
            their datasets; the sentence names the command that finds them.
        InputError: One is named twice or holds nothing.
    """
    sources = sources_of(workspace, names)
    ids = {source.name: set(source.ids) for source in sources}
    every = store.labels_of(workspace, ids=list(set().union(*ids.values())))
    finding = duplicate_finding(workspace, "traces", sorted(set(every["dataset"])))
    groups: dict[int, set[str]] = {}
    members = store.read_duplicates(workspace, finding.id)
    for number, trace in zip(members["group_number"], members["trace_id"], strict=True):
        groups.setdefault(int(number), set()).add(str(trace))
    counts = dict.fromkeys([(a, b) for a in ids for b in ids], 0)
    for group in groups.values():
        inside = {name: group & own for name, own in ids.items()}
        for a, ours in inside.items():
            for b, theirs in inside.items():
                counts[a, b] += sum(len(theirs) > (one in theirs) for one in ours)
    return NearDuplicates(
        finding=finding,
        names=tuple(ids),
        n_traces={name: len(own) for name, own in ids.items()},
        counts=counts,
    )
