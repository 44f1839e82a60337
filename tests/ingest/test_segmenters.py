"""Into which steps does each segmenter cut a text?"""

import pytest

from grace_engine.errors import InputError, TraceRejected
from grace_engine.ingest import GivenStep, parse_segmenter

CUT = [
    # segmenter, text, steps
    ("lines", "One.\n  Two. \n\n\tThree.", ["One.", "Two.", "Three."]),
    ("lines", "One.\r\nTwo.\r\n", ["One.", "Two."]),
    ("blank-lines", "One\ntwo.\n \t\nThree.\n\n\n\nFour.", ["One\ntwo.", "Three.", "Four."]),
    ("blank-lines", "One\r\ntwo.\r\n\r\nThree.", ["One\r\ntwo.", "Three."]),
    ("markers", "Step 1: Halve.\nIt is 9.\nStep 2: Add.", ["Halve.\nIt is 9.", "Add."]),
    ("markers", "Step 1. Halve.\nStep 2. Add.", ["Halve.", "Add."]),
    ("markers", "STEP 1 - Halve.\nstep 2 – Add.", ["Halve.", "Add."]),
    ("markers", "Step 1\nHalve.\nStep 2\nAdd.", ["Halve.", "Add."]),
    ("markers", "**Step 1:** Halve.\n**Step 2**: Add.", ["Halve.", "Add."]),
    ("markers", "### Step 1\nHalve.\n\n### Step 2: add\nDone.", ["Halve.", "add\nDone."]),
    ("markers", "### **Step 1:**\nHalve.\n\n### **Step 2.**\nAdd.", ["Halve.", "Add."]),
    ("markers", "We plan.\n1. Halve.\n2. Add.", ["We plan.", "Halve.", "Add."]),
    ("markers", "1) Halve.\n2) Add.", ["Halve.", "Add."]),
    ("markers", "(1) Halve.\n(2) Add.", ["Halve.", "Add."]),
    ("markers", "Step 1: Do\n1. this\n2. that\nStep 2: Add.", ["Do\n1. this\n2. that", "Add."]),
    ("markers", "Step 1:\nStep 2: Add.", ["Add."]),
    ("markers", "步骤1：减半。\n步骤 2: 相加。", ["减半。", "相加。"]),
    ("markers", "**步驟一：** 减半。\n### 步骤二\n相加。", ["减半。", "相加。"]),
    ("markers", "第一步，减半。\n第 2 步：相加。\n第十一步 完成。", ["减半。", "相加。", "完成。"]),
    ("markers", "第一步\n减半。\n第二步\n相加。", ["减半。", "相加。"]),
    ("markers", "第一步和第二步相同。\n第二步骤不同。", ["第一步和第二步相同。\n第二步骤不同。"]),
    ("markers", "Step 1：Halve.\nStep 2：Add.", ["Halve.", "Add."]),
    ("auto", "先看题目。\n步骤1：减半。\n步骤2：相加。", ["先看题目。", "减半。", "相加。"]),
    ("markers", "Step 3 gives 7.\nStep 4 gives 8.", ["Step 3 gives 7.\nStep 4 gives 8."]),
    ("markers", "1.5 apples\n2.5 pears", ["1.5 apples\n2.5 pears"]),
    ("sentences", "It is 3.14. Then 2.5 is less.", ["It is 3.14.", "Then 2.5 is less."]),
    ("sentences", "E.g. pears, i.e. Fig. 2. Done.", ["E.g. pears, i.e. Fig. 2.", "Done."]),
    ("sentences", "Mr. and Dr. Who met. They sat.", ["Mr. and Dr. Who met.", "They sat."]),
    ("sentences", "Red vs. Blue. Pens, pads etc. are 5. Also caps etc. Fine.",
     ["Red vs. Blue.", "Pens, pads etc. are 5.", "Also caps etc.", "Fine."]),
    ("sentences", "J. R. Smith has 3. A line through B. Since it bends.",
     ["J. R. Smith has 3.", "A line through B.", "Since it bends."]),
    ("sentences", "The U.S. army left. We stay.", ["The U.S. army left.", "We stay."]),
    ("sentences", "Wait... maybe not. Yes!", ["Wait... maybe not.", "Yes!"]),
    ("sentences", "Is it? \"Yes!\" (It is.) Good.", ["Is it?", "\"Yes!\"", "(It is.)", "Good."]),
    ("sentences", "1. Halve it. 2. Add it.", ["1. Halve it.", "2. Add it."]),
    ("sentences", "See No. 5. He said no. Then left.", ["See No. 5.", "He said no.", "Then left."]),
    ("sentences", "One line\nnext line. End", ["One line", "next line.", "End"]),
    ("sentences", "一半是九。再加！好吗？好", ["一半是九。", "再加！", "好吗？", "好"]),
    ("sentences", "आधा नौ है। फिर जोड़ो।", ["आधा नौ है।", "फिर जोड़ो।"]),
    ("sentences", "كم هو؟ هو تسعة.", ["كم هو؟", "هو تسعة."]),
    ("sentences", "彼は「はい。」と言った。次に、半分は9です。",
     ["彼は「はい。」と言った。", "次に、半分は9です。"]),
    ("sentences", "他问：“多少？”“十。”她说。好", ["他问：“多少？”", "“十。”她说。", "好"]),
    ("sentences", "甲有9个；乙有3.5个。共12.5！", ["甲有9个；乙有3.5个。", "共12.5！"]),
    ("sentences", "उसने कहा, “ठीक है।” डॉ. शर्मा को रु. 50 मिले। हाँ",
     ["उसने कहा, “ठीक है।”", "डॉ. शर्मा को रु. 50 मिले।", "हाँ"]),
    ("sentences", "قال: «نعم.» ثم قسم على 2. الباقي 3.14. انتهى",
     ["قال: «نعم.»", "ثم قسم على 2.", "الباقي 3.14.", "انتهى"]),
    ("sentences", "So $x = 3.$ See $a. B$ here.", ["So $x = 3.$", "See $a. B$ here."]),
    ("lines", "$$\nx\n$$", ["$$", "x", "$$"]),
    ("auto", "So\n$$\nx\n$$\nis it.", ["So\n$$\nx\n$$", "is it."]),
    ("auto", "Halve it.\nSo\nnine.\n$x=", ["Halve it.", "So\nnine.\n$x="]),
    ("auto", "One.\nHmm.\nTwo.\nThus, $x =", ["One.", "Hmm.", "Two.\nThus, $x ="]),
    ("auto", "Halve it. So $x=", ["Halve it. So $x="]),
    ("auto", "So", ["So"]),
    ("auto", "Now $x=3$\nSo it is 5.\nThe sum is", ["Now $x=3$", "So it is 5.", "The sum is"]),
    ("sentences", "Half 🍎. Cafe\u0301 👩🏽‍🔬! Ok.", ["Half 🍎.", "Cafe\u0301 👩🏽‍🔬!", "Ok."]),
    ("regex:---", "One. --- Two.---", ["One.", "Two."]),
    ("regex:(?=Wait)", "Hm. Wait, no. Wait!", ["Hm.", "Wait, no.", "Wait!"]),
    ("auto", "Step 1: Halve.\n\nMore.\n\nStep 2: Add.", ["Halve.\n\nMore.", "Add."]),
    ("auto", "One\ntwo.\n\nThree.", ["One\ntwo.", "Three."]),
    ("auto", "One. Two.\nThree.", ["One. Two.", "Three."]),
    ("auto", "One. Two.", ["One.", "Two."]),
    ("auto", "1. only item. Two.", ["1. only item.", "Two."]),
    ("lines", "<think>Hm.\nSo.</think>Done.", ["Hm.", "So.", "Done."]),
    ("sentences", "Hm</think>Done.", ["Hm", "Done."]),
    ("auto", "<think>\nHm.\n\nSo.\n</think>\n\nOne. Two.", ["Hm.", "So.", "One.", "Two."]),
]  # fmt: skip


