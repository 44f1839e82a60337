"""Does a damaged or lost database come back as far as files allow, what people said above all?"""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from grace_engine import api, jobs, store
from grace_engine.config import IngestConfig, ScoreConfig
from grace_engine.errors import StoreError
from grace_engine.jobs import Job
from grace_engine.records import Selection
from grace_engine.store.verification import GROUPS

pytestmark = pytest.mark.slow

Grace = Callable[..., tuple[int, str, str]]
MODEL = Path(__file__).resolve().parents[2] / "sample_data" / "tiny-reasoner"


def contents(workspace: api.Workspace) -> dict[str, list[tuple[object, ...]]]:
    """Every table that a person or a model filled, row by row."""
    left_out = ("schema_migrations", "file_digests")
    with workspace.database.unit() as connection:
        names = [row[0] for row in connection.execute(store_tables()).fetchall()]
        return {
            name: sorted(connection.table(name).fetchall(), key=repr)
            for name in names
            if name not in left_out
        }


def store_tables() -> str:
    return "SELECT table_name FROM duckdb_tables() ORDER BY table_name"


def say_things(workspace: api.Workspace) -> Selection:
    """Verdicts, an override that is undone, and a selection."""
    traces = api.run_view(workspace).traces["trace_id"].tolist()
    api.mark(workspace, traces[0], "wrong", step=1, note="off by one – naïve", author="Ann")
    api.override(workspace, traces[1:4], keep=True, reason="liked", author="Bob")
    api.override(workspace, traces[5:6], keep=False, author="Bob")
    api.undo(workspace, author="Bob")
    return api.curate(workspace, "30%", name="mine")


def destroy(workspace: api.Workspace) -> None:
    """Overwrite all that follows the three headers of the file."""
    path = workspace.database.path
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:12_288] + b"\x55" * (size - 12_288))


@contextmanager
def one_table_unreadable(monkeypatch: pytest.MonkeyPatch, *tables: str) -> Iterator[None]:
    """As if a block of the file were bad: these tables raise wherever they are read."""
    from grace_engine.store import salvaging, verification

    class Damaged:
        def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
            self.connection = connection

        def __enter__(self) -> "Damaged":
            return self

        def __exit__(self, *_error: object) -> None:
            self.connection.close()

        def execute(self, query: str, *more: object) -> object:
            if any(f'"{table}" AS t' in query for table in tables):
                raise duckdb.IOException("Corrupt database file: computed checksum")
            return self.connection.execute(query, *more)

        def table(self, name: str) -> object:
            if name in tables:
                raise duckdb.IOException("Corrupt database file: computed checksum")
            return self.connection.table(name)

    real = salvaging.connect

    def connect(path: Path, *, read_only: bool = False) -> object:
        opened = real(path, read_only=read_only)
        damaged = read_only and path.name == "grace.duckdb"
        return Damaged(opened) if damaged else opened

    with monkeypatch.context() as patch:
        patch.setattr(salvaging, "connect", connect)
        patch.setattr(verification, "connect", connect)
        yield


def test_every_table_belongs_to_a_group_that_is_saved_together(
    own_workspace: api.Workspace,
) -> None:
    with own_workspace.database.unit() as connection:
        tables = {row[0] for row in connection.execute(store_tables()).fetchall()}
    grouped = [table for group in GROUPS.values() for table in group]
    assert sorted(grouped) == sorted(tables - {"schema_migrations"})


def test_a_file_beyond_reading_comes_back_from_journal_and_sources(
    own_workspace: api.Workspace, grace: Grace, tmp_path: Path
) -> None:
    chosen = say_things(own_workspace)
    before, choices = contents(own_workspace), api.get_selection(own_workspace, chosen.id)
    values = api.run_view(own_workspace).values
    damaged = own_workspace.database.path
    destroy(own_workspace)
    broken = damaged.read_bytes()

    before_runs = api.list_jobs(own_workspace)
    for command in (["traces"], ["score", "--model", MODEL, "--background"]):
        status, out, err = grace(*command, "--workspace", own_workspace.root)
        assert (status, out) == (1, "")
        assert "is damaged" in err
        assert "grace workspace rebuild" in err
    assert api.list_jobs(own_workspace) == before_runs
    assert grace("workspace", "check", "--workspace", own_workspace.root)[0] == 1

    status, out, err = grace("workspace", "rebuild", "--json", "--workspace", own_workspace.root)

    assert status == 0, err
    told = json.loads(out)
    assert Path(told["kept"]).read_bytes() == broken
    assert Path(told["kept"]).name.startswith("grace.duckdb.damaged-2")
    # Who said what, and when, is there to the letter; so is what was decided and how.
    after = contents(own_workspace)
    for table in ("annotations", "selections", "selection_choices", "traces", "segmentations"):
        assert after[table] == before[table], table
    assert api.get_selection(own_workspace, chosen.id) == choices
    assert api.export(own_workspace, "mine", tmp_path / "out.jsonl").n_traces > 0
    # The command that is named computes the Grams again.
    (command,) = told["commands"]
    assert api.get_run(own_workspace).n_scored == 0
    words = [w.strip("'") for w in command.split()[1:]]
    assert grace(*words)[0] == 0
    assert (api.run_view(own_workspace).values == values).all()
    assert grace("workspace", "check", "--workspace", own_workspace.root)[0] == 0


