"""Does a background run live on alone, say how far it is, and end as it was told to?"""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from grace_engine import api, jobs
from grace_engine.config import IngestConfig, ScoreConfig
from grace_engine.errors import InputError, NotFoundError
from grace_engine.jobs import read_job
from grace_engine.jobs.folder import read_status, write_status
from tests.conftest import SAMPLE
from tests.jobs.conftest import PATIENCE, at_work, ended, until


def test_a_job_ends_with_its_sentence_its_result_and_its_log(begin) -> None:
    job = ended(begin(units=3))

    assert job.state == "finished"
    assert job.status.message == "All counted."
    assert job.status.result == {"n": 3}
    assert (job.status.done, job.status.total, job.status.unit) == (3, 3, "units")
    begins = f"Process {job.status.pid} begins."
    said = [begins, "at work", "Counting: 3 units", "counted", "All counted."]
    assert [line.split(" · ")[-1] for line in job.log_tail().splitlines()] == said
    events = jobs.read_events(job.folder)
    assert [(e["event"], e.get("what") or e["message"]) for e in events] == [
        ("phase", "Counting"),
        ("message", "counted"),
        ("finished", "All counted."),
    ]


def test_a_running_job_says_how_far_it_is_and_at_what_rate(begin) -> None:
    job = until(begin(units=200, nap=0.05), lambda now: now.status.rate > 0)

    assert job.state == "running"
    assert 0 < job.status.done < 200
    assert 1 < job.status.rate <= 20
    assert job.status.tokens_rate == pytest.approx(10 * job.status.rate)
    assert job.status.seconds_left == pytest.approx((200 - job.status.done) / job.status.rate)
    assert time.time() - job.status.heartbeat_at < 5


def test_a_job_has_a_session_of_its_own_and_outlives_who_started_it(
    tmp_path: Path, command: list[str]
) -> None:
    starter = (
        "import sys; from pathlib import Path; from grace_engine import jobs;"
        "spec = jobs.JobSpec(kind='count', title='', settings={'units': 20, 'nap': 0.1});"
        "job = jobs.start(Path(sys.argv[1]), spec, sys.argv[2:]); print(job.folder)"
    )
    done = subprocess.run(
        [sys.executable, "-c", starter, str(tmp_path), *command],
        capture_output=True,
        text=True,
        check=True,
    )
    job = read_job(Path(done.stdout.strip()))

    assert job is not None
    assert os.getsid(job.status.keeper_pid) == job.status.keeper_pid != os.getsid(0)
    assert ended(job).state == "finished"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("user", "The file is not there."),
        ("bug", "A fault that should not happen: ZeroDivisionError: by hand. "),
    ],
)
def test_a_job_that_fails_says_why(begin, fault: str, says: str) -> None:
    job = ended(begin(fault=fault))

    assert job.state == "failed"
    assert job.status.message.startswith(says)
    assert ("Traceback" in job.log_tail()) == (fault == "bug")


def test_a_cancelled_job_ends_as_cancelled(begin) -> None:
    job = at_work(begin(units=1000, nap=0.05))

    assert jobs.cancel(job)

    assert read_job(job.folder).cancelling or not read_job(job.folder).is_active
    assert ended(job).state == "cancelled"
    assert not jobs.cancel(job), "there is nothing left to cancel"


def test_a_job_that_is_cancelled_before_it_is_up_does_not_begin(begin) -> None:
    job = begin(units=1000, nap=0.05)
    jobs.cancel(job)

    over = ended(job)

    assert over.state == "cancelled"
    assert over.status.done <= 1


def test_a_process_that_got_the_number_of_a_dead_job_is_not_ours(begin) -> None:
    job = ended(begin())
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        born = psutil.Process(stranger.pid).create_time() - 1000
        number = {"pid": stranger.pid, "pid_born": born, "keeper_pid": stranger.pid}
        write_status(job.folder, replace(job.status, state="running", **number, keeper_born=born))
        found = read_job(job.folder)

        assert found.state == "died"
        assert not jobs.cancel(found)
        assert stranger.poll() is None, "a stranger was signalled"
    finally:
        stranger.kill()
        stranger.wait()


