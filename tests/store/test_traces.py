"""Do traces come back as they went in?"""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings, strategies as st

from grace_engine.errors import InputError, NotFoundError
from grace_engine.records import Answer, SourceRecord, Step, Trace
from grace_engine.store import (
    Source,
    Workspace,
    add_traces,
    count_traces,
    datasets,
    delete_dataset,
    get_trace,
    iter_traces,
    labels_of,
    list_sources,
    rejects,
)

MakeTrace = Callable[..., Trace]

LABELS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)
)
OFFSETS = st.integers(0, 2**31 - 1)
STEPS = st.builds(Step, start=OFFSETS, end=OFFSETS, mark_start=OFFSETS, label=LABELS)
TRACES = st.builds(
    Trace,
    id=st.just(""),
    dataset=st.just(""),
    variant=st.text(max_size=3),
    prompt=st.text(),
    text=st.text(),
    steps=st.lists(STEPS, max_size=4).map(tuple),
    answer=st.builds(
        Answer,
        text=st.text(),
        start=OFFSETS,
        end=OFFSETS,
        mark_start=OFFSETS,
        appended=st.text(max_size=5),
    ),
    reference=st.none() | st.text(),
    labels=st.dictionaries(st.text(max_size=5), LABELS, max_size=4),
    images=st.lists(st.text(), max_size=2).map(tuple),
    segmenter=st.just("lines"),
    record=st.builds(
        SourceRecord,
        digest=st.binary(min_size=4, max_size=4).map(bytes.hex),
        path=st.just("a.jsonl"),
        line=st.integers(1, 2**40),
        raw=st.binary(),
    ),
)
_names = count()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("shared"))


@settings(max_examples=12, deadline=None)
@given(traces=st.lists(TRACES, min_size=1, max_size=8, unique_by=lambda t: t.record.digest))
def test_every_trace_comes_back_as_it_went_in(shared: Workspace, traces: list[Trace]) -> None:
    dataset = f"set {next(_names)}"
    source = Source(path="a.jsonl", digest="a", size=1, schema_name="x", segmenter="lines")
    sent = [replace(t, id=f"{dataset}-{i}", dataset=dataset) for i, t in enumerate(traces)]
    assert add_traces(shared, dataset, source, sent).added == len(sent)
    found = [trace for batch in iter_traces(shared, [dataset], batch=3) for trace in batch]
    assert found == sent
    for one, other in zip(found, sent, strict=True):
        assert list(map(type, one.labels.values())) == list(map(type, other.labels.values()))
        assert [type(step.label) for step in one.steps] == [
            type(step.label) for step in other.steps
        ]


def test_nul_bytes_and_odd_characters_survive(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    trace = make_trace(0)
    odd = replace(
        trace,
        prompt="a\0b\u2028\ufeff\r\n\U0001f9ee e\u0301",
        labels={"k\0": "v\0", "huge": 10**30, "whole": 2.0, "tiny": 5e-324, "inf": float("inf")},
        record=replace(trace.record, raw=b"\x00\xff\xfe raw \x00"),
    )
    add_traces(workspace, "sums", source, [odd])
    found = get_trace(workspace, odd.id)
    assert found == odd
    assert isinstance(found.labels["whole"], float)


def test_traces_come_in_order_of_arrival_in_batches(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    a = [make_trace(i) for i in (5, 3, 9, 1)]
    b = [make_trace(i, dataset="more") for i in (4, 2)]
    add_traces(workspace, "sums", source, a)
    add_traces(workspace, "more", source, b)
    batches = list(iter_traces(workspace, batch=4))
    assert batches == [a, b]
    assert list(iter_traces(workspace, ["more"])) == [b]
    assert list(iter_traces(workspace, ids=[b[1].id, a[2].id])) == [[a[2], b[1]]]
    assert list(iter_traces(workspace, ["sums"], ids=[])) == []
    assert (count_traces(workspace), count_traces(workspace, ["sums"])) == (6, 4)


def test_a_dataset_that_goes_while_it_is_read_ends_the_reading(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    add_traces(workspace, "sums", source, [make_trace(i) for i in range(4)])
    batches = iter_traces(workspace, batch=2)
    assert len(next(batches)) == 2
    delete_dataset(workspace, "sums")
    assert list(batches) == []


def test_a_trace_is_found_by_the_beginning_of_its_id(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    first = replace(make_trace(0), id="abc1")
    second = replace(make_trace(1), id="abc12")
    add_traces(workspace, "sums", source, [second, first])
    assert get_trace(workspace, "abc12") == second
    assert get_trace(workspace, "abc1") == first  # whole ids come before beginnings
    with pytest.raises(InputError, match="'abc' is the beginning of 2 trace ids"):
        get_trace(workspace, "abc")
    for missing in ("x", ""):
        with pytest.raises(NotFoundError, match="no trace"):
            get_trace(workspace, missing)


def test_labels_come_as_a_frame(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    traces = [make_trace(i) for i in range(3)]
    add_traces(workspace, "sums", source, traces)
    frame = labels_of(workspace, ["sums"], ids=[traces[2].id, traces[1].id])
    assert " ".join(frame.columns) == (
        "id dataset variant labels n_steps path line record_digest prompt_digest"
    )
    assert frame["id"].tolist() == [traces[1].id, traces[2].id]
    assert frame["labels"].tolist() == [trace.labels for trace in traces[1:]]
    assert frame["n_steps"].tolist() == [2, 2]
    assert frame["path"].tolist() == ["a.jsonl", "a.jsonl"]
    assert frame["line"].tolist() == [2, 3]
    assert frame["record_digest"].tolist() == [trace.record.digest for trace in traces[1:]]
    assert labels_of(workspace, ids=[]).empty


def test_a_dataset_that_is_not_there_is_named_with_those_that_are(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    add_traces(workspace, "sums", source, [make_trace(0)])
    for ask in (
        lambda: count_traces(workspace, ["sum"]),
        lambda: list(iter_traces(workspace, ["sum"])),
        lambda: labels_of(workspace, ["sum"]),
        lambda: rejects(workspace, "sum"),
    ):
        with pytest.raises(NotFoundError, match=r"no dataset 'sum'.*holds sums"):
            ask()


def test_datasets_are_listed_with_their_sources(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    add_traces(workspace, "sums", source, [make_trace(0)])
    add_traces(workspace, "sums", replace(source, path="b.jsonl", digest="b"), [make_trace(1)])
    (info,) = datasets(workspace)
    assert (info.name, info.segmenter, info.n_traces) == ("sums", "lines", 2)
    assert info.sources == ("a.jsonl", "b.jsonl")
    assert info.created_at.endswith("+00:00")


def test_sources_say_how_each_file_was_read(
    workspace: Workspace, source: Source, make_trace: MakeTrace
) -> None:
    mapped = replace(source, path="b.jsonl", digest="b", mapping={"answer": "solution"})
    add_traces(workspace, "sums", source, [make_trace(0)])
    add_traces(workspace, "more", mapped, [make_trace(0, dataset="more")])
    assert list_sources(workspace) == [("sums", source), ("more", mapped)]
    assert list_sources(workspace, ["more"]) == [("more", mapped)]
