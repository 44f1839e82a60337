"""Which turn of a chat is the trace, which prompt does it get, and what is refused?"""

from collections.abc import Callable
from typing import Any

import pytest

from grace_engine.errors import TraceRejected
from grace_engine.ingest import SCHEMAS, Draft, detect
from grace_engine.records import Trace

Build = Callable[..., Trace]
Row = Callable[..., dict[str, Any]]

ASKED = {"role": "user", "content": "What is 2 plus 2?"}
THOUGHT = {"role": "assistant", "content": "<think>\nTwo and two.\n</think>\n\n4"}


def only(name: str, record: dict[str, Any]) -> Draft:
    (draft,) = SCHEMAS[name].drafts(record)
    assert isinstance(draft, Draft)
    return draft


def chat(*messages: dict[str, Any], **fields: object) -> Draft:
    return only("chat", {"messages": [*messages], **fields})


def test_a_single_question_is_the_prompt_unchanged() -> None:
    draft = chat(ASKED, THOUGHT)
    assert (draft.prompt, draft.text) == (ASKED["content"], THOUGHT["content"])


def test_a_system_text_stands_above_the_question() -> None:
    draft = chat({"role": "developer", "content": "Be brief."}, ASKED, THOUGHT)
    assert draft.prompt == "Be brief.\n\nWhat is 2 plus 2?"


def test_earlier_turns_are_named_and_lose_their_reasoning() -> None:
    draft = chat(ASKED, THOUGHT, {"role": "user", "content": "And 3 plus 3?"}, THOUGHT)
    assert draft.prompt == ("User: What is 2 plus 2?\n\nAssistant: 4\n\nUser: And 3 plus 3?")


def test_the_last_turn_with_reasoning_is_the_trace() -> None:
    thanks = {"role": "user", "content": "Thanks."}
    welcome = {"role": "assistant", "content": "You are welcome."}
    assert chat(ASKED, THOUGHT, thanks, welcome).text == THOUGHT["content"]
    assert chat(ASKED, welcome, thanks, welcome).text == welcome["content"]


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_of_its_own_key_is_put_between_tags(build: Build, key: str) -> None:
    draft = chat(ASKED, {"role": "assistant", key: "Two and two.\n", "content": "4"})
    assert draft.text == THOUGHT["content"]
    trace = build(draft.text, apart=draft.apart)
    assert (trace.answer.text, trace.answer.appended) == ("4", "")


def test_content_may_be_blocks_and_encrypted_reasoning_is_none() -> None:
    blocks = [
        {"type": "reasoning", "reasoning": "gAAAA", "redacted": True},
        {"type": "thinking", "thinking": "Two and"},
        {"type": "thinking", "thinking": "two."},
        {"type": "text", "text": "4"},
    ]
    shown = [
        {"type": "image_url", "image_url": {"url": "a.png"}},
        {"type": "input_image", "image_url": "b.png"},
        {"type": "image", "image": "c.png"},
        "What is 2 plus 2?",
    ]
    draft = chat({"role": "user", "content": shown}, {"role": "assistant", "content": blocks})
    assert draft.text == "<think>\nTwo and\n\ntwo.\n</think>\n\n4"
    assert (draft.prompt, draft.images) == ("What is 2 plus 2?", ("a.png", "b.png", "c.png"))


def test_labels_and_reference_stand_beside_the_chat() -> None:
    draft = chat(
        ASKED,
        THOUGHT,
        answer=4,
        metadata={"difficulty": "easy", "source": "inner"},
        source="outer",
        correct=1,
        judge_score=0.5,
        tags=["a"],
        id="x",
    )
    assert draft.reference == "4"
    assert draft.labels == {
        "source": "outer", "is_correct": True, "judge_score": 0.5, "difficulty": "easy",
    }  # fmt: skip
    assert draft.labels["is_correct"] is True


