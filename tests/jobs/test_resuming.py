"""Does a job that ended early go on in its own folder, once, and does a folder go when told to?"""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from grace_engine import api, jobs
from grace_engine.config import IngestConfig
from grace_engine.errors import InputError, NotFoundError
from grace_engine.jobs import control, read_job
from grace_engine.jobs.folder import write_spec
from tests.jobs.conftest import PATIENCE, at_work, ended, until


def test_a_resumed_job_goes_on_in_its_folder_and_tells_of_both_attempts(begin, command) -> None:
    job = at_work(begin(units=1000, nap=0.05))
    jobs.cancel(job)
    ended(job)
    write_spec(job.folder, jobs.JobSpec(kind="count", title="Count", settings={"units": 2}))

    again = jobs.resume(job, command)

    assert (again.id, again.status.attempt, again.cancelling) == (job.id, 2, False)
    over = ended(again)
    assert over.state == "finished"
    events = [event["event"] for event in jobs.read_events(job.folder)]
    assert events == ["phase", "cancel", "cancelled", "resume", "phase", "message", "finished"]
    assert job.log_tail().count("at work") == 2


def test_of_four_who_resume_at_once_one_does(
    begin, command, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = at_work(begin(units=1000, nap=0.05))
    jobs.cancel(job)
    job = ended(job)
    outcomes: list[str] = []
    first = control._first

    def slow(*arguments: object, **options: object) -> jobs.Status:
        time.sleep(0.5)  # all of them have seen that it has ended
        return first(*arguments, **options)

    monkeypatch.setattr(control, "_first", slow)

    def resume() -> None:
        try:
            outcomes.append(jobs.resume(job, command).state)
        except InputError as fault:
            outcomes.append(str(fault))

    threads = [threading.Thread(target=resume) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum("has not ended yet" in outcome for outcome in outcomes) == 3, outcomes
    assert read_job(job.folder).status.attempt == 2
    jobs.cancel(job)
    ended(job)


def test_a_job_that_runs_or_has_finished_is_not_resumed(begin, command) -> None:
    running, finished = at_work(begin(units=1000, nap=0.05)), ended(begin())

    with pytest.raises(InputError, match="has not ended yet: it is running"):
        jobs.resume(running, command)
    with pytest.raises(InputError, match="nothing left to resume"):
        jobs.resume(finished, command)
    with pytest.raises(InputError, match="has not ended yet"):
        jobs.forget(running)


def test_an_ended_job_is_forgotten_with_its_folder(begin, tmp_path: Path) -> None:
    job = ended(begin())

    jobs.forget(job)

    assert jobs.jobs(tmp_path) == []
    with pytest.raises(NotFoundError, match="is gone"):
        jobs.forget(job)
    with pytest.raises(NotFoundError, match="is gone"):
        jobs.resume(job, ["x"])


def test_a_resumed_job_is_the_latest(begin, command, tmp_path: Path) -> None:
    first = at_work(begin(units=1000, nap=0.05))
    jobs.cancel(first)
    ended(first)
    second = ended(begin())
    assert jobs.find_job(tmp_path, "latest").id == second.id

    jobs.resume(first, command)

    assert jobs.find_job(tmp_path, "latest").id == first.id
    jobs.cancel(first)
    ended(first)


def test_a_job_starts_where_it_was_asked_for_wherever_it_is_resumed(
    begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command
) -> None:
    import psutil

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    job = at_work(begin(units=1000, nap=0.05))
    jobs.cancel(job)
    ended(job)
    monkeypatch.chdir(tmp_path)

    again = at_work(jobs.resume(job, command))

    assert psutil.Process(again.status.pid).cwd() == str(tmp_path / "here")
    jobs.cancel(again)
    ended(again)


def test_a_folder_that_is_half_there_is_no_job(begin, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for name, spec in (("a-1", "{"), ("a-2", "{}"), ("a-3", '{"kind": "x", "title": ""}')):
        (runs / name).mkdir(parents=True)
        (runs / name / "spec.json").write_text(spec)

    assert jobs.jobs(tmp_path) == []


def test_names_with_blanks_and_letters_of_any_script_go_all_the_way(
    tmp_path: Path, sample_file: Path, grace
) -> None:
    import json

    root = tmp_path / "мои данные 数据 مشروع"
    root.mkdir()
    source = root / "решения 解.jsonl"
    shutil.copy(sample_file, source)
    workspace = api.open_workspace(root / "рабочая 区", create=True)

    over = ended(api.start_ingest(workspace, [source], IngestConfig(dataset="数据 ü")))

    assert over.state == "finished", over.log_tail()
    assert "39 traces added to 数据 ü" in over.says
    at = ("--workspace", workspace.root)
    status, out, err = grace("logs", over.id, *at)
    assert (status, "39 traces added to 数据 ü" in out) == (0, True)
    assert err.startswith(f"Run {over.id}: finished.")
    document = json.loads(grace("logs", "latest", "--json", *at)[1])
    assert document["spec"]["settings"]["paths"] == [str(source)]


AN_APP = """
import sys, time
from pathlib import Path
from grace_engine import jobs
spec = jobs.JobSpec(kind="count", title="", settings={"units": 1000, "nap": 0.05}, device="cpu")
print(jobs.start(Path(sys.argv[1]), spec, sys.argv[2:]).folder, flush=True)
time.sleep(1000)
"""


def test_a_run_goes_on_when_the_app_that_started_it_is_killed_and_the_next_one_ends_it(
    tmp_path: Path, command: list[str]
) -> None:
    app = subprocess.Popen(
        [sys.executable, "-c", AN_APP, str(tmp_path), *command], stdout=subprocess.PIPE, text=True
    )
    folder = Path(app.stdout.readline().strip())
    job = at_work(read_job(folder))

    app.kill()
    app.communicate(timeout=PATIENCE)

    before = read_job(folder).status.done
    assert os.getsid(job.status.pid) == job.status.keeper_pid
    assert until(job, lambda now: now.status.done > before).state == "running"
    assert jobs.cancel(jobs.find_job(tmp_path, "latest"))
    assert ended(job).state == "cancelled"
