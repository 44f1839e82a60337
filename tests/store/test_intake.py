"""Do traces enter a dataset all or none, and none twice?"""

import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from grace_engine import staging
from grace_engine.errors import InputError
from grace_engine.records import Reject, Trace
from grace_engine.staging import stage
from grace_engine.store import (
    Source,
    Workspace,
    add_traces,
    count_traces,
    datasets,
    iter_traces,
    rejects,
)

MakeTrace = Callable[..., Trace]
NO_ANSWER = Reject(path="a.jsonl", line=7, reason="no-answer", detail="no ####", excerpt="{")


def is_clean(workspace: Workspace) -> bool:
    return not list(workspace.staging_root.iterdir())


def count_rows(workspace: Workspace, query: str) -> int:
    with workspace.database.unit() as connection:
        return connection.execute(query).fetchall()[0][0]


def test_traces_and_rejects_are_counted_by_reason(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    items = [make_trace(0), NO_ANSWER, make_trace(1), replace(NO_ANSWER, line=8)]
    count = add_traces(workspace, "sums", source, iter(items))
    assert (count.added, count.already_present, count.rejected) == (2, 0, 2)
    assert count.by_reason == {"no-answer": 2}
    assert rejects(workspace, "sums") == [NO_ANSWER, replace(NO_ANSWER, line=8)]
    assert is_clean(workspace)


def test_the_same_file_twice_adds_nothing(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    items = [make_trace(0), make_trace(1), make_trace(0, line=3), NO_ANSWER]
    first = add_traces(workspace, "sums", source, items)
    second = add_traces(workspace, "sums", source, items)
    assert (first.added, first.already_present, first.rejected) == (2, 0, 2)
    assert (second.added, second.already_present, second.rejected) == (0, 2, 2)
    assert len(rejects(workspace)) == 2
    for table in ("traces", "segmentations", "records"):
        assert count_rows(workspace, f"SELECT count(*) FROM {table}") == 2  # noqa: S608
    assert count_rows(workspace, "SELECT n_traces FROM sources") == 2


def test_a_record_that_stands_twice_in_a_file_is_rejected_with_its_first_line(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    items = [make_trace(0, line=1), make_trace(1, line=2), make_trace(0, line=3)]
    count = add_traces(workspace, "sums", source, items)
    assert (count.added, count.by_reason) == (2, {"duplicate-record": 1})
    (reject,) = rejects(workspace)
    assert (reject.path, reject.line, reject.reason) == ("a.jsonl", 3, "duplicate-record")
    assert reject.detail == "The same record stands in line 1."
    assert reject.excerpt == '{"question": "What is 0 + 1?"}'


def test_a_file_that_grew_adds_only_its_new_lines(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    add_traces(workspace, "sums", source, [make_trace(0), make_trace(1)])
    grown = replace(source, digest="file-a-grown")
    count = add_traces(workspace, "sums", grown, [make_trace(i) for i in range(3)])
    assert (count.added, count.already_present) == (1, 2)


def test_variants_of_one_record_share_its_bytes(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    variants = [make_trace(0, variant=name) for name in "abcd"]
    assert add_traces(workspace, "sums", source, variants).added == 4
    assert count_rows(workspace, "SELECT count(*) FROM records") == 1
    assert [trace for batch in iter_traces(workspace) for trace in batch] == variants


def test_a_variant_that_comes_later_finds_the_record_of_the_first(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    first, second = make_trace(0, variant="a"), make_trace(0, variant="b")
    add_traces(workspace, "sums", source, [first])
    add_traces(workspace, "sums", source, [first, second])
    assert count_rows(workspace, "SELECT count(*) FROM records") == 1
    assert [trace for batch in iter_traces(workspace) for trace in batch] == [first, second]


def test_what_stands_again_is_told_from_what_is_new_wherever_it_waits(
    workspace: Workspace, source: Source, make_trace: MakeTrace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "_ROWS_PER_CHUNK", 3)  # so that the same record is in two files
    both = [make_trace(0, variant=name, line=1) for name in "ab"]
    singles = [make_trace(i) for i in range(1, 12)]
    again = [replace(trace, record=replace(trace.record, line=50)) for trace in both]
    last = replace(singles[4], record=replace(singles[4].record, line=60))
    other = make_trace(2, variant="x")
    items = [*both, *singles, *again, last, other]
    count = add_traces(workspace, "sums", source, items)
    assert (count.added, count.by_reason) == (14, {"duplicate-record": 3})
    found = [(each.line, each.variant, each.detail, each.excerpt) for each in rejects(workspace)]
    assert found == [
        (50, "a", "The same record stands in line 1.", '{"question": "What is 0 + 1?"}'),
        (50, "b", "The same record stands in line 1.", '{"question": "What is 0 + 1?"}'),
        (60, "", "The same record stands in line 6.", '{"question": "What is 5 + 1?"}'),
    ]

    third = make_trace(0, variant="c", line=1)
    grown = [*again, third, *singles[:2], make_trace(40), make_trace(40, line=90)]
    count = add_traces(workspace, "sums", replace(source, digest="file-b"), grown)
    assert (count.added, count.already_present) == (2, 4)
    assert count.by_reason == {"duplicate-record": 1}
    fourth = make_trace(0, variant="d", line=1)
    assert add_traces(workspace, "sums", replace(source, digest="c"), [fourth]).added == 1
    assert count_rows(workspace, "SELECT count(*) FROM records") == 13
    assert count_rows(workspace, "SELECT count(DISTINCT digest) FROM records") == 13
    assert [trace for batch in iter_traces(workspace) for trace in batch] == [
        *both,
        *singles,
        other,
        third,
        make_trace(40),
        fourth,
    ]


def test_an_id_that_the_dataset_holds_comes_in_with_no_other_record(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    add_traces(workspace, "sums", source, [make_trace(0)])
    same = replace(make_trace(1), id=make_trace(0).id)
    count = add_traces(workspace, "sums", replace(source, digest="b"), [same, make_trace(2)])
    assert (count.added, count.already_present) == (1, 1)
    assert count_rows(workspace, "SELECT count(*) FROM records") == 2


def test_the_beginning_of_a_record_that_stands_again_is_whole_characters(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    for number, (raw, excerpt) in enumerate(
        [("é".encode() * 300, "é" * 200), (b"a\xff", "a\\xFF")]
    ):
        trace = make_trace(number)
        one = replace(trace, record=replace(trace.record, raw=raw))
        add_traces(workspace, f"d{number}", replace(source, digest=f"{number}"), [one, one])
        assert [each.excerpt for each in rejects(workspace, f"d{number}")] == [excerpt]


def test_an_exception_in_the_middle_of_the_items_leaves_nothing(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    def broken() -> Iterator[Trace]:
        yield from (make_trace(i) for i in range(5000))
        assert list(workspace.staging_root.rglob("*.parquet"))
        raise InputError("line 5001 cannot be read")

    with pytest.raises(InputError, match="line 5001"):
        add_traces(workspace, "sums", source, broken())
    assert datasets(workspace) == []
    assert count_traces(workspace) == 0
    assert is_clean(workspace)


KILLED_BEFORE_THE_COMMIT = """
import os, signal, sys
from pathlib import Path
from grace_engine import api
from grace_engine.config import IngestConfig
from grace_engine.store import intake
intake.now = lambda: os.kill(os.getpid(), signal.SIGKILL)  # called when all but two rows are in
workspace = api.open_workspace(sys.argv[1], create=False)
api.ingest(workspace, [Path(sys.argv[2])], IngestConfig(dataset="sums"))
"""


def test_a_process_that_is_killed_among_the_tables_leaves_nothing_in_any(
    workspace: Workspace, sample_file: Path
) -> None:
    script = [sys.executable, "-c", KILLED_BEFORE_THE_COMMIT]
    ended = subprocess.run([*script, workspace.root, sample_file], check=False)
    assert ended.returncode == -signal.SIGKILL
    for table in ("traces", "segmentations", "records", "rejects", "problems", "sources"):
        assert count_rows(workspace, f"SELECT count(*) FROM {table}") == 0, table  # noqa: S608


def test_what_a_killed_ingest_staged_goes_with_the_next_one(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    leftover = workspace.staging_root / "ingest-999999999-1-abc"
    leftover.mkdir()
    (leftover / "traces.parquet").write_bytes(b"half")
    add_traces(workspace, "sums", source, [make_trace(0)])
    assert is_clean(workspace)


def test_what_a_running_ingest_stages_is_left_alone(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    with workspace.staging() as folder:
        add_traces(workspace, "sums", source, [make_trace(0)])
        assert folder.is_dir()
    assert is_clean(workspace)


def test_the_same_traces_from_four_threads_at_once_enter_once(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    items = [make_trace(i) for i in range(100)]
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: add_traces(workspace, "sums", source, items), range(4)))
    assert sorted(count.added for count in counts) == [0, 0, 0, 100]
    assert count_traces(workspace) == 100


def test_items_may_come_from_the_workspace_itself(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    add_traces(workspace, "sums", source, [make_trace(i) for i in range(5)])
    copies = (
        replace(trace, id=f"copy-{trace.id}", dataset="copies")
        for batch in iter_traces(workspace, ["sums"], batch=2)
        for trace in batch
    )
    assert add_traces(workspace, "copies", source, copies).added == 5


def test_another_segmenter_is_refused_before_anything_is_read(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    add_traces(workspace, "sums", source, [make_trace(0)])
    other = replace(source, digest="file-b", segmenter="sentences")
    items = iter([make_trace(1)])
    with pytest.raises(InputError, match="cut into steps by 'lines', not by 'sentences'"):
        add_traces(workspace, "sums", other, items)
    assert list(items) == [make_trace(1)]


def test_the_same_file_by_another_mapping_is_refused_once_it_gave_traces(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    add_traces(workspace, "sums", source, [NO_ANSWER])
    mapped = replace(source, mapping={"answer": "solution"})
    assert add_traces(workspace, "sums", mapped, [make_trace(0)]).added == 1
    assert rejects(workspace) == []  # the first reading's rejects are no longer true
    with pytest.raises(InputError, match="already holds the traces of"):
        add_traces(workspace, "sums", source, [make_trace(0)])


def test_text_that_is_no_unicode_is_a_reject(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    broken = replace(make_trace(0), prompt="\ud800")
    labelled = replace(make_trace(1), labels={"note": "\udfff"})
    reject = replace(NO_ANSWER, detail="saw \ud800")
    count = add_traces(workspace, "sums", source, [broken, labelled, reject, make_trace(2)])
    assert (count.added, count.by_reason) == (1, {"not-unicode": 2, "no-answer": 1})
    assert rejects(workspace)[-1].detail == "saw \\ud800"


def test_staging_takes_no_more_memory_for_ten_times_the_traces(
    tmp_path: Path, make_trace: MakeTrace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "_ROWS_PER_CHUNK", 200)

    def peak(n: int) -> int:
        tracemalloc.start()
        stage((make_trace(i) for i in range(n)), tmp_path)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(10)
    assert peak(4000) < 1.5 * peak(400)


def test_a_hundred_thousand_traces_enter_at_once(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    n = 100_000
    trace = make_trace(0)
    items = (replace(trace, id=f"{i:032x}") for i in range(n))
    assert add_traces(workspace, "sums", source, items).added == n
    assert count_traces(workspace, ["sums"]) == n
    assert count_rows(workspace, "SELECT count(DISTINCT trace_id) FROM traces") == n