def test_sharegpt_may_keep_its_system_text_beside_the_conversation(row: Row) -> None:
    draft = only("sharegpt", row("sharegpt", system="Be brief.", source="web"))
    assert draft.prompt == "Be brief.\n\nWhat is 9 squared?"
    assert draft.labels == {"source": "web"}


def test_conversations_may_have_the_keys_of_messages() -> None:
    record = {"conversations": [ASKED, THOUGHT]}
    schema = detect(record)
    assert schema is SCHEMAS["sharegpt"]
    assert only("sharegpt", record).text == THOUGHT["content"]


REPLIES = [
    {"question": "Q", "response": "A.</think>4"},
    {"instruction": "Q", "output": "<think>A.</think>4"},
    {"question": "Q", "answer": "<think>A.</think>4"},
    {"problem": "Q", "solution": "S", "level": 3, "type": "x", "response": "A.</think>4"},
    {"question": "Q", "answer": "So 4.\n#### 4", "generation": "<think>A.</think>4"},
    {"prompt": [{"role": "user", "content": "Q"}], "completion": "<think>A.</think>4"},
    {
        "prompt": [{"role": "user", "content": "Q"}],
        "completion": [{"role": "assistant", "content": "<think>A.</think>4"}],
    },
]


@pytest.mark.parametrize("record", REPLIES)
def test_a_reply_with_think_tags_is_a_trace_as_it_stands(record: dict[str, Any]) -> None:
    matching = [schema.name for schema in SCHEMAS.values() if schema.matches(record)]
    assert matching == ["reasoned-reply"]
    draft = only("reasoned-reply", record)
    assert (draft.prompt, draft.text[-11:]) == ("Q", "A.</think>4")


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "Q", "reasoning_content": "A.", "content": "4", "answer": "5"},
        {"input": "Q", "thinking": "A.", "output": "4", "target": 5},
        {"query": "Q", "reasoning": "A.", "response": "4", "ground_truth": "5"},
    ],
)
def test_reasoning_may_stand_in_a_field_beside_the_reply(record: dict[str, Any]) -> None:
    assert detect(record) is SCHEMAS["reasoned-reply"]
    draft = only("reasoned-reply", record)
    assert (draft.text, draft.reference) == ("<think>\nA.\n</think>\n\n4", "5")


def test_an_alpaca_instruction_comes_with_its_input() -> None:
    record = {"instruction": "Add.", "input": "2 and 2", "output": "<think>\nA.\n</think>\n\n4"}
    assert only("reasoned-reply", record).prompt == "Add.\n\n2 and 2"
    assert only("reasoned-reply", {**record, "input": ""}).prompt == "Add."


def test_bare_reasoning_and_an_answer_are_left_to_a_mapping() -> None:
    assert detect({"question": "Q", "reasoning": "A.", "answer": "4"}) is None


def test_without_a_mark_the_answer_that_a_scorer_read_is_found_in_the_reply(row: Row) -> None:
    record = row("inspect", 1)
    record["output"]["choices"][0]["message"]["content"] = "There are 18 of them, not 180."
    apart = only("inspect", record).apart
    assert apart is not None
    assert (apart.text, apart.start, apart.mark_start) == ("18", 10, 10)


def test_a_scorer_that_read_all_of_the_reply_says_nothing_of_the_answer(row: Row) -> None:
    record = row("inspect", 1)
    record["scores"]["match"]["answer"] = record["output"]["completion"]
    assert only("inspect", record).apart is None


def test_scores_of_several_parts_are_labels_of_their_own(row: Row) -> None:
    scores = {
        "model_graded_qa": {"value": {"clear": 4, "sound": 2.5, "why": None}},
        "choice": {"value": True, "answer": "B"},
        "late": {"value": "I"},
    }
    labels = only("inspect", row("inspect", scores=scores, epoch=2)).labels
    assert labels == {
        "model": "qwen3-8b",
        "epoch": 2,
        "model_graded_qa.clear": 4,
        "model_graded_qa.sound": 2.5,
        "choice": True,
        "is_correct": True,
        "late": "I",
    }