@pytest.mark.parametrize(("segmenter", "text", "expected"), CUT)
def test_a_text_is_cut_as_its_segmenter_says(
    steps_of, segmenter: str, text: str, expected: list[str]
) -> None:
    assert steps_of(text, segmenter) == expected


def test_a_marked_step_starts_after_its_mark_and_remembers_it(build) -> None:
    trace = build("We plan.\n**Step 1:** Halve.\nStep 2: Add.\nA: 18")
    # "We plan." ends at 8; "**Step 1:** " fills 9 to 21; "Halve." ends at 27; "Step 2: " 28 to 36.
    spans = [(step.mark_start, step.start, step.end) for step in trace.steps]
    assert spans == [(0, 0, 8), (9, 21, 27), (28, 36, 40)]


def test_a_step_that_holds_the_answer_ends_at_the_answers_mark(build) -> None:
    trace = build("Nine and nine is 18, so the answer is 18 apples. Bye.", "sentences")
    assert [trace.text[step.start : step.end] for step in trace.steps] == ["Nine and nine is 18,"]


def test_given_steps_keep_their_texts_and_labels_in_order(build) -> None:
    given = (
        GivenStep(text="Add.\nAgain.", label=1),
        GivenStep(text="  "),
        GivenStep(text="Add.", label="bad"),
    )
    trace = build("Add.\nAgain.\n  \nAdd.", answer="18", given_steps=given)
    spans = [(step.start, step.end, step.label) for step in trace.steps]
    assert spans == [(0, 11, 1), (15, 19, "bad")]


