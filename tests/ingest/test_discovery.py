"""Which files does a name stand for, where do they go, and is what is left out said?"""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from grace_engine import api
from grace_engine.config import IngestConfig
from grace_engine.errors import ReadError
from grace_engine.ingest import discover
from grace_engine.ingest.discovery import dataset_of

ROW = {"question": "1+1?", "answer": "One and one.\n#### 2"}


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps({**ROW, "id": name}) + "\n")


def saved(folder: Path, *names: str, **state: object) -> None:
    """What ``Dataset.save_to_disk`` writes, with a cache beside it."""
    folder.mkdir(parents=True)
    for name in (*names, "cache-0123.arrow"):
        table = pa.Table.from_pylist([{**ROW, "id": f"{folder.name}/{name}"}])
        with pa.ipc.new_stream(folder / name, table.schema) as writer:
            writer.write_table(table)
    files = [{"filename": name} for name in names]
    (folder / "state.json").write_text(json.dumps({"_data_files": files, **state}))
    (folder / "dataset_info.json").write_text("{}")


def found(named: Path | str, root: Path, dataset: str = "") -> list[tuple[str, str]]:
    files = discover(named, dataset).files
    return [(str(file.path.relative_to(root)), file.dataset) for file in files]


@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        ("sums.jsonl", "sums"),
        ("sums.v2.jsonl.gz", "sums"),
        ("train-00000-of-00004.parquet", "train"),
        ("train-00003-of-00004-0123456789abcdef.parquet", "train"),
        ("00000-of-00004.parquet", "folder"),
        (".jsonl", "folder"),
        ("part-1.jsonl", "part-1"),
    ],
)
def test_a_file_goes_to_the_dataset_of_its_name_and_shards_to_one(name: str, dataset: str) -> None:
    assert dataset_of(Path("folder") / name) == dataset


def test_a_folder_is_read_in_order_into_one_dataset_and_says_what_it_leaves(
    tmp_path: Path,
) -> None:
    root = tmp_path / "sums"
    touch(root, "b.jsonl", "a.csv", "deep/er/c.json.gz", "README.md", ".gitattributes",
          ".git/x.jsonl", "dataset_info.json")  # fmt: skip
    (root / "loop").symlink_to(root)

    result = discover(root)

    assert found(root, root) == [
        ("a.csv", "sums"), ("b.jsonl", "sums"), ("deep/er/c.json.gz", "sums"),
    ]  # fmt: skip
    assert found(root, root, "all")[0] == ("a.csv", "all")
    assert {each.path.name: each.reason for each in result.passed_over} == {
        ".gitattributes": "a hidden file",
        "README.md": "an ending that cannot be read",
        "dataset_info.json": "describes the data",
        ".git": "a hidden folder",
        "loop": "a link to a folder",
    }


def test_a_pattern_stands_for_files_and_folders_in_order(tmp_path: Path) -> None:
    touch(tmp_path, "train-00001-of-00002.jsonl", "train-00000-of-00002.jsonl", "test.jsonl",
          "notes.txt", "more/x.jsonl")  # fmt: skip

    root = tmp_path.name
    assert found(tmp_path / "t*.jsonl", tmp_path) == [
        ("test.jsonl", f"{root}-test"), ("train-00000-of-00002.jsonl", f"{root}-train"),
        ("train-00001-of-00002.jsonl", f"{root}-train"),
    ]  # fmt: skip
    assert found(tmp_path / "[mn]*", tmp_path) == [("more/x.jsonl", root)]
    assert found(tmp_path / "**" / "x*", tmp_path) == [("more/x.jsonl", root)]
    assert [each.path.name for each in discover(tmp_path / "[mn]*").passed_over] == ["notes.txt"]


def test_a_folder_and_a_pattern_of_its_files_go_to_the_same_datasets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "sums", "a.jsonl", "b.jsonl", "deep/c.jsonl")
    touch(tmp_path / "split", "train-00000-of-00001.jsonl", "test.jsonl")
    saved(tmp_path / "kept", "data-00000-of-00001.arrow")
    for name, files in {"sums": "*", "split": "*.jsonl", "kept": "data-*.arrow"}.items():
        folder = tmp_path / name
        assert found(folder / files, folder) == found(folder, folder)
        assert found(folder / "**" / files, folder) == found(folder, folder)
        monkeypatch.chdir(folder)
        assert [each.dataset for each in discover(files).files] == [
            dataset for _, dataset in found(folder, folder)
        ]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    touch(tmp_path, "a[1].jsonl", "a1.jsonl")
    assert found(tmp_path / "a[1].jsonl", tmp_path) == [("a[1].jsonl", "a[1]")]


