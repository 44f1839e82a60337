"""Do the whole GSM8K files come in as they stand, every trace and every reject?"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from grace_engine.ingest import parse_segmenter
from grace_engine.records import Reject, Trace

Ingest = Callable[..., tuple[list[Trace], list[Reject]]]


def test_the_gsm8k_training_file_gives_a_trace_for_every_row(
    ingest: Ingest, gsm8k: Path, check_spans: Callable[[Trace], None]
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


def test_the_model_solutions_give_every_trace_but_those_without_an_answer(
    ingest: Ingest, gsm8k: Path, check_spans: Callable[[Trace], None]
) -> None:
    traces, rejects = ingest(gsm8k / "example_model_solutions.jsonl")
    # 1,319 questions with four solutions and the ground truth each. Ten solutions break off in the
    # middle of a line, and one (question 853) is nothing but "25".
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
