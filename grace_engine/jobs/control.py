"""How is a job started, found, cancelled, resumed and forgotten, by whatever process?"""

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO

import psutil

from grace_engine.errors import InputError, NotFoundError, StoreError
from grace_engine.jobs.folder import (
    CANCEL,
    CLAIM,
    LOG,
    JobSpec,
    Status,
    add_event,
    read_status,
    set_aside,
    write_spec,
    write_status,
)
from grace_engine.jobs.job import Job, read_job
from grace_engine.jobs.processes import boot, born, is_same

RUNS = "runs"

_KEEPER = ("-m", "grace_engine.jobs.keeper")
# Until the first word of a new process stands in its folder, that of its starter does.
_FIRST_WORD_SECONDS = 20.0
# What has said its last word may take so long to leave its folder.
_LEAVING_SECONDS = 60.0
_NAP = 0.01


def start(workspace_root: Path, spec: JobSpec, command: Sequence[str]) -> Job:
    """Run ``command FOLDER`` as a process of its own that outlives this one.

    It has a session of its own, reads nothing and prints to ``log.txt``. Where the spec names a
    device that another run has, it waits for it there: the job is ``queued``.

    Raises:
        DiskFullError: There is no room for its status.
        StoreError: The run folder cannot be made.
    """
    runs = workspace_root / RUNS
    spec = spec if spec.cwd else replace(spec, cwd=str(Path.cwd()))
    try:
        runs.mkdir(parents=True, exist_ok=True)
        folder = runs / (
            f"{spec.kind}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
        )
        folder.mkdir()
        try:
            with _claimed(folder) as claim:
                set_aside(folder)
                write_status(folder, _first(runs, attempt=1))
                write_spec(folder, spec)
                _launch(folder, spec, command, claim)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    except OSError as fault:
        raise _no_folder(runs, fault) from fault
    return _read_again(folder)


def resume(job: Job, command: Sequence[str]) -> Job:
    """Go on with a job that ended before its work was done, in the same run folder.

    Raises:
        InputError: It has not ended yet, or it has finished.
        NotFoundError: Its folder is gone.
        DiskFullError: There is no room for its status.
        StoreError: The folder cannot be written.
    """
    try:
        with _claimed(job.folder) as claim:
            job = _read_again(job.folder)
            _require_resumable(job)
            set_aside(job.folder)
            (job.folder / CANCEL).unlink(missing_ok=True)
            first = _first(job.folder.parent, attempt=job.status.attempt + 1)
            write_status(job.folder, first)
            add_event(job.folder, event="resume", attempt=first.attempt, after=job.state)
            _launch(job.folder, job.spec, command, claim)
    except OSError as fault:
        if not job.folder.exists():
            raise _gone(job.folder) from fault
        raise _no_folder(job.folder, fault) from fault
    return _read_again(job.folder)


def jobs(workspace_root: Path) -> list[Job]:
    """All jobs of a workspace, the one that was started last first."""
    found = [read_job(folder) for folder in (workspace_root / RUNS).glob("*-*/")]
    return sorted(
        (job for job in found if job is not None),
        key=lambda job: (job.status.number, job.status.began_at, job.id),
        reverse=True,
    )


def find_job(workspace_root: Path, wanted: str) -> Job:
    """The job with this id, or a unique beginning of it; ``latest`` for the last one.

    Raises:
        NotFoundError: There is none, or more than one.
    """
    known = jobs(workspace_root)
    if wanted == "latest" and known:
        return known[0]
    found = [job for job in known if job.id == wanted] or [
        job for job in known if wanted and job.id.startswith(wanted)
    ]
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} runs begin" if found else "No run begins"
    raise NotFoundError(f"{what} with {wanted!r}: grace runs lists them all.")


def without_folder(workspace_root: Path) -> list[tuple[int, str]]:
    """Process and id of each run that goes on although someone removed its folder."""
    runs, found = (workspace_root / RUNS).resolve(), []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            words = process.cmdline()
            if _KEEPER[1] in words:
                folder = Path(words[words.index(_KEEPER[1]) + 1])
                if folder.resolve().parent == runs and not folder.exists():
                    found.append((process.pid, folder.name))
    return sorted(found, key=lambda one: one[1])


