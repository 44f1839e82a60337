"""Which traces do the schemas of MATH and of labelled steps find, and what do they refuse?"""

from collections.abc import Callable
from typing import Any

import pytest

from grace_engine.errors import TraceRejected
from grace_engine.ingest import SCHEMAS, Draft, GivenStep
from grace_engine.records import Trace

Build = Callable[..., Trace]
Row = Callable[..., dict[str, Any]]


def only(name: str, record: dict[str, Any]) -> Draft:
    (draft,) = SCHEMAS[name].drafts(record)
    assert isinstance(draft, Draft)
    return draft


def test_math_500_gives_subject_level_and_answer(row: Row) -> None:
    record = row("math", type=..., subject="Algebra", level=4, answer="4", unique_id="test/1.json")
    draft = only("math", record)
    assert SCHEMAS["math"].matches(record)
    assert (draft.answer, draft.reference, draft.is_reference) == ("4", "4", False)
    assert draft.labels == {"is_correct": True, "subject": "Algebra", "level": 4}


def test_a_numina_answer_that_says_there_is_none_is_none(row: Row) -> None:
    assert only("numina-math", row("numina-math", answer="proof")).answer is None
    draft = only("numina-math", row("numina-math", answer="49", problem_type="Geometry"))
    assert (draft.answer, draft.labels["subject"]) == ("49", "Geometry")


def test_a_solution_beside_an_answer_is_not_said_to_be_right(row: Row) -> None:
    assert only("numina-math", row("numina-math")).labels["is_correct"] is True
    beside = only("numina-math", row("numina-math", answer="49"))
    assert "is_correct" not in beside.labels
    assert beside.reference == "49"


def test_numina_without_messages_is_still_numina(row: Row) -> None:
    assert SCHEMAS["numina-math"].matches(row("numina-math", messages=...))


def test_an_answer_that_the_limo_solution_does_not_mark_is_given(row: Row, build: Build) -> None:
    draft = only("limo", row("limo", solution="Five pairs of 11.", answer=55))
    trace = build(draft.text, answer=draft.answer)
    assert trace.full_text == "Five pairs of 11.\nThe answer is 55"
    assert trace.reference == "55"


def prm(*steps: dict[str, object], **question: object) -> dict[str, object]:
    asked = {"problem": "Q", "ground_truth_answer": "6", **question}
    return {"question": asked, "label": {"steps": list(steps), "finish_reason": None}}


def completed(*ratings: int | None, chosen: int | None = 0) -> dict[str, object]:
    texts = [{"text": f"Rated {rating}.", "rating": rating} for rating in ratings]
    return {"completions": texts, "chosen_completion": chosen, "human_completion": None}


def test_the_path_of_prm800k_is_what_was_chosen_and_the_rest_are_no_traces() -> None:
    draft = only("prm800k", prm(completed(-1, 1, chosen=1), completed(0, -1)))
    assert draft.given_steps == (
        GivenStep(text="Rated 1.", label=1),
        GivenStep(text="Rated 0.", label=0),
    )
    assert draft.text == "Rated 1.\nRated 0."
    assert draft.labels == {}
    assert draft.apart is None


def test_labelling_ends_where_none_of_several_completions_was_good() -> None:
    draft = only("prm800k", prm(completed(1), completed(-1, -1, chosen=None)))
    assert draft.text == "Rated 1."


def test_the_model_s_own_solution_goes_on_only_where_the_path_kept_to_it() -> None:
    own = ["Rated -1.", "So 8.\n\n# Answer\n\n8"]
    followed = only("prm800k", prm(completed(-1, chosen=None), pre_generated_steps=own))
    assert followed.text == "Rated -1.\nSo 8.\n\n# Answer\n\n8"
    assert followed.apart is not None
    assert followed.apart.text == "8"
    left = only("prm800k", prm(completed(1), pre_generated_steps=own))
    assert left.text == "Rated 1."


def test_a_human_completion_may_be_a_bare_text() -> None:
    step = {"completions": None, "chosen_completion": None, "human_completion": "By hand."}
    assert only("prm800k", prm(step)).given_steps == (GivenStep(text="By hand."),)


def test_prm800k_marks_its_answer_below_a_heading(row: Row, build: Build) -> None:
    draft = only("prm800k", row("prm800k"))
    trace = build(draft.text, given_steps=draft.given_steps, apart=draft.apart)
    assert trace.text[trace.answer.mark_start :] == "# Answer\n\n6"
    assert (trace.answer.text, trace.answer.appended) == ("6", "")


def test_what_follows_the_last_place_of_a_label_is_an_unlabelled_step() -> None:
    draft = only(
        "math-shepherd",
        {"input": "Q Step 1: A. ки\nStep 2: B.", "label": "Q Step 1: A. +\nStep 2: B."},
    )
    assert draft.prompt == "Q"
    assert draft.text == "Step 1: A.\nStep 2: B."
    assert draft.given_steps == (GivenStep(text="A.", label="+"), GivenStep(text="B."))


@pytest.mark.parametrize(
    ("name", "changes", "detail"),
    [
        ("math", {"solution": None}, "'solution' is null, not text"),
        ("math", {"problem": ...}, "'problem' is missing"),
        ("math", {"type": ["Algebra"]}, "'type' is a list: a label is one value"),
        ("numina-math", {"problem": 7}, "'problem' is a number, not text"),
        ("numina-math", {"answer": {}}, "'answer' is an object, not text or a number"),
        ("limo", {"answer": ["55"]}, "'answer' is a list, not text or a number"),
        ("prm800k", {"question": "Q"}, "'question' is text, not an object"),
        ("prm800k", {"label": {"steps": []}}, "'label.steps' is not a list with steps"),
        ("processbench", {"steps": ["A.", None]}, "'steps' is not a list of texts"),
        ("processbench", {"label": 3}, "'label' is 3, not -1 or the number of one of the steps"),
        ("processbench", {"label": True}, "'label' is true or false, not -1"),
        ("processbench", {"label": None}, "'label' is null, not -1"),
        ("processbench", {"final_answer_correct": "no"}, "is text, not true or false"),
        ("math-shepherd", {"input": "Q ки"}, "no step of field 'input' begins with 'Step 1:'"),
        ("math-shepherd", {"label": "Q"}, "no . or - where 'input' has its 'ки' number 1"),
        ("math-shepherd", {"task": {}}, "'task' is an object: a label is one value"),
    ],
)
def test_a_row_that_is_not_as_it_should_be_is_rejected_with_what_was_seen(
    row: Row, name: str, changes: dict[str, object], detail: str
) -> None:
    with pytest.raises(TraceRejected, match=detail) as rejected:
        list(SCHEMAS[name].drafts(row(name, **changes)))
    assert rejected.value.reason in ("schema-mismatch", "wrong-type")


@pytest.mark.parametrize(
    ("step", "detail"),
    [
        (None, "label.steps.0 is null, not an object"),
        ({"completions": ["A."]}, "label.steps.0.completions is not a list of objects"),
        (completed(1, chosen=3), "label.steps.0.chosen_completion is 3 of 1 completions"),
        (completed(5), "the rating of label.steps.0 is 5, not -1, 0 or 1"),
        ({"human_completion": {"text": None}}, "the text of label.steps.0 is null, not text"),
    ],
)
def test_a_step_of_prm800k_that_cannot_be_read_rejects_the_row(step: Any, detail: str) -> None:
    with pytest.raises(TraceRejected, match=detail) as rejected:
        list(SCHEMAS["prm800k"].drafts(prm(step)))
    assert rejected.value.reason == "schema-mismatch"
