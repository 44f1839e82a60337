"""Which traces and rejections does a whole file give?"""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from grace_engine.errors import GraceError, InputError, SchemaError
from grace_engine.ingest import SCHEMAS, Schema, parse_mapping, parse_segmenter, traces_of
from grace_engine.records import Reject, Step, Trace, parts_of, trace_of

Ingest = Callable[..., tuple[list[Trace], list[Reject]]]
AUTO = parse_segmenter("auto")
MAPPING = parse_mapping("prompt=q,trace=t,answer=a")


def gsm8k_row(n: int) -> dict[str, str]:
    return {"question": f"Half of {2 * n}?", "answer": f"It is {n}.\nSure.\n#### {n}"}


def test_a_trace_comes_back_from_its_parts(
    ingest: Ingest, row: Callable[..., dict[str, Any]], write_rows: Callable[..., Path]
) -> None:
    for name in ("gsm8k", "prm800k"):
        traces, _ = ingest(write_rows(row(name)))
        assert traces
        for trace in traces:
            back = trace_of(
                parts_of(trace), trace.record, dataset=trace.dataset, segmenter=trace.segmenter
            )
            assert back == trace


def test_a_gsm8k_row_becomes_a_trace_with_all_its_parts(
    ingest: Ingest, write_rows: Callable[..., Path]
) -> None:
    path = write_rows(gsm8k_row(18))
    raw = path.read_bytes().rstrip(b"\n")
    (trace,), rejects = ingest(path)
    digest = hashlib.sha256(raw).hexdigest()
    # "It is 18." fills 0 to 9, "Sure." 10 to 15, "#### " 16 to 21, "18" 21 to 23.
    assert trace.steps == (
        Step(start=0, end=9, mark_start=0),
        Step(start=10, end=15, mark_start=10),
    )
    assert (trace.answer.mark_start, trace.answer.start, trace.answer.end) == (16, 21, 23)
    assert (trace.prompt, trace.reference, trace.answer.text) == ("Half of 36?", "18", "18")
    assert (trace.labels, trace.variant, trace.segmenter) == ({"is_correct": True}, "", "auto")
    assert (trace.record.digest, trace.record.raw, trace.record.line) == (digest, raw, 1)
    assert trace.record.path == str(path)
    assert trace.id == hashlib.sha256(f'["d","{digest}",""]'.encode()).hexdigest()[:16]
    assert not rejects


def test_ids_depend_on_dataset_record_and_variant_and_on_nothing_else(
    ingest: Ingest,
    write_rows: Callable[..., Path],
) -> None:
    first = write_rows(gsm8k_row(1), gsm8k_row(2), name="first.jsonl")
    second = write_rows(gsm8k_row(2), gsm8k_row(1), gsm8k_row(2), name="second.jsonl")
    ids = [trace.id for trace in ingest(first)[0]]
    assert len(set(ids)) == 2
    moved = ingest(second, segmenter=parse_segmenter("sentences"))[0]
    assert [trace.id for trace in moved] == [ids[1], ids[0], ids[1]]
    assert not {trace.id for trace in ingest(first, dataset="e")[0]} & set(ids)


def test_the_traces_of_one_record_share_it(ingest: Ingest, write_rows: Callable[..., Path]) -> None:
    row = {
        "question": "Half of 36?",
        "ground_truth": "It is 18.\nA: 18",
        "small": {"solution": "It is 17.\nA: 17", "is_correct": False},
        "cut": {"solution": "It is", "is_correct": False},
        "odd": {"solution": "It is.\nA: 18", "is_correct": "yes"},
    }
    traces, (reject, odd) = ingest(write_rows(row))
    assert [trace.variant for trace in traces] == ["ground_truth", "small"]
    assert traces[0].record is traces[1].record
    assert traces[0].id != traces[1].id
    assert traces[1].reference == "18"
    assert (reject.line, reject.variant, reject.reason) == (1, "cut", "no-answer")
    assert (odd.line, odd.variant, odd.reason) == (1, "odd", "schema-mismatch")
    assert reject.excerpt == json.dumps(row)[:200]


def test_the_schema_of_the_first_fitting_record_holds_for_the_file(
    ingest: Ingest,
    write_rows: Callable[..., Path],
) -> None:
    rows = [{"x": 1}, gsm8k_row(1), {"question": "Q"}, {"question": "Q", "answer": "None."}]
    traces, rejects = ingest(write_rows(*rows))
    assert [trace.record.line for trace in traces] == [2]
    assert [(reject.line, reject.reason) for reject in rejects] == [
        (1, "schema-mismatch"),
        (3, "schema-mismatch"),
        (4, "no-answer"),
    ]


