"""What runs in the background, how far is it, and how does a curator end it?"""

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.errors import GraceError
from grace_engine.figures.frames import plain
from grace_engine.jobs import Job, State
from grace_engine.marks import marks_named
from grace_engine.quantities import counted, duration, pace
from grace_engine.ui import tables
from grace_engine.ui.text import as_markdown

FILE = "file"
"""Query parameter of the Data page: the file that is looked at."""

SAMPLE = (
    "798 solutions, some with planted errors, and a small model that scores them. That takes 15 to "
    "30 seconds on two idle cores, more beside other work."
)
"""What the sample is. The time is that of ``grace sample`` in an empty folder."""

_POLL_SECONDS, _LEFT_SECONDS = 1.0, 20.0
_SEEN, _FAULT, _BESIDE, _HIDDEN = "data-active", "data-fault", "data-beside", "data-hidden"
_FOLLOWED = "data-followed"
# Ended runs that have a box at once; the others are counted below them.
_BOXES = 3
_ICONS: dict[State, str] = {
    "starting": "hourglass_top",
    "queued": "hourglass_top",
    "running": "play_circle",
    "no-progress": "pending",
    "finished": "check_circle",
    "cancelled": "cancel",
    "failed": "error",
    "died": "error",
    "killed-for-memory": "memory",
    "disk-full": "disc_full",
}
# Of the log, what a page shows of it.
_LOGGED_BYTES = 8000


def known_jobs(workspace: str) -> list[Job]:
    """All runs of the workspace, the latest first; none where there is no workspace."""
    try:
        return api.list_jobs(api.open_workspace(workspace, create=False))
    except GraceError:
        return []


def panel(workspace: str, kinds: Collection[str] = ()) -> None:
    """What runs now, and what has ended; follows it while there is something to follow.

    Told of are runs that ended too early and were neither resumed nor begun anew, those that ended
    since this session saw them run, and the last one where nothing runs; not what was hidden.

    Args:
        workspace: Its folder.
        kinds: Of an ended run that the page tells of; those of every kind when empty.
    """
    if _FAULT in st.session_state:
        st.error(as_markdown(st.session_state.pop(_FAULT)), icon=":material/error:")
    active = _stages(known_jobs(workspace))
    st.session_state[_SEEN] = active
    st.fragment(_watch, run_every=_POLL_SECONDS if active else None, key="data-jobs")(
        workspace, kinds
    )


def launch(start: Callable[..., Job], *arguments: object, workspace: str) -> None:
    """Callback of buttons: start a run; a fault of the start is shown by ``panel``."""
    attempt(lambda: start(api.open_workspace(workspace, create=True), *arguments))


def offer_sample(workspace: str) -> None:
    """A button that fills an empty workspace."""
    st.button(
        "Prepare the sample",
        type="primary",
        icon=":material/science:",
        help="Ingests the shipped traces and scores them with the shipped model.",
        on_click=launch,
        args=(api.start_sample,),
        kwargs={"workspace": workspace},
    )


def attempt(action: Callable[[], object]) -> None:
    """Do what a button asks for; its fault is shown by ``panel``."""
    try:
        action()
    except GraceError as fault:
        st.session_state[_FAULT] = str(fault)


def history(workspace: str, jobs: list[Job]) -> None:
    """A table of all runs, and a button that goes on with one that ended too early."""
    rows = [
        {
            "run": job.id,
            "state": job.word,
            "began": _clock(job.status.began_at),
            "took": duration(job.status.seconds),
            "attempts": job.status.attempt,
            "what": job.spec.title,
            "failed": job.failures,
            "says": job.says,
        }
        for job in jobs
    ]
    tables.table(pd.DataFrame(rows), alt="Background runs, the latest first")
    _resume_any(workspace, {job.id: job for job in jobs if job.is_resumable})


def _resume_any(workspace: str, resumable: dict[str, Job]) -> None:
    if not resumable:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "A run that ended before its work was done",
            list(resumable),
            format_func=lambda name: plain(
                f"{name} · {resumable[name].word} · {resumable[name].spec.title}"
            ),
            key="resume-which",
            width=520,
        )
        st.button(
            "Resume it",
            key="resume-it",
            icon=":material/replay:",
            help="Goes on where it ended.",
            on_click=launch,
            args=(api.resume_job, chosen),
            kwargs={"workspace": workspace},
        )


def _watch(workspace: str, kinds: Collection[str]) -> None:
    jobs = known_jobs(workspace)
    active = [job for job in jobs if job.is_active]
    if _stages(jobs) != st.session_state.get(_SEEN):
        st.rerun(scope="app")  # something began or ended: all of the page is out of date
    for job in active:
        _active(workspace, job)
    told = _told(jobs, kinds)
    for job in told[:_BOXES]:
        _ended(workspace, job)
    if len(told) > _BOXES:
        more = counted(len(told) - _BOXES, "more run")
        st.caption(f"{more} that ended: Background runs under Data → Contents has all of them.")


def is_left_undone(job: Job, jobs: Sequence[Job]) -> bool:
    """Whether a run ended too early, and no later one does the same.

    Args:
        job: The run.
        jobs: All runs, the latest first.
    """
    return job.is_resumable and not _is_begun_anew(job, jobs)


def _is_begun_anew(job: Job, jobs: Sequence[Job]) -> bool:
    later = jobs[: [each.id for each in jobs].index(job.id)]
    what = (job.spec.kind, job.spec.settings)
    return any((each.spec.kind, each.spec.settings) == what for each in later)


