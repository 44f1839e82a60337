"""Are packed files read as what they hold, and is what breaks off or blows up noticed?"""

import gzip
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from grace_engine.errors import ReadError
from grace_engine.ingest import read_rows, unpacking
from grace_engine.ingest.readers import inspect_log

LINES = b"".join(b'{"n":%d,"text":"%x"}\n' % (n, n**9) for n in range(5000))
ZEROS = 80 << 20


def zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


PACKS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".zst": zstd}


@pytest.fixture(params=PACKS)
def packed(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """Writes a packed file; ``bend`` changes what is written."""

    def write(
        content: bytes, ending: str = ".jsonl", bend: Callable[[bytes], bytes] = bytes
    ) -> Path:
        path = tmp_path / f"rows{ending}{request.param}"
        path.write_bytes(bend(PACKS[request.param](content)))
        return path

    return write


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        (".jsonl", b'\xef\xbb\xbf{"a":"1"}\n{"a":"2"}'),
        (".json", b'[{"a":"1"},{"a":"2"}]'),
        (".json", b'{"a":"1"}\n{"a":"2"}\n'),
        (".json", b'{"data":[{"a":"1"},{"a":"2"}]}'),
        (".csv", b"a\n1\n2\n"),
        (".TSV", b"a\tb\n1\t3\n2\t3\n"),
    ],
)
def test_text_files_are_read_packed_as_they_are_plain(
    packed: Callable[..., Path], ending: str, content: bytes
) -> None:
    assert [row.fields["a"] for row in read_rows(packed(content, ending))] == ["1", "2"]


def test_packed_parts_one_after_another_are_one_file(packed: Callable[..., Path]) -> None:
    path = packed(LINES, bend=lambda whole: whole + whole)
    assert sum(row.fields["n"] for row in read_rows(path)) == 2 * sum(range(5000))


@pytest.mark.parametrize("kept", [0.5, -1, -9, 5])
def test_a_packed_file_that_is_cut_off_is_noticed(packed: Callable[..., Path], kept: float) -> None:
    path = packed(
        LINES, bend=lambda whole: whole[: int(len(whole) * kept) if kept == 0.5 else int(kept)]
    )
    with pytest.raises(ReadError, match=r"is cut off: .* Download or copy it again"):
        list(read_rows(path))


def test_what_is_not_packed_or_damaged_is_refused(packed: Callable[..., Path]) -> None:
    for bend in (lambda _: LINES, lambda whole: whole + b"junkjunk"):
        with pytest.raises(ReadError, match="cannot be unpacked: "):
            list(read_rows(packed(LINES, bend=bend)))


def test_nothing_packed_is_an_empty_file(packed: Callable[..., Path]) -> None:
    with pytest.raises(ReadError, match="holds no rows"):
        list(read_rows(packed(b"")))


@pytest.mark.parametrize("name", ["a.parquet.gz", "a.gz", "a.txt.zst"])
def test_only_text_files_are_read_packed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(LINES))
    with pytest.raises(ReadError, match="ending that cannot be read"):
        list(read_rows(tmp_path / name))


@pytest.mark.long
@pytest.mark.parametrize(
    ("ending", "begins"),
    [
        (".jsonl", b'{"a":"'),
        (".jsonl", b'{"a":1}\n'),
        (".json", b'{"a":"'),
        (".json", b'[{"a":1},{"a":"'),
        (".csv", b"a,b\n"),
        (".csv", b'a,b\n1,"'),
    ],
)
def test_a_bomb_is_refused_before_much_of_it_is_unpacked(
    packed: Callable[..., Path], ending: str, begins: bytes
) -> None:
    path = packed(begins + b"0" * ZEROS, ending)
    assert path.stat().st_size * unpacking.MOST_UNPACKED < ZEROS

    tracemalloc.start()
    with pytest.raises(ReadError, match=r"unpacks to more than 200 times its .* bytes"):
        list(read_rows(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 4 * unpacking.ALWAYS_UNPACKED


def test_a_log_that_is_a_bomb_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.eval", "w", zipfile.ZIP_DEFLATED) as file:
        for n in range(4):
            file.writestr(f"samples/{n}.json", b'"' + b"0" * (ZEROS // 4) + b'"')
    with pytest.raises(ReadError, match="unpacks to more than 200 times"):
        list(read_rows(tmp_path / "a.eval"))
    assert inspect_log.check_unpacked is unpacking.check_unpacked


def test_a_small_file_of_one_record_may_unpack_to_much(packed: Callable[..., Path]) -> None:
    path = packed(b'{"a":1}\n' * 100_000)
    assert path.stat().st_size * unpacking.MOST_UNPACKED < 800_000
    assert sum(1 for _ in read_rows(path)) == 100_000
