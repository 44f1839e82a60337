"""Does a page read only where it may, and does an upload land where it should?"""

import os
from pathlib import Path

import pytest

from grace_engine.errors import InputError, ReadError
from grace_engine.ui.data_paths import (
    allowed_folders,
    confined,
    confined_files,
    confined_name,
    keep_upload,
)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace and an allowed folder side by side with a secret."""
    for name in ("workspace", "allowed/deep", "outside"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("workspace/w.jsonl", "allowed/deep/a.jsonl", "outside/secret.jsonl"):
        (tmp_path / name).write_text("{}\n")
    monkeypatch.setenv("GRACE_ALLOWED_PATHS", str(tmp_path / "allowed"))
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("deep/a.jsonl", "allowed/deep/a.jsonl"),
        ("  deep/../deep/a.jsonl ", "allowed/deep/a.jsonl"),
        ("{root}/allowed/deep/a.jsonl", "allowed/deep/a.jsonl"),
        ("{root}/workspace/w.jsonl", "workspace/w.jsonl"),
        ("{root}/allowed/not there yet.jsonl", "allowed/not there yet.jsonl"),
    ],
)
def test_a_path_inside_is_resolved(folders: Path, typed: str, found: str) -> None:
    typed = typed.format(root=folders)
    assert confined(typed, str(folders / "workspace")) == folders / found


@pytest.mark.parametrize(
    "typed",
    [
        "../outside/secret.jsonl",
        "deep/../../outside/secret.jsonl",
        "{root}/outside/secret.jsonl",
        "{root}/allowed/../outside/secret.jsonl",
        "{root}/allowed-not/x.jsonl",
        "{root}",
        "/etc/passwd",
        "~/x.jsonl",
        "\0",
    ],
)
def test_a_path_outside_is_refused(folders: Path, typed: str) -> None:
    with pytest.raises(InputError, match=r"outside of the folders|U\+0000"):
        confined(typed.format(root=folders), str(folders / "workspace"))


def test_a_link_that_leads_out_is_refused_and_says_where_it_leads(folders: Path) -> None:
    (folders / "allowed" / "link.jsonl").symlink_to(folders / "outside" / "secret.jsonl")
    (folders / "allowed" / "up").symlink_to(folders / "outside")
    (folders / "allowed" / "within.jsonl").symlink_to(folders / "workspace" / "w.jsonl")
    workspace = str(folders / "workspace")

    for typed in ("link.jsonl", "up/secret.jsonl"):
        with pytest.raises(InputError, match=f"leads to {folders / 'outside'}"):
            confined(typed, workspace)
    assert confined("within.jsonl", workspace) == folders / "workspace" / "w.jsonl"


def test_a_relative_path_is_looked_for_in_every_folder_then_in_the_workspace(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folders / "more" / "deep").mkdir(parents=True)
    (folders / "link").symlink_to(folders / "outside")
    for name in ("more/deep/a.jsonl", "more/b.jsonl", "workspace/b.jsonl"):
        (folders / name).write_text("{}\n")
    (folders / "allowed" / "b.jsonl").symlink_to(folders / "outside" / "secret.jsonl")
    named = os.pathsep.join(str(folders / name) for name in ("allowed", "more"))
    monkeypatch.setenv("GRACE_ALLOWED_PATHS", named)
    workspace = str(folders / "workspace")

    assert confined("deep/a.jsonl", workspace) == folders / "allowed/deep/a.jsonl"
    assert confined("b.jsonl", workspace) == folders / "more/b.jsonl"
    assert confined("w.jsonl", workspace) == folders / "workspace/w.jsonl"
    assert confined("nowhere.jsonl", workspace) == folders / "allowed/nowhere.jsonl"


@pytest.mark.parametrize("typed", ["deep", "deep/*.jsonl", "deep/**"])
def test_a_folder_or_pattern_is_refused_where_a_link_in_it_leads_out(
    folders: Path, typed: str
) -> None:
    workspace, deep = str(folders / "workspace"), folders / "allowed" / "deep"
    (deep / "b.jsonl").symlink_to(folders / "workspace" / "w.jsonl")
    found = confined_files(typed, workspace)
    assert [each.path for each in found.files] == [
        deep / "a.jsonl",
        folders / "workspace" / "w.jsonl",
    ]

    (deep / "c.jsonl").symlink_to(folders / "outside" / "secret.jsonl")
    with pytest.raises(InputError, match=f"leads to {folders / 'outside'}"):
        confined_files(typed, workspace)


def test_a_folder_behind_a_link_is_not_walked(folders: Path) -> None:
    (folders / "allowed" / "deep" / "up").symlink_to(folders / "outside")
    found = confined_files("deep", str(folders / "workspace"))
    assert [each.path.name for each in found.files] == ["a.jsonl"]
    assert [each.reason for each in found.passed_over] == ["a link to a folder"]


def test_without_named_folders_the_current_one_may_be_read(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRACE_ALLOWED_PATHS")
    monkeypatch.chdir(folders / "outside")

    assert confined("secret.jsonl", "../workspace") == folders / "outside" / "secret.jsonl"
    assert allowed_folders("../workspace") == [folders / "workspace", folders / "outside"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("traces.jsonl", "traces.jsonl"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.parquet", "boot.parquet"),
        ("/abs/olute.jsonl", "olute.jsonl"),
        ("..", "upload"),
        ("", "upload"),
        (".hidden.jsonl", "hidden.jsonl"),
        ("a\nb\0c\u202e.jsonl", "a_b_c_.jsonl"),
        ("<img src=x>.jsonl", "_img src_x_.jsonl"),
        ("x" * 300 + ".jsonl", "x" * 94 + ".jsonl"),
    ],
)
def test_an_upload_gets_a_name_that_stays_in_its_folder(name: str, kept: str) -> None:
    assert confined_name(name) == kept
    assert os.sep not in kept


def test_an_upload_is_kept_once_under_its_digest(tmp_path: Path) -> None:
    first = keep_upload(str(tmp_path / "w"), "../a.jsonl", b"{}\n")

    assert first.read_bytes() == b"{}\n"
    assert first.parent.parent == tmp_path / "w" / "uploads"
    assert keep_upload(str(tmp_path / "w"), "a.jsonl", b"{}\n") == first
    assert keep_upload(str(tmp_path / "w"), "a.jsonl", b"[]\n") != first
    assert [path.name for path in first.parent.iterdir()] == ["a.jsonl"]


def test_an_upload_that_cannot_be_kept_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "w").write_text("a file")
    with pytest.raises(ReadError, match="cannot be kept"):
        keep_upload(str(tmp_path / "w"), "a.jsonl", b"{}\n")
