"""Which tokens belong to which segment, worked out by hand and on the four kinds of tokenizer?"""

import pytest

from grace_engine.errors import TraceRejected
from grace_engine.models.render import RenderedText
from grace_engine.models.tokens import own_tokens, render_trace


def ranges(text, spans, offsets, end_token_end=None):
    rendered = RenderedText(
        text=text, spans=tuple(spans), end_token_end=end_token_end or spans[-1][1]
    )
    return [(s.token_start, s.token_end) for s in own_tokens(rendered, offsets)]


#        0123456789012345
TEXT = "? Go up. So: 12\n"
STEP, ANSWER = (2, 8), (13, 15)


def test_a_token_goes_to_the_segment_of_its_first_visible_character():
    # Tokens "?", " Go", " up", ".", " So", ":", " 12", "\n"
    offsets = [(0, 1), (1, 4), (4, 7), (7, 8), (8, 11), (11, 12), (12, 15), (15, 16)]
    assert ranges(TEXT, [STEP, ANSWER], offsets) == [(1, 4), (6, 7)]


def test_offsets_that_leave_out_the_space_give_the_same_ranges():
    offsets = [(0, 1), (2, 4), (5, 7), (7, 8), (9, 11), (11, 12), (13, 15), (16, 16)]
    assert ranges(TEXT, [STEP, ANSWER], offsets) == [(1, 4), (6, 7)]


def test_white_space_tokens_inside_a_segment_are_its_own_and_others_nobodys():
    # Tokens "?", " ", "Go", " ", "up.", " ", "So:", " ", "12", "\n"
    offsets = [(0, 1), (1, 2), (2, 4), (4, 5), (5, 8), (8, 9), (9, 12), (12, 13), (13, 15)]
    assert ranges(TEXT, [STEP, ANSWER], [*offsets, (15, 16)]) == [(2, 5), (8, 9)]


def test_a_span_that_begins_with_white_space_gains_and_loses_nothing():
    offsets = [(0, 1), (1, 4), (4, 7), (7, 8), (8, 11), (11, 12), (12, 15), (15, 16)]
    assert ranges(TEXT, [(1, 9), (12, 16)], offsets) == [(1, 4), (6, 7)]


def test_the_byte_tokens_of_one_emoji_stay_together():
    # "a 😀 b: 😀" with the emoji as four byte tokens, the first of which holds the space, too.
    emoji = [(1, 3), (2, 3), (2, 3), (2, 3)]
    last = [(6, 8), (7, 8), (7, 8), (7, 8)]
    offsets = [(0, 1), *emoji, (3, 5), (5, 6), *last]
    assert ranges("a 😀 b: 😀", [(2, 3), (7, 8)], offsets) == [(1, 5), (7, 11)]


def test_tokens_that_the_tokenizer_adds_by_itself_belong_to_nobody():
    offsets = [(0, 0), (0, 1), (1, 4), (4, 8), (8, 12), (12, 15), (15, 16), (0, 0)]
    assert ranges(TEXT, [STEP, ANSWER], offsets) == [(2, 4), (5, 6)]


def test_an_answer_inside_anothers_token_takes_that_token():
    # "? 3+4=7." with "=7" as one token: the step's by its first character, the answer's in need.
    offsets = [(0, 1), (1, 3), (3, 4), (4, 5), (5, 7), (7, 8)]
    assert ranges("? 3+4=7.", [(2, 6), (6, 7)], offsets) == [(1, 4), (4, 5)]


def test_an_end_token_is_added_to_the_answer_that_was_found_without_it():
    # ": Go =7<e>": the answer is inside the token " =7", and the end token comes on top.
    offsets = [(0, 1), (1, 4), (4, 7), (7, 10)]
    assert ranges(": Go =7<e>", [(2, 4), (6, 7)], offsets, 10) == [(1, 2), (2, 4)]


