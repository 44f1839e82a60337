"""Is each pair right, wrong or not readable, as math-verify itself in its process says?"""

import pytest

from grace_engine.answers import Checker, Limits
from grace_engine.answers.quick import check_quickly
from grace_engine.records import AnswerCheck, AnswerPair

# Answer, reference, outcome.
MATHEMATICS = [
    ("42", "42", "right"),
    ("42", "43", "wrong"),
    ("#### 1,234", "1234", "right"),
    ("1 234", "1234", "right"),
    ("1{,}234", "1,234", "right"),
    ("42.0", "42", "right"),
    (r"\frac{1}{2}", "0.5", "right"),
    (r"3\frac{1}{2}", "3.5", "right"),
    (r"3\frac{1}{2}", "0.5", "wrong"),
    ("1/3", "0.333333", "right"),
    ("1/3", "0.33", "wrong"),
    (r"\boxed{72\%}", "72", "right"),
    ("72%", "0.72", "right"),
    ("72%", "73", "wrong"),
    ("12 apples", "12", "right"),
    (r"5 \text{ cm}", "5", "right"),
    ("5,000 dollars", "$5,000", "right"),
    (r"\sqrt{2} meters", r"\sqrt2", "right"),
    ("7/8 of a mile", r"\frac{7}{8}", "right"),
    (r"\{2, 1\}", "{1,2}", "right"),
    ("1 and 2", r"\{1,2\}", "right"),
    ("1,2", "1.2", "wrong"),
    ("(1,2]", "(1,2]", "right"),
    ("(1,2]", "[1,2]", "wrong"),
    (r"(-\infty, 3]", r"(-\infty,3]", "right"),
    ("x = 5", "5", "right"),
    ("2pi", r"2\pi", "right"),
    ("(x+1)^2", "x^2+2x+1", "right"),
    ("x^2+1", "x^2+2x+1", "wrong"),
    ("The result is 42 apples.", "42", "right"),
    ("**42** apples", "42", "right"),
    ("**42**", "43", "wrong"),
    ("42", "**43.**", "wrong"),
    # Of several boxes the last counts, and nothing that was only thought.
    (r"First \boxed{1}, then \boxed{2}", "2", "right"),
    (r"First \boxed{1}, then \boxed{2}", "1", "wrong"),
    (r"<think>\boxed{3}</think> The answer is 4", "4", "right"),
    (r"<think>\boxed{3}</think> The answer is 4", "3", "wrong"),
    (r"so \boxed{5}</think>\boxed{6}", "6", "right"),
]


@pytest.fixture(scope="module")
def checker():
    with Checker() as checker:
        yield checker


def check(checker: Checker, answer: str, reference: str) -> AnswerCheck:
    (found,) = checker.check([AnswerPair(answer=answer, reference=reference)])
    return found


@pytest.mark.parametrize(("answer", "reference", "outcome"), MATHEMATICS)
def test_mathematics_is_compared_by_value(checker, answer, reference, outcome) -> None:
    assert check(checker, answer, reference).outcome == outcome


@pytest.mark.parametrize(
    ("answer", "reference", "outcome"),
    [
        ("B", "B", "right"),
        (r"\textbf{(B)}\ 12", "B", "right"),
        ("I think it is A. No. The answer is (C).", "C", "right"),
        ("I think it is A. The answer is (C).", "(A)", "wrong"),
        ("J", "J", "right"),
    ],
)
def test_the_letter_of_a_choice_is_compared_as_a_letter(
    checker, answer, reference, outcome
) -> None:
    found = check(checker, answer, reference)
    assert (found.outcome, found.detail) == (outcome, "compared as letters")


@pytest.mark.parametrize(
    ("answer", "reference", "outcome"),
    [
        ("Yes.", "yes", "right"),
        (r"\text{no}", "No", "right"),
        ("on", "no", "wrong"),  # as products of variables they would be equal
        ("ASS", "SSA", "wrong"),
        ("  Ada   LOVELACE ", "Ada Lovelace", "right"),
        ("是", "是", "right"),
        ("The answer is Tuesday.", "Monday", "wrong"),
    ],
)
def test_words_are_compared_as_text_and_the_detail_says_so(
    checker, answer, reference, outcome
) -> None:
    found = check(checker, answer, reference)
    assert (found.outcome, found.detail) == (outcome, "compared as text")


