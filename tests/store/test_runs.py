"""Are the Grams of a run stored once, found again, and read back as they were?"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from grace_engine.errors import InputError, NotFoundError
from grace_engine.records import RejectedTrace, ScoringRun, Trace
from grace_engine.store import (
    ScoredTrace,
    Source,
    Workspace,
    add_scored,
    add_traces,
    delete_dataset,
    delete_run,
    failed_traces,
    get_run,
    get_run_trace,
    known_gram_keys,
    link_cached,
    list_runs,
    reached_traces,
    read_grams,
    runs_with,
    upsert_run,
)

MakeTrace = Callable[..., Trace]
MakeScored = Callable[[Trace, int], ScoredTrace]


@pytest.fixture
def traces(workspace: Workspace, source: Source, make_trace: MakeTrace) -> list[Trace]:
    traces = [make_trace(i) for i in range(6)]
    add_traces(workspace, "sums", source, traces)
    return traces


@pytest.fixture
def scored(traces: list[Trace], make_scored: MakeScored) -> list[ScoredTrace]:
    return [make_scored(trace, i) for i, trace in enumerate(traces)]


def count_rows(workspace: Workspace, table: str) -> int:
    with workspace.database.unit() as connection:
        rows = connection.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608
    return rows[0][0]


def test_a_run_comes_back_with_its_counts(
    workspace: Workspace, run: ScoringRun, scored: list[ScoredTrace]
) -> None:
    fresh = upsert_run(workspace, run)
    assert replace(fresh, created_at="", updated_at="") == replace(run, n_pending=6)
    failed = RejectedTrace(trace_id=scored[5].rendered.trace_id, reason="too-long", detail="9 > 8")
    add_scored(workspace, run.id, scored[:4], [failed])
    found = get_run(workspace, "r-0000")
    assert (found.n_scored, found.n_rejected, found.n_pending) == (4, 1, 1)
    assert found.parameters == run.parameters
    assert failed_traces(workspace, run.id) == [failed]
    reached = reached_traces(workspace, run.id)
    assert len(reached) == 5
    assert reached[failed.trace_id] == "too-long"
    assert reached[scored[0].rendered.trace_id] is None


def test_a_discount_is_kept_and_told_beside_the_proxy(
    workspace: Workspace, run: ScoringRun
) -> None:
    upsert_run(workspace, replace(run, entropy_discount=2.5))
    found = get_run(workspace)
    assert (found.entropy_discount, found.gradient) == (2.5, "exact, c=2.5")
    assert run.gradient == "exact"


def test_the_same_batch_twice_doubles_nothing(
    workspace: Workspace, run: ScoringRun, scored: list[ScoredTrace]
) -> None:
    upsert_run(workspace, run)
    failed = [RejectedTrace(trace_id=scored[5].rendered.trace_id, reason="nan", detail="")]
    for _ in range(2):
        add_scored(workspace, run.id, [*scored[:3], scored[0]], failed)
    assert count_rows(workspace, "grams") == 3
    assert count_rows(workspace, "run_traces") == 4


def test_a_trace_that_failed_may_be_scored_later_but_not_the_reverse(
    workspace: Workspace, run: ScoringRun, scored: list[ScoredTrace]
) -> None:
    upsert_run(workspace, run)
    failed = [RejectedTrace(trace_id=scored[0].rendered.trace_id, reason="oom", detail="")]
    for batch in (([], failed), (scored[:1], []), ([], failed)):
        add_scored(workspace, run.id, *batch)
    found = get_run(workspace)
    assert (found.n_scored, found.n_rejected) == (1, 0)


def test_cached_grams_are_known_and_linked_to_another_run(
    workspace: Workspace, run: ScoringRun, scored: list[ScoredTrace]
) -> None:
    upsert_run(workspace, run)
    add_scored(workspace, run.id, scored[:2])
    keys = [item.gram_key for item in scored]
    assert known_gram_keys(workspace, "scorer-1", keys) == set(keys[:2])
    assert known_gram_keys(workspace, "scorer-2", keys) == set()
    other = replace(run, id="r-00000002", data_digest="more")
    upsert_run(workspace, other)
    pairs = [(item.rendered, item.gram_key) for item in scored]
    assert link_cached(workspace, other.id, pairs) == 2
    assert link_cached(workspace, other.id, pairs) == 2
    assert get_run(workspace, other.id).n_scored == 2
    assert count_rows(workspace, "grams") == 2


def test_runs_are_found_by_id_beginning_or_as_the_latest(
    workspace: Workspace, run: ScoringRun
) -> None:
    with pytest.raises(NotFoundError, match="Nothing was scored"):
        get_run(workspace)
    second = replace(run, id="r-00000002")
    for one in (run, second):
        upsert_run(workspace, one)
    assert get_run(workspace).id == second.id
    upsert_run(workspace, run)  # scored with again
    assert [one.id for one in list_runs(workspace)] == [run.id, second.id]
    assert get_run(workspace, "r-00000002").id == second.id
    with pytest.raises(InputError, match="beginning of 2 scoring run ids"):
        get_run(workspace, "r-")
    with pytest.raises(NotFoundError, match="no scoring run 'r-9'"):
        get_run(workspace, "r-9")
    with pytest.raises(NotFoundError, match="no scoring run 'r-9'"):
        add_scored(workspace, "r-9", [])


def test_the_gram_table_equals_what_was_put_in(
    workspace: Workspace, run: ScoringRun, traces: list[Trace], scored: list[ScoredTrace]
) -> None:
    upsert_run(workspace, run)
    add_scored(workspace, run.id, scored[3:])
    add_scored(workspace, run.id, scored[:3])
    found = read_grams(workspace, run.id)
    table = found.table
    by_id = {item.rendered.trace_id: item for item in scored}
    record_digests = {trace.id: trace.record.digest for trace in traces}
    assert table.trace_ids.tolist() == sorted(by_id)
    assert found.datasets.tolist() == ["sums"] * 6
    packed_offsets, segment_offsets = table.packed_offsets, table.segment_offsets
    assert (table.packed.dtype, table.n_tokens.dtype, table.nll.dtype) == (
        np.float32,
        np.int32,
        np.float32,
    )
    for i, trace_id in enumerate(table.trace_ids):
        gram = by_id[trace_id].gram
        packed = slice(packed_offsets[i], packed_offsets[i + 1])
        segments = slice(segment_offsets[i], segment_offsets[i + 1])
        assert tuple(table.packed[packed].tolist()) == gram.packed
        assert tuple(table.n_tokens[segments].tolist()) == gram.n_tokens
        assert tuple(table.nll[segments].tolist()) == gram.nll
        assert table.n_segments[i] == len(gram.n_tokens)
        assert found.record_digests[i] == record_digests[trace_id]


def test_the_gram_table_can_be_restricted(
    workspace: Workspace,
    run: ScoringRun,
    source: Source,
    scored: list[ScoredTrace],
    make_trace: MakeTrace,
    make_scored: MakeScored,
) -> None:
    more = make_trace(0, dataset="more")
    add_traces(workspace, "more", source, [more])
    upsert_run(workspace, replace(run, datasets=("more", "sums")))
    add_scored(workspace, run.id, [*scored, make_scored(more, 1)])
    assert read_grams(workspace, run.id, names=["more"]).table.trace_ids.tolist() == [more.id]
    wanted = sorted(item.rendered.trace_id for item in scored[1:3])
    assert read_grams(workspace, run.id, ids=wanted).table.trace_ids.tolist() == wanted


def test_a_run_without_grams_gives_an_empty_table(workspace: Workspace, run: ScoringRun) -> None:
    upsert_run(workspace, run)
    table = read_grams(workspace, run.id).table
    assert table.trace_ids.shape == table.packed.shape == table.nll.shape == (0,)
    assert table.packed.dtype == np.float32
    assert table.packed_offsets.tolist() == table.segment_offsets.tolist() == [0]


def test_one_trace_of_a_run_comes_with_its_segments(
    workspace: Workspace, run: ScoringRun, scored: list[ScoredTrace]
) -> None:
    upsert_run(workspace, run)
    failed = RejectedTrace(trace_id=scored[1].rendered.trace_id, reason="too-long", detail="9 > 8")
    add_scored(workspace, run.id, scored[:1], [failed])
    rendered = scored[0].rendered
    found = get_run_trace(workspace, run.id, rendered.trace_id)
    assert (found.rendered, found.segments, found.gram) == (
        rendered.text,
        rendered.segments,
        scored[0].gram,
    )
    assert found.reason == ""
    found = get_run_trace(workspace, run.id, failed.trace_id)
    assert (found.reason, found.detail, found.gram, found.segments) == (
        "too-long",
        "9 > 8",
        None,
        (),
    )
    missing = scored[2].rendered.trace_id
    with pytest.raises(NotFoundError, match=r"holds no trace .* Run grace score to go on"):
        get_run_trace(workspace, run.id, missing)
    other = replace(run, id="r-00000002", data_digest="half")
    upsert_run(workspace, other)
    add_scored(workspace, other.id, scored[2:3])
    assert runs_with(workspace, missing) == [other.id]
    with pytest.raises(NotFoundError, match=f"Scored by {other.id}: name one with --run"):
        get_run_trace(workspace, run.id, missing)


def test_deleting_a_run_keeps_the_grams_that_another_uses(
    workspace: Workspace, run: ScoringRun, scored: list[ScoredTrace]
) -> None:
    other = replace(run, id="r-00000002", data_digest="half")
    stranger = replace(run, id="r-00000003", fingerprint="scorer-2")
    for one in (run, other, stranger):
        upsert_run(workspace, one)
    add_scored(workspace, run.id, scored)
    add_scored(workspace, stranger.id, scored)
    link_cached(workspace, other.id, [(item.rendered, item.gram_key) for item in scored[:2]])
    assert delete_run(workspace, run.id) == run.id
    assert count_rows(workspace, "grams") == 2 + 6
    assert len(read_grams(workspace, other.id).table.trace_ids) == 2
    assert len(read_grams(workspace, stranger.id).table.trace_ids) == 6
    delete_run(workspace, other.id)
    delete_run(workspace, "latest")
    assert count_rows(workspace, "grams") == count_rows(workspace, "run_traces") == 0
    assert list_runs(workspace) == []


def test_deleting_a_dataset_takes_its_traces_out_of_runs(
    workspace: Workspace,
    run: ScoringRun,
    source: Source,
    scored: list[ScoredTrace],
    make_trace: MakeTrace,
    make_scored: MakeScored,
) -> None:
    more = make_trace(0, dataset="more")
    add_traces(workspace, "more", source, [more])
    upsert_run(workspace, replace(run, datasets=("more", "sums")))
    add_scored(workspace, run.id, [*scored, make_scored(more, 1)])
    delete_dataset(workspace, "sums")
    assert read_grams(workspace, run.id).table.trace_ids.tolist() == [more.id]
    assert get_run(workspace).n_pending == 0
    for table in ("datasets", "sources", "records", "traces", "segmentations", "grams"):
        assert count_rows(workspace, table) == 1
