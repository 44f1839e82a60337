"""Are a prompt and its plain response told apart, whatever they are called and wrapped in?"""

from typing import Any

import pytest

from grace_engine.errors import TraceRejected
from grace_engine.ingest import SCHEMAS, Draft, detect

REPLY = "One and one.\nThat is two."
CHATML = (
    "<|im_start|>system\nAdd.<|im_end|>\n<|im_start|>user\n1+1?<|im_end|>\n"
    "<|im_start|>assistant\n<think>\nOne.\n\nTwo.\n</think>\n\n2<|im_end|>\n"
)
LLAMA = (
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n1+1?<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\nOne.\n\nThe answer is 2.<|eot_id|>"
)


def only(record: dict[str, Any]) -> Draft:
    schema = detect(record)
    assert schema is not None
    assert [each.name for each in SCHEMAS.values() if each.matches(record)] == [schema.name]
    (draft,) = schema.drafts(record)
    assert isinstance(draft, Draft)
    return draft


@pytest.mark.parametrize(
    ("record", "answer", "reference"),
    [
        ({"prompt": "Q", "response": REPLY, "answer": "2"}, "2", None),
        ({"question": "Q", "completion": REPLY, "final_answer": 2}, "2", None),
        ({"query": "Q", "output": REPLY, "answer": "2", "ground_truth": "3"}, "2", "3"),
        ({"problem": "Q", "generation": f"{REPLY}\n#### 2", "answer": "3"}, "3", "3"),
        ({"input": "Q", "output": f"{REPLY}\n#### 2"}, None, None),
        ({"prompt": "Q", "response": REPLY, "answer": "Since 1+1=2.\n#### 2"}, "2", None),
    ],
)
def test_a_prompt_with_a_response_and_an_answer_needs_no_mapping(
    record: dict[str, Any], answer: str | None, reference: str | None
) -> None:
    draft = only(record)
    assert (draft.prompt, draft.text.startswith(REPLY)) == ("Q", True)
    assert (draft.answer, draft.reference) == (answer, reference)


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "Q", "response": REPLY},  # which field is the answer is for a person to say
        {"prompt": "Q", "response": None, "answer": "2"},
        {"response": REPLY, "answer": "2"},
        {"question": "Q", "answer": REPLY},
    ],
)
def test_without_a_prompt_a_response_or_an_answer_no_schema_fits(record: dict[str, Any]) -> None:
    assert detect(record) is None


@pytest.mark.parametrize(
    ("record", "prompt"),
    [
        ({"instruction": "Add.", "input": "1, 1", "output": REPLY}, "Add.\n\n1, 1"),
        ({"instruction": "Add.", "input": " ", "output": REPLY}, "Add."),
        ({"instruction": "Add.", "input": None, "output": REPLY}, "Add."),
    ],
)
def test_the_input_of_an_alpaca_row_stands_below_its_instruction(
    record: dict[str, Any], prompt: str
) -> None:
    assert (only(record).prompt, only(record).text) == (prompt, REPLY)


@pytest.mark.parametrize(
    ("text", "prompt", "reply"),
    [
        (CHATML, "Add.\n\n1+1?", "<think>\nOne.\n\nTwo.\n</think>\n\n2"),
        (
            CHATML.removesuffix("<|im_end|>\n"),
            "Add.\n\n1+1?",
            "<think>\nOne.\n\nTwo.\n</think>\n\n2",
        ),
        (CHATML.replace("<think>\n", ""), "Add.\n\n1+1?", "One.\n\nTwo.\n</think>\n\n2"),
        (LLAMA, "1+1?", "One.\n\nThe answer is 2."),
    ],
)
def test_a_rendered_chat_is_taken_apart(text: str, prompt: str, reply: str) -> None:
    draft = only({"text": text, "answer": "2"})
    assert (draft.prompt, draft.text, draft.reference) == (prompt, reply, "2")
    assert only({"prompt": "x", "text": text}).prompt == prompt


def test_a_rendered_prompt_without_a_reply_is_no_chat() -> None:
    for end in ("", "<think>\n"):
        record = {"text": f"<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n{end}"}
        assert detect(record) is None
    with pytest.raises(TraceRejected, match="no field holds a rendered chat"):
        list(SCHEMAS["rendered-chat"].drafts({"text": "Hello."}))


def test_a_rendered_chat_with_an_unknown_speaker_is_rejected() -> None:
    text = CHATML.replace("<|im_start|>system", "<|im_start|>oracle")
    with pytest.raises(TraceRejected, match="'oracle', not a known speaker"):
        list(SCHEMAS["rendered-chat"].drafts({"text": text}))


def test_code_to_start_from_belongs_to_the_prompt_of_openthoughts() -> None:
    record = {
        "problem": "Add.", "deepseek_reasoning": "One.", "deepseek_solution": "a + b",
        "ground_truth_solution": None, "starter_code": "def add(a, b):",
    }  # fmt: skip
    assert only(record).prompt == "Add.\n\ndef add(a, b):"
    assert only({**record, "starter_code": ""}).prompt == "Add."


def test_an_answered_problem_of_dapo_is_a_trace() -> None:
    record = {"prompt": "Q", "reward_model": {"ground_truth": "2"}, "response": f"{REPLY}\n#### 2"}
    assert only(record).text == record["response"]
