"""Does work that is killed thirty times, at any moment, end as work that nobody disturbed?"""

import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import orjson
import psutil
import pytest

from grace_engine import api, jobs
from grace_engine.config import IngestConfig, ScoreConfig
from grace_engine.jobs import Job, JobSpec, read_job
from tests.conftest import SAMPLE
from tests.jobs.conftest import PATIENCE, ended, stop

pytestmark = pytest.mark.slow

N_KILLS = 30
SEED = 20_260_513

# The process of a run, with commits so often that kills land among them and within them.
CHILD = """
import os, sys
from pathlib import Path
from grace_engine.api import child
from grace_engine.scoring import run
run._COMMIT_SECONDS = float(os.environ.get("COMMIT_SECONDS", run._COMMIT_SECONDS))
sys.exit(child.main(Path(sys.argv[1])))
"""
UNDISTURBED = [sys.executable, "-m", "grace_engine.api.child"]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("PYTHONPATH", str(SAMPLE.parent))
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    return [sys.executable, str(script)]


def strike(job: Job, *, keeper_too: bool) -> None:
    """kill -9 of the work of a job, and of its keeper, at this moment."""
    now = read_job(job.folder)
    if not now.is_active:
        return
    with suppress(psutil.NoSuchProcess):
        keeper = psutil.Process(now.status.keeper_pid)
        keeper.suspend()  # so that it starts nothing meanwhile
        works = keeper.children()
        for work in works:
            work.kill()
        if keeper_too or not works:
            keeper.kill()
        else:
            keeper.resume()


def wait_for(job: Job, phase: str, units: int) -> None:
    """Until a phase has begun and is units further, or the job is over; "" waits for nothing."""
    deadline, first = time.monotonic() + PATIENCE, None
    while phase and time.monotonic() < deadline:
        now = read_job(job.folder)
        if now.status.phase.startswith(phase):
            first = now.status.done if first is None else first
            if now.status.done - first >= units:
                return
        if not now.is_active:
            return
        time.sleep(0.005)


def kill_often(
    job: Job, command: list[str], moments: list[tuple[str, int, float]], check: Callable[[], None]
) -> tuple[Job, int]:
    """Kill a job and resume it, ``N_KILLS`` times; the job, and kills that found it at work.

    Args:
        job: Just started.
        command: Its command, but for the attempt after the last kill.
        moments: Phases in which it may be killed, after how many units at the most, and within
            how many seconds from then on; a phase "" begins with the process. Units are what a
            busy machine does not change.
        check: Called after each kill.
    """
    rng = random.Random(SEED)
    sys.stdout.write(f"seed {SEED}\n")
    n_at_work = 0
    for number in range(N_KILLS):
        phase, units, seconds = rng.choice(moments)
        wait_for(job, phase, rng.randint(0, units))
        time.sleep(rng.uniform(0.0, seconds))
        strike(job, keeper_too=rng.random() < 0.5)
        over = ended(job)
        n_at_work += over.state == "died"
        where = over.status.phase or "its start"
        sys.stdout.write(f"kill {number + 1}: {over.state} in {where}\n")
        check()
        following = command if number + 1 < N_KILLS else UNDISTURBED
        if over.is_resumable:
            job = jobs.resume(over, following)
        else:  # the kill came too late
            job = jobs.start(job.folder.parents[1], job.spec, following)
    return job, n_at_work


def rows(workspace: api.Workspace, statement: str) -> list[tuple]:
    with workspace.database.unit() as connection:
        return connection.execute(statement).fetchall()


GRAMS = """
SELECT trace_id, run_id, gram, n_tokens, nll, rendered, token_starts, token_ends, reason
FROM run_traces LEFT JOIN grams USING (gram_key) ORDER BY ALL
"""


