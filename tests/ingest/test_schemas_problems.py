"""Which rows only pose a problem, and which hold a trace after all?"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grace_engine import api
from grace_engine.errors import SchemaError
from grace_engine.export import problem_rows
from grace_engine.ingest import (
    SCHEMAS,
    ProblemDraft,
    detect,
    detect_among,
    guess_mapping,
    mapped_schema,
    parse_mapping,
    parse_segmenter,
    traces_of,
)
from grace_engine.records import Problem, RolloutGroup

ASKED = "What is 6 times 7?"
LONG = "Six sevens are asked for.\nFive of them are 35.\nSo it is 42."


def posed(record: dict[str, Any]) -> ProblemDraft:
    schema = detect(record)
    assert schema is not None
    (draft,) = schema.drafts(record)
    assert isinstance(draft, ProblemDraft)
    return draft


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": ASKED, "answer": "42"},
        {"question": ASKED, "answer": 42},
        {"prompt": ASKED, "ground_truth": "42"},
        {"prompt": ASKED, "solution": " 42 "},
        {"problem": ASKED, "answer": "42"},
        {"prompt": [{"role": "user", "content": ASKED}], "answer": "42"},
        {"messages": [{"role": "user", "content": ASKED}], "ground_truth": "42"},
    ],
)
def test_a_prompt_with_a_bare_answer_is_a_problem(record: dict[str, Any]) -> None:
    more = {"source": "sums", "Level": 3, "of": None, "tags": ["a"], "grace": {"value": 1.0}}
    draft = posed(record | more)
    assert (draft.prompt, draft.reference) == (ASKED, "42")
    assert draft.labels == {"source": "sums", "level": 3}


def test_other_single_values_are_labels_under_their_own_names() -> None:
    record = {
        "prompt": ASKED,
        "answer": "42",
        "unit": "m",
        "easy": True,
        "extra_info": {"index": 1},
    }
    assert posed(record).labels == {"unit": "m", "easy": True}


def test_a_boxed_answer_is_read_without_its_box() -> None:
    assert posed({"prompt": ASKED, "answer": r"\boxed{42}"}).reference == "42"


@pytest.mark.parametrize(
    "record",
    [
        {"question": ASKED, "answer": LONG},
        {"question": ASKED, "answer": "Six sevens. #### 42"},
        {"question": ASKED, "answer": "Six sevens are 42, so the answer is 42."},
        {"prompt": ASKED, "answer": "42", "rationale": "Six sevens are that."},
        {"prompt": ASKED, "answer": "42", "response": LONG},
        {"prompt": ASKED, "answer": "42", "context": "word " * 60},
        {"prompt": ASKED, "answer": "B", "choices": ["41", "42"]},
        {"prompt": ASKED, "answer": "42", "steps": [LONG]},
        {"prompt": ASKED},
        {"answer": "42"},
        {"prompt": ASKED, "answer": " "},
    ],
)
def test_what_may_reason_or_says_too_little_is_no_problem(record: dict[str, Any]) -> None:
    assert detect(record) is not SCHEMAS["problem"]


def test_one_short_solution_does_not_make_problems_of_a_file_of_traces() -> None:
    short = {"question": ASKED, "answer": "42"}
    assert detect_among([short, *[{"question": ASKED, "answer": LONG}] * 3]) is None
    assert detect_among([short] * 19 + [{"question": ASKED, "answer": LONG}]) is SCHEMAS["problem"]
    marked = {"question": ASKED, "answer": f"{LONG}\n#### 42"}
    assert detect_among([short, marked]) is SCHEMAS["gsm8k"]


def test_a_processed_dapo_row_keeps_its_single_values_as_labels() -> None:
    draft = posed(
        {
            "prompt": ASKED,
            "solution": "42",
            "data_source": "math_dapo",
            "ability": "MATH",
            "hard": 0.5,
            "reward_model": {"ground_truth": "42", "style": "rule"},
            "extra_info": {"index": "c1", "split": "train", "answer": LONG},
        }
    )
    assert draft.labels == {
        "source": "math_dapo", "subject": "MATH", "hard": 0.5, "split": "train",
    }  # fmt: skip


def test_a_mapping_without_a_trace_reads_problems() -> None:
    record = {"frage": ASKED, "gold": 42, "meta": {"level": 3}}
    for named in ("answer=gold", "reference=gold"):
        schema = mapped_schema(parse_mapping(f"prompt=frage,{named},label.level=meta.level"))
        (draft,) = schema.drafts(record)
        assert draft == ProblemDraft(prompt=ASKED, reference="42", labels={"level": 3})


def test_a_guess_names_no_trace_where_none_could_be_one() -> None:
    rows = [{"frage": f"Was ist {n} mal 7?", "ergebnis": str(7 * n)} for n in range(30)]
    assert guess_mapping(rows) == {"prompt": "frage", "answer": "ergebnis"}
    traced = [row | {"weg": f"Erst {row['frage']}\nDann weiter."} for row in rows]
    assert "trace" in guess_mapping(traced)


@pytest.mark.parametrize("name", ["trace", "cot", "rationale", "steps", "thought"])
@pytest.mark.parametrize(
    "text", ["三加五得八。所以是八个。", "３と５で８個です。", "Three\tand five."]
)
def test_a_trace_without_spaces_is_a_trace_and_no_label_of_a_problem(name: str, text: str) -> None:
    record = {"prompt": "三加五？", name: text, "answer": "8"}
    assert detect(record) is None


def test_a_bare_word_under_the_name_of_a_trace_is_a_label() -> None:
    assert posed({"prompt": ASKED, "solution": "42", "answer": "42"}).labels == {"solution": "42"}
    assert posed({"prompt": ASKED, "process": "Add", "answer": "42"}).reference == "42"


@pytest.mark.parametrize("as_format", ["trl-grpo", "verl", "open-instruct"])
def test_exports_of_problems_are_problems_again(
    as_format: Any, write_rows: Callable[..., Path]
) -> None:
    group = RolloutGroup(
        problem_id="p1", dataset="d", prompt=ASKED, reference="42", labels={"source": "sums"}
    )
    path = write_rows(*problem_rows([(group, None), (group, {"rank": 1})], as_format))
    found = list(traces_of(path, dataset="d", segmenter=parse_segmenter("auto")))
    assert all(isinstance(one, Problem) for one in found)
    assert {(one.prompt, one.reference) for one in found} == {(ASKED, "42")}


def test_a_plain_file_of_problems_is_ingested_without_a_word(
    write_rows: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_rows(
        *({"prompt": f"{n} + 1?", "answer": str(n + 1), "level": n} for n in range(9))
    )
    workspace = api.open_workspace(tmp_path / "w", create=True)
    (report,) = api.ingest(workspace, [path])
    assert (report.schema, report.count.problems) == ("problem", 9)
    assert api.preview(path).n_problems == 9
    with pytest.raises(SchemaError, match="prompt=FIELD,reference=FIELD"):
        list(traces_of(write_rows({"x": 1}), dataset="d", segmenter=parse_segmenter("auto")))
