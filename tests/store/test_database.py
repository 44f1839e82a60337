"""Does every unit of work get the file to itself, and every fault its sentence?"""

import random
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from grace_engine.errors import (
    DiskFullError,
    GraceError,
    NotFoundError,
    ResourceError,
    StoreBusyError,
    StoreError,
    StoreVersionError,
)
from grace_engine.records import Trace
from grace_engine.store import (
    Database,
    Source,
    Workspace,
    add_traces,
    count_traces,
    open_workspace,
)
from grace_engine.store.faults import meaning

MakeTrace = Callable[..., Trace]
StartPython = Callable[..., "subprocess.Popen[str]"]

HOLD = """
import sys
from pathlib import Path
from grace_engine.store import Workspace
with Workspace(Path(sys.argv[1])).database.unit():
    print("held", flush=True)
    sys.stdin.readline()
"""
HOLD_BY_DUCKDB = """
import sys, duckdb
with duckdb.connect(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""

INGEST_FOREVER = """
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from grace_engine.records import Answer, SourceRecord, Step, Trace
from grace_engine.store import Source, Workspace, add_traces
workspace = Workspace(Path(sys.argv[1]))
print("ready", flush=True)
for number in count():
    source = Source(path="x", digest=str(number), size=1, schema_name="x", segmenter="lines")
    add_traces(workspace, "sums", source, (
        Trace(
            id=f"{number}-{i}", dataset="sums", variant="", prompt="p", text="t",
            steps=(Step(start=0, end=1, mark_start=0),),
            answer=Answer(text="t", start=0, end=1, mark_start=0), reference=None, labels={},
            segmenter="lines",
            record=SourceRecord(digest=f"{number}-{i}", path="x", line=i + 1, raw=b"r"),
        )
        for i in range(50)
    ))
"""

FILL_THE_DISK = """
import resource, sys
from pathlib import Path
from grace_engine.errors import StoreError
from grace_engine.store import Workspace
workspace = Workspace(Path(sys.argv[1]))
limit = workspace.database.size() + 100_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    with workspace.database.unit() as connection:
        connection.execute("CREATE TABLE noise AS SELECT random()::TEXT FROM range(1_000_000)")
except StoreError as error:
    print(error)
