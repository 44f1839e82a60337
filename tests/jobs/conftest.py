"""Jobs that do as their settings say, without the engine, and ways to wait for them."""

import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from grace_engine import api, jobs
from grace_engine.config import IngestConfig
from grace_engine.jobs import Job, JobSpec, read_job
from tests.conftest import SAMPLE

PATIENCE = 300.0

# What ``settings`` may ask of it: units, nap, clock_back, fault, stubborn, megabytes, fill.
WORKER = """
import os, signal, sys, time
from pathlib import Path
from grace_engine.errors import InputError
from grace_engine.jobs import EXIT_STATUS, carry_out, read_job

folder = Path(sys.argv[1])
settings = read_job(folder).spec.settings
real = time.time

def work(progress):
    print("at work", flush=True)
    progress.begin("Counting", settings.get("units", 0), "units")
    for number in range(settings.get("units", 0)):
        time.sleep(settings.get("nap", 0.0))
        if settings.get("clock_back") and number == 1:
            time.time = lambda: real() - settings["clock_back"]
        progress.advance(1, tokens=10)
        if number % 3 == 2:
            progress.fail("third")
    if settings.get("stubborn"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        progress.advance(1)
        time.sleep(1000)
    held = [bytearray(os.urandom(1 << 20)) for _ in range(settings.get("megabytes", 0))]
    if settings.get("fill"):
        with open(settings["fill"], "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
    progress.say("counted")
    if settings.get("fault") == "user":
        raise InputError("The file is not there.")
    if settings.get("fault") == "bug":
        raise ZeroDivisionError("by hand")
    if settings.get("fault") == "memory":
        raise MemoryError
    if settings.get("fault") == "silent":
        os._exit(7)
    return "All counted.", {"n": settings.get("units", 0)}

sys.exit(EXIT_STATUS[carry_out(folder, os.getpid(), work)])
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("PYTHONPATH", str(SAMPLE.parent))  # the script reads the engine under test
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(WORKER))
    return [sys.executable, str(script)]


@pytest.fixture
def begin(tmp_path: Path, command: list[str]) -> Iterator[Callable[..., Job]]:
    """Start a worker; what still runs at the end of the test is ended by its id."""
    started: list[Job] = []

    def start(device: str = "", root: Path | None = None, **settings: object) -> Job:
        spec = JobSpec(kind="count", title="Count", settings=settings, device=device)
        started.append(jobs.start(root or tmp_path, spec, command))
        return started[-1]

    yield start
    for job in started:
        stop(job)


def stop(job: Job) -> None:
    """Kill what still belongs to a job."""
    now = read_job(job.folder)
    if now is not None and now.is_active:
        for pid in {now.status.keeper_pid, now.status.pid} - {os.getpid(), 0}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def until(job: Job, right: Callable[[Job], bool]) -> Job:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        now = read_job(job.folder)
        if now is not None and right(now):
            return now
        time.sleep(0.05)
    raise AssertionError(f"{now} {now.log_tail() if now else ''}")


def ended(job: Job) -> Job:
    return until(job, lambda now: not now.is_active)


def at_work(job: Job) -> Job:
    return until(job, lambda now: now.status.done > 0)


def queued(job: Job) -> Job:
    return until(job, lambda now: now.state == "queued")


@pytest.fixture
def ingested(tmp_path: Path) -> api.Workspace:
    """Four hundred traces in a folder whose name has blanks and letters of several scripts."""
    workspace = api.open_workspace(tmp_path / "мои данные 数据 مشروع", create=True)
    source = SAMPLE / "planted" / "traces.jsonl"
    api.ingest(workspace, [source], IngestConfig(dataset="planted"))
    return workspace
