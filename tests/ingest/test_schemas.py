"""Which traces does each schema find in a record?"""

import pytest

from grace_engine.errors import InputError, TraceRejected
from grace_engine.ingest import (
    SCHEMAS,
    Draft,
    FieldMap,
    GivenStep,
    RejectedDraft,
    detect,
    mapped_schema,
    parse_mapping,
)

GSM8K = {"question": "Half of 36?", "answer": "36/2 = <<36/2=18>>18\n#### 18"}
SOLUTIONS = {
    "question": "Half of 36?",
    "ground_truth": "36/2 = 18\nA: 18",
    "6b_finetuning": {"is_correct": False, "solution": "36/2 = 17\nA: 17"},
    "175b": {"solution": "It is 18.\nA: 18", "is_correct": True},
    "note": {"other": 1},
}
PLANTED = {
    "id": "planted-0001", "prompt": "Start with 3. Add 4. Add 5.", "steps": ["3+4=8", "8+5=13"],
    "answer": "13", "reference": "12", "kind": "wrong_result", "bad_steps": [0],
    "is_correct": False,
}  # fmt: skip


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"question": "Half of 36?", "answer": "Half of it.\nThat is 18."},  # no mark: not GSM8K's
        {"question": "Half of 36?", "answer": None},
        {"question": "Half of 36?", "ground_truth": "A: 18"},
        {"question": None, "ground_truth": "A: 18", "x": {"solution": "", "is_correct": True}},
        {**PLANTED, "steps": "3+4=8"},
    ],
)
def test_a_record_of_another_shape_fits_no_schema(record: dict[str, object]) -> None:
    assert detect(record) is None


def test_gsm8k_is_its_own_reference() -> None:
    (draft,) = SCHEMAS["gsm8k"].drafts(GSM8K)
    assert draft == Draft(
        prompt="Half of 36?",
        text="36/2 = <<36/2=18>>18\n#### 18",
        is_reference=True,
        labels={"is_correct": True},
    )


def test_every_model_solution_and_the_ground_truth_is_a_trace() -> None:
    drafts = list(SCHEMAS["gsm8k-solutions"].drafts(SOLUTIONS))
    assert [(draft.variant, draft.text, draft.labels) for draft in drafts] == [
        ("ground_truth", "36/2 = 18\nA: 18", {"is_correct": True, "source": "ground_truth"}),
        ("6b_finetuning", "36/2 = 17\nA: 17", {"is_correct": False, "source": "6b_finetuning"}),
        ("175b", "It is 18.\nA: 18", {"is_correct": True, "source": "175b"}),
    ]
    assert {(draft.prompt, draft.reference) for draft in drafts} == {("Half of 36?", "18")}


def test_a_bad_solution_is_rejected_alone() -> None:
    record = {**SOLUTIONS, "175b": {"solution": None, "is_correct": "yes"}}
    drafts = list(SCHEMAS["gsm8k-solutions"].drafts(record))
    assert drafts[2] == RejectedDraft(
        variant="175b",
        reason="schema-mismatch",
        detail="175b: solution is null, is_correct is text",
    )
    assert len(drafts) == 3


def test_planted_steps_carry_the_kind_of_their_fault() -> None:
    (draft,) = SCHEMAS["planted"].drafts(PLANTED)
    assert draft == Draft(
        prompt="Start with 3. Add 4. Add 5.",
        text="3+4=8\n8+5=13\n#### 13",
        given_steps=(
            GivenStep(text="3+4=8", label="wrong_result"),
            GivenStep(text="8+5=13", label="clean"),
        ),
        reference="12",
        labels={"kind": "wrong_result", "is_correct": False},
    )


@pytest.mark.parametrize(
    ("name", "record", "detail"),
    [
        ("gsm8k", {"question": "Q", "solution": "A"}, "'answer' is missing; .* question, solution"),
        ("gsm8k", {"question": "Q", "answer": None}, "'answer' is null, not text"),
        ("gsm8k", {"question": ["Q"], "answer": "A"}, "'question' is a list, not text"),
        ("gsm8k-solutions", {"question": "Q", "ground_truth": {}}, "is an object, not text"),
        ("planted", {**PLANTED, "steps": ["a", 1]}, "'steps' is not a list of texts"),
        ("planted", {**PLANTED, "bad_steps": [True]}, "'bad_steps' is not a list of whole numbers"),
        ("planted", {**PLANTED, "is_correct": 1}, "'is_correct' is a number, not true or false"),
        ("planted", {**PLANTED, "answer": 13}, "'answer' is a number, not text"),
    ],
)
def test_a_record_that_does_not_fit_is_rejected_with_what_was_seen(
    name: str, record: dict[str, object], detail: str
) -> None:
    with pytest.raises(TraceRejected, match=detail) as rejected:
        list(SCHEMAS[name].drafts(record))
    assert rejected.value.reason == "schema-mismatch"


