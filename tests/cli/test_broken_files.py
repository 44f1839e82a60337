"""Does a folder of broken files end with a sentence for each, and is nothing stored lost?"""

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grace_engine import api

ROW = {"question": "1+1?", "answer": "One and one.\n#### 2"}
LINE = json.dumps(ROW).encode()
LINES = b"".join(
    json.dumps({"question": f"{n}?", "answer": f"It is {n}.\n#### {n}"}).encode() + b"\n"
    for n in range(2000)
)


def parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def arrow(table: pa.Table) -> bytes:
    file = io.BytesIO()
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def log(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return file.getvalue()


def zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


def broken() -> Iterator[tuple[str, bytes, str]]:
    """Fifty files: an ending, what stands in it, and a part of what is said of it."""
    table = pa.table({"question": [f"{n}?" for n in range(3000)], "answer": ["#### 1"] * 3000})
    whole, stream, samples = parquet(table), arrow(table), log({"samples/1.json": LINE})
    twice = pa.table([pa.array(["a"]), pa.array(["b"])], names=["q", "q"])
    bomb = b'{"a":"' + b"0" * (40 << 20)

    yield from ((ending, b"", "is empty") for ending in (".jsonl", ".json", ".csv", ".parquet"))
    yield from ((ending, b"", "is empty") for ending in (".arrow", ".eval", ".jsonl.gz"))
    yield ".jsonl", b"\n \n\t\n", "holds no rows"
    yield ".json", b" \n", "holds no rows"
    yield ".json", b"[]", "holds no rows"
    yield ".csv", b"question,answer\n", "holds no rows"
    yield ".jsonl.gz", gzip.compress(b""), "holds no rows"
    yield ".parquet", parquet(table.slice(0, 0)), "holds no rows"
    yield ".eval", log({"header.json": b"{}"}), "holds no rows"
    yield ".jsonl", b"once upon a time\n", "No record"
    yield ".jsonl", LINE[:-9], "No record"
    yield ".jsonl", b"[1]\n", "No record"
    yield ".jsonl", b"\0\0\0\0\n", "No record"
    yield ".jsonl", LINE.replace(b"One", b"\xff"), "No record"
    yield ".jsonl", LINE.replace(b"One", b"\\ud800"), "No record"
    yield ".jsonl", b'{"a":' * 5000 + b"1" + b"}" * 5000, "No record"
    yield ".jsonl", LINE.replace(b'"1+1?"', b"7"), "known format"
    yield ".jsonl", b'{"question": null, "answer": null}\n', "known format"
    yield ".jsonl", b'{"question": "1+1?"}\n', "known format"
    yield ".jsonl", LINE.replace(b"1+1?", b""), "No record"
    yield ".jsonl", LINE.replace(b"1+1?", b"1\\u0000"), "No record"
    yield ".jsonl", LINE.replace(b"#### 2", b"So two."), "known format"
    yield ".jsonl", LINE.replace(b"#### 2", b"#### "), "No record"
    yield ".jsonl", LINE.decode().encode("utf-16"), "UTF-16"
    yield ".json", LINE.decode().encode("utf-16-be"), "UTF-16"
    yield ".json", b"once upon a time", "neither a list nor an object"
    yield ".json", b"[" + LINE + b" " + LINE + b"]", "is not JSON: , or ] should stand"
    yield ".json", b"[" + LINE + b"] []", "goes on after its JSON has ended"
    yield ".json", b'{"a": [' + LINE + b'], "b": [' + LINE + b"]}", "2 lists of objects"
    yield ".json", b"[" + LINE[:-5], "No record"
    yield ".csv", b"a,a\n1,2\n", "2 columns named 'a'"
    yield ".csv", b"question,answer\n1+1?\n", "No record"
    yield ".csv", b'question,answer\n1+1?,"One\n#### 2\n', "No record"
    yield ".csv", b"\xff\xfea\0", "UTF-16"
    yield ".jsonl.gz", gzip.compress(LINES)[:-20], "is cut off"
    yield ".jsonl.zst", zstd(LINES)[:-20], "is cut off"
    yield ".jsonl.gz", LINES, "cannot be unpacked"
    yield ".jsonl.zst", LINES, "cannot be unpacked"
    yield ".jsonl.gz", gzip.compress(bomb), "unpacks to more than 200 times"
    yield ".parquet", whole[:-40], "cannot be read as Parquet"
    yield ".parquet", parquet(twice), "2 columns named 'q'"
    yield ".arrow", stream[: len(stream) // 2], "cannot be read as Arrow"
    yield ".eval", samples[:-20], "cannot be read as an Inspect log"
    yield ".eval", log({"samples/1.json": LINE}, zipfile.ZIP_LZMA), "cannot unpack"
    yield ".eval", log({"samples/1.json": b"{"}), "No record"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("broken")
    for number, (ending, content, _) in enumerate(broken()):
        (root / f"{number:02}{ending}").write_bytes(content)
    return root


def is_refused(report: dict[str, Any], said: str) -> bool:
    """Whether the file is refused with these words, or read and all its records refused."""
    count = report["count"]
    if said != "No record":
        return count is None and said in report["fault"] and report["path"] in report["fault"]
    reasons = sum(count["by_reason"].values()) if count else 0
    return bool(count) and count["added"] == 0 and reasons == count["rejected"] > 0


def test_fifty_broken_files_end_with_fifty_reasons_and_status_1(
    folder: Path, tmp_path: Path, grace
) -> None:
    (tmp_path / "good.jsonl").write_bytes(LINE)
    workspace = tmp_path / "w"
    assert grace("ingest", tmp_path / "good.jsonl", "--workspace", workspace)[0] == 0

    status, out, err = grace("ingest", folder, "--workspace", workspace, "--json")

    assert status == 1
    reports = json.loads(out)["files"]
    assert len(reports) == 50
    unexpected = [
        (Path(report["path"]).name, said, report["fault"] or report["count"])
        for report, (_, _, said) in zip(reports, broken(), strict=True)
        if not is_refused(report, said)
    ]
    assert unexpected == []
    assert "Traceback" not in err
    opened = api.open_workspace(workspace, create=False)
    assert {each.name: each.n_traces for each in api.datasets(opened)}["good"] == 1
    assert sum(each.n_traces for each in api.datasets(opened)) == 1
    assert all(each.reason and each.detail for each in api.rejects(opened, None))


def test_the_shell_says_a_sentence_for_each_broken_file(
    folder: Path, tmp_path: Path, grace
) -> None:
    status, out, err = grace("ingest", folder, "--workspace", tmp_path / "w")

    assert (status, out) == (1, "")
    faults = [line for line in err.splitlines() if line.startswith("error:")]
    assert len(faults) == 50
    assert [name for name in sorted(folder.iterdir()) if str(name) not in err] == []
