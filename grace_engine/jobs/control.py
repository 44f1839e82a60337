"""How is a job started, found and cancelled, by whatever process?"""

import fcntl
import os
import re
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from grace_engine.errors import DeviceBusyError, NotFoundError, StoreError
from grace_engine.jobs.folder import (
    CANCEL,
    LOG,
    Job,
    JobSpec,
    Status,
    add_event,
    read_job,
    write_first_status,
    write_spec,
)
from grace_engine.jobs.processes import born, is_same

RUNS = "runs"
# Seconds that a process which said its last word may take to leave its device.
_LEAVING = 5.0


def start(workspace_root: Path, spec: JobSpec, command: Sequence[str]) -> Job:
    """Run ``command FOLDER`` as a process of its own that outlives this one.

    It has a session of its own, reads nothing and prints to ``log.txt``. Where the spec names a
    device, a locked file is handed to it: the lock ends with the process, however that ends.

    Raises:
        DeviceBusyError: Another job has the device; the sentence names it.
        StoreError: The run folder cannot be made.
    """
    runs = workspace_root / RUNS
    try:
        runs.mkdir(parents=True, exist_ok=True)
        lock = _take_device(runs, spec.device) if spec.device else None
    except OSError as fault:
        raise _no_folder(runs, fault) from fault
    try:
        folder = runs / (
            f"{spec.kind}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
        )
        folder.mkdir()
        write_spec(folder, spec)
        if lock is not None:
            lock.truncate(0)
            lock.write(folder.name)
            lock.flush()
        with (folder / LOG).open("wb") as log:
            process = subprocess.Popen(
                [*command, str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[] if lock is None else [lock.fileno()],
            )
        now = time.time()
        first = Status(
            began_at=now, heartbeat_at=now, pid=process.pid, pid_born=born(process.pid) or 0.0
        )
        write_first_status(folder, first)
    except OSError as fault:
        raise _no_folder(runs, fault) from fault
    finally:
        if lock is not None:
            lock.close()  # the child's copy keeps the lock
    # Someone has to collect the exit status, else the dead process keeps its number.
    threading.Thread(target=process.wait, daemon=True, name=folder.name).start()
    job = read_job(folder)
    if job is None:
        raise NotFoundError(f"The run folder {folder} went while its job was started.")
    return job


def jobs(workspace_root: Path) -> list[Job]:
    """All jobs of a workspace, the latest first."""
    found = [read_job(folder) for folder in (workspace_root / RUNS).glob("*-*/")]
    return sorted(
        (job for job in found if job is not None),
        key=lambda job: (job.status.began_at, job.id),
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


def cancel(job: Job) -> bool:
    """Ask a job to end; what it has finished it keeps. Whether there was something to end.

    The signal goes to the process that was noted down, and to no other that has its number now.
    """
    now = read_job(job.folder)
    if now is None or not now.is_active:
        return False
    (job.folder / CANCEL).touch()
    add_event(job.folder, event="cancel")
    if is_same(now.status.pid, now.status.pid_born):
        with suppress(ProcessLookupError):
            os.kill(now.status.pid, signal.SIGINT)
    return True


def _take_device(runs: Path, device: str) -> IO[str]:
    """The locked file of a device; ``DeviceBusyError`` names who has it."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", device)
    file = (runs / f".device-{name}.lock").open("a+")
    deadline = time.monotonic() + _LEAVING
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read()
            job = read_job(runs / holder) if holder else None
            if job is None or job.is_active or time.monotonic() > deadline:
                file.close()
                raise DeviceBusyError(
                    f"The device {device} is taken by the run {holder or 'that has just begun'}: "
                    "one run at a time takes it. Wait until it is done, or cancel it."
                ) from None
            time.sleep(0.02)
        else:
            return file


def _no_folder(runs: Path, fault: OSError) -> StoreError:
    return StoreError(
        f"No run can be started in {runs} ({fault.strerror}). Make room, or make it writable."
    )
