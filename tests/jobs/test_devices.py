"""Does one run at a time have a device, in the order in which they came, whatever ends them?"""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from grace_engine import api, jobs
from grace_engine.config import ScoreConfig
from grace_engine.errors import StoreError
from grace_engine.jobs.devices import having_device, take_device
from grace_engine.progress import Silent
from tests.conftest import SAMPLE
from tests.jobs.conftest import PATIENCE, at_work, ended, queued, until


@pytest.fixture(autouse=True)
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRACE_DEVICES", str(tmp_path / "devices"))
    return tmp_path / "devices"


def test_a_second_run_of_a_device_is_queued_and_begins_when_the_first_ends(begin) -> None:
    first = at_work(begin(device="cpu", units=1000, nap=0.05))

    second = queued(begin(device="cpu"))

    assert second.is_active
    assert f"Waiting for the device cpu, which the run {first.id}" in second.says
    assert f"process {first.status.keeper_pid}" in second.says
    assert ended(begin(device="cuda:1")).state == "finished", "another device is free"
    jobs.cancel(first)
    assert ended(first).state == "cancelled"
    assert ended(second).state == "finished"


def test_two_workspaces_of_a_machine_do_not_share_a_device(begin, tmp_path: Path) -> None:
    first = at_work(begin(device="cpu", root=tmp_path / "one", units=1000, nap=0.05))

    second = queued(begin(device="cpu", root=tmp_path / "two"))

    assert str(tmp_path / "one") in second.says
    jobs.cancel(first)
    assert ended(second).state == "finished"


@pytest.mark.parametrize("who", ["work", "keeper and work"])
def test_a_device_is_free_when_its_run_is_killed(begin, who: str) -> None:
    first = at_work(begin(device="cpu", units=1000, nap=0.05))
    second = queued(begin(device="cpu"))

    if who != "work":
        os.kill(first.status.keeper_pid, signal.SIGKILL)
    os.kill(first.status.pid, signal.SIGKILL)

    assert ended(first).state == "died"
    assert ended(second).state == "finished"


def test_work_without_its_keeper_has_its_device_still(begin) -> None:
    first = at_work(begin(device="cpu", units=1000, nap=0.05))
    os.kill(first.status.keeper_pid, signal.SIGKILL)

    second = queued(begin(device="cpu"))

    os.kill(first.status.pid, signal.SIGKILL)
    assert ended(second).state == "finished"


@pytest.mark.long
def test_runs_take_a_device_in_the_order_in_which_they_came(begin) -> None:
    first = at_work(begin(device="cpu", units=1000, nap=0.05))
    second = queued(begin(device="cpu", units=40, nap=0.05))
    third = queued(begin(device="cpu"))
    fourth = until(queued(begin(device="cpu")), lambda now: "2 more wait" in now.says)

    jobs.cancel(first)

    over = [ended(job).status for job in (second, third, fourth)]
    assert [status.state for status in over] == ["finished"] * 3
    assert over[0].ended_at < over[1].ended_at < over[2].ended_at


def test_who_was_killed_in_the_queue_holds_nobody_up(begin) -> None:
    first = at_work(begin(device="cpu", units=1000, nap=0.05))
    second, third = queued(begin(device="cpu")), queued(begin(device="cpu"))

    os.kill(second.status.pid, signal.SIGKILL)
    jobs.cancel(first)

    assert ended(third).state == "finished"
    assert ended(second).state == "died"


def test_a_queued_run_is_cancelled_at_once_and_resumed_to_its_end(begin, command) -> None:
    first = at_work(begin(device="cpu", units=1000, nap=0.05))
    second = queued(begin(device="cpu"))

    assert jobs.cancel(second)
    over = ended(second)
    assert (over.state, over.status.done) == ("cancelled", 0)

    jobs.cancel(first)
    ended(first)
    assert ended(jobs.resume(over, command)).state == "finished"


def test_a_queued_run_whose_folder_is_removed_leaves_the_queue(begin) -> None:
    import shutil

    import psutil

    first = at_work(begin(device="cpu", units=1000, nap=0.05))
    second = queued(begin(device="cpu"))
    waiting = psutil.Process(second.status.pid)

    shutil.rmtree(second.folder)

    waiting.wait(PATIENCE)
    assert jobs.cancel(first)


def test_who_waits_in_the_foreground_is_told_for_whom_once_and_may_leave(begin) -> None:
    first = at_work(begin(device="cpu", units=1000, nap=0.05))
    said: list[str] = []

    def impatient(sentence: str) -> None:
        said.append(sentence)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), having_device("cpu", "test", impatient):
        pass
    assert first.id in said[0]

    said.clear()
    threading.Timer(1.0, jobs.cancel, [first]).start()
    with having_device("cpu", "test", said.append) as waited:
        assert waited
    assert len(said) == 1


def test_a_queue_leaves_no_ticket_behind(devices: Path) -> None:
    take_device("cpu", "test", lambda _: None).close()

    (queue,) = devices.glob("*.queue")
    assert [path.name for path in queue.iterdir()] == [".lock"]


def test_a_run_in_the_foreground_takes_the_device_and_finds_what_was_scored_meanwhile(
    own_workspace: api.Workspace,
) -> None:
    config = ScoreConfig(model=str(SAMPLE / "tiny-reasoner"), proxy="lm_head", sample=4)
    planned = api.plan(own_workspace, config)
    lock = take_device("cpu", "another", lambda _: None)
    said: list[str] = []

    class Listening(Silent):
        def say(self, message: str) -> None:
            said.append(message)

    found: list[api.ScoreReport] = []
    waiting = threading.Thread(
        target=lambda: found.append(api.score(own_workspace, config, Listening(), planned=planned))
    )
    waiting.start()
    while not said:
        time.sleep(0.02)
    assert said[0].startswith("Waiting for the device cpu, which the another (process")
    # As the run that has the device would: its keeper has taken it for it.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRACE_DEVICE_TAKEN", "cpu")
        assert api.score(own_workspace, config).n_scored == 4
    lock.close()
    waiting.join()

    assert (found[0].n_scored, found[0].n_cached) == (0, 4)
    again = api.plan(own_workspace, config)
    with having_device("cpu", "someone", said.append):
        assert api.score(own_workspace, config, planned=again).n_cached == 4, "needs no device"


def test_a_lock_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRACE_DEVICES", str(tmp_path / "file" / "devices"))

    with pytest.raises(StoreError, match="lock of the device cpu cannot be made"):
        take_device("cpu", "test", lambda _: None)