def test_a_mapping_names_every_part() -> None:
    mapping = parse_mapping("prompt=q, trace = out.text,answer=a,reference=gold,label.level=m.lv")
    assert mapping == FieldMap(
        prompt="q", trace="out.text", answer="a", reference="gold", labels=(("level", "m.lv"),)
    )
    assert parse_mapping("trace=t,prompt=p") == FieldMap(prompt="p", trace="t")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not known"),
        ("prompt=q", "must name prompt and trace, or prompt and answer"),
        ("answer=a,trace=t", "must name prompt and trace"),
        ("prompt=q,trace=t,reply=a", "'reply=a' is not known"),
        ("prompt=q,trace=", "'trace=' is not known"),
        ("prompt=q,trace=t,label.=x", "'label.=x' is not known"),
        ("prompt=q,trace=t,prompt=p", "'prompt=p' is given twice"),
    ],
)
def test_a_mapping_that_cannot_be_read_is_an_input_error(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_mapping(text)


def _mapped(mapping: str, record: dict[str, object]) -> Draft | RejectedDraft:
    (draft,) = mapped_schema(parse_mapping(mapping)).drafts(record)
    return draft


def test_a_mapped_record_is_read_through_dotted_paths() -> None:
    record = {
        "messages": [{"content": "Half of 36?"}, {"content": "It is 18."}],
        "a.b": 18,
        "meta": {"level": 3, "ok": True, "share": 0.5, "who": "me", "none": None},
    }
    draft = _mapped(
        "prompt=messages.0.content,trace=messages.1.content,answer=a.b,label.level=meta.level,"
        "label.ok=meta.ok,label.share=meta.share,label.who=meta.who,label.none=meta.none",
        record,
    )
    assert draft == Draft(
        prompt="Half of 36?",
        text="It is 18.",
        answer="18",
        labels={"level": 3, "ok": True, "share": 0.5, "who": "me", "none": None},
    )
    assert isinstance(draft, Draft)
    assert draft.labels["ok"] is True


def test_a_mapped_list_of_texts_gives_the_steps() -> None:
    draft = _mapped("prompt=q,trace=t", {"q": "Q", "t": ["One.", "Two."]})
    assert draft == Draft(
        prompt="Q",
        text="One.\nTwo.",
        given_steps=(GivenStep(text="One."), GivenStep(text="Two.")),
    )


def test_a_null_answer_or_reference_counts_as_none() -> None:
    draft = _mapped(
        "prompt=q,trace=t,answer=a,reference=r", {"q": "Q", "t": "T", "a": None, "r": 7}
    )
    assert draft == Draft(prompt="Q", text="T", answer=None, reference="7")
    draft = _mapped("prompt=q,trace=t,reference=r", {"q": "Q", "t": "T", "r": " "})
    assert draft.reference is None


@pytest.mark.parametrize("record", [{"q": "Q", "t": "T"}, {"q": "Q", "t": "T", "a": ["x"]}])
def test_a_record_without_the_mapped_answer_or_label_may_still_hold_a_trace(
    record: dict[str, object],
) -> None:
    draft = _mapped("prompt=q,trace=t,answer=a.b,label.l=l", record)
    assert draft == Draft(prompt="Q", text="T", answer=None, labels={"l": None})


@pytest.mark.parametrize(
    ("record", "reason", "detail"),
    [
        ({"t": "T"}, "missing-field", "'q' is missing; the record has t"),
        ({"q": "Q"}, "missing-field", "'t' is missing; the record has q"),
        ({"q": 7, "t": "T", "a": {"b": ""}}, "wrong-type", "'q' is a number, not text"),
        ({"q": "Q", "t": {}, "a": {"b": ""}}, "wrong-type", "'t' is an object, not text or a list"),
        ({"q": "Q", "t": ["T", 1]}, "wrong-type", "'t' is a list of other things"),
        ({"q": "Q", "t": "T", "a": {"b": []}}, "wrong-type", "'a.b' is a list, not text or a numb"),
        ({"q": "Q", "t": "T", "a": {"b": 1e29}}, "wrong-type", "too large to be read exactly"),
        ({"q": "Q", "t": "T", "a": {"b": 1}, "l": {}}, "wrong-type", "'l' is an object: a label"),
    ],
)
def test_a_record_that_a_mapping_does_not_fit_is_rejected_with_its_reason(
    record: dict[str, object], reason: str, detail: str
) -> None:
    with pytest.raises(TraceRejected, match=detail) as rejected:
        _mapped("prompt=q,trace=t,answer=a.b,label.l=l", record)
    assert rejected.value.reason == reason
