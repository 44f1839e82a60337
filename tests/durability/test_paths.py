"""Does everything work in folders whose names hold spaces, quotes and letters of any script?"""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from grace_engine import api
from grace_engine.errors import InputError

Grace = Callable[..., tuple[int, str, str]]
MODEL = Path(__file__).resolve().parents[2] / "sample_data" / "tiny-reasoner"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A name with what shells, SQL, patterns and addresses give a meaning."""
    found = tmp_path / "Größe & 推理 of Ann's" / 'вывод [1] "x" 100%; #'
    found.mkdir(parents=True)
    return found


@pytest.mark.long
def test_the_main_job(folder: Path, sample_file: Path, grace: Grace) -> None:
    root, source = folder / "мой workspace", folder / "решения [a].jsonl"
    shutil.copy(sample_file, source)
    model = folder / "модель 1"
    shutil.copytree(MODEL, model)

    def run(*words: object) -> str:
        status, out, err = grace(*words, "--workspace", root)
        assert status == 0, (words, err)
        return out

    run("ingest", source)
    assert json.loads(run("workspace", "--json"))["datasets"][0]["n_traces"] == 39
    job = json.loads(run("score", "--model", model, "--sample", 9, "--background", "--json"))
    workspace = api.open_workspace(root, create=False)
    while api.get_job(workspace, job["id"]).is_active:
        time.sleep(0.2)
    assert api.get_job(workspace, job["id"]).state == "finished"
    run("score", "--model", model, "--sample", 12)
    assert api.get_run(workspace).n_scored == 12
    run("curate", "--budget", "50%", "--name", "выбор")
    run("export", "выбор", "--to", folder / "выход 1.jsonl")
    run("export-steps", "--to", folder / "шаги 1.parquet")
    run("replay", folder / "manifest.json", "--to", folder / "again.jsonl")
    exported = (folder / "выход 1.jsonl").read_bytes()
    assert (folder / "again.jsonl").read_bytes() == exported != b""


@pytest.mark.long
def test_backup_restore_compaction_check_and_rebuild(
    folder: Path, own_workspace: api.Workspace, grace: Grace
) -> None:
    root = folder / "мой workspace"
    own_workspace.root.rename(root)
    before = api.run_view(api.open_workspace(root, create=False)).values
    backup = folder / "копия 1.bak"
    words = (
        ["backup", "--to", backup],
        ["compact"],
        ["check"],
        ["restore", backup],
        ["check"],
    )
    for each in words:
        status, _, err = grace("workspace", *each, "--workspace", root)
        assert status == 0, (each, err)
    # A backup beside the database is found by the rebuilding, wherever that is.
    grace("workspace", "backup", "--workspace", root)
    (root / "grace.duckdb").write_bytes(b"nothing")
    assert grace("workspace", "rebuild", "--workspace", root)[0] == 0
    after = api.run_view(api.open_workspace(root, create=False)).values
    assert (after == before).all()


def test_a_question_mark_is_refused_in_a_sentence(
    own_workspace: api.Workspace, tmp_path: Path, sample_file: Path, grace: Grace
) -> None:
    status, out, err = grace("ingest", sample_file, "--workspace", tmp_path / "why?")
    assert (status, out) == (1, "")
    assert "holds a question mark" in err
    assert "Traceback" not in err
    with pytest.raises(InputError, match="question mark"):
        api.back_up(own_workspace, tmp_path / "copy?.bak")
