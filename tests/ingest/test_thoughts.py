"""Does a long trace that marks no steps become steps of readable length?"""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from grace_engine.ingest.thoughts import LONG_TRACE, LONGEST, LONGEST_SENTENCE, SHORTEST

# 60 characters, so that ten fill a step: 10 * 60 + 9 spaces are more than 600, nine are 548.
FILLER = "The sum of the first nine numbers is the middle times nine x."
SENTENCE = FILLER[:58] + "s."
PARAGRAPH = "This paragraph of the trace is long enough to be a step of its own."


def test_the_numbers_are_what_the_tests_are_written_for() -> None:
    assert (LONG_TRACE, LONGEST, SHORTEST, len(SENTENCE)) == (2_000, 600, 40, 60)


PARAGRAPHS = ["Hmm.", "So 5.", PARAGRAPH, "$$x = 1.$$", f"Wait, {SENTENCE} " * 8, SENTENCE * 7]


def long_trace(*paragraphs: str) -> str:
    return "\n\n".join([*paragraphs, *[PARAGRAPH] * 30])


def test_a_long_paragraph_is_cut_where_thoughts_turn(steps_of: Callable) -> None:
    turns = [
        "Wait, ",
        "Alternatively, ",
        "Hmm, ",
        "Let me see: ",
        "But ",
        "So ",
        "等等，",
        "لكن ",
        "लेकिन ",
    ]
    thoughts = [f"{turn}{SENTENCE} {SENTENCE}" for turn in turns]
    paragraph = " ".join([SENTENCE, *thoughts])
    assert steps_of(long_trace(paragraph)) == [SENTENCE, *thoughts, *[PARAGRAPH] * 30]


def test_what_is_still_too_long_is_cut_at_the_last_sentence_end_that_fits(
    steps_of: Callable,
) -> None:
    paragraph = " ".join([SENTENCE] * 12)
    parts = [" ".join([SENTENCE] * 9), " ".join([SENTENCE] * 3)]
    assert steps_of(long_trace(paragraph))[:2] == parts


def test_a_trace_on_one_line_is_cut_like_a_paragraph(steps_of: Callable) -> None:
    thought = f"Wait, {SENTENCE}"
    assert steps_of(" ".join([thought] * 40)) == [thought] * 40


def test_a_sentence_that_a_reader_takes_in_is_never_cut(steps_of: Callable) -> None:
    endless = "and then " * 130 + "stop."
    assert (len(endless), LONGEST_SENTENCE) == (1175, 1200)
    assert steps_of(long_trace(endless))[0] == endless


def test_a_text_without_a_sentence_end_is_cut_at_clauses_else_at_blanks(
    steps_of: Callable,
) -> None:
    # 44 characters a clause: 13 and their blanks are 585, 14 would be 630.
    clause = "we take the next one of them and go on with,"
    assert (len(clause), len(" ".join([clause] * 13))) == (44, 584)
    text = " ".join([clause] * 100)
    assert steps_of(text) == [*[" ".join([clause] * 13)] * 7, " ".join([clause] * 9)]
    words = " ".join(["four"] * 880)
    assert len(words) == 4399
    assert steps_of(words) == [*[" ".join(["four"] * 120)] * 7, " ".join(["four"] * 40)]
    chinese = "我们取其中下一个数继续计算，" * 300
    assert [len(step) for step in steps_of(chinese)] == [588] * 7 + [84]


def test_no_clause_is_cut_inside_a_formula(steps_of: Callable) -> None:
    formula = "$(" + ", ".join(["x"] * 300) + ")$"
    text = f"{'so we go on with it ' * 30}take {formula} and {'go on with it, ' * 100}"
    found = steps_of(text)
    assert [step.count("$") for step in found if "$" in step] == [2]
    assert all(len(step) <= LONGEST for step in found if "$" not in step)
    assert "".join(" ".join(found).split()) == "".join(text.split())


def test_a_word_without_end_stays_whole(steps_of: Callable) -> None:
    assert steps_of("x" * 4400) == ["x" * 4400]


TURNS = ["Wait, that is 7.", "Alternatively, add.", "Hmm, 8 it is.", "But no.", "Let me see x.",
         "等等，不是七。", "لكن هذا سبعة.", "लेकिन यह सात है।"]  # fmt: skip


@pytest.mark.parametrize("turn", TURNS)
def test_a_turn_of_thought_begins_a_step_after_a_short_part(steps_of: Callable, turn: str) -> None:
    text = long_trace(PARAGRAPH, "Then x = 7.", f"{turn} {SENTENCE}", "It is 9.", turn, PARAGRAPH)
    assert steps_of(text)[:3] == [
        f"{PARAGRAPH}\n\nThen x = 7.",
        f"{turn} {SENTENCE}\n\nIt is 9.",
        f"{turn}\n\n{PARAGRAPH}",
    ]
    assert steps_of(long_trace("x = 7.", f"{turn} {SENTENCE}"))[:2] == [
        "x = 7.", f"{turn} {SENTENCE}"
    ]  # fmt: skip