def test_a_stranger_is_not_signalled_even_between_two_looks(
    begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = at_work(begin(units=1000, nap=0.05))
    signalled: list[tuple[int, int]] = []
    monkeypatch.setattr("grace_engine.jobs.control.is_same", lambda *_: False)
    monkeypatch.setattr(os, "kill", lambda *call: signalled.append(call))

    jobs.cancel(job)
    monkeypatch.undo()

    assert signalled == []


def test_jobs_are_listed_the_latest_first_and_found_by_a_beginning(begin, tmp_path: Path) -> None:
    first, second = ended(begin()), ended(begin())
    (tmp_path / "runs" / "no-job").mkdir()

    assert [job.id for job in jobs.jobs(tmp_path)] == [second.id, first.id]
    assert jobs.find_job(tmp_path, first.id).id == first.id
    assert jobs.find_job(tmp_path, "latest").id == second.id
    with pytest.raises(NotFoundError, match="2 runs begin with 'count-'"):
        jobs.find_job(tmp_path, "count-")
    with pytest.raises(NotFoundError, match="No run begins"):
        jobs.find_job(tmp_path, "other")


def test_a_run_folder_that_goes_under_a_job_does_not_end_it(begin) -> None:
    import shutil

    job = at_work(begin(units=60, nap=0.05))
    process = psutil.Process(job.status.pid)
    shutil.rmtree(job.folder)

    assert process.is_running()
    assert jobs.without_folder(job.folder.parents[1]) == [(process.ppid(), job.id)]
    process.wait(PATIENCE)
    assert read_status(job.folder) is None


def test_a_cancelled_scoring_run_keeps_what_is_done_and_is_taken_up_again(
    ingested: api.Workspace,
) -> None:
    config = ScoreConfig(tokens_per_batch=256, sample=80)
    job = api.start_scoring(ingested, config)
    job = until(job, lambda now: now.status.phase == "Scoring" and now.status.done > 0)
    with pytest.raises(InputError, match="not ended"):
        api.resume_job(ingested, job.id)
    api.cancel_job(ingested, job.id)

    over = ended(job)
    assert over.state == "cancelled", over.status
    (run,) = api.list_runs(ingested)
    assert 0 < run.n_scored < 80

    again = ended(api.resume_job(ingested, job.id))
    assert again.state == "finished", again.status
    assert again.status.result["n_scored"] == 80 - run.n_scored
    assert again.status.result["n_cached"] == run.n_scored
    assert "traces scored in" in again.status.message


def test_a_file_is_ingested_in_the_background_and_its_fault_is_the_runs(
    tmp_path: Path, sample_file: Path
) -> None:
    workspace = api.open_workspace(tmp_path / "w", create=True)

    good = ended(api.start_ingest(workspace, [sample_file], IngestConfig(dataset="mine")))
    bad = ended(api.start_ingest(workspace, [tmp_path / "none.jsonl"]))

    assert good.status.message == "39 traces added to mine, 0 were there before, 1 rejected."
    assert [each.name for each in api.datasets(workspace)] == ["mine"]
    assert bad.state == "failed"
    assert "none.jsonl does not exist" in bad.status.message


def test_a_forecast_from_some_traces_tells_what_the_plan_of_all_tells(
    ingested: api.Workspace,
) -> None:
    planned = api.plan(ingested)

    told = api.forecast(ingested)

    assert (told.n_traces, told.n_done, told.n_pending) == (400, 0, 400)
    assert told.n_rendered == 200
    assert told.run == planned.run.id
    assert told.n_tokens == pytest.approx(planned.n_tokens, rel=0.1)
    assert told.disk_bytes == pytest.approx(planned.disk_bytes, rel=0.1)
    assert told.seconds > 0
    assert api.forecast(ingested, ScoreConfig(sample=50)).n_pending == 50


def test_a_forecast_counts_what_is_done(scored_workspace: api.Workspace) -> None:
    told = api.forecast(scored_workspace, ScoreConfig(model=str(SAMPLE / "tiny-reasoner")))

    assert (told.n_traces, told.n_done, told.n_pending, told.n_tokens) == (39, 39, 0, 0)


def test_a_forecast_counts_what_a_run_over_fewer_datasets_scored(
    own_workspace: api.Workspace, tmp_path: Path
) -> None:
    few = tmp_path / "few.jsonl"
    few.write_bytes(b"\n".join((SAMPLE / "planted" / "traces.jsonl").read_bytes().splitlines()[:9]))
    api.ingest(own_workspace, [few], IngestConfig(dataset="few"))
    config = ScoreConfig(model=str(SAMPLE / "tiny-reasoner"))

    told, alone, other = (
        api.forecast(own_workspace, one)
        for one in (
            config,
            replace(config, datasets=("few",)),
            replace(config, target="reference"),
        )
    )

    assert (told.n_traces, told.n_done, told.n_pending, told.n_rendered) == (48, 39, 9, 9)
    assert (alone.n_traces, alone.n_done, alone.n_pending) == (9, 0, 9)
    assert (other.n_traces, other.n_done) == (48, 0)
    done = api.plan(own_workspace, config)
    assert (len(done.pending), done.n_cached) == (9, 39)
    api.resegment(own_workspace, "solutions", "sentences")
    assert api.forecast(own_workspace, config).n_done == 0


@pytest.mark.slow
def test_a_forecast_tells_the_pace_of_a_background_run_of_the_same_scorer(
    ingested: api.Workspace,
) -> None:
    config = ScoreConfig(model=str(SAMPLE / "tiny-reasoner"))
    assert api.forecast(ingested, config).basis.startswith("estimate")
    job = ended(api.start_scoring(ingested, replace(config, sample=30)))
    pace = job.status.result["n_tokens"] / job.status.result["seconds"]

    told = api.forecast(ingested, config)

    assert told.basis.startswith(f"measured: {pace:,.0f} tokens a second of the 30 traces")
    assert told.seconds == pytest.approx(told.n_tokens / pace, rel=0.01)
    other = api.forecast(ingested, replace(config, model=str(SAMPLE / "tiny-reasoner-early")))
    assert other.basis.startswith("estimate")


def test_a_hub_model_that_is_not_here_has_no_forecast(
    scored_workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    assert api.forecast(scored_workspace, ScoreConfig(model="nobody/no-such-model")) is None


def test_the_shell_lists_and_cancels_and_resumes(grace, ingested: api.Workspace) -> None:
    import json

    at = ("--workspace", ingested.root, "--json")
    assert json.loads(grace("runs", *at)[1]) == {"runs": [], "without_folder": []}
    flags = ("--tokens-per-batch", "256", "--background")
    started = json.loads(grace("score", *flags, *at)[1])
    assert started["state"] in ("starting", "running")

    status, out, err = grace("cancel", "latest", *at)
    assert (status, json.loads(out)["cancelled"]) == (0, True)
    assert "what it has finished is kept" in err
    ended(api.get_job(ingested, started["id"]))
    (run,) = json.loads(grace("runs", *at)[1])["runs"]
    assert (run["id"], run["state"]) == (started["id"], "cancelled")
    assert grace("cancel", started["id"], *at)[0] == 0
    assert grace("cancel", "other", *at)[0] == 1
    again = json.loads(grace("resume", started["id"], *at)[1])
    assert (again["id"], again["status"]["attempt"]) == (started["id"], 2)
    jobs.cancel(api.get_job(ingested, again["id"]))
    ended(api.get_job(ingested, again["id"]))