def cancel(job: Job) -> bool:
    """Ask a job to end; what it has finished it keeps. Whether there was something to end.

    The signal goes to the process that was noted down, and to no other that has its number now.
    """
    now = read_job(job.folder)
    if now is None or not now.is_active:
        return False
    try:
        (job.folder / CANCEL).touch()
        add_event(job.folder, event="cancel")
    except OSError as fault:
        raise _no_folder(job.folder, fault) from fault
    if is_same(now.status.pid, now.status.pid_born, now.status.boot):
        with suppress(ProcessLookupError):
            os.kill(now.status.pid, signal.SIGINT)
    return True


def forget(job: Job) -> None:
    """Remove the folder of a job that has ended; what it did to the workspace stays.

    Raises:
        InputError: It has not ended yet.
        NotFoundError: Its folder is gone.
        StoreError: The folder cannot be removed.
    """
    try:
        with _claimed(job.folder):
            if _read_again(job.folder).is_active:
                raise InputError(_not_ended(job))
            shutil.rmtree(job.folder)
    except OSError as fault:
        if not job.folder.exists():
            raise _gone(job.folder) from fault
        raise _no_folder(job.folder, fault) from fault


def _first(runs: Path, *, attempt: int) -> Status:
    """The status that stands until the new process has spoken: this process starts it."""
    now, me = time.time(), os.getpid()
    numbers = [status.number for folder in runs.glob("*-*/") if (status := read_status(folder))]
    return Status(
        number=1 + max(numbers, default=0),
        attempt=attempt,
        began_at=now,
        began_clock=time.monotonic(),
        boot=boot(),
        pid=me,
        pid_born=born(me) or 0.0,
    )


def _launch(folder: Path, spec: JobSpec, command: Sequence[str], claim: IO[str]) -> None:
    """Start the keeper, and wait for its first word."""
    with (folder / LOG).open("ab") as log:
        keeper = subprocess.Popen(
            [sys.executable, *_KEEPER, str(folder.resolve()), str(claim.fileno()), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=spec.cwd if spec.cwd and Path(spec.cwd).is_dir() else None,
            start_new_session=True,
            pass_fds=[claim.fileno()],
        )
    # Someone has to collect the exit status, else the dead process keeps its number.
    threading.Thread(target=keeper.wait, daemon=True, name=folder.name).start()
    deadline = time.monotonic() + _FIRST_WORD_SECONDS
    while time.monotonic() < deadline:
        status = read_status(folder)
        if status is None or status.keeper_pid == keeper.pid:
            return
        if keeper.poll() is not None:
            failed = replace(status, state="failed", message=_no_keeper(folder, keeper.returncode))
            write_status(folder, replace(failed, ended_at=time.time()))
            return
        time.sleep(_NAP)


@contextmanager
def _claimed(folder: Path) -> Iterator[IO[str]]:
    """Hold a run folder; its processes inherit that, so that nobody else works in it."""
    with (folder / CLAIM).open("a") as claim:
        deadline = time.monotonic() + _LEAVING_SECONDS
        while True:
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                job = _read_again(folder)
                if job.is_active or time.monotonic() > deadline:
                    raise InputError(_not_ended(job)) from None
                time.sleep(_NAP)
            else:
                break
        yield claim


def _require_resumable(job: Job) -> None:
    if job.is_active:
        raise InputError(_not_ended(job))
    if not job.is_resumable:
        raise InputError(
            f"Run {job.id} has finished: there is nothing left to resume. Start it anew instead."
        )


def _read_again(folder: Path) -> Job:
    job = read_job(folder)
    if job is None:
        raise _gone(folder)
    return job


def _not_ended(job: Job) -> str:
    if not job.is_active:
        return (
            f"Run {job.id} has not ended yet: it is {job.word}, and its process has not left its "
            "folder. Try again in a moment."
        )
    return (
        f"Run {job.id} has not ended yet: it is {job.word}. Wait until it has, or cancel it with "
        f"grace cancel {job.id}."
    )


def _no_keeper(folder: Path, returncode: int) -> str:
    return (
        f"Its process ended with status {returncode} before it began. What it printed stands in "
        f"{folder / LOG}."
    )


def _gone(folder: Path) -> NotFoundError:
    return NotFoundError(f"The run folder {folder} is gone: grace runs lists those that are there.")


def _no_folder(runs: Path, fault: OSError) -> StoreError:
    return StoreError(
        f"No run can be started or ended in {runs} ({fault.strerror}). Make room, or make it "
        "writable."
    )
