"""Does a training from the shell survive being cancelled and killed, and is its end seen?"""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from grace_engine import api, jobs
from tests.conftest import SAMPLE
from tests.training.test_shell import PATIENCE, ended

# From the last beat of a killed process to its being seen as dead, in seconds.
SEEN_WITHIN = 10.0


@pytest.fixture
def chosen(own_workspace: api.Workspace) -> api.Workspace:
    api.curate(own_workspace, "25%", name="mine")
    return own_workspace


@pytest.mark.slow
def test_a_training_is_cancelled_killed_and_resumed_to_an_answer(
    grace, chosen: api.Workspace
) -> None:
    problems = SAMPLE / "planted" / "held_out.jsonl"
    status, out, err = grace(
        *("train", "mine", "-w", chosen.root, "--eval", problems, "--problems", 4),
        *("--batch-size", 1, "--epochs", 4, "--max-new-tokens", 60),
        *("--against", "untrained", "--pass-k", 2, "--samples", 3, "--background", "--json"),
    )
    assert status == 0, err
    run = json.loads(out)
    folder = Path(run["folder"])

    reached(folder, 1)
    assert grace("cancel", run["id"], "-w", chosen.root)[0] == 0
    assert ended(chosen, run["id"]).state == "cancelled"
    stopped = len(api.training_metrics(folder, "subset-0"))
    assert 0 < stopped < 40

    status, _, err = grace("resume", run["id"], "-w", chosen.root)
    assert status == 0, err
    reached(folder, stopped + 1)
    os.kill(jobs.read_job(folder).status.pid, signal.SIGKILL)
    deadline = time.monotonic() + SEEN_WITHIN
    while (seen := jobs.read_job(folder)).is_active:
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)
    assert seen.state == "died"
    assert "SIGKILL" in seen.says
    assert "died" in grace("runs", "-w", chosen.root)[1]

    status, _, err = grace("resume", run["id"], "-w", chosen.root)
    assert status == 0, err
    assert ended(chosen, run["id"]).state == "finished"
    status, out, _ = grace("trained", run["id"], "-w", chosen.root, "--json")
    assert status == 0
    found = json.loads(out)
    assert found["measure"] == "pass@2"
    arms = {arm["arm"]: arm for arm in found["arms"]}
    assert sum(arms["subset"]["by_outcome"].values()) == 12
    assert set(arms) == {"subset", "untrained"}
    assert arms["subset"]["n_steps"] == 40
    assert arms["untrained"]["less"]["low"] <= arms["untrained"]["less"]["mean"]
    steps = [line["step"] for line in api.training_metrics(folder, "subset-0")]
    assert steps == list(range(1, 41))


def reached(folder: Path, step: int) -> None:
    """Wait until the subset's training has made that many optimizer steps."""
    deadline = time.monotonic() + PATIENCE
    while len(api.training_metrics(folder, "subset-0")) < step:
        job = jobs.read_job(folder)
        assert job.is_active, job
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