def test_a_sample_without_scores_or_choices_is_read_from_its_completion(row: Row) -> None:
    output = {"model": "m", "choices": [], "completion": "Two and two.\nThe answer is 4."}
    draft = only("inspect", row("inspect", scores=None, output=output, target="", messages=...))
    assert (draft.text, draft.reference) == ("Two and two.\nThe answer is 4.", None)


TOOL = {"role": "tool", "content": "4"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}


@pytest.mark.parametrize(
    ("name", "record", "reason", "detail"),
    [
        ("chat", {"messages": None}, "schema-mismatch", "is null, not a list of messages"),
        ("chat", {"messages": [ASKED, 7]}, "schema-mismatch", "messages.1 is a number, not a mes"),
        ("chat", {"messages": [{"role": 1}]}, "schema-mismatch", "0.role is '1', not a known spe"),
        ("chat", {"messages": [{"role": "user", "content": {}}]}, "schema-mismatch", "an object"),
        (
            "chat",
            {"messages": [{"role": "user", "content": [{"type": "audio"}]}]},
            "schema-mismatch",
            "messages.0.content.0 is of type 'audio', not text, reasoning or an image",
        ),
        (
            "chat",
            {"messages": [{"role": "user", "content": [{"type": "text", "text": None}]}]},
            "schema-mismatch",
            "messages.0.content.0 holds null, not text",
        ),
        ("chat", {"messages": [ASKED]}, "no-assistant-turn", "no turn of the chat"),
        ("chat", {"messages": [ASKED, CALL, TOOL]}, "no-assistant-turn", "no turn of the chat"),
        ("chat", {"messages": [ASKED, CALL, TOOL, THOUGHT]}, "has-tool-calls", "tools were called"),
        (
            "chat",
            {"messages": [ASKED, {"role": "assistant", "content": r"<think>\boxed{4}"}]},
            "reasoning-not-closed",
            "<think> is never closed",
        ),
        ("sharegpt", {"conversations": "Hi"}, "schema-mismatch", "is text, not a list of messages"),
        ("reasoned-reply", {"prompt": "Q"}, "schema-mismatch", "no reply under a usual name"),
        ("reasoned-reply", {"response": "A"}, "schema-mismatch", "no prompt under a usual name"),
        (
            "reasoned-reply",
            {"prompt": "Q", "response": r"<think>Is it \boxed{4}"},
            "reasoning-not-closed",
            "<think> is never closed",
        ),
        ("inspect", {"input": "Q", "output": []}, "schema-mismatch", "'output' is a list, not an"),
        ("inspect", {"input": 7, "output": {}}, "schema-mismatch", "'input' is a number, not a li"),
        ("inspect", {"input": "Q", "output": {}}, "no-assistant-turn", "no turn of the chat"),
        (
            "inspect",
            {"input": "Q", "output": {"completion": "A"}, "target": {}},
            "wrong-type",
            "'target' is an object, not text or a number",
        ),
        (
            "inspect",
            {"input": "Q", "output": {"completion": "A"}, "scores": {"match": 1}},
            "schema-mismatch",
            "the score of 'match' is a number, not an object",
        ),
        (
            "inspect",
            {"input": "Q", "output": {"completion": "A"}, "messages": [ASKED, CALL, TOOL, THOUGHT]},
            "has-tool-calls",
            "tools were called before the trace",
        ),
    ],
)
def test_a_record_that_is_not_as_it_should_be_is_rejected_with_what_was_seen(
    name: str, record: dict[str, Any], reason: str, detail: str
) -> None:
    with pytest.raises(TraceRejected, match=detail) as rejected:
        list(SCHEMAS[name].drafts(record))
    assert rejected.value.reason == reason


def test_a_chat_that_no_user_begins_has_no_prompt() -> None:
    assert chat({"role": "system", "content": "Be brief."}, THOUGHT).prompt == ""
