"""Which prompts or traces say the same, and where do they come from?"""

import streamlit as st

from grace_engine import api
from grace_engine.config import OF
from grace_engine.errors import NotFoundError
from grace_engine.figures.frames import plain
from grace_engine.quantities import counted
from grace_engine.records import DuplicateFinding, DuplicateGroup, DuplicateMember, Of
from grace_engine.store import WorkspaceUsage
from grace_engine.ui import data_jobs
from grace_engine.ui.text import as_markdown, facts_html, plain_html

_GROUPS = 10
"""Groups of a page."""
_BESIDE = 4
"""Texts of a group that stand side by side; a row more of them nobody reads."""
_LONG = 400
"""Characters of a text above which it scrolls in a pane of its own."""


def duplicates(workspace: str, held: WorkspaceUsage | None) -> None:
    """Look for duplicates, and the groups that were found last."""
    if held is None or not held.datasets:
        st.info("There is nothing to compare yet: add traces first.", icon=":material/lightbulb:")
        return
    of = _search(workspace, held)
    opened = api.open_workspace(workspace, create=False)
    try:
        finding = api.duplicate_finding(opened, of)
    except NotFoundError:
        st.info(
            f"Duplicate {of} were not looked for yet.",
            title="Nothing is found yet",
            icon=":material/lightbulb:",
        )
        return
    _say(finding)
    if finding.n_groups:
        _pages(opened, finding)


def _search(workspace: str, held: WorkspaceUsage) -> Of:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        of: Of = st.segmented_control(
            "Compare",
            OF[::-1],
            default="traces",
            required=True,
            key="duplicates-of",
            help="Prompts with their images, or traces (reasoning and answer) without prompts.",
        )
        threshold = st.slider(
            "Similarity of near-duplicates",
            0.5,
            1.0,
            0.8,
            step=0.05,
            key="duplicates-threshold",
            help="Lowest Jaccard similarity: the share that two texts have in common of all their "
            "runs of five words. Equal texts are found at any.",
            width=260,
        )
        datasets = st.multiselect(
            "Datasets",
            [each.name for each in held.datasets],
            format_func=plain,
            key="duplicates-in",
            placeholder="all of the workspace",
            width=320,
        )
        busy = any(
            job.is_active and job.spec.kind == "duplicates"
            for job in data_jobs.known_jobs(workspace)
        )
        st.button(
            "Find duplicates",
            type="primary",
            icon=":material/content_copy:",
            key="find-duplicates",
            disabled=busy,
            help="Wait until the search above has ended." if busy else None,
            on_click=data_jobs.launch,
            args=(api.start_duplicates, of, tuple(datasets), threshold),
            kwargs={"workspace": workspace},
        )
    return of


def _say(finding: DuplicateFinding) -> None:
    names = ", ".join(finding.datasets)
    among = f" among the {finding.n_traces:,} traces of {names}"
    if not finding.n_groups:
        st.success(
            as_markdown(f"No duplicate {finding.of} of {finding.threshold:g} or more{among}."),
            icon=":material/check_circle:",
        )
    else:
        st.text(
            plain(
                f"{counted(finding.n_groups, 'group')} of {finding.of} with a similarity of "
                f"{finding.threshold:g} or more: {counted(finding.n_members, 'trace')}{among}. "
                f"Of different texts: {finding.n_near:,}. Across datasets: "
                f"{finding.n_spanning:,}."
            )
        )
    if finding.is_older:
        st.warning(
            "Traces came or went since this was found: find duplicates again.",
            icon=":material/history:",
        )


def _pages(workspace: api.Workspace, finding: DuplicateFinding) -> None:
    spanning = False
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if 0 < finding.n_spanning < finding.n_groups:
            spanning = st.toggle("Only groups that span datasets", key="duplicates-spanning")
        n_groups = finding.n_spanning if spanning else finding.n_groups
        n_pages = -(-n_groups // _GROUPS)
        page = 1
        if n_pages > 1:
            page = st.number_input(
                f"Page of {n_pages:,}", 1, n_pages, key=f"duplicates-page-{n_pages}", width=140
            )
    first = (page - 1) * _GROUPS + 1
    count = min(_GROUPS, n_groups - first + 1)
    for group in api.duplicate_groups(
        workspace, finding, first=first, count=count, members=_BESIDE
    ):
        _group(group, finding.of)


def _group(group: DuplicateGroup, of: Of) -> None:
    with st.container(border=True, key=f"duplicates-{group.number}"):
        where = "across " if len(group.datasets) > 1 else ""
        st.text(
            plain(
                f"Group {group.number:,} · {group.n_traces:,} traces, {group.n_different:,} "
                f"different {of} · {where}{', '.join(group.datasets)}"
            )
        )
        if not group.members:
            st.caption("Its traces are no longer in the workspace.")
            return
        columns = st.columns(len(group.members))
        for place, (column, member) in enumerate(zip(columns, group.members, strict=True)):
            with column:
                st.html(facts_html(_facts(member, place)))
                long = any(len(each.text) > _LONG for each in group.members)
                with st.container(height=220 if long else "content", border=False):
                    st.html(plain_html(member.text))
        if group.n_traces > len(group.members):
            st.caption(
                f"{group.n_traces - len(group.members):,} more: grace duplicates lists them."
            )


def _facts(member: DuplicateMember, place: int) -> dict[str, str]:
    like = "equal to the first" if member.exact else f"{member.similarity:.2f} to the first"
    return {
        "Trace": f"{member.trace_id[:12]} {member.variant}".strip(),
        "Similarity": like if place else "the first of them",
        "Dataset": member.dataset,
        "Source": f"{member.path}, line {member.line}",
    }