def test_a_short_part_joins_the_one_before_it_and_the_first_the_next(steps_of: Callable) -> None:
    text = long_trace("Two.", PARAGRAPH, "That is 5.", "$$x = 5.$$", "So 5.") + "\n\nSo 18."
    assert steps_of(text) == [
        f"Two.\n\n{PARAGRAPH}\n\nThat is 5.\n\n$$x = 5.$$\n\nSo 5.", *[PARAGRAPH] * 30, "So 18."
    ]  # fmt: skip


@pytest.mark.parametrize(
    "lead_in",
    ["So we get:", "### The second case", "**Case 2.**", "2.", "(b)", "-", "所以：", "So",
     "Thus,", "Hmm.", "Wait, no.", "So $x =", "$x=", "\\["],
)  # fmt: skip
def test_what_leads_in_to_something_joins_what_follows(steps_of: Callable, lead_in: str) -> None:
    assert steps_of(long_trace(PARAGRAPH, lead_in))[:2] == [
        PARAGRAPH, f"{lead_in}\n\n{PARAGRAPH}"
    ]  # fmt: skip


def test_bare_turns_in_a_row_lead_in_to_one_step(steps_of: Callable) -> None:
    text = long_trace("Hmm.", "Wait, no.") + "\n\nSo 18."
    assert steps_of(text) == [
        f"Hmm.\n\nWait, no.\n\n{PARAGRAPH}", *[PARAGRAPH] * 29, "So 18."
    ]  # fmt: skip


@pytest.mark.parametrize("end", ["So", "$x=", "So we have:", "### Answer", "Thus, $$y ="])
def test_what_leads_in_to_nothing_but_the_answer_joins_the_step_before_it(
    steps_of: Callable, end: str
) -> None:
    assert steps_of(long_trace(PARAGRAPH) + f"\n\n{end}")[-1] == f"{PARAGRAPH}\n\n{end}"


def test_what_leads_in_to_a_formula_stays_with_it(steps_of: Callable) -> None:
    lead_in = "From this it follows by the theorem above that we have:"
    formula = "$$\n1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 = 45.\n$$"
    assert steps_of(long_trace(lead_in, formula))[0] == f"{lead_in}\n\n{formula}"


def test_a_short_trace_keeps_its_lines_and_paragraphs(steps_of: Callable) -> None:
    paragraph = " ".join([SENTENCE] * 12)
    assert steps_of(f"Hmm.\n\nWait.\n\n{paragraph}") == ["Hmm.", "Wait.", paragraph]


def test_a_list_inside_a_long_trace_is_not_its_steps(steps_of: Callable) -> None:
    text = long_trace("We know these things about it:\n1. It is even.\n2. It is small.")
    assert len(steps_of(text)) == 31
    # Shorter than twice a long trace, so that no part between the numbers is one.
    numbered = [f"{PARAGRAPH}\n{n}. {PARAGRAPH}" for n in range(1, 16)]
    assert LONG_TRACE < len("\n\n".join(numbered)) < 2 * LONG_TRACE
    assert len(steps_of("\n\n".join(numbered))) == 16  # a solution in numbered steps
    for aloud in ("Wait, no: ", "Hmm, ", "等等，"):
        thoughts = [*numbered, f"{aloud}{PARAGRAPH}"]
        assert steps_of("\n\n".join(thoughts)) == thoughts
    steps = "\n".join(f"Step {n}: {PARAGRAPH}\n\n{PARAGRAPH}" for n in range(1, 31))
    assert steps_of(steps) == [f"{PARAGRAPH}\n\n{PARAGRAPH}"] * 30


@given(st.lists(st.sampled_from(PARAGRAPHS), min_size=60, max_size=90))
@settings(max_examples=60, deadline=None)
def test_steps_of_a_long_trace_are_neither_short_nor_long(
    steps_of: Callable, paragraphs: list[str]
) -> None:
    text = "\n\n".join([*paragraphs, PARAGRAPH])
    if len(text) <= LONG_TRACE:
        return
    steps = steps_of(text)
    turns = ("Wait", "Hmm")
    # Before a turn of thought stands what is there, however short.
    short = [one for one, after in pairwise(steps) if not after.startswith(turns)]
    assert all(len(one) >= SHORTEST for one in short)
    # A short one may join one that is as long as it may be.
    assert all(len(step) < LONGEST + SHORTEST + 2 for step in steps)
    # A turn begins a step, or goes on one that holds nothing else.
    for step in steps:
        parts = step.split("\n\n")
        turned = [number for number, part in enumerate(parts) if part.startswith(turns)]
        assert all(set(parts[:number]) <= {"Hmm."} for number in turned)