def test_a_rebuilding_says_of_each_kind_where_it_came_from_and_nothing_of_what_never_was(
    own_workspace: api.Workspace, grace: Grace
) -> None:
    say_things(own_workspace)
    destroy(own_workspace)

    status, _, err = grace("workspace", "rebuild", "--workspace", own_workspace.root)

    assert status == 0
    lines = err.splitlines()
    assert "Traces: 39 traces ingested again from 1 source file." in lines
    assert "Scores: 1 run from the journal." in lines
    assert "Selections: 1 selection from the journal." in lines
    assert len([line for line in lines if line.startswith("Annotations: ")]) == 1
    (untold,) = [
        line for line in lines if line.startswith("In no file any more, if there were any")
    ]
    assert "judgements" in untold
    for kind in ("selections", "annotations", "scores", "digests"):
        assert kind not in untold


def test_tables_that_can_be_read_are_kept_when_another_cannot(
    own_workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    say_things(own_workspace)
    before = contents(own_workspace)
    with one_table_unreadable(monkeypatch, "grams"):
        assert "table grams" in api.check_workspace(own_workspace).findings[0].what
        done = api.rebuild(own_workspace.root)
    assert done.salvage is not None
    assert {g for g, origin in done.salvage.origins.items() if origin is None} == {"scores"}
    after = contents(own_workspace)
    for table in set(before) - {"runs", "run_traces", "grams"}:
        assert after[table] == before[table], table
    assert after["grams"] == []
    assert len(done.commands) == 1


def test_what_a_damaged_file_has_lost_comes_from_the_newest_backup(
    own_workspace: api.Workspace, grace: Grace
) -> None:
    root = own_workspace.root
    before = contents(own_workspace)
    first = api.back_up(own_workspace)
    assert first.path.parent == root
    say_things(own_workspace)
    said = contents(own_workspace)["annotations"]
    destroy(own_workspace)

    done = api.rebuild(root)

    assert done.salvage is not None
    assert done.salvage.origins["scores"] == first.path
    assert done.ingested == ()
    after = contents(own_workspace)
    for table in ("traces", "grams", "run_traces", "runs"):
        assert after[table] == before[table], table
    # What was said after the backup is in the journal.
    assert after["annotations"] == said
    assert api.run_view(own_workspace).values.size == 39


def test_a_source_that_changed_is_named_and_comes_back_when_it_is_put_back(
    tmp_path: Path, grace: Grace
) -> None:
    lines = [json.dumps({"question": f"{n}?", "answer": f"It is.\n#### {n}"}) for n in range(20)]
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    first.write_text("\n".join(lines[:10]))
    second.write_text("\n".join(lines[10:]))
    workspace = api.open_workspace(tmp_path / "w", create=True)
    api.ingest(workspace, [first, second], IngestConfig(dataset="sums"))
    before = contents(workspace)["traces"]
    destroy(workspace)
    text = second.read_text()
    second.write_text(text + "\n")

    status, _, err = grace("workspace", "rebuild", "--workspace", workspace.root)
    assert status == 0
    assert f"{second} did not come back: it has changed since" in err
    assert len(contents(workspace)["traces"]) == 10
    checked = api.check_workspace(workspace)
    assert checked.is_sound
    assert any(str(second) in finding.what for finding in checked.findings)

    second.write_text(text)
    assert grace("workspace", "rebuild", "--workspace", workspace.root)[0] == 0
    assert contents(workspace)["traces"] == before
    status, _, err = grace("workspace", "rebuild", "--workspace", workspace.root)
    assert "nothing was changed" in err


def test_a_dataset_that_was_cut_anew_comes_back_in_both_cuts(
    own_workspace: api.Workspace,
) -> None:
    api.resegment(own_workspace, "solutions", "sentences")
    before = contents(own_workspace)
    destroy(own_workspace)
    assert api.rebuild(own_workspace.root).missing == ()
    after = contents(own_workspace)
    assert after["segmentations"] == before["segmentations"]
    assert [row[2] for row in after["datasets"]] == ["sentences"]


def test_a_database_that_was_deleted_is_not_begun_anew_over_its_journal(
    own_workspace: api.Workspace, sample_file: Path
) -> None:
    say_things(own_workspace)
    before = contents(own_workspace)["annotations"]
    own_workspace.database.path.unlink()
    for create in (True, False):
        with pytest.raises(StoreError, match=r"lost its database.*grace workspace rebuild"):
            api.open_workspace(own_workspace.root, create=create)
    api.rebuild(own_workspace.root)
    assert contents(own_workspace)["annotations"] == before
    assert api.datasets(own_workspace)[0].n_traces == 39


def test_without_journal_and_backup_run_folders_say_what_was_ingested_and_scored(
    tmp_path: Path, sample_file: Path
) -> None:
    workspace = api.open_workspace(tmp_path / "w", create=True)
    ingesting = api.start_ingest(workspace, [sample_file], IngestConfig(dataset="solutions"))
    wait(workspace, ingesting)
    wait(workspace, api.start_scoring(workspace, ScoreConfig(model=str(MODEL), sample=2)))
    shutil.rmtree(workspace.journal)
    destroy(workspace)
    done = api.rebuild(workspace.root)
    assert [each.count.added for each in done.ingested] == [39]
    assert f"--model {MODEL}" in done.commands[0]
    assert len(jobs.jobs(workspace.root)) == 2


def wait(workspace: api.Workspace, job: Job) -> None:
    while api.get_job(workspace, job.id).is_active:
        time.sleep(0.1)
    assert api.get_job(workspace, job.id).state == "finished"


def test_a_workspace_from_before_there_was_a_journal_writes_down_all_with_its_next_change(
    own_workspace: api.Workspace,
) -> None:
    say_things(own_workspace)
    shutil.rmtree(own_workspace.journal)
    api.mark(own_workspace, api.run_view(own_workspace).traces["trace_id"][7], "good")
    before = contents(own_workspace)
    destroy(own_workspace)
    api.rebuild(own_workspace.root)
    after = contents(own_workspace)
    for table in ("annotations", "selections", "selection_choices", "traces"):
        assert after[table] == before[table], table


def test_what_was_deleted_does_not_come_back(own_workspace: api.Workspace) -> None:
    say_things(own_workspace)
    api.delete_selection(own_workspace, "mine")
    api.delete_run(own_workspace, "latest")
    api.delete_dataset(own_workspace, "solutions")
    destroy(own_workspace)
    done = api.rebuild(own_workspace.root)
    assert (done.recovered.runs, done.recovered.selections, done.ingested) == ((), (), ())
    assert done.recovered.n_annotations == 6


def test_a_torn_last_line_and_a_unit_that_came_to_nothing_do_not_confuse_the_journal(
    own_workspace: api.Workspace,
) -> None:
    trace = str(api.run_view(own_workspace).traces["trace_id"][0])
    api.mark(own_workspace, trace, "wrong")
    path = own_workspace.journal / "annotations.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"seq": 2, "word": "tor')  # the machine went down
    api.mark(own_workspace, trace, "good")
    journal = store.read_journal(own_workspace)
    assert journal is not None
    assert [entry["word"] for entry in journal.annotations] == ["wrong", "good"]
    assert journal.n_unreadable == 1
    # A commit that fails, as on a full disk, after its line was written.
    entry = dict(journal.annotations[-1], seq=3, word="never stored")
    with path.open("ab") as file:
        file.write(json.dumps(entry).encode() + b"\n")
    api.mark(own_workspace, trace, "stored")
    journal = store.read_journal(own_workspace)
    assert journal is not None
    assert [entry["word"] for entry in journal.annotations] == ["wrong", "good", "stored"]
    assert len(list(own_workspace.root.glob("journal.ahead-*"))) == 1


def test_a_journal_that_cannot_be_written_stores_nothing_and_says_so(
    own_workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = str(api.run_view(own_workspace).traces["trace_id"][0])

    def full(_file: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr("grace_engine.store.journal.os.fsync", full)
        with pytest.raises(StoreError, match="is full, so this step was not stored"):
            api.mark(own_workspace, trace, "wrong")
    assert api.annotation_version(own_workspace) == 0
    api.mark(own_workspace, trace, "good")
    journal = store.read_journal(own_workspace)
    assert journal is not None
    assert [entry["word"] for entry in journal.annotations] == ["good"]
