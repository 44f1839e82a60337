"""Which characters of a text are its answer, and which announce it?"""

import pytest

from grace_engine.errors import TraceRejected
from grace_engine.ingest import APPENDED_ANSWER, answer_in, find_answer
from grace_engine.ingest.thinking import reply_of

MARKED = [
    # text, what announces the answer (with what is trimmed before it), the answer
    ("Half is 9.\n#### 18", "#### ", "18"),
    ("Half is 9.\n####18", "####", "18"),
    ("She earns 9. #### 1,234", "#### ", "1,234"),
    ("#### $18", "#### ", "$18"),
    ("a\n#### 72\nQuestion: what else? I know.", "#### ", "72"),
    ("#### Step 1: halve\n9\n#### Step 2: add\n18\n#### 27", "#### ", "27"),
    ("a\nA: 18", "A: ", "18"),
    ("a\n  A:  90,000 ", "A:  ", "90,000"),
    ("a\nA: 3.14", "A: ", "3.14"),
    ("a\r\nA: 18\r\n", "A: ", "18"),
    ("Step 1: look.\n†Answer: B", "†Answer: ", "B"),
    ("Step 1: look.\n† Answer: 3 apples.", "† Answer: ", "3 apples"),
    (r"so \boxed{5}", r"\boxed{", "5"),
    (r"so \boxed {5}", r"\boxed {", "5"),
    (r"so $\boxed{\frac{1}{2}}$.", r"$\boxed{", r"\frac{1}{2}"),
    (r"so $$\boxed{ 5 }$$", r"$$\boxed{ ", "5"),
    (r"so \[ \boxed{5} \]", r"\[ \boxed{", "5"),
    (r"so \( \boxed{\{1, 2\}} \)", r"\( \boxed{", r"\{1, 2\}"),
    (r"first \boxed{3}, no, \boxed{4}", r"\boxed{", "4"),
    (r"first \boxed{3}, then \boxed{4", r"\boxed{", "3"),
    (r"so $x = \boxed{5}$", r"\boxed{", "5"),
    (r"So the answer is $\boxed{5}$.", r"So the answer is $\boxed{", "5"),
    (r"#### \boxed{5}", r"#### \boxed{", "5"),
    (r"**The answer is: \boxed{5}**", r"**The answer is: \boxed{", "5"),
    (r"\boxed{5}. Check that the answer is right.", r"\boxed{", "5"),
    ("9 + 9 = 18. The answer is 18.", "The answer is ", "18"),
    ("The answer is 3.14", "The answer is ", "3.14"),
    ("The answer is 3.14. It is small.", "The answer is ", "3.14"),
    (
        "So, therefore, the final answer is: B. Nothing else fits.",
        "therefore, the final answer is: ",
        "B",
    ),
    ("Thus the answer is **18**.", "Thus the answer is **", "18"),
    ("**The answer is 18**", "**The answer is ", "18"),
    ("The answer is *18*.", "The answer is *", "18"),
    ("The answer is __18.__", "The answer is __", "18"),
    ("The answer is `18`.", "The answer is `", "18"),
    ("Half is 9.\n</think>\n\n**Answer:** 18", "**Answer:** ", "18"),
    ("Half is 9.\n</think>\n\nAnswer: **18.**", "Answer: **", "18"),
    ("**The answer is:** 18", "**The answer is:** ", "18"),
    ("The answer is $x^2$.", "The answer is $", "x^2"),
    (r"The answer is \(x\).", r"The answer is \(", "x"),
    ("The answer is:\n\n18 apples", "The answer is:\n\n", "18 apples"),
    ("The answer is 18!", "The answer is ", "18!"),
    ("The answer is at 5 p.m.", "The answer is ", "at 5 p.m."),
    ("The answer is Dr. Smith. He knew.", "The answer is ", "Dr. Smith"),
    ("The answer is wrong? No: the answer is 4.", "the answer is ", "4"),
    ("A: 3 apples\nB: 4 apples\nThe answer is B.", "The answer is ", "B"),
    ("The answer is 5.\n#### 6", "#### ", "6"),
    ("A: the answer is 7", "A: the answer is ", "7"),
    ("<think>\\boxed{3}</think> The answer is 4", "The answer is ", "4"),
    ("\\boxed{3} hm</think>I am done.", r"\boxed{", "3"),
    ("答案如下。\nA: 十八。", "A: ", "十八"),
    ("🧮 #### 18 🍎", "#### ", "18 🍎"),
    ("Half.\nAnswer: 42", "Answer: ", "42"),
    ("Half.\nFinal Answer: 42.", "Final Answer: ", "42"),
    ("Half.\n**Answer:** 42", "**Answer:** ", "42"),
    ("Half.\n### **Final answer**: 42", "### **Final answer**: ", "42"),
    ("Half.\n**Final Answer:**\n\n$42$", "**Final Answer:**\n\n$", "42"),
    ("Half.\nAnswer: 42\n\nI hope this helps.", "Answer: ", "42"),
    ("Half.\n**Final Answer:** $\\boxed{42}$", "**Final Answer:** $\\boxed{", "42"),
    ("The answer is 5.\nAnswer: 6", "Answer: ", "6"),
    ("9+9=18，所以答案是18。", "所以答案是", "18"),
    ("两个9。因此，最终答案为：$18$。", "因此，最终答案为：$", "18"),
    ("两个9。\n答案：18", "答案：", "18"),
    ("所以答案是 \\boxed{18}。", "所以答案是 \\boxed{", "18"),
    ("نجمع 9 و9. الجواب هو 18.", "الجواب هو ", "18"),
    ("نجمع.\nالإجابة: 18", "الإجابة: ", "18"),
    ("إذن الإجابة النهائية هي 18 تفاحة. شكرا.", "إذن الإجابة النهائية هي ", "18 تفاحة"),
    ("नौ और नौ। उत्तर है 18।", "उत्तर है ", "18"),
    ("नौ।\nउत्तर: 18", "उत्तर: ", "18"),
    ("अतः सही उत्तर है: 18।", "अतः सही उत्तर है: ", "18"),
]