def test_a_scoring_run_that_is_killed_thirty_times_gives_the_grams_of_one_that_was_not(
    ingested: api.Workspace,
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api.ingest(
        ingested, [SAMPLE / "gsm8k" / "model_solutions.jsonl"], IngestConfig(dataset="gsm8k")
    )
    shutil.copytree(ingested.root, tmp_path / "undisturbed")
    undisturbed = api.open_workspace(tmp_path / "undisturbed", create=False)
    # Alone in its batch, a trace's Gram is the same to the bit whatever was scored before it.
    config = ScoreConfig(model=str(SAMPLE / "tiny-reasoner"), device="cpu", tokens_per_batch=1)
    spec = JobSpec(kind="score", title="Score", settings=asdict(config), device="cpu")
    reference = ended(jobs.start(undisturbed.root, spec, UNDISTURBED))
    assert reference.state == "finished", reference.log_tail()
    expected = rows(undisturbed, GRAMS)
    seen = [0]

    def none_lost_and_none_doubled() -> None:
        ((n_rows, n_traces),) = rows(
            ingested, "SELECT count(*), count(DISTINCT trace_id) FROM run_traces"
        )
        ((n_grams, n_keys),) = rows(
            ingested, "SELECT count(*), count(DISTINCT gram_key) FROM grams"
        )
        assert n_rows == n_traces >= seen[-1]
        assert n_grams == n_keys
        seen.append(n_traces)

    # A kill while scoring comes within some thirty traces, of 798.
    all_of_it, model = reference.status.seconds, reference.status.result["seconds"]
    moments = [
        ("", 0, all_of_it / 3),
        ("Rendering", 0, all_of_it / 20),
        ("Scoring", 10, model / 80),
        ("Scoring", 20, model / 40),
    ]
    monkeypatch.setenv("COMMIT_SECONDS", str(model / 150))
    job = jobs.start(ingested.root, spec, command)
    job, n_at_work = kill_often(job, command, moments, none_lost_and_none_doubled)
    assert n_at_work >= N_KILLS - 5
    assert len(set(seen)) > 5, "kills that landed between commits"
    assert seen[-1] < len(expected), "the last kill was one before the end"

    over = ended(job)

    assert over.state == "finished", over.log_tail()
    assert 0 < over.status.result["n_scored"] < 798, "each attempt went on where the last ended"
    assert rows(ingested, GRAMS) == expected
    (run,) = api.list_runs(ingested)
    assert (run.n_scored, run.n_rejected, run.n_pending) == (798, 0, 0)
    result = over.status.result
    assert result["n_scored"] + result["n_cached"] == 798


TABLES = {
    "traces": "* EXCLUDE (source_id, record_id, position)",
    "segmentations": "* EXCLUDE (position)",
    "records": "* EXCLUDE (source_id, record_id)",
    "rejects": "* EXCLUDE (source_id)",
    "sources": "dataset, path, digest, n_traces, n_rejected",
    "datasets": "name, segmenter",
}


def contents(workspace: api.Workspace) -> dict[str, list[tuple]]:
    return {
        table: rows(workspace, f"SELECT {columns} FROM {table} ORDER BY ALL")  # noqa: S608
        for table, columns in TABLES.items()
    }


def large_files(folder: Path) -> list[Path]:
    """Three files of traces, with some records that cannot be used and some that stand twice."""
    folder.mkdir()
    lines = (SAMPLE / "gsm8k" / "model_solutions.jsonl").read_bytes().splitlines()
    files = []
    for number in range(3):
        written = []
        for copy in range(60):
            for line in lines:
                record = orjson.loads(line)
                record["question"] = f"{record['question']} ({number}, {copy})"
                written.append(orjson.dumps(record))
        written += [b"{", b'{"question": "nothing else"}', written[0]]
        files.append(folder / f"part-{number}.jsonl")
        files[-1].write_bytes(b"\n".join(written) + b"\n")
    return files


def test_an_ingest_that_is_killed_thirty_times_stores_what_one_stores_that_was_not(
    tmp_path: Path, command: list[str]
) -> None:
    files = large_files(tmp_path / "in")
    undisturbed = api.open_workspace(tmp_path / "undisturbed", create=True)
    disturbed = api.open_workspace(tmp_path / "disturbed", create=True)
    settings = {
        "paths": [str(file) for file in files],
        **asdict(IngestConfig(dataset="many", processes=2)),
    }
    spec = JobSpec(kind="ingest", title="Ingest", settings=settings)
    reference = ended(jobs.start(undisturbed.root, spec, UNDISTURBED))
    assert reference.state == "finished", reference.log_tail()
    expected = contents(undisturbed)
    ((n_traces,),) = rows(undisturbed, "SELECT count(*) FROM traces")
    per_file = {n for (n,) in rows(undisturbed, "SELECT n_traces FROM sources")}
    assert len(per_file) == 1

    def whole_files_only() -> None:
        for table in ("traces", "segmentations"):
            ((n_rows,),) = rows(disturbed, f"SELECT count(*) FROM {table}")  # noqa: S608
            assert n_rows % min(per_file) == 0

    job = jobs.start(disturbed.root, spec, command)
    # Kills land in the start, and in reading, cutting, staging and entering each of the files.
    all_of_it = reference.status.seconds
    moments = [("", 0, all_of_it / 6), *4 * [("Reading", 0, 0.6 * all_of_it)]]
    try:
        job, n_at_work = kill_often(job, command, moments, whole_files_only)
        over = ended(job)
    finally:
        stop(job)

    assert n_at_work >= N_KILLS - 5
    assert over.state == "finished", over.log_tail()
    assert contents(disturbed) == expected
    assert len(expected["traces"]) == n_traces
    with disturbed.staging():
        assert len(list(disturbed.staging_root.iterdir())) == 1, "what was staged is gone"


def test_no_process_of_a_killed_ingest_stays(tmp_path: Path, command: list[str]) -> None:
    files = large_files(tmp_path / "in")
    workspace = api.open_workspace(tmp_path / "w", create=True)
    settings = {"paths": [str(files[0])], **asdict(IngestConfig(dataset="many", processes=2))}
    job = jobs.start(
        workspace.root, JobSpec(kind="ingest", title="Ingest", settings=settings), command
    )
    deadline = time.monotonic() + PATIENCE
    children: list[psutil.Process] = []
    while not children and time.monotonic() < deadline:
        status = read_job(job.folder).status
        if status.pid != status.keeper_pid:
            with suppress(psutil.NoSuchProcess):
                children = psutil.Process(status.pid).children()
        time.sleep(0.01)
    assert children

    os.kill(read_job(job.folder).status.pid, signal.SIGKILL)

    assert ended(job).state == "died"
    assert not psutil.wait_procs(children, timeout=PATIENCE)[1]