def test_where_no_schema_fits_the_error_names_the_fields_and_the_flag(
    ingest: Ingest,
    write_rows: Callable[..., Path],
) -> None:
    path = write_rows({"instruction": "What is it?", "output": "It is this.\nSo be it."})
    guess = r"looks like --map 'prompt=instruction,trace=output'\. .*"
    with pytest.raises(SchemaError, match=rf"instruction, output\. It {guess}FIELD") as error:
        ingest(path)
    assert str(path) in str(error.value)
    with pytest.raises(SchemaError, match=r"fields x\. Say which .*--map prompt=FIELD"):
        ingest(write_rows({"x": 1}))


def test_a_file_of_bad_lines_only_is_rejected_line_by_line(ingest: Ingest, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"x\n" * 100)
    traces, rejects = ingest(path)
    assert not traces
    assert [reject.line for reject in rejects] == list(range(1, 101))


def test_rejections_keep_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    path.write_text(f"x\n{{}}\ny\n{json.dumps(gsm8k_row(1))}\nz\n")
    found = list(traces_of(path, dataset="d", segmenter=AUTO))
    lines = [item.line if isinstance(item, Reject) else item.record.line for item in found]
    assert lines == [1, 2, 3, 4, 5]


def test_a_named_schema_is_not_detected(ingest: Ingest, write_rows: Callable[..., Path]) -> None:
    _, rejects = ingest(write_rows({"x": 1}), schema="planted")
    assert [reject.reason for reject in rejects] == ["schema-mismatch"]


def test_a_record_in_which_a_schema_finds_nothing_is_rejected_not_dropped(
    ingest: Ingest, write_rows: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = Schema(name="blind", matches=lambda _fields: True, drafts=lambda _fields: ())
    monkeypatch.setitem(SCHEMAS, "blind", blind)
    _, rejects = ingest(write_rows({"x": 1}), schema="blind")
    assert [reject.reason for reject in rejects] == ["no-traces"]


def test_a_mapping_reads_any_record(ingest: Ingest, write_rows: Callable[..., Path]) -> None:
    rows = [
        {"q": "Q", "t": "One. Two.", "a": 2},
        {"q": "Q", "t": "One."},
        {"q": " ", "t": "One.", "a": 1},
    ]
    (trace,), rejects = ingest(write_rows(*rows), mapping=MAPPING)
    assert trace.full_text == "One. Two.\nThe answer is 2"
    assert [reject.reason for reject in rejects] == ["no-answer", "no-prompt"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"schema": "gsm9k"}, "Format 'gsm9k' is not known: use one of .*gsm8k, gsm8k-sol"),
        ({"schema": "mapped"}, "needs a mapping"),
        ({"schema": "gsm8k", "mapping": MAPPING}, "With a mapping, format 'gsm8k' is not known"),
    ],
)
def test_a_schema_that_cannot_be_is_an_input_error(
    ingest: Ingest, write_rows: Callable[..., Path], options: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        ingest(write_rows(gsm8k_row(1)), **options)


def test_parquet_rows_become_traces(ingest: Ingest, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist([gsm8k_row(1), gsm8k_row(2)]), path)
    traces, rejects = ingest(path)
    assert [(trace.answer.text, trace.record.line) for trace in traces] == [("1", 1), ("2", 2)]
    assert json.loads(traces[1].record.raw) == gsm8k_row(2)
    assert not rejects


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
# Every field that a schema's file has, at the top of a record or deeper.
FILES = Path(__file__).parent / "files"
NAMES = sorted(set(re.findall(r'"(\w+)": ', "".join(map(Path.read_text, FILES.iterdir())))))
NAMED = st.dictionaries(st.sampled_from([*NAMES, "q", "t", "a", "x"]), VALUES, max_size=4)
TEXTS = st.sampled_from(["Q", "A.</think>4", "Step 1: A. ки", "<|begin_of_thought|>", "#### 4"])


@pytest.mark.long
@given(
    rows=st.lists(
        st.dictionaries(
            st.sampled_from([*NAMES, "q", "t", "a", "x"]),
            TEXTS | VALUES | NAMED | st.lists(NAMED | TEXTS, max_size=3),
            max_size=6,
        ),
        min_size=1,
        max_size=3,
    ),
    options=st.sampled_from(
        [
            {},
            *({"schema": name} for name in SCHEMAS),
            {"mapping": MAPPING},
            {"mapping": parse_mapping("prompt=q,trace=t.0.x,label.a=a,reference=x")},
        ]
    ),
)
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_odd_values_anywhere_are_rejected_in_words(
    write_rows: Callable[..., Path],
    rows: list[dict[str, object]],
    options: dict[str, Any],
) -> None:
    try:
        found = list(traces_of(write_rows(*rows), dataset="d", segmenter=AUTO, **options))
    except GraceError as refused:
        assert isinstance(refused, SchemaError)  # noqa: PT017 (any other error fails the test)
        return
    rejects = [item for item in found if isinstance(item, Reject)]
    others = [item.record.line for item in found if not isinstance(item, Reject)]
    assert {*others, *(reject.line for reject in rejects)} == set(range(1, len(rows) + 1))
    assert all(reject.reason and reject.detail for reject in rejects)
