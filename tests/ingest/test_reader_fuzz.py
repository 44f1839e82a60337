"""Is any file at all either read or refused in words?

``make test`` tries three hundred files of each kind, over ten thousand in all. With
``GRACE_FUZZ=10000 pytest tests/ingest/test_reader_fuzz.py`` it is ten thousand of each kind.
"""

import gzip
import io
import json
import os
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from grace_engine.errors import GraceError
from grace_engine.ingest import READERS, read_rows
from grace_engine.records import Reject

EXAMPLES = int(os.environ.get("GRACE_FUZZ", "300"))

RECORDS = [
    {"q": f"Wieviel ist {n}²?", "a": f'So "{n}" \\ {n}.\n' * 3, "n": n, "l": [{"x": None}]}
    for n in range(12)
]
TABLE = pa.Table.from_pylist(RECORDS)


def _parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(TABLE, file)
    return file.getvalue()


def _arrow(*, is_file: bool) -> bytes:
    file = io.BytesIO()
    with (pa.ipc.new_file if is_file else pa.ipc.new_stream)(file, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=5)
    return file.getvalue()


def _log() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as log:
        for n, record in enumerate(RECORDS[:4]):
            log.writestr(f"samples/{n}.json", json.dumps(record))
    return file.getvalue()


LINES = "".join(json.dumps(record) + "\n" for record in RECORDS).encode()
LIST = json.dumps(RECORDS, ensure_ascii=False, indent=1).encode()
CELLS = "".join(f'{r["n"]},"{r["q"]}","a\n""{r["n"]}"""\n' for r in RECORDS)
WHOLE: dict[str, bytes] = {
    "lines.jsonl": LINES,
    "list.json": LIST,
    "inside.json": b'{"n": 1, "data": ' + LIST + b', "tags": ["x"]}',
    "lines.json": LINES,
    "table.csv": b"n,q,a\n" + CELLS.encode(),
    "table.tsv": b"n\tq\n1\t2\n\n",
    "lines.jsonl.gz": gzip.compress(LINES),
    "table.csv.zst": pa.compress(b"n,q,a\n" + CELLS.encode(), codec="zstd", asbytes=True),
    "rows.parquet": _parquet(),
    "stream.arrow": _arrow(is_file=False),
    "file.arrow": _arrow(is_file=True),
    "log.eval": _log(),
}

fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

PLACES = st.integers(0, 1 << 16)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("cut"), PLACES, st.just(b"")),
        st.tuples(st.just("flip"), PLACES, st.binary(min_size=1, max_size=1)),
        st.tuples(st.just("over"), PLACES, st.binary(min_size=1, max_size=8)),
        st.tuples(
            st.just("insert"),
            PLACES,
            st.binary(min_size=1, max_size=8) | st.sampled_from([b'"', b"[", b"}", b"\0", b"\\"]),
        ),
        st.tuples(st.just("drop"), PLACES, st.just(b"........")),
    ),
    min_size=1,
    max_size=4,
)


def changed(content: bytes, changes: list[tuple[str, int, bytes]]) -> bytes:
    for kind, place, value in changes:
        at = place % (len(content) or 1)
        before, behind = content[:at], content[at:]
        if kind == "cut":
            content = before
        elif kind == "flip" and behind:
            content = before + bytes([behind[0] ^ value[0]]) + behind[1:]
        elif kind == "insert":
            content = before + value + behind
        else:  # over what stands there, or without it
            content = before + (value if kind == "over" else b"") + behind[len(value) :]
    return content


def check_is_read_or_refused(path: Path) -> None:
    last, count = 0, 0
    try:
        for row in read_rows(path):
            assert row.line > last
            last, count = row.line, count + 1
            assert not isinstance(row, Reject) or (row.reason and row.detail)
    except GraceError as refused:
        said = str(refused)
        count = said.count(str(path)) if "\n" not in said else 0
    assert count > 0


def test_every_ending_is_tried() -> None:
    assert {READERS["".join(Path(name).suffixes)].rows for name in WHOLE} == {
        reader.rows for reader in READERS.values()
    }
    for name in WHOLE:
        assert "".join(Path(name).suffixes) in READERS


@pytest.mark.parametrize("name", WHOLE)
def test_the_files_that_are_changed_below_are_whole(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(WHOLE[name])
    rows = list(read_rows(tmp_path / name))
    assert len(rows) == {"log.eval": 4, "table.tsv": 1}.get(name, 12)
    assert not any(isinstance(row, Reject) for row in rows)


@pytest.mark.long
@pytest.mark.parametrize("ending", READERS)
@given(content=st.binary(max_size=200))
@fuzzed
def test_any_bytes_are_read_or_refused_in_words(
    tmp_path: Path, ending: str, content: bytes
) -> None:
    path = tmp_path / f"any{ending}"
    path.write_bytes(content)
    check_is_read_or_refused(path)


@pytest.mark.long
@pytest.mark.parametrize("name", WHOLE)
@given(changes=CHANGES)
@fuzzed
def test_a_changed_file_is_read_or_refused_in_words(
    tmp_path: Path, name: str, changes: list[tuple[str, int, bytes]]
) -> None:
    path = tmp_path / name
    path.write_bytes(changed(WHOLE[name], changes))
    check_is_read_or_refused(path)


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv"])
@given(content=st.text('"\\[]{},:;\t\n\r 1ea', max_size=60))
@fuzzed
def test_text_of_signs_that_mean_something_is_read_or_refused_in_words(
    tmp_path: Path, ending: str, content: str
) -> None:
    path = tmp_path / f"any{ending}"
    path.write_bytes(content.encode())
    check_is_read_or_refused(path)