def test_a_given_step_ends_where_the_answers_mark_begins(steps_of) -> None:
    given = (
        GivenStep(text="Halve."),
        GivenStep(text="So it is \\boxed{9}."),
        GivenStep(text="Bye."),
    )
    text = "Halve.\nSo it is \\boxed{9}.\nBye."
    assert steps_of(text, "given", given_steps=given) == ["Halve.", "So it is"]


def test_another_segmenter_ignores_given_steps(steps_of) -> None:
    given = (GivenStep(text="One.\nTwo."),)
    assert steps_of("One.\nTwo.", "lines", given_steps=given) == ["One.", "Two."]


@pytest.mark.parametrize(
    ("text", "segmenter", "parts", "reason"),
    [
        ("One.", "given", {}, "no-given-steps"),
        ("One.", "given", {"given_steps": (GivenStep(text="Two."),)}, "given-step-not-found"),
        ("", "auto", {}, "no-steps"),
        (" \n\t", "sentences", {}, "no-steps"),
        ("#### 18", "auto", {}, "no-steps"),
        ("Step 1:\n#### 18", "markers", {}, "no-steps"),
        ("One.", "auto", {"prompt": " \n"}, "no-prompt"),
        ("One.\0", "auto", {}, "null-character"),
        ("One.", "auto", {"prompt": "\0"}, "null-character"),
        ("One.", "auto", {"answer": "\0"}, "null-character"),
        ("One.", "auto", {"reference": "\0"}, "null-character"),
        ("One.", "auto", {"labels": {"a": "\0"}}, "null-character"),
    ],
)
def test_what_cannot_be_cut_is_rejected_with_its_reason(
    build, text: str, segmenter: str, parts: dict[str, object], reason: str
) -> None:
    with pytest.raises(TraceRejected) as rejected:
        build(text, segmenter, **{"answer": "18", **parts})
    assert rejected.value.reason == reason


@pytest.mark.parametrize(
    "name", ["auto", "given", "lines", "blank-lines", "markers", "sentences", r"regex:\n+"]
)
def test_a_segmenter_keeps_the_name_that_the_user_gave(name: str) -> None:
    assert parse_segmenter(name).name == name


@pytest.mark.parametrize(
    "name", ["", "words", "Lines", "regex", "regex:", "regex:(", "regex:a{99999999999}"]
)
def test_an_unknown_segmenter_or_a_bad_pattern_is_an_input_error(name: str) -> None:
    with pytest.raises(InputError, match="Segmenter"):
        parse_segmenter(name)
