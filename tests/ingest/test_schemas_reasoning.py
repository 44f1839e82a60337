"""Which traces do the schemas of reasoning sets find, and what do they refuse?"""

from collections.abc import Callable
from typing import Any

import pytest

from grace_engine.errors import TraceRejected
from grace_engine.ingest import SCHEMAS, Draft, ProblemDraft, RejectedDraft, detect
from grace_engine.records import Trace

Build = Callable[..., Trace]
Row = Callable[..., dict[str, Any]]


def drafts_of(name: str, record: dict[str, Any]) -> list[Any]:
    return list(SCHEMAS[name].drafts(record))


def test_every_generation_is_a_trace_with_its_own_verdicts(row: Row) -> None:
    record = row("openr1-math", correctness_llama=[None, True])
    drafts = drafts_of("openr1-math", record)
    assert [draft.variant for draft in drafts] == ["0", "1", "2"]
    assert [draft.text for draft in drafts] == record["generations"]
    assert [draft.labels.get("is_correct_llama") for draft in drafts] == [None, True, None]
    assert [draft.labels["is_reasoning_complete"] for draft in drafts] == [True, True, False]
    assert {draft.reference for draft in drafts} == {"12"}


def test_without_verdicts_generations_are_unlabelled(row: Row) -> None:
    record = row("openr1-math", correctness_math_verify=None, is_reasoning_complete=...)
    for draft in drafts_of("openr1-math", record):
        assert draft.labels == {"source": "olympiads", "subject": "Number Theory"}


def test_without_an_answer_the_solution_says_what_is_right(row: Row) -> None:
    record = row("openr1-math", answer=None, solution=r"Add them: $\boxed{12}$.")
    assert drafts_of("openr1-math", record)[0].reference == "12"


def test_a_bad_generation_is_rejected_alone(row: Row) -> None:
    record = row("openr1-math")
    record["generations"][0] = None
    record["correctness_math_verify"][1] = "yes"
    first, second, third = drafts_of("openr1-math", record)
    assert first == RejectedDraft(
        variant="0", reason="schema-mismatch", detail="generation 0: the text is null"
    )
    said = "generation 1: correctness_math_verify is text, not true or false"
    assert (second.reason, second.detail) == ("schema-mismatch", said)
    assert isinstance(third, Draft)


def test_no_generation_at_all_is_no_trace(row: Row) -> None:
    assert drafts_of("openr1-math", row("openr1-math", generations=[])) == []


def test_the_tags_of_openthoughts_give_way_to_think_tags(row: Row) -> None:
    (draft,) = drafts_of("openthoughts", row("openthoughts"))
    assert draft.text == (
        "<think>\nTen percent of 80 is 8.\n\nFive percent is 4.\n</think>\n\n"
        r"Adding both gives \boxed{12}."
    )
    assert draft.prompt == r"Return your final response within \boxed{}. What is 15% of 80?"


def test_reasoning_and_attempt_of_s1k_are_one_text(row: Row) -> None:
    (draft,) = drafts_of("s1k", row("s1k"))
    assert draft.text == (
        "<think>\nEach element is in or out.\n\nSo there are 2 to the power of 7 subsets.\n</think>"
        "\n\nTwo choices for each of 7 elements give $\\boxed{128}$."
    )


@pytest.mark.parametrize(
    ("solution", "reference"),
    [
        ("128", "128"),
        ("Count them.\n\nThere are $\\boxed{128}$.", "128"),
        ("A proof.\n\nOf several lines.", None),
        ("A long line. " * 10, None),
    ],
)
def test_a_solution_is_a_reference_as_far_as_it_states_an_answer(
    row: Row, solution: str, reference: str | None
) -> None:
    (draft,) = drafts_of("s1k", row("s1k", solution=solution))
    assert draft.reference == reference


def test_a_reply_without_a_mark_is_the_answer_even_if_the_reasoning_marks_one(
    row: Row, build: Build
) -> None:
    record = row("s1k", thinking_trajectories=[r"Is it \boxed{64}? No."], attempt="It is 128.")
    (draft,) = drafts_of("s1k", record)
    trace = build(draft.text, apart=draft.apart)
    assert (trace.answer.text, trace.answer.appended) == ("It is 128.", "")
    assert [trace.text[s.start : s.end] for s in trace.steps] == [r"Is it \boxed{64}?", "No."]