@pytest.mark.parametrize(("text", "mark", "answer"), MARKED)
def test_an_answer_is_found_with_what_announces_it(text: str, mark: str, answer: str) -> None:
    found = find_answer(text)
    assert found is not None
    assert found.text == text[found.start : found.end] == answer
    assert text[found.mark_start : found.start] == mark


@pytest.mark.parametrize(
    "text",
    [
        "",
        "There is nothing here.",
        "Option A: 18 is wrong.",  # not at the start of a line
        "DNA: 18",
        r"\fbox{5}",
        r"\boxed{5",
        "##### 5",
        "#### Step 1\nHalve it.",  # a heading
        "#### Step 1: halve 18\nIt is nine.",
        "The answer isn't here.",
        "Answer: 42 because it is so.",  # nothing precedes it
        "Half.\nAnswer: because it is so.\nThen more.",
        "Half.\nAnswer:",
        "My answer: 42",
        "答案是什么？不知道。",
        "问题的答案为什么是5",
        "那么答案是5吗？",
        "这个答案是错的。",
        "هل الجواب هو 5؟",
        "18 सही उत्तर है।",
        "18 सही उत्तर है\nआगे",
        "वह घर के उत्तर में है।",
    ],
)
def test_a_text_without_a_mark_has_no_answer(text: str) -> None:
    assert find_answer(text) is None
    assert answer_in(text) is None


@pytest.mark.parametrize(
    "text", ["a\n####", "a\n#### ", "a\nA:", "The answer is", r"\boxed{ }", "A: ."]
)
def test_a_mark_with_nothing_after_it_is_rejected_as_empty(build, text: str) -> None:
    assert answer_in(text) is None
    with pytest.raises(TraceRejected, match="nothing follows the answer mark") as rejected:
        build(text, answer="18")
    assert rejected.value.reason == "empty-answer"


def test_the_answer_of_the_text_goes_before_the_given_one_which_is_then_the_reference(
    build,
) -> None:
    trace = build("Half is 9.\nA: 17", answer="18")
    assert (trace.answer.text, trace.answer.appended, trace.reference) == ("17", "", "18")


def test_a_reference_of_its_own_goes_before_the_given_answer(build) -> None:
    assert build("Half is 9.\nA: 17", answer="18", reference="19").reference == "19"


def test_a_given_answer_is_appended_where_the_text_marks_none(build) -> None:
    trace = build("Half is 9.", answer=" 18 ")
    assert APPENDED_ANSWER == "\nThe answer is {answer}"
    assert trace.text == "Half is 9."
    assert trace.full_text == "Half is 9.\nThe answer is 18"
    # "Half is 9." has 10 characters, the line break is the 11th, "The answer is " has 14.
    assert (trace.answer.mark_start, trace.answer.start, trace.answer.end) == (11, 25, 27)


@pytest.mark.parametrize(
    ("reply", "mark", "answer"),
    [
        ("**42**", "**", "42"),
        ("**42.**", "**", "42"),
        ("42.", "", "42"),
        ("$\\frac12$.", "$", "\\frac12"),
        ("**Ann and Bob.**", "**", "Ann and Bob"),
        ("A cat.", "", "A cat."),
        ("__x__", "__", "x"),
    ],
)
def test_what_is_set_apart_or_given_loses_its_wrappers(
    build, reply: str, mark: str, answer: str
) -> None:
    text = f"Half is 9.\n</think>\n\n{reply}"
    trace = build(text, apart=reply_of(text))
    assert trace.answer.text == answer
    assert text[trace.answer.mark_start : trace.answer.start] == mark
    assert (
        build("Half is 9.", answer=f" {reply} ").full_text == f"Half is 9.\nThe answer is {answer}"
    )


def test_an_appended_answer_may_hold_braces(build) -> None:
    assert build("It is a set.", answer="{1}").full_text.endswith("The answer is {1}")


def test_a_trace_without_any_answer_is_rejected_with_the_end_of_its_text(build) -> None:
    with pytest.raises(TraceRejected, match="I stopped here") as rejected:
        build("Half is 9. I stopped here")
    assert rejected.value.reason == "no-answer"


def test_an_empty_given_answer_is_rejected(build) -> None:
    with pytest.raises(TraceRejected) as rejected:
        build("Half is 9.", answer="  ")
    assert rejected.value.reason == "empty-answer"


def test_what_follows_the_answer_belongs_to_nobody(build) -> None:
    trace = build("Half is 9.\nTwice that is $x = \\boxed{18}$ apples.\nI hope this helps.")
    steps = [trace.text[step.start : step.end] for step in trace.steps]
    assert steps == ["Half is 9.", "Twice that is $x ="]


@pytest.mark.parametrize(
    ("text", "answer", "before"),
    [
        ("So it is 25.\n\n**Final Answer**\n\\boxed{25}", "25", "So it is 25."),
        ("So.\n\n### Final Answer:\n\n$$\\boxed{25}$$", "25", "So."),
        ("The answer\nis clear: \\boxed{7}", "7", "The answer\nis clear:"),
    ],
)
def test_a_heading_of_the_box_belongs_to_its_mark(text: str, answer: str, before: str) -> None:
    found = find_answer(text)
    assert found is not None
    assert (found.text, text[: found.mark_start].rstrip()) == (answer, before)