def _told(jobs: list[Job], kinds: Collection[str]) -> list[Job]:
    """The ended runs that a page tells of, the latest first."""
    followed: set[str] = st.session_state.setdefault(_FOLLOWED, set())
    followed |= {job.id for job in jobs if job.is_active}
    # Of what ended as it should the last one is told, or what was seen at work here.
    fresh = followed if _stages(jobs) else followed | {job.id for job in jobs[:1]}
    hidden = st.session_state.get(_HIDDEN, ())
    return [
        job
        for job in jobs
        if not job.is_active
        and job.id not in hidden
        and (not kinds or job.spec.kind in kinds)
        and (
            is_left_undone(job, jobs)
            or (job.id in fresh and _is_of_the_file(job) and not _is_begun_anew(job, jobs))
        )
    ]


def _is_of_the_file(job: Job) -> bool:
    """Whether an ended run still belongs to what the page is about: no other file was named."""
    beside: dict[str, str] = st.session_state.setdefault(_BESIDE, {})
    named = st.session_state.get(FILE) or ""
    return not named or beside.setdefault(job.id, named) == named


def _stages(jobs: list[Job]) -> list[tuple[str, str]]:
    """What changes of active runs make the rest of the page out of date."""
    return [(job.id, job.status.phase) for job in jobs if job.is_active]


def _active(workspace: str, job: Job) -> None:
    status = job.status
    with st.container(border=True, key=f"job-{job.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            _named(job)
            st.button(
                "Cancelling…" if job.cancelling else "Cancel",
                key=f"cancel-{job.id}",
                icon=":material/stop_circle:",
                disabled=job.cancelling,
                help="Ends the run; what it has finished is kept.",
                on_click=_cancel,
                args=(workspace, job.id),
            )
        share = min(1.0, status.done / status.total) if status.total else 0.0
        st.progress(share, text=as_markdown(_progress(job)))
        if said := _says(job):
            st.caption(as_markdown(said))
        _log(job)


def _says(job: Job) -> str:
    """What it said last; of a training how much is left of all of it now."""
    if job.spec.kind == "train" and job.state == "running":
        return _all_left(job.folder) or job.says
    return job.says


@st.cache_data(ttl=_LEFT_SECONDS, max_entries=8, show_spinner=False)
def _all_left(folder: Path) -> str:
    """What is left of a training; all of its steps are read for that, so not at each look."""
    left = api.training_time_left(folder)
    return str(left) if left else ""


def _progress(job: Job) -> str:
    status = job.status
    if job.cancelling:
        return "Ending; what is done is being stored."
    if job.state == "queued":
        return "Queued; it begins by itself."
    if not status.phase:
        return "Starting…"
    parts = [
        f"{status.phase}: {status.done:,}"
        + (f" of {status.total:,}" if status.total else "")
        + f" {status.unit}"
    ]
    if status.rate:
        parts.append(pace(status.rate, status.unit))
    if status.tokens_rate:
        parts.append(f"{status.tokens_rate:,.0f} tokens a second")
    if status.seconds_left:
        of = ""
        if job.spec.kind == "train":  # of all of it, its message tells
            of = (
                " of this training"
                if status.phase.startswith("Training")
                else " of this evaluation"
            )
        parts.append(f"about {duration(status.seconds_left)} left{of}")
    if job.failures:
        parts.append(f"failed: {job.failures}")
    if job.state == "no-progress":
        parts.append(f"no progress for {duration(job.quiet)}")
    return " · ".join(parts)


def _ended(workspace: str, job: Job) -> None:
    with st.container(border=True, key=f"job-{job.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            _named(job)
            # Together, so that a long title pushes all of them to the next line or none.
            with st.container(horizontal=True, vertical_alignment="center", width="content"):
                _ways_on(workspace, job)
        st.caption(as_markdown(f"{_clock(job.status.ended_at or _end(job))}   {job.says}"))
        _log(job)


def _ways_on(workspace: str, job: Job) -> None:
    """What can be done with a run that ended."""
    run = str(job.status.result.get("run", ""))
    if run:
        st.page_link(
            "pages/inspect.py",
            label="Inspect it",
            icon=":material/grid_on:",
            query_params={"run": run},
        )
    if job.is_resumable:
        st.button(
            "Resume",
            key=f"again-{job.id}",
            icon=":material/replay:",
            help="Goes on where it ended.",
            on_click=launch,
            args=(api.resume_job, job.id),
            kwargs={"workspace": workspace},
        )
    st.button(
        "Remove",
        key=f"forget-{job.id}",
        icon=":material/delete:",
        help="Removes the folder of this run with its log; what it stored stays.",
        on_click=launch,
        args=(api.forget_job, job.id),
        kwargs={"workspace": workspace},
    )
    st.button(
        "Hide",
        key=f"hide-{job.id}",
        icon=":material/close:",
        help="Hides this box until the page is opened anew; the run stays among those of "
        "the Data page.",
        on_click=_hide,
        args=(job.id,),
    )


def _named(job: Job) -> None:
    """Its state and what it is."""
    # The icon and the word are ours; the title may hold names that users gave.
    word = job.word.capitalize()
    st.markdown(f":material/{_ICONS[job.state]}: **{word}**", width="content")
    st.text(plain(job.spec.title), width="stretch")


def _log(job: Job) -> None:
    """What it said and printed last."""
    if said := job.log_tail(_LOGGED_BYTES):
        with st.expander("Log", icon=":material/terminal:"):
            st.code(marks_named(said), language=None, wrap_lines=True)


def _cancel(workspace: str, job: str) -> None:
    attempt(lambda: api.cancel_job(api.open_workspace(workspace, create=False), job))


def _hide(job: str) -> None:
    st.session_state[_HIDDEN] = {*st.session_state.get(_HIDDEN, ()), job}


def _end(job: Job) -> float:
    """When a job was last heard of."""
    return time.time() if job.is_active else job.status.heartbeat_at or job.status.began_at


def _clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) if at else ""
