"""Which traces and rejections does a whole file give?"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grace_engine.errors import GraceError, InputError, SchemaError
from grace_engine.ingest import parse_mapping, parse_segmenter, traces_of
from grace_engine.records import Reject, Step, Trace

AUTO = parse_segmenter("auto")
MAPPING = parse_mapping("prompt=q,trace=t,answer=a")


def ingest(path: Path, **options: object) -> tuple[list[Trace], list[Reject]]:
    """The traces and the rejections of a file."""
    found = list(traces_of(path, **{"dataset": "d", "segmenter": AUTO, **options}))  # type: ignore[arg-type]
    traces = [item for item in found if isinstance(item, Trace)]
    return traces, [item for item in found if isinstance(item, Reject)]


def gsm8k_row(n: int) -> dict[str, str]:
    return {"question": f"Half of {2 * n}?", "answer": f"It is {n}.\nSure.\n#### {n}"}


def test_a_gsm8k_row_becomes_a_trace_with_all_its_parts(write_rows: Callable[..., Path]) -> None:
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
    write_rows: Callable[..., Path],
) -> None:
    first = write_rows(gsm8k_row(1), gsm8k_row(2), name="first.jsonl")
    second = write_rows(gsm8k_row(2), gsm8k_row(1), gsm8k_row(2), name="second.jsonl")
    ids = [trace.id for trace in ingest(first)[0]]
    assert len(set(ids)) == 2
    moved = ingest(second, segmenter=parse_segmenter("sentences"))[0]
    assert [trace.id for trace in moved] == [ids[1], ids[0], ids[1]]
    assert not {trace.id for trace in ingest(first, dataset="e")[0]} & set(ids)


def test_the_traces_of_one_record_share_it(write_rows: Callable[..., Path]) -> None:
    row = {
        "question": "Half of 36?",
        "ground_truth": "It is 18.\nA: 18",
        "small": {"solution": "It is 17.\nA: 17", "is_correct": False},
        "cut": {"solution": "It is", "is_correct": False},
    }
    traces, (reject,) = ingest(write_rows(row))
    assert [trace.variant for trace in traces] == ["ground_truth", "small"]
    assert traces[0].record is traces[1].record
    assert traces[0].id != traces[1].id
    assert traces[1].reference == "18"
    assert (reject.line, reject.variant, reject.reason) == (1, "cut", "no-answer")
    assert reject.excerpt == json.dumps(row)[:200]


def test_the_schema_of_the_first_fitting_record_holds_for_the_file(
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
    write_rows: Callable[..., Path],
) -> None:
    path = write_rows({"instruction": "Q", "output": "A"}, {"x": 1})
    with pytest.raises(SchemaError, match=r"instruction, output\. .*--map prompt=FIELD") as error:
        ingest(path)
    assert str(path) in str(error.value)


def test_a_file_of_bad_lines_only_is_rejected_line_by_line(tmp_path: Path) -> None:
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


def test_a_named_schema_is_not_detected(write_rows: Callable[..., Path]) -> None:
    _, rejects = ingest(write_rows({"x": 1}), schema="planted")
    assert [reject.reason for reject in rejects] == ["schema-mismatch"]


def test_a_mapping_reads_any_record(write_rows: Callable[..., Path]) -> None:
    rows = [
        {"q": "Q", "t": "One. Two.", "a": 2},
        {"q": "Q", "t": "One."},
        {"q": " ", "t": "One.", "a": 1},
    ]
    (trace,), rejects = ingest(write_rows(*rows), mapping=MAPPING)
    assert trace.full_text == "One. Two.\nThe answer is 2"
    assert [reject.reason for reject in rejects] == ["missing-field", "no-prompt"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"schema": "gsm9k"}, "Format 'gsm9k' is not known: use one of gsm8k"),
        ({"schema": "mapped"}, "needs a mapping"),
        ({"schema": "gsm8k", "mapping": MAPPING}, "With a mapping, format 'gsm8k' is not known"),
    ],
)
def test_a_schema_that_cannot_be_is_an_input_error(
    write_rows: Callable[..., Path], options: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        ingest(write_rows(gsm8k_row(1)), **options)


def test_parquet_rows_become_traces(tmp_path: Path) -> None:
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
NAMES = ["question", "answer", "ground_truth", "prompt", "steps", "reference", "kind", "bad_steps",
         "is_correct", "q", "t", "a", "x"]  # fmt: skip


@given(
    rows=st.lists(
        st.dictionaries(
            st.sampled_from(NAMES),
            VALUES | st.fixed_dictionaries({"solution": VALUES, "is_correct": VALUES}),
        ),
        min_size=1,
        max_size=3,
    ),
    options=st.sampled_from(
        [
            {},
            {"schema": "gsm8k"},
            {"schema": "gsm8k-solutions"},
            {"schema": "planted"},
            {"mapping": MAPPING},
            {"mapping": parse_mapping("prompt=q,trace=t.0.x,label.a=a,reference=x")},
        ]
    ),
)
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_odd_values_anywhere_are_rejected_in_words(
    write_rows: Callable[..., Path], rows: list[dict[str, object]], options: dict[str, object]
) -> None:
    try:
        traces, rejects = ingest(write_rows(*rows), **options)
    except GraceError as refused:
        assert isinstance(refused, SchemaError)  # noqa: PT017 (any other error fails the test)
        return
    assert {trace.record.line for trace in traces} | {reject.line for reject in rejects} == set(
        range(1, len(rows) + 1)
    )
    assert all(reject.reason and reject.detail for reject in rejects)


def test_the_gsm8k_training_file_gives_a_trace_for_every_row(
    gsm8k: Path, check_spans: Callable[[Trace], None]
) -> None:
    traces, rejects = ingest(gsm8k / "train.jsonl", segmenter=parse_segmenter("lines"))
    assert (len(traces), rejects) == (7_473, [])
    for trace in traces:
        check_spans(trace)
        lines = trace.text.split("\n")
        assert [trace.text[step.start : step.end] for step in trace.steps] == [
            line.strip() for line in lines[:-1] if line.strip()
        ]
        assert trace.answer.text == trace.reference == lines[-1].removeprefix("#### ")
    assert len({trace.id for trace in traces}) == 7_473


def test_the_model_solutions_give_every_trace_but_those_cut_short(
    gsm8k: Path, check_spans: Callable[[Trace], None]
) -> None:
    traces, rejects = ingest(gsm8k / "example_model_solutions.jsonl")
    # 1,319 questions with four solutions and the ground truth each; eleven solutions ran into the
    # length limit before their last line.
    assert len(traces) + len(rejects) == 1_319 * 5
    assert Counter((reject.variant, reject.reason) for reject in rejects) == {
        ("175b_finetuning", "no-answer"): 5,
        ("6b_finetuning", "no-answer"): 4,
        ("175b_verification", "no-answer"): 1,
        ("6b_verification", "no-answer"): 1,
    }
    for trace in traces:
        check_spans(trace)
        assert trace.answer.text == trace.text.rpartition("\nA: ")[2].strip()
    right = [trace for trace in traces if trace.labels["is_correct"]]
    # The data's README: correct shares of 22%, 39%, 35% and 56%; the ground truth is all right.
    shares = Counter(trace.variant for trace in right)
    assert {name: round(100 * count / 1_319) for name, count in shares.items()} == {
        "ground_truth": 100,
        "6b_finetuning": 22,
        "6b_verification": 39,
        "175b_finetuning": 35,
        "175b_verification": 56,
    }
