"""Does every end of a job have its own name, whoever or whatever brought it about?"""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from grace_engine import jobs
from grace_engine.disk import disk_fault
from grace_engine.errors import DiskFullError, GraceError, StoreBusyError, StoreError
from grace_engine.jobs import Status, folder, keeper, memory, read_job, reporting
from grace_engine.jobs.memory import MemoryKills, killed_for_memory, memory_kills
from tests.jobs.conftest import PATIENCE, at_work, ended

NONE = MemoryKills(group=None, machine=None)


def test_killed_work_died_and_its_keeper_says_of_what(begin) -> None:
    job = at_work(begin(units=1000, nap=0.05))

    os.kill(job.status.pid, signal.SIGKILL)

    over = ended(job)
    assert over.state == over.status.state == "died"
    assert "ended from outside or by a crash (SIGKILL)" in over.says
    assert over.is_resumable
    assert jobs.read_events(job.folder)[-1]["event"] == "died"


def test_of_a_job_whose_processes_are_all_killed_a_reader_says_that_it_died(begin) -> None:
    job = at_work(begin(units=1000, nap=0.05))

    os.kill(job.status.keeper_pid, signal.SIGKILL)
    os.kill(job.status.pid, signal.SIGKILL)

    over = ended(job)
    assert over.state == "died"
    assert over.status.state == "running", "its own last word"
    assert "ended without a word" in over.says


def test_work_outlives_its_keeper(begin) -> None:
    job = at_work(begin(units=40, nap=0.05))

    os.kill(job.status.keeper_pid, signal.SIGKILL)

    assert psutil.Process(job.status.pid).is_running()
    assert ended(job).state == "finished"


def test_work_that_ends_without_a_word_failed_with_its_status(begin) -> None:
    over = ended(begin(fault="silent"))

    assert over.state == "failed"
    assert "ended with status 7 before it could say why" in over.says
    assert str(over.folder / "log.txt") in over.says


def test_scarce_memory_that_is_noticed_is_a_reason(begin) -> None:
    over = ended(begin(fault="memory"))

    assert over.state == "failed"
    assert "The memory of this machine did not suffice" in over.says


def test_work_that_is_told_to_end_by_sigterm_ends_as_if_cancelled(begin) -> None:
    job = at_work(begin(units=1000, nap=0.05))

    os.kill(job.status.pid, signal.SIGTERM)

    over = ended(job)
    assert over.state == "cancelled"
    assert over.says.startswith("Ended from outside, by SIGTERM.")
    assert over.is_resumable


def test_a_cancelled_run_that_cannot_store_the_rest_is_cancelled_and_says_why(
    tmp_path: Path,
) -> None:
    def work(_reporter: jobs.Reporter) -> tuple[str, dict[str, object]]:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(PATIENCE)
        except KeyboardInterrupt:
            raise StoreBusyError("The workspace is held by process 7.") from None
        return "", {}

    assert jobs.carry_out(tmp_path, os.getpid(), work) == "cancelled"
    said = folder.read_status(tmp_path).message
    assert said == "Cancelled; the last seconds are lost. The workspace is held by process 7."


def test_a_keeper_that_is_told_to_end_passes_it_on(begin) -> None:
    job = at_work(begin(units=1000, nap=0.05))
    work = psutil.Process(job.status.pid)

    os.kill(job.status.keeper_pid, signal.SIGTERM)

    assert ended(job).says.startswith("Ended from outside, by SIGTERM.")
    work.wait(PATIENCE)


def test_work_that_does_not_heed_a_cancel_is_killed(
    begin, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "STUBBORN_SECONDS", 0.5)
    run = tmp_path / "runs" / "count-stubborn"
    run.mkdir(parents=True)
    spec = jobs.JobSpec(kind="count", title="", settings={"units": 1, "stubborn": True})
    folder.write_spec(run, spec)
    folder.write_status(run, Status())
    kept = keeper.Keeper(run, spec, command, 0)
    work = subprocess.Popen([*command, str(run)], stdout=subprocess.DEVNULL)
    while folder.read_status(run).done < 2:
        assert work.poll() is None
        time.sleep(0.02)

    (run / "cancel").touch()
    work.send_signal(signal.SIGINT)
    kept._see_through(work)
    kept._account(work.returncode, NONE)

    assert work.returncode == -signal.SIGKILL
    assert read_job(run).state == "cancelled"


# Exit status and the counts of the group and the machine, before and after: the verdict.
@pytest.mark.parametrize(
    ("returncode", "group", "machine", "expected"),
    [
        (-9, (0, 1), (7, 8), "yes"),
        (-9, (0, 0), (7, 8), "no"),
        (-9, (None, None), (7, 8), "probably"),
        (-9, (None, None), (7, 7), "no"),
        (-9, (None, None), (None, None), "no"),
        (-15, (0, 1), (7, 8), "no"),
        (1, (0, 1), (7, 8), "no"),
    ],
)
def test_a_kill_for_memory_is_told_by_the_counts(
    returncode: int, group: tuple, machine: tuple, expected: str
) -> None:
    before, after = (MemoryKills(group=g, machine=m) for g, m in zip(group, machine, strict=True))
    assert killed_for_memory(returncode, before, after) == expected
    state, says = keeper.verdict(returncode, before, after, asked=False, log=Path("log.txt"))
    assert (state == "killed-for-memory") == (expected != "no")
    assert ("probably because memory ran out" in says) == (expected == "probably")


