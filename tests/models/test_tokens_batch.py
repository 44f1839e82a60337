"""What becomes of many traces at once, and of those that cannot be scored?"""

import dataclasses

import pytest

from grace_engine.errors import ModelError, TraceRejected
from grace_engine.models import tokens
from grace_engine.models.tokens import render_trace, render_traces
from grace_engine.records import RejectedTrace, RenderedTrace

GOOD = "⟦Ann has 3 apples.⟧ ⟦She buys 12 more.⟧ The answer is ⟪B⟫"  # 23 tokens, Qwen-like
NO_UTF8 = "⟦Ann has \ud800.⟧ ⟪B⟫"


@pytest.fixture
def qwen(make_tokenizer):
    return make_tokenizer("qwen")


def test_results_come_in_order_and_a_bad_trace_stops_no_other(qwen, make_trace, monkeypatch):
    monkeypatch.setattr(tokens, "TRACES_PER_CALL", 2)
    marked = [GOOD, NO_UTF8, "⟦<think>⟧ ⟪4⟫", GOOD, GOOD]
    traces = [make_trace(text, trace_id=f"t{i}") for i, text in enumerate(marked)]
    results = list(render_traces(traces, qwen))

    assert [result.trace_id for result in results] == ["t0", "t1", "t2", "t3", "t4"]
    assert [getattr(result, "reason", "") for result in results] == [
        "",
        "tokenizer-error",
        "empty-segment",
        "",
        "",
    ]
    assert results[3] == dataclasses.replace(results[0], trace_id="t3")
    assert results[0] == render_trace(traces[0], qwen)


def test_traces_are_read_as_they_are_asked_for(qwen, make_trace):
    def endless():
        while True:
            yield make_trace(GOOD)

    results = render_traces(endless(), qwen)
    assert isinstance(next(results), RenderedTrace)


def test_no_traces_give_no_results(qwen):
    assert list(render_traces([], qwen)) == []


def test_a_tokenizer_error_says_what_the_tokenizer_said(qwen, make_trace):
    with pytest.raises(TraceRejected, match="tokenizer-error: the tokenizer failed with TypeError"):
        render_trace(make_trace(NO_UTF8), qwen)


def test_a_trace_longer_than_the_limit_is_rejected_and_never_cut(qwen, make_trace):
    trace = make_trace(GOOD)
    assert len(render_trace(trace, qwen, max_length=23).token_ids) == 23
    with pytest.raises(TraceRejected, match=r"^too-long: 23 tokens, limit 22\.$"):
        render_trace(trace, qwen, max_length=22)
    assert len(render_trace(trace, qwen, max_length=0).token_ids) == 23


def test_the_tokenizers_own_limit_cuts_nothing_either(qwen, make_trace):
    qwen.model_max_length = 5
    assert len(render_trace(make_trace(GOOD), qwen).token_ids) == 23


def test_truncation_and_padding_saved_with_a_tokenizer_change_nothing(qwen, make_trace):
    traces = [make_trace(GOOD), make_trace("⟦Ann.⟧ ⟪B⟫")]
    before = list(render_traces(traces, qwen))
    qwen.backend_tokenizer.enable_truncation(7)
    qwen.backend_tokenizer.enable_padding(length=64)
    assert list(render_traces(traces, qwen)) == before


def test_a_tokenizer_without_offsets_is_refused_in_a_sentence_at_once(make_trace):
    class SlowTokenizer:
        is_fast = False
        name_or_path = "old/model"

    with pytest.raises(ModelError, match=r"old/model \(SlowTokenizer\) does not report which char"):
        render_traces([make_trace(GOOD)], SlowTokenizer())


def test_a_segment_at_the_very_first_token_has_no_context(make_tokenizer, make_trace):
    bare = make_tokenizer("qwen", chat_template="{{ messages[1].content }}")
    with pytest.raises(TraceRejected, match="no-context"):
        render_trace(make_trace("⟦Ann.⟧ ⟪B⟫", prompt=""), bare)


def test_marks_and_the_end_token_belong_to_their_segments_on_request(qwen, make_trace):
    # What| is| it|?|\n|Ann|.| The| answer| is| B|<|im_end|>
    trace = make_trace("⟦Ann.⟧ ⟪The answer is ¦B⟫")
    without = render_trace(trace, qwen)
    with_both = render_trace(trace, qwen, with_marks=True, with_end_token=True)
    answers = [rendered.segments[-1] for rendered in (without, with_both)]
    assert [(a.token_start, a.token_end) for a in answers] == [(10, 11), (7, 12)]
    assert [with_both.text[a.rendered_start : a.rendered_end] for a in answers] == [
        "B",
        "The answer is B<|im_end|>",
    ]


def test_the_reference_is_the_last_segment_when_it_is_the_target(qwen, make_trace):
    rendered = render_trace(make_trace(GOOD, reference="C"), qwen, target="reference")
    answer = rendered.segments[-1]
    assert qwen.decode(rendered.token_ids[answer.token_start : answer.token_end]) == " C"


def test_the_digest_tells_what_the_model_is_given_and_nothing_else(qwen, make_trace):
    digest = render_trace(make_trace(GOOD), qwen).digest
    assert len(digest) == 32
    assert int(digest, 16) >= 0
    assert render_trace(make_trace(GOOD, trace_id="other"), qwen).digest == digest
    other_step = GOOD.replace("⟧ ⟦She", " ⟧⟦She")
    assert render_trace(make_trace(other_step), qwen).digest == digest
    other_segments = GOOD.replace(".⟧ ⟦She", "⟧. ⟦She")
    assert render_trace(make_trace(other_segments), qwen).digest != digest
    assert render_trace(make_trace(GOOD + "."), qwen).digest != digest


def test_a_rejected_trace_carries_its_reason_as_data(qwen, make_trace):
    (result,) = render_traces([make_trace(GOOD)], qwen, max_length=3)
    assert result == RejectedTrace(trace_id="t1", reason="too-long", detail="23 tokens, limit 3.")
