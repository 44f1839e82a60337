"""Under which names are lists of steps and their labels found?"""

from typing import Any

import pytest

from grace_engine.errors import TraceRejected
from grace_engine.ingest import SCHEMAS, Draft, GivenStep, detect

STEPS = ("One.", "Two.")
GIVEN = tuple(GivenStep(text=text) for text in STEPS)
LABELLED = (GivenStep(text="One.", label=1), GivenStep(text="Two.", label=-1))


def only(record: dict[str, Any]) -> Draft:
    (draft,) = SCHEMAS["steps-list"].drafts(record)
    assert isinstance(draft, Draft)
    return draft


@pytest.mark.parametrize(
    ("record", "steps"),
    [
        ({"prompt": "Q", "steps": [*STEPS]}, GIVEN),
        ({"question": "Q", "answer": "#### 4", "chain_of_thought": [*STEPS]}, GIVEN),
        ({"query": "Q", "reasoning_steps": [{"step": 1, "text": t} for t in STEPS]}, GIVEN),
        ({"instruction": "Q", "rationale": [{"step": t, "n": 1} for t in STEPS]}, GIVEN),
        ({"problem": "Q", "steps": [*STEPS], "ratings": [1, -1]}, LABELLED),
        ({"prompt": "Q", "completions": [*STEPS], "labels": [1, -1]}, LABELLED),
        (
            {
                "input": "Q",
                "solution": [{"content": "One.", "score": 1}, {"content": "Two.", "score": -1}],
            },
            LABELLED,
        ),
        (
            {"task": "Q", "steps": [{"value": "One.", "label": None}, {"value": "Two."}]},
            GIVEN,
        ),
    ],
)
def test_steps_are_found_under_their_usual_names(
    record: dict[str, Any], steps: tuple[GivenStep, ...]
) -> None:
    matching = [schema.name for schema in SCHEMAS.values() if schema.matches(record)]
    assert matching == ["steps-list"]
    draft = only(record)
    assert (draft.prompt, draft.text, draft.given_steps) == ("Q", "One.\nTwo.", steps)


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "Q", "completions": [*STEPS]},  # several solutions, not several steps
        {"prompt": "Q", "steps": []},
        {"prompt": "Q", "steps": "One. Two."},
        {"prompt": "Q", "steps": ["One.", None]},
        {"prompt": "Q", "steps": [{"n": 1}]},
        {"steps": [*STEPS]},
    ],
)
def test_what_is_no_list_of_steps_fits_no_schema(record: dict[str, Any]) -> None:
    assert detect(record) is None


@pytest.mark.parametrize(
    ("fields", "answer", "reference"),
    [
        ({"answer": 4}, "4", None),
        ({"final_answer": "4", "answer": "5"}, "4", "5"),
        ({"prediction": "4", "ground_truth": "5"}, "4", "5"),
        ({"answer": None, "target": 5}, "5", "5"),
        ({"ground_truth": 5}, "5", "5"),
        ({"target": 5, "is_correct": True}, "5", "5"),
        ({"target": 5, "is_correct": False}, None, "5"),
        ({}, None, None),
    ],
)
def test_the_trace_s_own_answer_and_the_right_one_are_told_apart(
    fields: dict[str, Any], answer: str | None, reference: str | None
) -> None:
    draft = only({"prompt": "Q", "steps": [*STEPS], **fields})
    assert (draft.answer, draft.reference) == (answer, reference)


@pytest.mark.parametrize(
    ("record", "reason", "detail"),
    [
        ({"prompt": "Q"}, "schema-mismatch", "no list of steps under a usual name; .* has prompt"),
        ({"prompt": "Q", "steps": []}, "schema-mismatch", r"the list of steps is empty \(steps\)"),
        ({"steps": [*STEPS]}, "schema-mismatch", "no prompt under a usual name"),
        (
            {"prompt": "Q", "steps": [*STEPS], "labels": [1]},
            "schema-mismatch",
            "field 'labels' has 1 labels for 2 steps",
        ),
        (
            {"prompt": "Q", "steps": [*STEPS], "labels": [1, {}]},
            "wrong-type",
            "labels.1 is an object: a label is one value",
        ),
        (
            {"prompt": "Q", "steps": [{"text": "One.", "label": [1]}]},
            "wrong-type",
            "steps.0.label is a list: a label is one value",
        ),
        ({"prompt": "Q", "steps": [*STEPS], "answer": {}}, "wrong-type", "'answer' is an object"),
    ],
)
def test_a_record_that_is_not_as_it_should_be_is_rejected_with_what_was_seen(
    record: dict[str, Any], reason: str, detail: str
) -> None:
    with pytest.raises(TraceRejected, match=detail) as rejected:
        only(record)
    assert rejected.value.reason == reason


@pytest.mark.parametrize(
    ("inner", "outer", "answer", "reference"),
    [
        ({"answer": "4"}, {}, "4", None),
        ({"answer": "4"}, {"answer": "5"}, "4", "5"),
        ({"final_answer": "4"}, {"answer": "5"}, "4", "5"),
        ({}, {"answer": "5"}, "5", None),
    ],
)
def test_steps_and_answer_may_stand_one_level_deeper(
    inner: dict[str, Any], outer: dict[str, Any], answer: str, reference: str | None
) -> None:
    for steps in ([*STEPS], [{"text": text} for text in STEPS]):
        record = {"problem": "Q", "solution": {"steps": steps, **inner}, **outer}
        assert [each.name for each in SCHEMAS.values() if each.matches(record)] == ["steps-list"]
        draft = only(record)
        assert (draft.prompt, draft.given_steps) == ("Q", GIVEN)
        assert (draft.answer, draft.reference) == (answer, reference)
