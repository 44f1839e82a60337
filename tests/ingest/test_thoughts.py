"""Does a long trace that marks no steps become steps of readable length?"""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from grace_engine.ingest.thoughts import LONG_TRACE, LONGEST, SHORTEST

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


def test_a_sentence_is_never_cut(steps_of: Callable) -> None:
    endless = "and then " * 100 + "stop."
    assert steps_of(long_trace(endless))[0] == endless


def test_short_paragraphs_join_the_next_and_the_last_stays(steps_of: Callable) -> None:
    text = long_trace("Hmm.", "Wait, no.") + "\n\nSo 18."
    assert steps_of(text) == [
        f"Hmm.\n\nWait, no.\n\n{PARAGRAPH}", *[PARAGRAPH] * 29, "So 18."
    ]  # fmt: skip


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
    steps = "\n".join(f"Step {n}: {PARAGRAPH}\n\n{PARAGRAPH}" for n in range(1, 31))
    assert steps_of(steps) == [f"{PARAGRAPH}\n\n{PARAGRAPH}"] * 30


@given(st.lists(st.sampled_from(PARAGRAPHS), min_size=60, max_size=90))
@settings(max_examples=60, deadline=None)
def test_steps_of_a_long_trace_are_neither_short_nor_long(
    steps_of: Callable, paragraphs: list[str]
) -> None:
    text = "\n\n".join(paragraphs)
    if len(text) <= LONG_TRACE:
        return
    steps = steps_of(text)
    assert all(len(step) >= SHORTEST for step in steps[:-1])
    # A short one may join one that is as long as it may be.
    assert all(len(step) < LONGEST + SHORTEST + 2 for step in steps)
