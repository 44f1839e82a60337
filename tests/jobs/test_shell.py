"""Does the shell print, follow and forget a run, and say what it cannot do?"""

import json
import shutil
from functools import partial
from pathlib import Path

import psutil
import pytest

from grace_engine import api, jobs
from grace_engine.config import ScoreConfig
from grace_engine.errors import NotFoundError
from grace_engine.jobs import follow, last_lines
from tests.jobs.conftest import PATIENCE, at_work, ended


def test_the_log_is_printed_and_ends_with_how_the_run_stands(begin, tmp_path: Path, grace) -> None:
    api.open_workspace(tmp_path, create=True)
    job = ended(begin(units=4))
    at = ("--workspace", tmp_path)

    status, out, err = grace("logs", "latest", *at)
    assert status == 0
    first, *lines = out.splitlines()
    assert first.endswith(" begins.")
    assert [line.split(" · ")[-1] for line in lines] == [
        "at work",
        "Counting: 4 units",
        "counted",
        "All counted.",
    ]
    assert err == f"Run {job.id}: finished. All counted.\n"
    assert grace("logs", job.id, "-n", "1", *at)[1].endswith(" · All counted.\n")
    document = json.loads(grace("logs", job.id, "--json", *at)[1])
    assert document["log"] == out
    assert [event["event"] for event in document["events"]] == ["phase", "message", "finished"]
    table = grace("runs", *at)[1]
    assert "1 (1 third)" in table, "units that failed alone are counted"
    assert table.splitlines()[-1].split(maxsplit=1) == [job.id, "All counted."]
    status, out, err = grace("logs", job.id, "-f", "--json", *at)
    assert (status, json.loads(out)["error"]["kind"]) == (1, "InputError")


def test_a_run_is_followed_until_it_ends(begin) -> None:
    job = at_work(begin(units=30, nap=0.05))

    text = "".join(follow(job, 1))

    assert text.splitlines()[0].endswith("Counting: 30 units")
    assert text.splitlines()[-1].endswith("All counted.")


@pytest.mark.long
def test_a_run_whose_folder_is_removed_is_listed_and_not_followed_for_ever(begin, grace) -> None:
    job = at_work(begin(units=150, nap=0.05))
    text = follow(job, 0)
    assert "at work" in next(text)

    while job.folder.exists():  # the job writes into it meanwhile
        shutil.rmtree(job.folder, ignore_errors=True)

    with pytest.raises(NotFoundError, match="was removed while its log was followed"):
        list(text)
    assert not jobs.cancel(job), "nobody knows of it any more"
    api.open_workspace(job.folder.parents[1], create=True)
    at = ("--workspace", job.folder.parents[1])
    assert f"{job.id} goes on although its folder was removed" in grace("runs", *at)[2]
    assert [one["id"] for one in json.loads(grace("runs", "--json", *at)[1])["without_folder"]] == [
        job.id
    ]
    psutil.Process(job.status.pid).wait(PATIENCE)


def test_nothing_in_a_log_moves_the_terminal(begin, tmp_path: Path, grace) -> None:
    api.open_workspace(tmp_path, create=True)
    job = ended(begin())
    (job.folder / "log.txt").write_bytes("ü\x1b[2Jx\r50%\r\n\x07end\n".encode())

    assert grace("logs", "--workspace", tmp_path)[1] == "ü\\x1b[2Jx\n50%\n\\x07end\n"
    assert last_lines(job, 1) == "\x07end\n"


def test_a_run_is_forgotten_by_name(begin, tmp_path: Path, grace) -> None:
    api.open_workspace(tmp_path, create=True)
    job = ended(begin())

    status, out, _ = grace("forget", job.id, "--json", "--workspace", tmp_path)

    assert (status, json.loads(out)) == (0, {"forgotten": job.id})
    assert jobs.jobs(tmp_path) == []
    assert grace("resume", job.id, "--workspace", tmp_path)[0] == 1


def test_files_are_read_behind_the_shell_and_a_missing_one_is_refused_at_once(
    tmp_path: Path, sample_file: Path, grace
) -> None:
    at = ("--background", "--dataset", "mine", "--workspace", tmp_path / "w")
    status, out, err = grace("ingest", sample_file, tmp_path / "none.jsonl", *at)
    assert (status, out) == (1, "")
    assert "none.jsonl does not exist" in err
    opened = api.open_workspace(tmp_path / "w", create=False)
    assert api.list_jobs(opened) == []

    pattern = str(sample_file.with_name(f"{sample_file.stem[:-1]}*{sample_file.suffix}"))
    status, out, _ = grace("ingest", pattern, "--json", *at)
    assert status == 0
    assert ended(api.get_job(opened, json.loads(out)["id"])).state == "finished"
    assert [each.name for each in api.datasets(opened)] == ["mine"]


def test_two_runs_of_other_settings_are_told_apart_by_what_they_say(
    tmp_path: Path, sample_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = api.open_workspace(tmp_path / "w", create=True)
    monkeypatch.setattr("grace_engine.api.running.begin", lambda _, spec: spec)
    of = partial(ScoreConfig, model="/models/small", device="cpu")

    assert api.start_scoring(workspace, of()).title == "Score all traces with small (upstream)"
    given = of(entropy_discount=2.5, max_length=900, with_marks=True, adapter="/a/mine", sample=9)
    assert api.start_scoring(workspace, given).title == (
        "Score 9 traces with small "
        "(upstream, adapter mine, entropy discount 2.5, max length 900, with marks)"
    )
