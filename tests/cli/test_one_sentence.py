"""Does each way in which a file is broken end with one clear sentence of its own?"""

import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grace_engine import api, store

Grace = Callable[..., tuple[int, str, str]]

ROW = {"question": "1+1?", "answer": "One and one.\n#### 2"}
GOOD = json.dumps(ROW).encode() + b"\n"


def parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([ROW] * 9), file)
    return file.getvalue()


def bomb() -> bytes:
    return gzip.compress(b'{"a":"' + b"0" * (40 << 20) + b'"}')


# What a file is called, what stands in it, and the whole of what is said; {} is its path.
FILES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "empty file": ("a.jsonl", bytes, "{} is empty: there is nothing to read."),
    "not JSON": ("a.json", lambda: b"once", "{} is not JSON records: it begins with neither"),
    "UTF-16": (
        "a.jsonl",
        lambda: GOOD.decode().encode("utf-16"),
        "{} is written in UTF-16: save it as UTF-8.",
    ),
    "truncated .gz": (
        "a.jsonl.gz",
        lambda: gzip.compress(os.urandom(4000).hex().encode())[:-20],
        "{} is cut off: its packed content ends before its end. Download or copy it again.",
    ),
    "zip bomb": ("a.jsonl.gz", bomb, "{} unpacks to more than 200 times its"),
    "Parquet footer cut off": (
        "a.parquet",
        lambda: parquet()[:-40],
        "{} cannot be read as Parquet",
    ),
    "an unknown ending": ("a.docx", lambda: GOOD, "{} has an ending that cannot be read: use one"),
    "missing columns": (
        "a.jsonl",
        lambda: b'{"question": "1+1?"}\n',
        "{}: no known format fits records with the fields question.",
    ),
    "wrong types": (
        "a.jsonl",
        lambda: b'{"question": 7, "answer": ["x"]}\n',
        "{}: no known format fits records with the fields question, answer.",
    ),
    "nulls": (
        "a.jsonl",
        lambda: b'{"question": null, "answer": null}\n',
        "{}: no known format fits records with the fields question, answer.",
    ),
}

