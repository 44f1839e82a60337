"""Do spans of steps and answers cover a text without overlap, whatever the text?"""

import re

import pytest
from hypothesis import assume, example, given, settings, strategies as st

from grace_engine.errors import InputError, TraceRejected
from grace_engine.ingest import parse_segmenter

SEGMENTERS = ["auto", "lines", "blank-lines", "markers", "sentences"]
PIECES = [
    "Half is 9.", "So e.g. 3.14 apples", "Is it? ", "Wait... ", "一半。", "हाँ।", "كم؟", "🍎",
    "e\u0301", " ", "  ", "\n", "\r\n", "\n\n", "\n \t\n", "\u00a0", "\u2003", "Step 1: ",
    "Step 2.\n", "**Step 3:** ", "### Step 4\n", "1. ", "2) ", "(3) ", "\n3.", "<think>",
    "</think>", "#### ", "####", "A: ", "\nA:", "†Answer: ", "\\boxed{", "{", "}", "\\{", "$",
    "\\(", "\\)", "\\[", "**", "the answer is ", "So the ", "The final answer is:\n", "18",
    "1,234", ".", "。", "---",
    "\nAnswer: ", "\n**Final Answer:** ", "$$", "\\]", "\\begin{a}", "\\end{a}", "```\n",
    "a | b\n--|--\n", "So $x. Y$", "Wait, no. " * 250,
]  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=25).map("".join)


@pytest.mark.long
@pytest.mark.parametrize("segmenter", SEGMENTERS)
@given(text=texts, answer=st.sampled_from([None, "18", "{x}"]))
@example(text="Step 1:**The answer is 5**\nStep 2: no", answer=None)
@example(text="1.\n2. x\nA: 3", answer=None)
@example(text="So <think>**Step 3:** #### \\boxed{5}", answer=None)
@settings(max_examples=150, deadline=None)
def test_outside_of_steps_and_answer_stand_only_marks_and_separators(
    build, check_spans, segmenter: str, text: str, answer: str | None
) -> None:
    try:
        trace = build(text, segmenter, answer=answer)
    except TraceRejected as rejected:
        reason = rejected.reason
    else:
        reason = "none"
        check_spans(trace)
    assert reason in {"none", "no-answer", "empty-answer", "no-steps", "null-character"}


@given(text=texts, separator=st.sampled_from(["---", r"\n+", "a|b", r"\s", "(?=18)", "x*"]))
@settings(max_examples=100, deadline=None)
def test_a_pattern_leaves_out_its_own_matches_only(
    build, check_spans, text: str, separator: str
) -> None:
    try:
        trace = build(text, f"regex:{separator}", answer="18")
    except TraceRejected:
        assume(False)
    check_spans(trace, re.compile(rf"(?:\s|</?think>|{separator})*"))


@given(pattern=st.text(max_size=12))
@settings(max_examples=100, deadline=None)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_any_pattern_is_taken_or_refused_in_words(pattern: str) -> None:
    try:
        said = parse_segmenter(f"regex:{pattern}").name
    except InputError as refused:
        said = str(refused)
    assert f"regex:{pattern}" in said or repr(f"regex:{pattern}") in said or not pattern


@pytest.mark.long
@pytest.mark.parametrize("segmenter", SEGMENTERS)
@pytest.mark.parametrize(
    "piece",
    [
        ".", "... ", "e.g. ", "A. ", "#### ", "####\n", "\\boxed{", "\\boxed{1}", "A:\n",
        "the answer is ", "Step 1:\n", "1. ", " ", "\n", "\n \n", "$", "**", "x", "。", "</think>",
        "👩🏽‍🔬 ", "{", "\\",
    ],
)  # fmt: skip
def test_a_text_of_100_000_characters_is_cut_in_no_time(build, segmenter: str, piece: str) -> None:
    # The slowest takes 0.1 s; a quadratic pattern would take minutes and be seen as a hang.
    text = piece * (100_000 // len(piece))
    for whole in (text, f"Go. {text} end", f"{text}\n#### 18"):
        try:
            trace = build(whole, segmenter, answer="18")
        except TraceRejected:
            continue
        assert trace.steps[-1].end <= trace.answer.mark_start