@pytest.mark.parametrize(
    ("answer", "reference", "side", "detail"),
    [
        ("", "3", "answer", "it is empty"),
        ("<think>3</think>  ", "3", "answer", "it is empty"),
        ("3", " ", "reference", "it is empty"),
        (r"12, so \boxed{12", "12", "answer", r"its last \boxed does not close"),
        (r"\frac{1}{2", "0.5", "answer", "its braces do not close"),
        ("x" * 10**6, "3", "answer", "a word of more than 2,000 characters"),
        (f"The answer is {'1 + ' * 1000}1", "3", "answer", "an answer of more than 2,000"),
        ("none of them", "B", "answer", "no letter from A to J"),
        ("?!", "3", "answer", "math-verify finds nothing"),
        ("3", "?!", "reference", "math-verify finds nothing"),
        ("Well, " + "we saw that it is hard to say. " * 9, "yes", "answer", "marks no answer"),
    ],
)
def test_what_cannot_be_read_is_not_wrong_and_the_side_is_named(
    checker, answer, reference, side, detail
) -> None:
    found = check(checker, answer, reference)
    assert (found.outcome, found.side) == ("not parsed", side)
    assert detail in found.detail


@pytest.mark.parametrize(
    "reference",
    ["N/A", "n/a.", "NA", "none", "None", r"\text{None}", r"\boxed{N/A}", "null", "NaN", "unknown",
     "-", "—", "?", "...", "Not found"],
)  # fmt: skip
def test_a_reference_that_says_there_is_none_makes_no_answer_wrong(checker, reference) -> None:
    for answer in ("4", "Monday", r"\frac{1}{2}", "B"):
        found = check(checker, answer, reference)
        assert (found.outcome, found.side) == ("not parsed", "reference")


def test_an_answer_of_the_same_word_as_its_reference_is_right(checker) -> None:
    assert check(checker, "None.", "none").outcome == "right"
    assert check(checker, "N/A", "n/a").outcome == "right"
    assert check(checker, "none", "4").outcome == "wrong"
    assert check(checker, "4", "no solution").outcome == "wrong"


def test_the_end_of_a_megabyte_of_text_is_what_it_answers(checker) -> None:
    text = "Now 7 and so on. " * 60_000
    assert len(text) > 1_000_000
    assert check(checker, f"{text} That makes 42", "42").outcome == "right"
    assert check(checker, f"{text} That makes 42", "7").outcome == "wrong"
    assert check(checker, rf"{text} \boxed{{43}}", "43").outcome == "right"


def test_the_same_text_is_right_where_math_verify_can_read_neither(checker) -> None:
    found = check(checker, "½ !", "½ !")
    assert (found.outcome, found.detail) == (
        "right",
        "the same text, which math-verify cannot read",
    )


INTEGERS = ["0", "-0", "7", "-7", "70", "1,234", "1234", "-1,234", "1,234,567", "1234567",
            "123,456,789,012,345", "123456789012345", "123456789012344", "12", "34"]  # fmt: skip


def test_integers_are_decided_at_once_as_math_verify_would(checker) -> None:
    """The quick way against the slow one, on every pair of plain integers."""
    pairs = [AnswerPair(answer=a, reference=b) for a in INTEGERS for b in INTEGERS]
    # A box is nothing to the verdict, but it is no plain integer.
    boxed = [AnswerPair(answer=rf"\boxed{{{p.answer}}}", reference=p.reference) for p in pairs]
    quick = [check_quickly(pair) for pair in pairs]

    assert [c.detail for c in quick if c] == ["compared as integers"] * 225
    assert [c.outcome for c in quick if c] == [c.outcome for c in checker.check(boxed)]
    # Equal to themselves (15) and, in both orders, four that have commas and four zeros' signs.
    assert sum(c.outcome == "right" for c in quick if c) == 15 + 2 * 4


@pytest.mark.parametrize("text", ["007", "1,23", "12,34", "1.0", "3%", "٣", "1" * 16, "", "+5"])
def test_nothing_but_a_plain_integer_is_decided_at_once(text: str) -> None:
    assert check_quickly(AnswerPair(answer=text, reference=text)) is None


def test_limits_that_are_none_are_refused() -> None:
    from grace_engine.errors import InputError

    with pytest.raises(InputError, match="more than 0"):
        Limits(seconds=0)