def test_a_saved_dataset_is_its_data_files_without_its_cache(tmp_path: Path) -> None:
    saved(tmp_path / "sums", "data-00000-of-00002.arrow", "data-00001-of-00002.arrow")
    assert found(tmp_path / "sums", tmp_path) == [
        ("sums/data-00000-of-00002.arrow", "sums"), ("sums/data-00001-of-00002.arrow", "sums"),
    ]  # fmt: skip
    assert dataset_of(tmp_path / "sums" / "data-00001-of-00002.arrow") == "sums"
    assert {dataset for _, dataset in found(tmp_path, tmp_path)} == {tmp_path.name}


def test_splits_of_a_saved_dataset_are_datasets(tmp_path: Path) -> None:
    for split in ("train", "test"):
        saved(tmp_path / "sums" / split, "data-00000-of-00001.arrow")
    (tmp_path / "sums" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')

    assert [dataset for _, dataset in found(tmp_path / "sums", tmp_path)] == [
        "sums-train", "sums-test",
    ]  # fmt: skip
    file = tmp_path / "sums" / "test" / "data-00000-of-00001.arrow"
    assert dataset_of(file) == "sums-test"
    workspace = api.open_workspace(tmp_path / "w", create=True)
    reports = api.ingest(workspace, [tmp_path / "sums"])
    assert [(each.dataset, each.count.added) for each in reports if each.count] == [
        ("sums-train", 1), ("sums-test", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("state.json", '{"_data_files": [{"filename": "../../secret.arrow"}]}'),
            "which is",
        ),
        (("state.json", '{"_data_files": [7]}'), "names None"),
        (("state.json", '{"_data_files": 7}'), "no list '_data_files'"),
        (("state.json", "[]"), "holds no object"),
        (("state.json", "{"), "is not JSON"),
        (("state.json", '{"_indices_data_files": [{"filename": "i.arrow"}]}'), "save it again"),
        (("dataset_dict.json", '{"splits": ["train"]}'), "lacks its split 'train'"),
        (("dataset_dict.json", '{"splits": [".."]}'), "not in its folder"),
        (("dataset_dict.json", '{"splits": [["x"]]}'), "not in its folder"),
    ],
)
def test_a_saved_dataset_that_is_damaged_is_refused(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    saved(tmp_path / "sums", "data-00000-of-00001.arrow")
    (tmp_path / "sums" / change[0]).write_text(change[1])
    with pytest.raises(ReadError, match=said):
        discover(tmp_path / "sums")


def test_nothing_to_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    touch(tmp_path / "other", "README.md", "x.bin")
    for named, said in {
        "empty": "is an empty folder",
        "other": "has no file that can be read, only README.md, x.bin: name files",
        "none-*.jsonl": "matches no file",
        "x" * 300: "File name too long",
    }.items():
        with pytest.raises(ReadError, match=said) as error:
            discover(tmp_path / named)
        assert "\n" not in str(error.value)


def test_a_folder_is_ingested_file_by_file_with_what_failed_and_what_was_passed_over(
    tmp_path: Path, grace
) -> None:
    root = tmp_path / "sums"
    touch(root, "a.jsonl", "b.json", "README.md")
    (root / "c.jsonl").write_text("")
    workspace = tmp_path / "w"

    status, out, err = grace("ingest", root, "--workspace", workspace, "--json")

    assert status == 1
    reports = json.loads(out)["files"]
    assert [(Path(r["path"]).name, r["dataset"], bool(r["fault"])) for r in reports] == [
        ("a.jsonl", "sums", False), ("b.json", "sums", False), ("c.jsonl", "sums", True),
        ("README.md", "", False),
    ]  # fmt: skip
    assert "Passed over (an ending that cannot be read)" in err
    assert "c.jsonl is empty" in " ".join(err.split())
    (dataset,) = api.datasets(api.open_workspace(workspace, create=False))
    assert (dataset.name, dataset.n_traces) == ("sums", 2)

    (root / "c.jsonl").unlink()
    assert grace("ingest", root, tmp_path / "none-*", "--workspace", workspace)[0] == 1
    assert grace("ingest", root, "--workspace", workspace)[0] == 0, (
        "what is passed over is no fault"
    )


def test_a_preview_of_a_folder_shows_its_first_file(tmp_path: Path, grace) -> None:
    touch(tmp_path / "sums", "b.jsonl", "a.jsonl", "README.md")

    preview = api.preview(tmp_path / "sums")

    assert (Path(preview.path).name, preview.dataset, preview.n_files) == ("a.jsonl", "sums", 2)
    assert api.preview(tmp_path / "sums", IngestConfig(dataset="mine")).dataset == "mine"
    status, _, err = grace("preview", str(tmp_path / "sums" / "*.jsonl"))
    assert status == 0
    assert "the first of 2 files" in " ".join(err.split())


def test_splits_that_stand_in_one_folder_are_datasets_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "set" / "data"
    folder.mkdir(parents=True)
    for name in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"):
        (folder / f"{name}.jsonl").write_text("{}\n")
    found = {each.path.name[:11]: each.dataset for each in discover(tmp_path / "set").files}
    assert found == {
        "test-00000-": "set-test",
        "train-00000": "set-train",
        "train-00001": "set-train",
    }
    (folder / "extra.jsonl").write_text("{}\n")  # what is no split leaves all of them together
    assert {each.dataset for each in discover(tmp_path / "set").files} == {"set"}


def test_a_link_that_leads_out_of_a_folder_is_refused_unless_it_is_named(
    tmp_path: Path, grace
) -> None:
    touch(tmp_path, "sums/a.jsonl", "secret/s.jsonl")
    (tmp_path / "sums" / "inside.jsonl").symlink_to(tmp_path / "sums" / "a.jsonl")
    link = tmp_path / "sums" / "out.jsonl"
    link.symlink_to(tmp_path / "secret" / "s.jsonl")
    workspace = tmp_path / "w"

    for named in (tmp_path / "sums", tmp_path / "sums" / "*.jsonl"):
        assert [name for name, _ in found(named, tmp_path)] == ["sums/a.jsonl", "sums/inside.jsonl"]
        status, out, err = grace("ingest", named, "-w", workspace, "--json")
        said = {Path(each["path"]).name: each for each in json.loads(out)["files"]}
        assert status == 1
        assert "leads out of" in said["out.jsonl"]["fault"]
        assert "name the file itself to read it." in " ".join(err.split())
        opened = api.open_workspace(workspace, create=False)
        assert [(each.name, each.n_traces) for each in api.datasets(opened)] == [("sums", 1)]
    assert [(each.path, each.line) for each in api.rejects(opened)] == [(str(link), 0)]

    assert grace("ingest", link, "-w", workspace)[0] == 0
    assert api.rejects(opened) == []
    (tmp_path / "sums" / "a.jsonl").unlink()
    (tmp_path / "sums" / "inside.jsonl").unlink()
    with pytest.raises(ReadError, match="is a link that leads out of"):
        discover(tmp_path / "sums")


def test_the_links_of_the_hub_s_cache_are_followed(tmp_path: Path) -> None:
    touch(tmp_path, "datasets--sums/blobs/0123", "other/s.jsonl")
    snapshot = tmp_path / "datasets--sums" / "snapshots" / "89ab"
    snapshot.mkdir(parents=True)
    (snapshot / "a.jsonl").symlink_to("../../blobs/0123")
    (snapshot / "b.jsonl").symlink_to(tmp_path / "other" / "s.jsonl")
    assert found(snapshot, snapshot) == [("a.jsonl", "89ab")]


def test_a_loop_of_links_is_one_sentence(tmp_path: Path, grace) -> None:
    (tmp_path / "sums").mkdir()
    (tmp_path / "sums" / "a.jsonl").symlink_to(tmp_path / "sums" / "a.jsonl")
    status, _, err = grace("ingest", tmp_path / "sums", "-w", tmp_path / "w")
    assert (status, err.count("error:")) == (1, 1)


def test_files_that_were_refused_whole_are_listed_until_they_are_read(
    tmp_path: Path, grace, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sums"
    touch(folder, "a.jsonl")
    for name, content in {"b.jsonl": "", "c.json": "once", "d.jsonl": '{"x": 1}\n'}.items():
        (folder / name).write_text(content)
    workspace = tmp_path / "w"
    assert grace("ingest", folder, tmp_path / "none.jsonl", "-w", workspace)[0] == 1

    found = json.loads(grace("rejects", "-w", workspace, "--json")[1])["rejects"]
    assert [(Path(each["path"]).name, each["line"], each["reason"]) for each in found] == [
        ("b.jsonl", 0, "file-refused"), ("c.json", 0, "file-refused"),
        ("d.jsonl", 0, "file-refused"),
    ]  # fmt: skip
    assert [each["detail"].split()[1:3] for each in found[:2]] == [
        ["is", "empty:"],
        ["is", "not"],
    ]
    assert "known format fits" in found[2]["detail"]
    assert grace("rejects", "-w", workspace, "--dataset", "sums")[0] == 0
    opened = api.open_workspace(workspace, create=False)
    assert [each.n_rejected for each in api.datasets(opened)] == [0]

    touch(folder, "b.jsonl")
    (folder / "c.json").unlink()
    monkeypatch.chdir(folder)  # named in another way, and to another dataset
    assert grace("ingest", "b.jsonl", "-w", workspace)[0] == 0
    assert [Path(each.path).name for each in api.rejects(opened)] == ["d.jsonl"]