# A second line of a good file; its reason, and a part of what is said of it.
LINES: dict[str, tuple[bytes, str, str]] = {
    "not JSON": (b"once upon a time\n", "not-json", "at character 1 of the record"),
    "half a last line": (GOOD[:-20], "not-json", "at character"),
    "a 50 MB line": (
        b'{"question": "' + b"x" * (50 << 20) + b'"}\n',
        "record-too-large",
        "the record has more than 32 MiB",
    ),
    "NULs": (b"\0\0\0\0\n", "not-json", "at character 1 of the record"),
    "a NUL in a text": (
        GOOD.replace(b"1+1?", b"1\\u0000"),
        "null-character",
        "U+0000 in '1\\x00'",
    ),
    "invalid UTF-8": (
        GOOD.replace(b"1+1?", b"\xff"),
        "not-utf8",
        "byte 15 of the record is not UTF-8",
    ),
    "a wrong type": (
        GOOD.replace(b'"1+1?"', b"7"),
        "schema-mismatch",
        "field 'question' is a number, not text",
    ),
    "null": (
        GOOD.replace(b'"1+1?"', b"null"),
        "schema-mismatch",
        "field 'question' is null, not text",
    ),
    "a missing column": (
        b'{"question": "2+2?"}\n',
        "schema-mismatch",
        "field 'answer' is missing; the record has question",
    ),
    "no object": (b"[1]\n", "not-an-object", "the record is an array, not an object with named"),
    "deep nesting": (
        b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"\n",
        "nested-too-deep",
        "lists and objects stand too deep inside one another",
    ),
    "the same record again": (GOOD, "duplicate-record", "The same record stands in line 1."),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_broken_as_a_whole_is_refused(
    grace: Grace, tmp_path: Path, case: str
) -> None:
    name, content, said = FILES[case]
    path = tmp_path / name
    path.write_bytes(content())

    status, out, _ = grace("ingest", path, "-w", tmp_path / "w", "--json")

    (report,) = json.loads(out)["files"]
    assert (status, report["count"]) == (1, None)
    assert said.format(path) in report["fault"]
    assert report["fault"].startswith(str(path))
    assert "\n" not in report["fault"]
    assert report["fault"].endswith((".", ")."))


@pytest.mark.long
@pytest.mark.parametrize("case", LINES)
def test_a_broken_line_is_rejected_alone(grace: Grace, tmp_path: Path, case: str) -> None:
    line, reason, said = LINES[case]
    (tmp_path / "a.jsonl").write_bytes(GOOD + line)

    status, _, err = grace("ingest", tmp_path / "a.jsonl", "-w", tmp_path / "w")

    workspace = api.open_workspace(tmp_path / "w", create=False)
    (reject,) = api.rejects(workspace)
    assert (status, reject.line, reject.reason) == (0, 2, reason)
    assert said in reject.detail
    assert "\n" not in reject.detail
    assert f"1 traces added, 0 there before, 1 rejected (1 {reason};" in " ".join(err.split())


def test_a_byte_order_mark_is_passed_over(grace: Grace, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + GOOD)
    assert grace("ingest", tmp_path / "a.jsonl", "-w", tmp_path / "w")[0] == 0
    (found,) = api.datasets(api.open_workspace(tmp_path / "w", create=False))
    assert (found.n_traces, found.n_rejected) == (1, 0)


def test_a_directory_without_files_a_missing_and_an_unreadable_file_are_refused(
    grace: Grace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "closed.jsonl").write_bytes(GOOD)
    real = Path.open

    def closed(path: Path, *mode: object, **options: object) -> object:
        if path.name == "closed.jsonl":  # root may read what nobody else may
            raise PermissionError(13, "Permission denied")
        return real(path, *mode, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", closed)
    for name, said in {
        "folder": "is an empty folder: there is nothing to read.",
        "none.jsonl": "does not exist: check the name and the folder.",
        "closed.jsonl": "may not be read: check the file's permissions.",
    }.items():
        status, out, err = grace("ingest", tmp_path / name, "-w", tmp_path / "w", "--json")
        (report,) = json.loads(out)["files"]
        assert (status, report["fault"]) == (1, f"{tmp_path / name} {said}")
        assert "Traceback" not in err


def test_the_same_id_twice_names_two_traces_and_dots_in_ids_name_no_place(
    grace: Grace, tmp_path: Path
) -> None:
    rows = [{**ROW, "id": "../../x", "n": n} for n in range(2)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert grace("ingest", tmp_path / "a.jsonl", "-w", tmp_path / "w")[0] == 0

    workspace = api.open_workspace(tmp_path / "w", create=False)
    ids = [trace.id for batch in store.iter_traces(workspace) for trace in batch]
    assert len(set(ids)) == 2
    assert all(len(each) == 16 and each.isalnum() for each in ids)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.jsonl", "w"]


def test_an_export_into_a_folder_that_is_not_there_is_refused(
    grace: Grace, own_workspace: api.Workspace, tmp_path: Path
) -> None:
    api.curate(own_workspace, "3")
    to = tmp_path / "out" / ".." / ".." / "nowhere" / "x.jsonl"
    status, _, err = grace("export", "latest", "--to", to, "-w", own_workspace.root)
    assert (status, err.count("error:")) == (1, 1)
    assert "Name a file in a folder that exists." in " ".join(err.split())


FULL = """
import resource, sys
most = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))  # no file grows beyond, as on a full disk
from grace_engine.cli import app
app()
"""


@pytest.mark.long
def test_a_disk_that_fills_up_half_way_leaves_nothing_of_the_file(
    grace: Grace, tmp_path: Path
) -> None:
    workspace, path = tmp_path / "w", tmp_path / "a.jsonl"
    (tmp_path / "first.jsonl").write_bytes(GOOD)
    assert grace("ingest", tmp_path / "first.jsonl", "-w", workspace)[0] == 0
    noise = (os.urandom(1000).hex() for _ in range(4000))
    rows = [
        {"question": f"{n}?", "answer": f"It is {each}.\n#### {n}"} for n, each in enumerate(noise)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    opened = api.open_workspace(workspace, create=False)
    most = opened.database.path.stat().st_size + 500_000

    command = [sys.executable, "-c", FULL, str(most), "ingest", str(path), "-w", str(workspace)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 1
    assert done.stderr.count("error:") == 1
    assert "The disk that holds" in done.stderr
    assert "is full" in " ".join(done.stderr.split())
    assert [(each.name, each.n_traces) for each in api.datasets(opened)] == [("first", 1)]
    assert [found.name for found in workspace.rglob("*.parquet")] == []
    assert grace("ingest", path, "-w", workspace)[0] == 0
    assert [each.n_traces for each in api.datasets(opened)] == [4000, 1]
