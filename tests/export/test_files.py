"""Is an exported file there whole, or not at all?"""

import errno
import hashlib
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from grace_engine.errors import InputError, ResourceError
from grace_engine.export import Annotation, exported_lines, publish, read_manifest
from grace_engine.records import Answer, SourceRecord, Step, Trace


def trace(variant: str, raw: bytes = b'{"q": 1,  "grace": "mine"}') -> Trace:
    return Trace(
        id=f"id-{variant}",
        dataset="d",
        variant=variant,
        prompt="1 + 1?",
        text="One and one. A: 2",
        steps=(Step(start=0, end=12, mark_start=0),),
        answer=Answer(text="2", start=16, end=17, mark_start=13),
        reference=None,
        labels={},
        segmenter="auto",
        record=SourceRecord(
            digest=hashlib.sha256(raw).hexdigest(), path="f.jsonl", line=1, raw=raw
        ),
    )


def test_a_published_file_has_the_digest_and_count_that_are_reported(tmp_path: Path) -> None:
    found = publish(tmp_path / "out.jsonl", [b"a", b"b"])
    assert (tmp_path / "out.jsonl").read_bytes() == b"a\nb\n"
    assert (found.n_lines, found.n_bytes) == (2, 4)
    assert found.sha256 == hashlib.sha256(b"a\nb\n").hexdigest()


def test_the_same_bytes_again_change_nothing_and_need_no_leave(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    publish(path, [b"a"])
    before = path.stat().st_mtime_ns
    assert publish(path, [b"a"]).unchanged
    assert path.stat().st_mtime_ns == before


def test_a_fault_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    publish(path, [b"old"])

    def broken() -> Iterator[bytes]:
        yield b"new"
        raise InputError("a trace is gone")

    with pytest.raises(InputError, match="gone"):
        publish(path, broken(), overwrite=True)
    assert path.read_bytes() == b"old\n"
    assert [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    def full() -> Iterator[bytes]:
        yield b"x"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ResourceError, match="No space left on device"):
        publish(tmp_path / "out.jsonl", full())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_or_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        publish(tmp_path, [b"a"])
    with pytest.raises(InputError, match="no folder"):
        publish(tmp_path / "missing" / "out.jsonl", [b"a"])


def test_two_chosen_traces_of_one_record_are_one_original_line() -> None:
    traces = [(trace("a"), None), (trace("b"), None)]
    assert list(exported_lines(traces, "original")) == [b'{"q": 1,  "grace": "mine"}']


def test_annotations_stand_by_variant_and_never_overwrite_the_records_own_field() -> None:
    traces = [(trace(name), Annotation(document={"rank": name})) for name in ("a", "b")]
    (line,) = exported_lines(traces, "original")
    assert orjson.loads(line) == {
        "q": 1,
        "_grace": "mine",
        "grace": {"a": {"rank": "a"}, "b": {"rank": "b"}},
    }


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"sources": []}'])
def test_what_is_no_manifest_is_refused_in_one_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(content)
    with pytest.raises(InputError, match="is no manifest"):
        read_manifest(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_manifest(tmp_path / "none.json")
