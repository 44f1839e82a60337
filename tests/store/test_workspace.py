"""Is a workspace one folder that can be found, measured, emptied and shrunk?"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from grace_engine.errors import InputError, NotFoundError, StoreError
from grace_engine.records import ScoringRun, Trace
from grace_engine.store import (
    ScoredTrace,
    Source,
    Workspace,
    add_scored,
    add_traces,
    compact,
    count_traces,
    delete_dataset,
    iter_traces,
    open_workspace,
    read_grams,
    remembered_digest,
    upsert_run,
    usage,
)

MakeTrace = Callable[..., Trace]
LOCK = 20  # bytes of the lock file, whoever holds it

WRITE_ON = """
import sys
from pathlib import Path
from grace_engine.store import Workspace
database = Workspace(Path(sys.argv[1]), busy_timeout=60).database
print("ready", flush=True)
for number in range(20):
    with database.unit() as connection:
        connection.execute("INSERT INTO datasets VALUES (?, '', 'lines')", [str(number)])
"""

LEAVE_A_LOG = """
import os, sys, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("INSERT INTO rejects VALUES ('sums', 's', 'a', 1, '', 'r', 'd', 'e')")
os._exit(0)
"""

DIE_AFTER_THE_SWAP = """
import os, sys
from pathlib import Path
from grace_engine.store import Workspace, compact
workspace = Workspace(Path(sys.argv[1]))
Path.replace = lambda self, target: (os.replace(self, target), os._exit(0))
compact(workspace)
"""


def test_a_workspace_is_made_only_when_asked_for(tmp_path: Path) -> None:
    root = tmp_path / "where spaces are" / "und Größe"
    with pytest.raises(NotFoundError, match=r"no workspace at .*grace ingest FILE --workspace"):
        open_workspace(root, create=False)
    assert not root.exists()
    made = open_workspace(root, create=True)
    assert {path.name for path in root.iterdir()} == {"grace.duckdb", "media", "runs", "tmp"}
    found = open_workspace(str(root), create=False)
    assert found.root == made.root
    assert count_traces(found) == 0


def test_paths_stay_inside(workspace: Workspace, tmp_path: Path) -> None:
    assert workspace.inside("runs", "r-1") == workspace.root / "runs" / "r-1"
    (workspace.root / "link").symlink_to(tmp_path)
    for parts in (("..", "x"), ("/etc/passwd",), ("runs", "../../x"), ("link", "x")):
        with pytest.raises(InputError, match="leads out of the workspace"):
            workspace.inside(*parts)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        Workspace(tmp_path / "file" / "workspace")


def test_usage_says_what_is_stored_and_its_size(
    workspace: Workspace,
    source: Source,
    run: ScoringRun,
    make_trace: MakeTrace,
    make_scored: Callable[[Trace, int], ScoredTrace],
) -> None:
    trace = make_trace(0)
    add_traces(workspace, "sums", source, [trace])
    upsert_run(workspace, run)
    scored = make_scored(trace, 0)  # K = 1: 3 entries, 2 segments
    add_scored(workspace, run.id, [scored])
    (workspace.media / "image").write_bytes(b"12345")
    found = usage(workspace)
    assert [info.name for info in found.datasets] == ["sums"]
    assert [one.id for one in found.runs] == [run.id]
    texts = len(trace.prompt) + len(trace.text) + len(trace.record.raw)
    assert found.dataset_bytes == {"sums": texts}
    assert found.run_bytes == {run.id: 4 * (3 + 2 + 2) + len(scored.rendered.text)}
    assert found.file_bytes == workspace.database.path.stat().st_size
    journal = sum(path.stat().st_size for path in workspace.journal.iterdir())
    assert found.folder_bytes == found.file_bytes + 5 + LOCK + journal


def test_compaction_shrinks_the_file_and_keeps_its_content(
    workspace: Workspace,
    source: Source,
    run: ScoringRun,
    make_trace: MakeTrace,
    make_scored: Callable[[Trace, int], ScoredTrace],
) -> None:
    kept = [make_trace(i) for i in range(50)]
    # What was stored last is given back by the deletion itself; what stands before others is not.
    add_traces(workspace, "many", source, [make_trace(i, dataset="many") for i in range(5000)])
    add_traces(workspace, "sums", source, kept)
    upsert_run(workspace, run)
    add_scored(workspace, run.id, [make_scored(trace, i) for i, trace in enumerate(kept)])
    grams = read_grams(workspace, run.id).table.packed.tolist()
    delete_dataset(workspace, "many")
    result = compact(workspace)
    assert result.bytes_after < result.bytes_before
    assert result.bytes_after == workspace.database.path.stat().st_size
    assert [trace for batch in iter_traces(workspace) for trace in batch] == kept
    assert read_grams(workspace, run.id).table.packed.tolist() == grams
    assert add_traces(workspace, "sums", source, kept).added == 0
    assert {path.name for path in workspace.root.glob("grace.duckdb*")} == {
        "grace.duckdb",
        "grace.duckdb.lock",
        "grace.duckdb.queue",
    }


def test_compaction_loses_nothing_that_another_process_writes_meanwhile(
    workspace: Workspace, start_python: Callable[..., "subprocess.Popen[str]"]
) -> None:
    workspace = Workspace(workspace.root, busy_timeout=60)
    writer = start_python(WRITE_ON, workspace.root)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    while writer.poll() is None:
        compact(workspace)
    assert writer.returncode == 0
    with workspace.database.unit() as connection:
        assert connection.execute("SELECT count(*) FROM datasets").fetchall() == [(20,)]


def test_a_compaction_that_dies_right_after_the_swap_doubles_nothing(
    workspace: Workspace, start_python: Callable[..., "subprocess.Popen[str]"]
) -> None:
    start_python(LEAVE_A_LOG, workspace.database.path).wait()
    assert workspace.database.path.with_name("grace.duckdb.wal").exists()
    start_python(DIE_AFTER_THE_SWAP, workspace.root).wait()
    with workspace.database.unit() as connection:
        assert connection.execute("SELECT count(*) FROM rejects").fetchall() == [(1,)]


def test_the_digest_of_a_file_is_computed_again_only_when_it_changed(
    workspace: Workspace, tmp_path: Path
) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")
    asked: list[Path] = []

    def compute(path: Path) -> str:
        asked.append(path)
        return f"digest {len(asked)}"

    assert [remembered_digest(workspace, file, compute) for _ in range(3)] == ["digest 1"] * 3
    file.write_bytes(b"WEIGHTS")
    os.utime(file, ns=(1, 1))
    assert remembered_digest(workspace, file, compute) == "digest 2"
    assert asked == [file.resolve()] * 2


def test_the_digest_of_a_file_that_changes_while_it_is_read_is_not_remembered(
    workspace: Workspace, tmp_path: Path
) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")

    def compute(path: Path) -> str:
        with path.open("ab") as stream:
            stream.write(b"!")
        return "of what?"

    remembered_digest(workspace, file, compute)
    assert remembered_digest(workspace, file, lambda path: "sure") == "sure"
