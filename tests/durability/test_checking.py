"""Does a check find each thing that can be wrong, say what to do, and change nothing?"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from grace_engine import api, store
from grace_engine.errors import InputError, StoreVersionError
from grace_engine.store.verification import _RULES

Grace = Callable[..., tuple[int, str, str]]

# What breaks each rule, by the words that it is told in.
BROKEN = {
    "traces stand there twice": "INSERT INTO traces SELECT * REPLACE (1000 AS position) "
    "FROM traces LIMIT 1",
    "traces share their place": "UPDATE traces SET position = (SELECT max(position) FROM traces)",
    "traces have no source record": "DELETE FROM records WHERE record_id < 9",
    "traces belong to no dataset": "DELETE FROM datasets",
    "traces have no source file": "DELETE FROM sources",
    "cuts into steps belong to no trace": "DELETE FROM traces WHERE position < 9",
    "cuts into steps stand there twice": "INSERT INTO segmentations FROM segmentations LIMIT 1",
    "traces are not cut as their dataset says": "UPDATE datasets SET segmenter = 'lines'",
    "cuts have steps without": "UPDATE segmentations SET step_ends = [] WHERE position < 9",
    "traces were scored twice": "INSERT INTO run_traces FROM run_traces LIMIT 1",
    "scored traces belong to no run": "DELETE FROM runs",
    "scored traces are not in the workspace": "DELETE FROM traces WHERE position < 9",
    "scored traces have lost their Gram": "DELETE FROM grams WHERE gram_key > '8'",
    "Grams stand there twice": "INSERT INTO grams FROM grams LIMIT 1",
    "Grams are not as long": "UPDATE grams SET gram = gram[2:] WHERE gram_key > '8'",
    "Grams belong to no run": "DELETE FROM run_traces WHERE trace_id > '8'",
    "decisions belong to no selection": "DELETE FROM selections",
    "traces were decided on twice": "INSERT INTO selection_choices FROM selection_choices LIMIT 1",
    "entries of the log of annotations are missing": "DELETE FROM annotations WHERE seq = 1",
    "entries of the log of annotations stand there twice": "INSERT INTO annotations "
    "FROM annotations LIMIT 1",
    "answers were checked twice": "INSERT INTO answer_checks FROM answer_checks LIMIT 1",
    "metrics of traces stand there twice": "INSERT INTO trace_metrics FROM trace_metrics",
    "judgements stand there twice": "INSERT INTO judgements FROM judgements",
    "judged steps stand there twice": "INSERT INTO judged_places FROM judged_places",
    "judgements belong to no step": "DELETE FROM judged_places",
    "duplicates belong to no search": "DELETE FROM duplicate_findings",
    "problems were rolled out twice": "INSERT INTO rollout_problems FROM rollout_problems LIMIT 1",
    "rollouts stand there twice": "INSERT INTO rollouts FROM rollouts LIMIT 1",
    "problems with rollouts belong to no set": "DELETE FROM rollout_sets",
    "rollouts belong to no problem": "DELETE FROM rollout_problems",
    "rollouts have more or fewer log-probabilities": "UPDATE rollouts SET logprobs = [0.5, 0.5]",
    "problems have two gradients": "INSERT INTO policy_gradients FROM policy_gradients LIMIT 1",
    "gradients of problems belong to no run": "DELETE FROM policy_runs",
}


@pytest.fixture
def full(own_workspace: api.Workspace) -> api.Workspace:
    """A workspace with something in every table."""
    trace = str(api.run_view(own_workspace).traces["trace_id"][0])
    api.mark(own_workspace, trace, "wrong")
    api.mark(own_workspace, trace, "good")
    api.curate(own_workspace, "30%", name="mine")
    with own_workspace.database.unit() as connection:
        connection.execute(
            "INSERT INTO answer_checks SELECT trace_id, 'right', '', '', '', '', 1, '' FROM traces"
        )
        connection.execute("INSERT INTO trace_metrics VALUES ('t', 'tokens', '', '', 1, '')")
        connection.execute("INSERT INTO judges SELECT 'j-1', '{}', '', '', 1")
        connection.execute("INSERT INTO judged_places SELECT 'j-1', 't', 0, 1, 'k'")
        connection.execute(
            "INSERT INTO judgements SELECT 'j-1', 'k', 'utility', true, '[]', '[]', '', '', '', 1, "
            "1, 1, 0, NULL, ''"
        )
        connection.execute("INSERT INTO duplicate_members SELECT 'f', 1, 1, 0, 't', 'd', 1, true")
        connection.execute(
            "INSERT INTO duplicate_findings SELECT 'f', 'traces', 1, ['d'], '', 1, 1, 1, 0, 0, '',"
            " 1"
        )
        connection.execute("INSERT INTO rollout_sets SELECT 'o-1', 'd', '{}', '', '', 1")
        connection.execute(
            "INSERT INTO rollout_problems SELECT 'o-1', 'p', 0, 'd', '?', '4', '{}', '', NULL, NULL"
        )
        connection.execute(
            "INSERT INTO rollouts SELECT 'o-1', 'p', 1, '4', [7], [-0.5], true, 1, 'right', ''"
        )
        connection.execute(
            "INSERT INTO policy_runs SELECT 'g-1', 'o-1', '', '', '{}', 1, '', '', 1"
        )
        connection.execute(
            "INSERT INTO policy_gradients SELECT 'g-1', 'p', 1, 1, [1], NULL, NULL, NULL"
        )
    return own_workspace


def test_a_sound_workspace_is_said_to_be_sound_and_is_not_touched(
    full: api.Workspace, grace: Grace
) -> None:
    path, stamp = full.database.path, full.database.stamp()
    before = path.read_bytes(), sorted(full.root.rglob("*"))
    status, out, err = grace("workspace", "check", "--json", "--workspace", full.root)
    assert status == 0
    assert json.loads(out)["is_sound"] is True
    assert json.loads(out)["findings"] == []
    assert "all fits together" in err
    assert (path.read_bytes(), sorted(full.root.rglob("*"))) == before
    assert full.database.stamp() == stamp


def test_every_rule_has_its_fault() -> None:
    assert len(BROKEN) == len(_RULES)
    for (_, what, _), said in zip(_RULES, BROKEN, strict=True):
        assert what.startswith(said)


@pytest.mark.long
@pytest.mark.parametrize(("said", "statement"), BROKEN.items(), ids=list(BROKEN))
def test_what_does_not_fit_together_is_found_and_advice_given(
    full: api.Workspace, said: str, statement: str
) -> None:
    with full.database.unit() as connection:
        connection.execute(statement)
    health = api.check_workspace(full)
    assert not health.is_sound
    (found,) = [finding for finding in health.findings if said in finding.what]
    assert found.is_fault
    assert found.what[0].isdigit()
    assert "grace " in found.advice or "delete the run" in found.advice


def test_a_compaction_drops_what_belongs_to_nothing(full: api.Workspace) -> None:
    loose = ("scored traces belong to no run", "decisions belong", "duplicates belong")
    with full.database.unit() as connection:
        for said, statement in BROKEN.items():
            if said.startswith(loose):
                connection.execute(statement)
    assert len(api.check_workspace(full).findings) >= 3
    api.compact(full)
    assert [finding.what for finding in api.check_workspace(full).findings] == []


def test_leftovers_and_unreadable_run_folders_are_named_and_no_fault(
    full: api.Workspace, grace: Grace
) -> None:
    (full.runs / "score-20200101-000000-abcd").mkdir()
    (full.staging_root / "ingest-1-2-x").mkdir()
    (full.root / "grace.duckdb.part").write_bytes(b"")
    status, out, _ = grace("workspace", "check", "--json", "--workspace", full.root)
    said = [finding["what"] for finding in json.loads(out)["findings"]]
    assert status == 0
    assert any("score-20200101-000000-abcd" in what for what in said)
    assert any(what.startswith("2 unfinished files") for what in said)


def test_an_older_database_is_told_and_not_migrated_by_a_check(
    full: api.Workspace, aged: Callable[[api.Workspace, int], None]
) -> None:
    aged(full, 4)
    (found,) = api.check_workspace(full).findings
    assert "older version" in found.what
    assert list(full.root.glob("*.bak")) == []


def test_a_backup_brings_back_everything_and_what_was_there_is_kept(
    full: api.Workspace, grace: Grace
) -> None:
    said = store.log_entries(full)
    status, out, _ = grace("workspace", "backup", "--json", "--workspace", full.root)
    made = json.loads(out)
    assert status == 0
    assert made["n_bytes"] == Path(made["path"]).stat().st_size > 0
    assert Path(made["path"]).name.startswith("grace.duckdb.2")
    trace = said[0].trace_id
    api.mark(full, trace, "late")
    api.delete_dataset(full, "solutions")

    status, out, _ = grace("workspace", "restore", made["path"], "--json", "--workspace", full.root)

    assert status == 0
    assert store.log_entries(full) == said
    assert api.datasets(full)[0].n_traces == 39
    assert api.check_workspace(full).findings == ()
    kept = Path(json.loads(out)["kept"])
    with store.Database(kept).unit() as connection:
        assert connection.execute("SELECT count(*) FROM traces").fetchall() == [(0,)]
        assert connection.execute("SELECT count(*) FROM annotations").fetchall() == [(3,)]
    # Its journal is kept too, and the new one goes on from the backup.
    (aside,) = full.root.glob("journal.replaced-*")
    assert aside.joinpath("annotations.jsonl").read_text().count("\n") == 3
    api.mark(full, trace, "later")
    journal = store.read_journal(full)
    assert journal is not None
    assert [entry["word"] for entry in journal.annotations] == ["wrong", "good", "later"]


def test_a_backup_replaces_no_file_and_needs_a_folder(full: api.Workspace, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(InputError, match="exists: a backup replaces no file"):
        api.back_up(full, tmp_path / "there")
    with pytest.raises(InputError, match="no folder"):
        api.back_up(full, tmp_path / "no" / "such")
    assert (tmp_path / "there").read_text() == "mine"


def test_only_a_backup_of_a_workspace_is_restored(
    full: api.Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import duckdb

    before = full.database.path.read_bytes()
    (tmp_path / "text.bak").write_text("hello")
    duckdb.connect(str(tmp_path / "other.bak")).close()
    newer = api.back_up(full, tmp_path / "newer.bak").path
    with duckdb.connect(str(newer)) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (99, 'x', '', '9.9')")
    for name, fault, said in (
        ("gone.bak", InputError, "no file"),
        ("text.bak", InputError, r"text\.bak is not a backup of a workspace \([^`]*\)\.$"),
        ("other.bak", InputError, r"other\.bak is not a backup of a workspace \([^`]*\)\.$"),
        ("newer.bak", StoreVersionError, "newer version"),
    ):
        with pytest.raises(fault, match=said):
            api.restore(full, tmp_path / name)
    assert full.database.path.read_bytes() == before
    assert list(full.root.glob("grace.duckdb.replaced-*")) == []
