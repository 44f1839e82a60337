"""Do rollouts and gradients run in the background, and survive being killed there?"""

import json
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest

from grace_engine import api, store
from grace_engine.jobs import Job, read_job
from tests.jobs.conftest import at_work, ended, until
from tests.jobs.test_kills import strike
from tests.policy.test_running import PROBLEMS, ROLLOUTS, groups

N_KILLS = 3
SEED = 20_261_126


@pytest.fixture
def problem_file(tmp_path: Path) -> Path:
    path = tmp_path / "sums.jsonl"
    rows = [
        {"prompt": [{"role": "user", "content": prompt}], "reward_model": {"ground_truth": answer}}
        for prompt, answer in PROBLEMS
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def killed_often(workspace: api.Workspace, job: Job, rng: random.Random) -> Job:
    """Kill -9 of its work at a moment after it has begun, and a resume, some times; its end."""
    for number in range(N_KILLS):
        at_work(job) if number == 0 else until(job, lambda now: now.status.phase != "")
        time.sleep(rng.uniform(0.0, 0.3))  # all of it takes a second on a quick machine
        strike(job, keeper_too=rng.random() < 0.5)
        job = ended(job)
        if not job.is_resumable:
            break
        job = api.resume_job(workspace, job.id)
    return ended(job)


@pytest.mark.slow
def test_a_run_in_the_background_stores_what_one_in_the_foreground_does(
    tmp_path: Path, problem_file: Path
) -> None:
    settings = replace(ROLLOUTS, n=2, max_new_tokens=8, sample=2)
    here = api.open_workspace(tmp_path / "here", create=True)
    api.rollout(here, str(problem_file), settings)
    there = api.open_workspace(tmp_path / "there", create=True)
    job = ended(api.start_rollouts(there, str(problem_file), settings))
    assert job.state == "finished", job.log_tail()
    assert "2 problems rolled out" in job.says
    assert groups(there, "sums") == groups(here, "sums")
    found = job.status.result["set"]
    job = ended(api.start_gradients(there, found, api.GradientSettings(device="cpu")))
    assert job.state == "finished", job.log_tail()
    run = api.get_policy_run(there, job.status.result["run"])
    assert run.n_done + run.n_without == 2


@pytest.mark.slow
def test_runs_that_are_killed_end_as_those_that_nobody_disturbed(
    tmp_path: Path, problem_file: Path
) -> None:
    rng = random.Random(SEED)
    settings = replace(ROLLOUTS, n=8, rows_per_batch=8, max_new_tokens=120)
    undisturbed = api.open_workspace(tmp_path / "undisturbed", create=True)
    first = api.rollout(undisturbed, str(problem_file), settings)
    killed = api.open_workspace(tmp_path / "killed", create=True)
    job = killed_often(killed, api.start_rollouts(killed, str(problem_file), settings), rng)
    assert job.state == "finished", job.log_tail()
    assert read_job(job.folder).status.attempt > 1
    assert groups(killed, "sums") == groups(undisturbed, "sums")

    taking = api.GradientSettings(kind="full", target=first.rollouts.id, device="cpu")
    expected = api.gradients(undisturbed, first.rollouts.id, taking)
    job = killed_often(killed, api.start_gradients(killed, first.rollouts.id, taking), rng)
    assert job.state == "finished", job.log_tail()
    found = api.get_policy_run(killed, job.status.result["run"])
    assert (found.id, found.target_norm) == (expected.run.id, expected.run.target_norm)
    assert store.read_gradients(killed, found.id) == store.read_gradients(
        undisturbed, expected.run.id
    )
