"""Which replies of a judge are of use, and what is said of the others?"""

import json

import pytest

from grace_engine.judging.replies import InvalidReplyError, read_atoms, read_verdict

STEP = "So  “2 + 3” is 5,\nand 5 − 1 = 4."
ATOMS = {
    "claims": [
        {"text": 'So "2 + 3" is 5', "type": "calculation"},
        {"text": "5 - 1 = 4.", "type": "Calculation"},
    ],
    "premises": ["Ann has 2", "Ann is rich"],
}
GOOD = {"label": "negative", "claims": [2, 1, 2], "reason": "No:\n 5 − 1 is\u202e 4."}


def test_claims_are_copies_and_premises_that_are_none_are_left_out() -> None:
    found = read_atoms(json.dumps(ATOMS), STEP, "Ann has 2 and buys 3.")
    assert found.claims == ('So "2 + 3" is 5', "5 - 1 = 4.")
    assert found.types == ("calculation", "calculation")
    assert found.premises == ("Ann has 2",)


@pytest.mark.parametrize(
    "wrapped",
    [
        "{}",
        "```json\n{}\n```",
        "```\n{}\n```",
        "Here is what I found:\n```json\n{}\n```\nI hope it helps.",
        "I think {} is it.",
        "<think>\nIs it {{\"label\": \"positive\"}}? No.\n</think>\n{}",
    ],
    ids=["plain", "fence", "nameless fence", "fence among words", "among words", "after thoughts"],
)  # fmt: skip
def test_json_is_found_where_models_put_it(wrapped: str) -> None:
    reply = wrapped.replace("{}", json.dumps(GOOD), 1).replace("{{", "{").replace("}}", "}")
    found = read_verdict(reply, 2)
    assert (found.is_positive, found.at_fault) == (False, (1, 2))
    assert found.reason == "No: 5 − 1 is 4."


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("", "no whole JSON object"),
        ("The step is fine.", "no whole JSON object"),
        (json.dumps(GOOD)[:-9], "no whole JSON object"),
        ("[1, 2]", "no whole JSON object"),
        ('{"label": NaN}', "no whole JSON object"),
        ("{" * 9000, "no whole JSON object"),
        ('{"label": "good"}', "neither positive nor negative"),
        ('{"label": true}', "neither positive nor negative"),
        ('{"label": ["positive"]}', "neither positive nor negative"),
        ('{"label": "negative", "claims": [3]}', "numbers from 1 to 2"),
        ('{"label": "negative", "claims": [true]}', "numbers from 1 to 2"),
        ('{"label": "negative", "claims": "1"}', "numbers from 1 to 2"),
        ('{"label": "positive", "claims": [1]}', "names claims that fail"),
        ('{"label": "positive", "reason": 7}', "reason is no text"),
    ],
)
def test_a_verdict_that_is_none_says_why(reply: str, why: str) -> None:
    with pytest.raises(InvalidReplyError, match=why):
        read_verdict(reply, 2)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"claims": []}, "no list of claims"),
        ({"claims": "x"}, "no list of claims"),
        ({"claims": [{"text": "5", "type": "meta"}] * 61}, "more than 60"),
        ({"claims": [{"text": " ", "type": "meta"}]}, "claim 1 has no text"),
        ({"claims": ["2 + 3"]}, "claim 1 has no text"),
        ({"claims": [{"text": "5", "type": "guess"}]}, "type of claim 1 is none of"),
        ({"claims": [{"text": "2 + 4 is 6", "type": "meta"}]}, "does not stand in the step"),
        ({"premises": "all"}, "no list of texts"),
    ],
)
def test_claims_that_are_none_say_why(change: dict, why: str) -> None:
    with pytest.raises(InvalidReplyError, match=why):
        read_atoms(json.dumps(ATOMS | change), STEP, "q")


def test_a_long_reason_is_cut() -> None:
    found = read_verdict(json.dumps({"label": "positive", "reason": "x" * 9000}), 1)
    assert len(found.reason) == 400
