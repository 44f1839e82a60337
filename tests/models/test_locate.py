"""Is every model that cannot be used refused in one sentence that says what to do?"""

from pathlib import Path

import pytest
from huggingface_hub import errors

from grace_engine.errors import ModelError
from grace_engine.models.locate import locate_adapter, locate_model


def bare(kind: type[Exception]) -> Exception:
    """An error of the hub library without the HTTP response that its constructor asks for."""
    return kind.__new__(kind)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (bare(errors.GatedRepoError), "hf auth login"),
        (bare(errors.RepositoryNotFoundError), "not on the hub"),
        (bare(errors.RevisionNotFoundError), "no revision 'v9'"),
        (errors.LocalEntryNotFoundError("offline"), "hub cannot be reached"),
        (errors.OfflineModeIsEnabled("offline"), "hub cannot be reached"),
        (errors.HFValidationError("name"), "neither a folder here nor a hub id"),
        (ConnectionError("refused"), "hub cannot be reached"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_the_hub_refuses_is_told_apart(
    fault: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> str:
        raise fault

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(ModelError, match=said):
        locate_model("owner/model", revision="v9")


def test_a_hub_model_is_known_by_the_commit_of_its_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = tmp_path / "snapshots" / "0123abcd"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (snapshot / "model.safetensors").write_bytes(b"weights")
    asked: list[list[str]] = []

    def download(_name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        assert revision is None
        asked.append(allow_patterns)
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    found = locate_model("owner/model")
    assert (found.revision, found.folder) == ("0123abcd", snapshot)
    # Neither pickles nor code are fetched unless code was asked for.
    assert not {"*.bin", "*.pt", "*.py"} & set(asked[0])
    locate_model("owner/model", trust_remote_code=True)
    assert "*.py" in asked[1]


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "a/b/c", "~/nothing-here"])
def test_what_looks_like_a_path_is_not_asked_of_the_hub(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_a, **_k: pytest.fail("asked"))
    with pytest.raises(ModelError, match="not a folder here"):
        locate_model(name)


def test_a_folder_has_no_revision(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a revision goes with a hub id"):
        locate_model(str(tmp_path), revision="main")


def test_a_folder_that_is_no_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no adapter_config\.json"):
        locate_adapter(str(tmp_path))


def test_remote_code_is_not_run_unasked(tmp_path: Path) -> None:
    from grace_engine.models.load import load_config
    from grace_engine.models.locate import ModelFiles

    (tmp_path / "config.json").write_text(
        '{"model_type": "own", "auto_map": {"AutoConfig": "code.Config"}}'
    )
    (tmp_path / "code.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelError, match="--trust-remote-code"):
        load_config(ModelFiles(name="own", folder=tmp_path))