@pytest.mark.parametrize(
    ("spans", "name"),
    [([(2, 4), (5, 6), (13, 15)], "step 2"), ([(2, 8), (0, 0)], "the answer")],
)
def test_a_segment_without_a_token_rejects_the_trace_and_is_named(spans, name):
    # "Go up" is one token, so a step that is only "u" owns nothing.
    offsets = [(0, 1), (1, 7), (7, 8), (8, 12), (12, 15)]
    with pytest.raises(TraceRejected, match=f"empty-segment: {name} "):
        ranges(TEXT, spans, offsets)


def test_a_step_that_loses_its_only_token_to_the_answer_rejects_the_trace():
    with pytest.raises(TraceRejected, match="empty-segment: step 1 "):
        ranges("? =7", [(2, 3), (3, 4)], [(0, 1), (1, 4)])


def test_the_first_token_cannot_be_learned_because_nothing_precedes_it():
    with pytest.raises(TraceRejected, match="no-context"):
        ranges("Go: 7", [(0, 2), (4, 5)], [(0, 2), (2, 3), (3, 5)])


def read(trace, tokenizer, **options):
    rendered = render_trace(trace, tokenizer, **options)
    return [
        tokenizer.decode(rendered.token_ids[segment.token_start : segment.token_end])
        for segment in rendered.segments
    ]


def test_sentence_steps_keep_their_first_word_and_b_is_an_answer(any_tokenizer, make_trace):
    trace = make_trace("⟦Ann has 3 apples.⟧ ⟦She buys 12 more.⟧ The answer is ⟪B⟫.")
    assert read(trace, any_tokenizer) == ["Ann has 3 apples.", " She buys 12 more.", " B"]


def test_the_x_of_a_boxed_answer_is_found(any_tokenizer, make_trace):
    trace = make_trace("⟦It is it.⟧ The answer is \\boxed{⟪x⟫}.")
    kind = any_tokenizer.name_or_path
    alone = kind in ("tiny-gpt2", "tiny-gemma")  # the others have one token "{x"
    assert read(trace, any_tokenizer) == ["It is it.", "x" if alone else "{x"]


def test_a_full_stop_merged_with_line_breaks_stays_with_its_step(any_tokenizer, make_trace):
    trace = make_trace("⟦So she has 3+12=15.⟧\n\n⟦What is it?⟧\n\nThe answer is ⟪42⟫")
    kind = any_tokenizer.name_or_path
    merged = "\n\n" if kind in ("tiny-qwen", "tiny-llama3") else ""  # they have a token ".\n\n"
    assert read(trace, any_tokenizer)[0] == "So she has 3+12=15." + merged


@pytest.mark.parametrize("space", ["\u00a0", "\r\n", "\t", "\u2003", "\n \n"])
def test_any_white_space_separates_steps(any_tokenizer, make_trace, space):
    trace = make_trace(f"⟦Ann 😀.⟧{space}⟦She é😀⟧{space}It:{space}⟪漢😀⟫{space}")
    spans = [text.strip() for text in read(trace, any_tokenizer)]
    assert spans == ["Ann 😀.", "She é😀", "漢😀"]


def test_ranges_of_a_whole_trace_counted_by_hand(make_tokenizer, make_trace):
    # What| is| it|?|\n|Ann| has| |3| apples|.| She| buys| |1|2| more|.| The| answer| is| B|.|end
    trace = make_trace("⟦Ann has 3 apples.⟧ ⟦She buys 12 more.⟧ The answer is ⟪B⟫.")
    qwen = render_trace(trace, make_tokenizer("qwen"))
    assert len(qwen.token_ids) == 24
    assert [(s.token_start, s.token_end) for s in qwen.segments] == [(5, 11), (11, 18), (21, 22)]
    assert [s.n_tokens for s in qwen.segments] == [6, 7, 1]
    # Llama 3 writes 12 as one token and puts <|begin_of_text|> before everything.
    llama = render_trace(trace, make_tokenizer("llama3"))
    assert [(s.token_start, s.token_end) for s in llama.segments] == [(6, 12), (12, 18), (21, 22)]
