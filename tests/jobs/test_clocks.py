"""Do a clock that is set and a process that stands still mislead nobody?"""

import os
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from grace_engine import jobs
from grace_engine.jobs import Status, folder, processes, read_job
from grace_engine.jobs.job import QUIET_SECONDS
from tests.jobs.conftest import at_work, ended, until

A_DAY = 86_400.0


def test_a_clock_that_is_set_back_under_a_run_moves_nothing(begin, tmp_path: Path) -> None:
    job = until(begin(units=60, nap=0.05, clock_back=A_DAY), lambda now: now.status.done > 5)

    assert job.status.heartbeat_at < time.time() - A_DAY / 2, "its clock was set"
    assert job.state == "running"
    assert 1 < job.status.rate <= 20
    over = ended(job)
    assert over.state == "finished"
    assert 3 <= over.status.seconds < 600
    assert over.status.ended_at < over.status.began_at


def test_after_the_clock_was_set_back_the_last_run_is_the_latest_still(
    begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ended(begin())
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - A_DAY)
    second = at_work(begin(units=1000, nap=0.05))

    assert second.status.began_at < first.status.began_at
    assert [job.id for job in jobs.jobs(tmp_path)] == [second.id, first.id]
    assert read_job(second.folder).state == "running"
    assert jobs.cancel(second)
    assert ended(second).state == "cancelled"


def test_a_run_that_does_nothing_for_minutes_makes_no_progress_and_lives(tmp_path: Path) -> None:
    me = os.getpid()
    status = Status(state="running", pid=me, pid_born=processes.born(me), boot=processes.boot())
    folder.write_spec(tmp_path, jobs.JobSpec(kind="count", title=""))
    longest = time.monotonic() - QUIET_SECONDS

    folder.write_status(tmp_path, replace(status, progress_clock=longest - 60))
    found = read_job(tmp_path)
    assert (found.state, found.word, found.is_active) == ("no-progress", "no progress", True)
    assert found.says.startswith("Its process lives and has done nothing for 3 min.")

    folder.write_status(tmp_path, replace(status, progress_clock=longest + 60))
    assert read_job(tmp_path).state == "running"


def test_a_run_that_waits_for_another_process_says_so_and_is_not_without_progress(
    tmp_path: Path,
) -> None:
    reporter = jobs.Reporter(tmp_path, os.getpid())
    folder.write_spec(tmp_path, jobs.JobSpec(kind="count", title=""))
    try:
        reporter.wait("Waiting for process 7.")
        long_ago = time.monotonic() - QUIET_SECONDS - 60
        folder.write_status(tmp_path, replace(reporter.status, progress_clock=long_ago))
        found = read_job(tmp_path)
        assert (found.state, found.says) == ("running", "Waiting for process 7.")

        reporter.say("It is free again.")
        folder.write_status(tmp_path, reporter.status)
        assert (read_job(tmp_path).state, reporter.status.waits) == ("running", False)
    finally:
        reporter.end("finished", "")


def test_a_process_that_stands_still_is_told_from_one_that_works_long(
    begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    import signal

    job = at_work(begin(units=1000, nap=0.05))
    os.kill(job.status.pid, signal.SIGSTOP)
    try:
        later = time.monotonic() + QUIET_SECONDS + 60
        monkeypatch.setattr(time, "monotonic", lambda: later)
        found = read_job(job.folder)
        assert found.state == "no-progress"
        assert found.says.startswith("Its process is there and stands still: not a word for 3 min.")
    finally:
        monkeypatch.undo()
        os.kill(job.status.pid, signal.SIGCONT)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no ticks since the start here")
def test_a_clock_that_is_set_makes_no_stranger_of_a_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = processes.born(os.getpid())
    by_the_clock = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: by_the_clock(self) - A_DAY)
    assert processes.is_same(os.getpid(), began)


def test_after_a_restart_of_the_machine_no_process_is_taken_for_that_of_before(
    begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = at_work(begin(units=1000, nap=0.05))
    assert read_job(job.folder).state == "running"

    monkeypatch.setattr(processes, "boot", lambda: "another start")

    assert read_job(job.folder).state == "died"
    assert not jobs.cancel(read_job(job.folder)), "its number and time may be another's now"
