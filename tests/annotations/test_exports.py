"""Do annotated exports carry what curators said, and do they replay as they were?"""

import json
from pathlib import Path

import orjson
import pytest

from grace_engine import api
from grace_engine.errors import NotFoundError


@pytest.fixture(autouse=True)
def _ada(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRACE_AUTHOR", "ada")


def exported(workspace: api.Workspace, to: Path) -> list[dict]:
    to.parent.mkdir(exist_ok=True)
    api.export(workspace, "latest", to, as_format="messages", annotate=True)
    return [orjson.loads(line)["grace"] for line in to.read_bytes().splitlines()]


def test_verdicts_and_overrides_stand_with_their_trace_and_only_there(
    own_workspace, tmp_path
) -> None:
    chosen = [c.trace_id for c in api.curate(own_workspace, "4").choices if c.selected]
    api.mark(own_workspace, chosen[0], "redundant", step=2, note="said before")
    api.mark(own_workspace, chosen[0], "good")
    api.mark(own_workspace, chosen[0], "wrong", step=1, author="ben")
    api.override(own_workspace, [chosen[1]], True, reason="the best of its kind")
    api.override(own_workspace, [chosen[2]], False)
    api.undo(own_workspace)
    lines = exported(own_workspace, tmp_path / "out.jsonl")
    assert [line["trace_id"] for line in lines] == chosen
    said = [(v["step"], v["word"], v["note"], v["author"]) for v in lines[0]["verdicts"]]
    assert said == [
        (None, "good", "", "ada"),
        (1, "wrong", "", "ben"),
        (2, "redundant", "said before", "ada"),
    ]
    assert "override" not in lines[0]
    override = lines[1]["override"]
    assert (override["word"], override["note"]) == ("keep", "the best of its kind")
    assert override["created_at"] == api.annotations(own_workspace).overrides[chosen[1]].created_at
    assert "verdicts" not in lines[1]
    assert {"verdicts", "override"} & (set(lines[2]) | set(lines[3])) == set()
    assert orjson.loads((tmp_path / "manifest.json").read_bytes())["annotations"] == 6


def test_an_export_replays_with_what_was_said_then(own_workspace, tmp_path) -> None:
    chosen = [c.trace_id for c in api.curate(own_workspace, "4").choices if c.selected]
    plain = tmp_path / "plain" / "out.jsonl"
    exported(own_workspace, plain)
    api.mark(own_workspace, chosen[0], "good", step=1)
    spoken = tmp_path / "spoken" / "out.jsonl"
    exported(own_workspace, spoken)
    assert plain.read_bytes() != spoken.read_bytes()
    api.undo(own_workspace)
    api.mark(own_workspace, chosen[0], "wrong", step=1)
    api.override(own_workspace, chosen, False)
    for path in (plain, spoken):
        again = path.with_name("again.jsonl")
        api.replay(path.with_name("manifest.json"), workspace=own_workspace, to=again)
        assert again.read_bytes() == path.read_bytes()


def test_a_manifest_from_before_there_was_a_log_replays_without_it(own_workspace, tmp_path) -> None:
    chosen = [c.trace_id for c in api.curate(own_workspace, "4").choices if c.selected]
    exported(own_workspace, tmp_path / "out.jsonl")
    path = tmp_path / "manifest.json"
    document = json.loads(path.read_bytes())
    assert document.pop("annotations") == 0
    path.write_text(json.dumps(document))
    api.mark(own_workspace, chosen[0], "good", step=1)
    api.replay(path, workspace=own_workspace, to=tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "out.jsonl").read_bytes()


def test_a_workspace_with_a_shorter_log_is_refused_by_its_name(own_workspace, tmp_path) -> None:
    chosen = [c.trace_id for c in api.curate(own_workspace, "4").choices if c.selected]
    api.mark(own_workspace, chosen[0], "good", step=1)
    exported(own_workspace, tmp_path / "out.jsonl")
    with own_workspace.database.unit() as connection:  # as one that was made from the same files
        connection.execute("DELETE FROM annotations")
    with pytest.raises(NotFoundError, match="up to entry 1 of a log that has 0"):
        api.replay(tmp_path / "manifest.json", workspace=own_workspace, to=tmp_path / "again.jsonl")
    assert not (tmp_path / "again.jsonl").exists()


def test_an_export_without_annotations_carries_no_verdicts(own_workspace, tmp_path) -> None:
    chosen = [c.trace_id for c in api.curate(own_workspace, "4").choices if c.selected]
    api.mark(own_workspace, chosen[0], "good", step=1)
    api.export(own_workspace, "latest", tmp_path / "out.jsonl", as_format="messages")
    assert b"verdicts" not in (tmp_path / "out.jsonl").read_bytes()
    assert json.loads((tmp_path / "manifest.json").read_bytes())["annotations"] == 0