def test_a_model_without_a_trajectory_has_no_trace(row: Row) -> None:
    record = row("s1k-1.1", gemini_thinking_trajectory=None, deepseek_grade="?")
    (draft,) = drafts_of("s1k-1.1", record)
    assert (draft.variant, "is_correct" in draft.labels) == ("deepseek", False)


def test_a_trajectory_without_its_attempt_is_rejected_alone(row: Row) -> None:
    first, second = drafts_of("s1k-1.1", row("s1k-1.1", deepseek_attempt=None))
    assert first == RejectedDraft(
        variant="deepseek",
        reason="schema-mismatch",
        detail="field 'deepseek_attempt' is null, not text",
    )
    assert second.variant == "gemini"


@pytest.mark.parametrize(
    ("images", "kept"),
    [(None, ()), (["a.png", "b.png"], ("a.png", "b.png")), ("a.png", ("a.png",))],
)
def test_a_prompt_may_have_any_number_of_images(
    row: Row, images: object, kept: tuple[str, ...]
) -> None:
    (draft,) = drafts_of("mmathcot", row("mmathcot", image_url=images))
    assert draft.images == kept


def test_a_dapo_row_is_a_problem(row: Row) -> None:
    record = row("dapo", 2)
    assert drafts_of("dapo", record) == [
        ProblemDraft(
            prompt="What is 6 plus 7?",
            reference="13",
            labels={"source": "math_dapo", "subject": "MATH"},
        )
    ]


def test_a_solved_dapo_row_is_no_problem(row: Row) -> None:
    record = row("dapo", response="<think>\nSix sevens.\n</think>\n\n42")
    schema = detect(record)
    assert schema is not None
    assert schema.name == "reasoned-reply"


@pytest.mark.parametrize(
    ("name", "changes", "reason", "detail"),
    [
        ("openr1-math", {"generations": "G"}, "schema-mismatch", "'generations' is text, not a l"),
        ("openr1-math", {"problem": None}, "schema-mismatch", "'problem' is null, not text"),
        ("openr1-math", {"answer": {}}, "wrong-type", "'answer' is an object, not text or a n"),
        ("openthoughts", {"conversations": None}, "schema-mismatch", "is null, not a list of mes"),
        (
            "openthoughts",
            {"conversations": [{"from": "gpt", "value": "<|begin_of_thought|> Ten"}]},
            "reasoning-not-closed",
            "the thought or the solution is not closed; the text ends",
        ),
        ("openthoughts3", {"domain": ["math"]}, "wrong-type", "'domain' is a list: a label is one"),
        (
            "openthoughts3",
            {"conversations": ...},
            "schema-mismatch",
            "null, not a list of messages",
        ),
        ("s1k", {"thinking_trajectories": []}, "schema-mismatch", "is not a list of one text"),
        ("s1k", {"thinking_trajectories": ["A", "B"]}, "schema-mismatch", "not a list of one text"),
        ("s1k", {"attempt": ...}, "schema-mismatch", "'attempt' is missing; the record has"),
        ("s1k", {"solution": 128}, "schema-mismatch", "'solution' is a number, not text"),
        ("s1k-1.1", {"question": []}, "schema-mismatch", "'question' is a list, not text"),
        ("mmathcot", {"image_url": [1]}, "schema-mismatch", "is or holds a number, not text"),
        ("mmathcot", {"output": None}, "schema-mismatch", "'output' is null, not text"),
        ("dapo", {"reward_model": None}, "schema-mismatch", "'reward_model' is null, not an obj"),
        (
            "dapo",
            {"prompt": 7},
            "schema-mismatch",
            "'prompt' is a number, not a list of messages",
        ),
        ("dapo", {"reward_model": {"ground_truth": [1]}}, "wrong-type", "'ground_truth' is a list"),
    ],
)
def test_a_row_that_is_not_as_it_should_be_is_rejected_with_what_was_seen(
    row: Row, name: str, changes: dict[str, object], reason: str, detail: str
) -> None:
    with pytest.raises(TraceRejected, match=detail) as rejected:
        drafts_of(name, row(name, **changes))
    assert rejected.value.reason == reason
