"""Is a disk that fills up one sentence, is nothing lost, and does work go on when there is room?"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from grace_engine import api
from grace_engine.config import IngestConfig

pytestmark = pytest.mark.slow

Grace = Callable[..., tuple[int, str, str]]
MODEL = Path(__file__).resolve().parents[2] / "sample_data" / "tiny-reasoner"


class Ballast:
    """A file that leaves a disk only so much room."""

    def __init__(self, root: Path) -> None:
        self.path = root / "ballast"

    def leave(self, n_bytes: int) -> None:
        self.remove()
        free = shutil.disk_usage(self.path.parent).free
        with self.path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, free - n_bytes))

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def said(result: tuple[int, str, str]) -> str:
    """The one sentence of a command that failed."""
    status, out, err = result
    assert status == 1
    assert "Traceback" not in err
    assert out == ""
    (sentence,) = [line for line in err.splitlines() if line.startswith("error:")]
    return sentence


def names(root: Path) -> set[str]:
    """Files that are there, but for those that come and go with any command."""
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    return {name for name in found if not name.endswith((".lock", ".wal", "ballast"))}


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Three thousand traces that do not compress: 3 MB."""
    path = tmp_path / "rows.jsonl"
    with path.open("w") as file:
        for n in range(3000):
            noise = os.urandom(400).hex()
            row = {"question": f"{n}?", "answer": f"Read {noise}.\nSo it is {n}.\n#### {n}"}
            file.write(json.dumps(row) + "\n")
    return path


@pytest.mark.parametrize("room", [20_000, 400_000, 2_500_000, 4_500_000])
def test_ingest(make_disk, rows: Path, sample_file: Path, grace: Grace, room: int) -> None:
    disk = make_disk("40m")
    root, ballast = disk.root / "w", Ballast(disk.root)
    assert grace("ingest", sample_file, "--workspace", root)[0] == 0
    before = names(root)
    ballast.leave(room)

    sentence = said(grace("ingest", rows, "--workspace", root))

    assert "The disk that holds" in sentence
    assert str(root) in sentence
    workspace = api.open_workspace(root, create=False)
    assert [info.n_traces for info in api.datasets(workspace)] == [39]
    assert names(root) == before
    ballast.remove()
    assert grace("ingest", rows, "--workspace", root)[0] == 0
    assert sorted(info.n_traces for info in api.datasets(workspace)) == [39, 3000]
    assert api.check_workspace(workspace).is_sound


def test_scoring_keeps_its_batches_and_goes_on_where_it_stopped(
    make_disk, sample_file: Path, grace: Grace, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = make_disk("40m")
    root, ballast = disk.root / "w", Ballast(disk.root)
    workspace = api.open_workspace(root, create=True)
    api.ingest(workspace, [sample_file], IngestConfig(dataset="solutions"))
    score = ("score", "--model", MODEL, "--tokens-per-batch", 600, "--workspace", root)
    monkeypatch.setattr("grace_engine.scoring.run._COMMIT_SECONDS", 0.0)
    # The room goes when some batches are stored.
    from grace_engine import store

    add_scored, n_batches = store.add_scored, [0]

    def add(*arguments: object) -> None:
        n_batches[0] += 1
        if n_batches[0] == 3:
            ballast.leave(0)
        add_scored(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(store, "add_scored", add)
        sentence = said(grace(*score))
    assert "The disk that holds" in sentence
    n_stored = api.get_run(workspace).n_scored
    assert 0 < n_stored < 39
    ballast.remove()
    status, out, err = grace(*score, "--json")
    assert status == 0, err
    report = json.loads(out)["report"]
    assert (report["n_cached"], report["n_scored"]) == (n_stored, 39 - n_stored)
    assert api.check_workspace(workspace).is_sound


@pytest.mark.parametrize(
    ("command", "name"),
    [("export", "out.jsonl"), ("export-steps", "out.parquet"), ("export-steps", "out.csv")],
)
def test_export(
    scored_workspace: api.Workspace,
    own_workspace: api.Workspace,
    make_disk,
    grace,
    command: str,
    name: str,
) -> None:
    disk = make_disk("2m")
    ballast = Ballast(disk.root)
    api.curate(own_workspace, "90%", name="mine")
    target = disk.root / name
    words = [command, *(["mine"] if command == "export" else []), "--to", target, "--overwrite"]
    target.write_text("what was there")
    ballast.leave(8_000)

    sentence = said(grace(*words, "--workspace", own_workspace.root))

    assert str(target) in sentence
    assert "cannot be written: No space left on device" in sentence
    assert target.read_text() == "what was there"
    assert {path.name for path in disk.root.iterdir()} == {name, "ballast"}
    ballast.remove()
    assert grace(*words, "--workspace", own_workspace.root)[0] == 0
    assert target.stat().st_size > 8_000


def test_verdicts_selections_backups_and_compactions(
    scored_workspace: api.Workspace, make_disk, grace: Grace
) -> None:
    disk = make_disk("40m")
    root, ballast = disk.root / "w", Ballast(disk.root)
    shutil.copytree(scored_workspace.root, root)
    workspace = api.open_workspace(root, create=False)
    trace = str(api.run_view(workspace).traces["trace_id"][0])
    api.mark(workspace, trace, "good")
    before = names(root)
    ballast.leave(0)
    for words in (
        ["mark", trace, "--as", "wrong"],
        ["curate", "--budget", "90%", "--name", "mine"],
        ["workspace", "backup"],
        ["workspace", "compact"],
    ):
        assert "The disk that holds" in said(grace(*words, "--workspace", root)), words
        assert names(root) == before, words
    assert [e.word for e in api.annotation_log(workspace)] == ["good"]
    assert api.list_selections(workspace) == []
    ballast.remove()
    for words in (
        ["mark", trace, "--as", "wrong"],
        ["curate", "--budget", "90%", "--name", "mine"],
        ["workspace", "backup"],
        ["workspace", "compact"],
    ):
        assert grace(*words, "--workspace", root)[0] == 0
    assert [e.word for e in api.annotation_log(workspace)] == ["good", "wrong"]
    assert api.check_workspace(workspace).is_sound


def test_a_lock_file_that_cannot_be_signed_keeps_no_one_out(
    own_workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> int:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("grace_engine.store.locks.os.pwrite", full)
    assert api.datasets(own_workspace)[0].n_traces == 39
