"""Which prompts or traces of a workspace say the same, and which of them may a choice take?"""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from grace_engine import duplicates as finding_them, selection, store
from grace_engine.api.views import RunView
from grace_engine.config import OF, CurateConfig, require_one_of
from grace_engine.digests import text_digest
from grace_engine.errors import InputError, NotFoundError
from grace_engine.progress import Progress
from grace_engine.records import DuplicateFinding, DuplicateGroup, Of, ScoringRun
from grace_engine.store import Workspace

# Of how things are found: a finding from before a change of it is no answer to the same question.
_WAY = 1


def find_duplicates(
    workspace: Workspace,
    of: Of = "traces",
    datasets: Sequence[str] = (),
    threshold: float = 0.8,
    progress: Progress | None = None,
) -> DuplicateFinding:
    """Find equal and nearly equal prompts or traces, and store the groups.

    Prompts are compared with their images, traces by their full text without the prompt. Groups
    run across datasets. What is found already for the same traces is not computed again.

    Args:
        workspace: Where the traces are.
        of: ``prompts`` or ``traces``.
        datasets: Names; all of the workspace when empty.
        threshold: Lowest Jaccard similarity of near-duplicates, above 0, at most 1.
        progress: Told how far it is.

    Raises:
        InputError: A kind or threshold that is none.
        NotFoundError: A dataset that does not exist, or no trace at all.
        MissingExtraError: ``datasketch`` is not installed.
    """
    require_one_of("What to compare", of, OF)
    finding_them.require_threshold(threshold)
    covered = store.covered(workspace, datasets)
    if not covered.positions:
        raise NotFoundError("There is no trace to compare yet. Run grace ingest.")
    decided = f"{_WAY}\n{of}\n{threshold!r}\n{covered.datasets!r}\n{covered.data_digest}"
    finding_id = f"d-{text_digest(decided, size=4)}"
    if any(each.id == finding_id for each in store.duplicate_findings(workspace)):
        store.touch_duplicates(workspace, finding_id)
        return duplicate_finding(workspace, of, covered.datasets)
    owners: list[tuple[str, str]] = []

    def texts() -> Iterator[finding_them.Text]:
        for batch in store.iter_compared(workspace, covered.positions, of):
            for trace_id, dataset, words, images in batch:
                owners.append((trace_id, dataset))
                yield finding_them.Text(words=words, apart="" if images in ("", "[]") else images)

    with workspace.staging() as folder:
        groups = finding_them.find_groups(
            texts(), threshold, total=len(covered.positions), progress=progress, folder=folder
        )
    members, n_spanning = _members(groups, owners)
    return store.save_duplicates(
        workspace,
        DuplicateFinding(
            id=finding_id,
            of=of,
            threshold=threshold,
            datasets=covered.datasets,
            data_digest=covered.data_digest,
            n_traces=len(owners),
            n_groups=len(groups),
            n_members=members.num_rows,
            n_spanning=n_spanning,
            n_near=sum(group.n_different > 1 for group in groups),
        ),
        members,
    )


def duplicate_finding(
    workspace: Workspace, of: Of = "traces", datasets: Sequence[str] = ()
) -> DuplicateFinding:
    """The latest finding of a kind that looked at all of the named datasets (at any, for none).

    Raises:
        InputError: A kind that is none.
        NotFoundError: There is none; the sentence names the command that finds them.
    """
    require_one_of("What to compare", of, OF)
    for finding in store.duplicate_findings(workspace):
        if finding.of == of and set(datasets) <= set(finding.datasets):
            return finding
    names = "".join(f"{name} " for name in datasets)
    where = f" among {', '.join(datasets)}" if datasets else ""
    none = f"No duplicate {of} were looked for{where} yet."
    raise NotFoundError(
        f"{none} Run grace duplicates {names}--of {of}, or find them under Duplicates on the Data "
        "page.",
        on_page=f"{none} Find them under Duplicates on the Data page.",
    )


def duplicate_groups(
    workspace: Workspace,
    finding: DuplicateFinding,
    *,
    first: int = 1,
    count: int = 20,
    members: int = 20,
) -> list[DuplicateGroup]:
    """Groups of a finding with their texts: those that span datasets first.

    Args:
        workspace: Where they are.
        finding: From ``find_duplicates`` or ``duplicate_finding``.
        first: Number of the first group, from 1.
        count: Most groups.
        members: Most traces of a group; ``n_traces`` counts all.
    """
    return store.duplicate_groups(
        workspace, finding, first=first, last=first + count - 1, members=members
    )


def duplicates_in(
    workspace: Workspace, view: RunView, config: CurateConfig
) -> selection.Duplicates | None:
    """What a choice from this run has to know of duplicates; None where it takes them all.

    Raises:
        InputError: As ``finding_for``.
    """
    finding = finding_for(workspace, view.run, config.without_duplicates)
    return duplicates_of(workspace, view, finding) if finding else None


def finding_for(
    workspace: Workspace, run: ScoringRun, of: Of | Literal[""]
) -> DuplicateFinding | None:
    """The finding by which a choice from a run leaves duplicates out; None where it takes them all.

    Raises:
        InputError: Duplicates were never looked for in the run's datasets; the sentence names the
            command that finds them.
    """
    if not of:
        return None
    try:
        return duplicate_finding(workspace, of, run.datasets)
    except NotFoundError as fault:
        raise InputError(f"Duplicates cannot be left out. {fault}") from fault


def duplicates_of(
    workspace: Workspace, view: RunView, finding: DuplicateFinding
) -> selection.Duplicates:
    """The groups of a finding, in the order of a run's traces."""
    members = store.read_duplicates(workspace, finding.id)
    first = members.groupby("group_number")["trace_id"].transform("first")
    here = pd.Index(view.signals.trace_ids).get_indexer(pd.Index(members["trace_id"]))
    known = here >= 0
    members, first, here = members[known], first[known], here[known]
    n = len(view.signals.trace_ids)
    groups = np.arange(n)  # a trace alone is a group of its own
    groups[here] = n + pd.factorize(members["group_number"])[0]
    similarity, exact = np.ones(n), np.ones(n, dtype=bool)
    similarity[here], exact[here] = members["similarity"], members["exact"]
    firsts = view.signals.trace_ids.copy()
    firsts[here] = first
    return selection.Duplicates(
        of=finding.of,
        threshold=finding.threshold,
        is_older=finding.is_older,
        groups=groups,
        similarity=similarity,
        exact=exact,
        firsts=firsts,
    )


def _members(
    groups: Sequence[finding_them.Group], owners: Sequence[tuple[str, str]]
) -> tuple[pa.Table, int]:
    """A row a trace in a group, as stored; how many groups span datasets."""
    spans = [len({owners[m.index][1] for m in group.members}) > 1 for group in groups]
    order = sorted(
        range(len(groups)),
        key=lambda g: (not spans[g], -groups[g].n_different, -len(groups[g].members)),
    )
    rows = [
        (number, groups[g].n_different, place, *owners[m.index], m.similarity, m.exact)
        for number, g in enumerate(order, start=1)
        for place, m in enumerate(groups[g].members)
    ]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(store.MEMBERS)
    arrays = [pa.array(c, type=f.type) for c, f in zip(columns, store.MEMBERS, strict=True)]
    return pa.table(arrays, schema=store.MEMBERS), sum(spans)