@pytest.mark.parametrize(
    ("groups", "file"),
    [
        ("0::/user.slice/a b\n", "user.slice/a b/memory.events"),
        ("9:cpu,memory:/jobs\n0::/\n", "memory/jobs/memory.oom_control"),
    ],
    ids=["version 2", "version 1"],
)
def test_counts_are_read_where_the_group_of_this_process_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str, file: str
) -> None:
    (tmp_path / "cgroup").write_text(groups)
    (tmp_path / "vmstat").write_text("nr_free_pages 5\noom_kill 11\n")
    counted = tmp_path / "mount" / file
    counted.parent.mkdir(parents=True)
    counted.write_text("oom 4\noom_kill 3\noom_group_kill 0\n")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "_MACHINE", tmp_path / "vmstat")
    monkeypatch.setattr(memory, "_MOUNT", tmp_path / "mount")

    assert memory_kills() == MemoryKills(group=3, machine=11)
    counted.unlink()
    assert memory_kills() == MemoryKills(group=None, machine=11)


@pytest.fixture
def small_group(tmp_path: Path) -> Iterator[Path]:
    """A control group in which 150 MB are all there is."""
    for mount, limit in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    ):
        group = mount / f"grace-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / limit).write_text(str(150 << 20))
            yield group
        except OSError:
            continue
        else:
            return
        finally:
            group.rmdir()
    pytest.skip("no right to make a control group with a memory limit")


START = """
import sys
from pathlib import Path
from grace_engine import jobs
from grace_engine.disk import disk_fault
spec = jobs.JobSpec(kind="count", title="", settings={"units": 1, "megabytes": 400})
print(jobs.start(Path(sys.argv[1]), spec, sys.argv[2:]).folder)
"""


def test_work_that_the_kernel_kills_for_memory_is_told_from_work_that_died(
    small_group: Path, tmp_path: Path, command: list[str]
) -> None:
    inside = f'echo $$ > "{small_group}/cgroup.procs"; exec "$@"'
    said = subprocess.run(
        ["sh", "-c", inside, "sh", sys.executable, "-c", START, str(tmp_path), *command],
        capture_output=True,
        text=True,
        check=True,
    )
    over = ended(read_job(Path(said.stdout.strip())))

    assert over.state == "killed-for-memory"
    assert over.says.startswith("The system killed it, because memory ran out.")
    assert over.is_resumable
    deadline = time.monotonic() + 10
    while psutil.pid_exists(over.status.keeper_pid) and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "grace-test", str(disk)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_job_that_fills_the_disk_says_so_on_that_very_disk(begin, small_disk: Path) -> None:
    over = ended(begin(root=small_disk, units=1, fill=str(small_disk / "noise")))

    assert over.state == over.status.state == "disk-full"
    assert over.says.startswith("The disk that holds ")
    assert "Free some space" in over.says
    (small_disk / "noise").unlink()
    assert over.is_resumable


def test_a_run_on_a_full_disk_is_told_one_way_to_go_on(tmp_path: Path) -> None:
    fault = disk_fault(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), tmp_path / "grace.duckdb")
    assert "run the command again" in str(fault)

    state, said = reporting._fault(fault, tmp_path)

    assert state == "disk-full"
    assert "run the command again" not in said
    assert "Free some space. What was finished is kept; resume it" in said


def test_on_a_disk_without_room_no_run_begins_or_goes_on_and_nothing_changes(
    begin, command: list[str], small_disk: Path
) -> None:
    """A run that could not say how far it is read as died while it worked."""
    over = ended(begin(root=small_disk, units=1, fill=str(small_disk / "noise")))
    for size in (4096, 1):  # whole blocks, then what is left of the last one
        with suppress(OSError), (small_disk / "rest").open("ab", buffering=0) as rest:
            while True:
                rest.write(b"x" * size)

    with pytest.raises(DiskFullError, match=r"so no run can begin there.*Free some space"):
        jobs.resume(over, command)
    with pytest.raises(DiskFullError, match="so no run can begin there"):
        begin(root=small_disk, units=1)

    assert jobs.jobs(small_disk) == [read_job(over.folder)]
    assert read_job(over.folder).state == "disk-full"
    assert not (over.folder / folder.RESERVE).exists()
    (small_disk / "rest").unlink()
    (small_disk / "noise").unlink()
    assert ended(jobs.resume(over, command)).status.attempt == 2


def test_a_last_word_takes_the_bytes_that_were_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def scarce(path: Path, data: bytes) -> int:
        if (tmp_path / "reserve").exists() and path.name != "reserve":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, data)

    folder.set_aside(tmp_path)
    monkeypatch.setattr(Path, "write_bytes", scarce)
    with pytest.raises(OSError, match="No space left"):
        folder.write_status(tmp_path, Status(state="running"))
    folder.write_last_status(tmp_path, Status(state="disk-full"))

    assert folder.read_status(tmp_path).state == "disk-full"


def test_a_full_disk_is_known_behind_another_fault_and_by_an_exit_status(tmp_path: Path) -> None:
    def work(_progress: object) -> tuple[str, dict]:
        try:
            raise OSError(errno.EDQUOT, "Disk quota exceeded", "/data/x")
        except OSError as fault:
            raise StoreError("It could not be stored.") from fault

    folder.write_spec(tmp_path, jobs.JobSpec(kind="count", title=""))
    assert jobs.carry_out(tmp_path, os.getpid(), work) == "disk-full"
    assert read_job(tmp_path).says.startswith("It could not be stored.")
    status = jobs.EXIT_STATUS["disk-full"]
    assert keeper.verdict(status, NONE, NONE, asked=False, log=Path())[0] == "disk-full"
    assert issubclass(StoreError, GraceError)


def test_each_state_has_its_word(begin) -> None:
    over = ended(begin())

    assert {replace(over, state=state).word for state in jobs.WORDS} == set(jobs.WORDS.values())
    assert len(set(jobs.WORDS.values())) == len(jobs.WORDS)