"""

FILL_THE_DISK_BY_STAGING = """
import resource, sys
from pathlib import Path
from grace_engine.errors import StoreError
from grace_engine.records import Reject
from grace_engine.store import Source, Workspace, add_traces
workspace = Workspace(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
source = Source(path="x", digest="x", size=1, schema_name="x", segmenter="lines")
items = (Reject(path="x", line=i, reason=str(i**9), detail=str(i**7)) for i in range(20_000))
try:
    add_traces(workspace, "sums", source, items)
except StoreError as error:
    print(error)
print(list(workspace.staging_root.iterdir()))
"""


def test_an_exception_rolls_the_unit_back(workspace: Workspace) -> None:
    def break_off() -> None:
        with workspace.database.unit() as connection:
            connection.execute("INSERT INTO datasets VALUES ('a', '', 'lines')")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        break_off()
    with workspace.database.unit() as connection:
        assert connection.execute("SELECT count(*) FROM datasets").fetchall() == [(0,)]


def test_units_do_not_nest(workspace: Workspace) -> None:
    with (
        workspace.database.unit(),
        pytest.raises(RuntimeError, match="do not nest"),
        workspace.database.unit(),
    ):
        pass
    assert count_traces(workspace) == 0


def test_mistakes_in_sql_stay_what_they_are(workspace: Workspace) -> None:
    with pytest.raises(duckdb.ParserException), workspace.database.unit() as connection:
        connection.execute("SELEC 1")


def test_sql_reads_no_python_variables_and_fetches_no_extensions(workspace: Workspace) -> None:
    datasets_of_mine = [1]
    with workspace.database.unit() as connection:
        with pytest.raises(duckdb.CatalogException):
            connection.sql("SELECT * FROM datasets_of_mine")
        for setting in ("autoload_known_extensions", "autoinstall_known_extensions"):
            rows = connection.execute("SELECT current_setting(?)", [setting]).fetchall()
            assert rows == [(False,)]
    assert datasets_of_mine


def test_rows_that_are_stored_are_not_written_again_when_others_go(workspace: Workspace) -> None:
    with workspace.database.unit() as connection:
        connection.execute(
            "INSERT INTO records SELECT i, 'd', 's', i, md5(i::VARCHAR), md5('r' || i)::BLOB "
            "FROM range(260000) AS numbers(i)"
        )
    before = workspace.database.size()
    with workspace.database.unit() as connection:  # leaves no row group full: three could be two
        connection.execute("DELETE FROM records WHERE record_id % 2 = 1")
    assert workspace.database.size() < 1.1 * before


def test_a_file_held_by_another_process_names_it_and_opens_once_it_is_free(
    tmp_path: Path, workspace: Workspace, start_python: StartPython
) -> None:
    holder = start_python(HOLD, workspace.root)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    hasty = open_workspace(workspace.root, create=False, busy_timeout=0.2)
    began = time.monotonic()
    with pytest.raises(StoreBusyError, match=rf"process {holder.pid} \(.*python.*-c") as caught:
        count_traces(hasty)
    assert 0.2 <= time.monotonic() - began < 2
    assert str(workspace.database.path) in str(caught.value)
    assert "0.2 s" in str(caught.value)

    def release() -> None:
        time.sleep(0.3)
        holder.communicate("\n")

    releasing = threading.Thread(target=release)
    releasing.start()
    assert count_traces(workspace) == 0  # waited
    releasing.join()
    assert holder.returncode == 0


def test_a_file_held_by_a_process_that_is_not_ours_names_it_too(
    workspace: Workspace, start_python: StartPython
) -> None:
    holder = start_python(HOLD_BY_DUCKDB, workspace.database.path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    hasty = open_workspace(workspace.root, create=False, busy_timeout=0.1)
    with pytest.raises(StoreBusyError, match=rf"process {holder.pid} \(.*duckdb"):
        count_traces(hasty)
    holder.communicate("\n")
    assert count_traces(hasty) == 0


def test_reading_the_database_file_by_other_means_does_not_let_others_in(
    workspace: Workspace, start_python: StartPython
) -> None:
    other = "import sys; from pathlib import Path; from grace_engine.store import *\n" + (
        "count_traces(open_workspace(Path(sys.argv[1]), create=False, busy_timeout=0.1))"
    )
    with workspace.database.unit():
        workspace.database.path.read_bytes()  # drops the locks that DuckDB has on it
        assert start_python(other, workspace.root).wait() == 1
    assert start_python(other, workspace.root).wait() == 0


def test_a_thread_that_waits_too_long_for_another_says_so(workspace: Workspace) -> None:
    hasty = open_workspace(workspace.root, create=False, busy_timeout=0.1)
    with ThreadPoolExecutor(1) as pool, workspace.database.unit():
        waiting = pool.submit(count_traces, hasty)
        with pytest.raises(StoreBusyError, match="another task of this process"):
            waiting.result()


@pytest.mark.long
def test_eight_threads_write_and_read_without_an_error_or_half_a_batch(
    workspace: Workspace, make_trace: MakeTrace
) -> None:
    def work(worker: int) -> list[int]:
        seen = []
        for step in range(3):
            number = 3 * worker + step
            source = Source(
                path="a", digest=str(number), size=1, schema_name="x", segmenter="lines"
            )
            batch = [make_trace(10 * number + i) for i in range(10)]
            assert add_traces(workspace, "sums", source, batch).added == 10
            seen.append(count_traces(workspace))
        return seen

    with ThreadPoolExecutor(8) as pool:
        seen = [count for counts in pool.map(work, range(8)) for count in counts]
    assert all(count % 10 == 0 for count in seen)
    assert count_traces(workspace) == 240


def test_kill_9_leaves_whole_batches_only(workspace: Workspace, start_python: StartPython) -> None:
    before = 0
    for _ in range(3):
        writer = start_python(INGEST_FOREVER, workspace.root / ".")
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(random.uniform(0.2, 0.6))
        writer.kill()
        writer.wait()
        count = count_traces(workspace)
        assert count % 50 == 0
        assert count >= before
        before = count
    with workspace.staging():
        assert len(list(workspace.staging_root.iterdir())) == 1  # leftovers are gone
    with workspace.database.unit() as connection:
        for table in ("segmentations", "records", "traces"):
            rows = connection.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608
            assert rows == [(count,)]


def test_a_full_disk_loses_nothing_and_work_goes_on_when_there_is_room(
    workspace: Workspace, start_python: StartPython
) -> None:
    said, _ = start_python(FILL_THE_DISK, workspace.root).communicate()
    assert f"The disk that holds {workspace.database.path} is full" in said
    with workspace.database.unit() as connection, pytest.raises(duckdb.CatalogException):
        connection.execute("SELECT * FROM noise")
    assert count_traces(workspace) == 0


def test_a_disk_that_fills_while_staging_is_said_in_the_same_words(
    workspace: Workspace, start_python: StartPython
) -> None:
    said, _ = start_python(FILL_THE_DISK_BY_STAGING, workspace.root).communicate()
    assert said.startswith("The disk that holds")
    assert said.endswith("\n[]\n")


def test_a_database_that_is_gone_is_not_silently_made_anew(tmp_path: Path) -> None:
    with (
        pytest.raises(NotFoundError, match="no workspace database"),
        Database(tmp_path / "gone.duckdb").unit(),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["garbage", "truncated", "flipped", "empty"])
def test_a_damaged_file_is_said_to_be_damaged(workspace: Workspace, damage: str) -> None:
    path = workspace.database.path
    content = path.read_bytes()
    path.write_bytes(
        {
            "garbage": b"garbage" * 1000,
            "truncated": content[:20_000],
            "flipped": content[:12_300] + bytes(b ^ 0x55 for b in content[12_300:]),
            "empty": b"",
        }[damage]
    )
    with pytest.raises(StoreError, match="is damaged"):
        count_traces(workspace)


@pytest.mark.parametrize(
    ("said", "fault", "sentence"),
    [
        (
            'Could not write file "w/grace.duckdb": No space left on device',
            DiskFullError,
            "disk that holds w/grace.duckdb is full",
        ),
        (
            'Cannot open file "w/grace.duckdb": Read-only file system',
            StoreError,
            "cannot be written",
        ),
        (
            'Failed to commit: Cannot open file "w/grace.duckdb.wal": Permission denied',
            StoreError,
            "cannot be written",
        ),
        (
            "Trying to read a database file with version number 2000, but we can only read "
            "versions between 64 and 999.",
            StoreVersionError,
            f"newer DuckDB than {duckdb.__version__}, which is installed here .*2000",
        ),
        (
            "Out of Memory Error: failed to allocate data of size 1.0 GiB",
            ResourceError,
            "ran out of memory",
        ),
        ("Input/output error", StoreError, "cannot be used"),
    ],
)
def test_what_duckdb_says_becomes_a_sentence(
    said: str, fault: type[GraceError], sentence: str
) -> None:
    found = meaning(duckdb.IOException(said), Path("w/grace.duckdb"))
    assert type(found) is fault
    with pytest.raises(fault, match=sentence):
        raise found


def test_the_stamp_changes_with_what_is_stored_and_not_with_what_is_read(
    tmp_path: Path,
) -> None:
    workspace = Workspace(tmp_path)
    before = workspace.database.stamp()

    assert count_traces(workspace) == 0
    assert workspace.database.stamp() == before

    with workspace.database.unit() as connection:
        connection.execute("CREATE TABLE more (n INTEGER)")
    assert workspace.database.stamp() != before
