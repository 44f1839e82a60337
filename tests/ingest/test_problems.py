"""When are two problems the same, and which are refused?"""

import hashlib
from pathlib import Path

import pytest

from grace_engine.errors import TraceRejected
from grace_engine.ingest import ProblemDraft, parse_segmenter, traces_of
from grace_engine.ingest.problems import build_problem
from grace_engine.records import Problem, SourceRecord

FILE = Path(__file__).parent / "files" / "dapo.jsonl"
RECORD = SourceRecord(digest="0" * 64, path="rows.jsonl", line=1, raw=b"{}")


def test_repeats_of_a_problem_have_the_same_id() -> None:
    segmenter = parse_segmenter("auto")
    found = list(traces_of(FILE, dataset="d", segmenter=segmenter))
    assert all(isinstance(item, Problem) for item in found)
    first, again, other, _ = found
    assert isinstance(other, Problem)
    assert first.id == again.id != other.id
    key = b'["d","problem","What is 6 plus 7?","13"]'
    assert other.id == hashlib.sha256(key).hexdigest()[:16]
    assert (other.reference, other.record.line) == ("13", 3)
    assert other.labels == {"source": "math_dapo", "subject": "MATH"}


def test_the_dataset_and_the_reference_are_part_of_a_problem() -> None:
    def made(dataset: str, reference: str | None) -> str:
        draft = ProblemDraft(prompt="Q", reference=reference)
        return build_problem(draft, dataset=dataset, record=RECORD).id

    assert len({made("d", "1"), made("d", "2"), made("d", None), made("e", "1")}) == 4


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        (ProblemDraft(prompt=" "), "no-prompt"),
        (ProblemDraft(prompt="Q\0"), "null-character"),
        (ProblemDraft(prompt="Q", labels={"source": "\0"}), "null-character"),
        (ProblemDraft(prompt="Q", reference="\ud800"), "not-unicode"),
    ],
)
def test_a_problem_that_cannot_be_kept_is_rejected_with_its_reason(
    draft: ProblemDraft, reason: str
) -> None:
    with pytest.raises(TraceRejected) as rejected:
        build_problem(draft, dataset="d", record=RECORD)
    assert rejected.value.reason == reason
