"""What does a rendered trace hold, word for word, and where do its spans stand?"""

import pytest

from grace_engine.errors import TraceRejected
from grace_engine.models.render import Renderer, messages_of, prompt_completion_of

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
MARKED = "⟦Step 1: ¦Add 2.⟧\n⟦Step 2: ¦It is 4.⟧\n⟪#### ¦4⟫"
ASSISTANT = "<|im_start|>assistant\n{}<|im_end|>\n"


@pytest.fixture
def renderer(make_tokenizer):
    def build(template=CHATML, kind="qwen", template_name="chat", **options):
        tokenizer = make_tokenizer(kind, chat_template=template)
        return Renderer(tokenizer, template_name=template_name, **options)

    return build


def read(rendered):
    return [rendered.text[start:end] for start, end in rendered.spans]


def of_assistant(expression):
    """A ChatML template that writes the assistant's text, ``c``, as ``expression`` says."""
    return (
        "{% for m in messages %}{% set c = m.content %}<|im_start|>{{ m.role }}\n"
        "{% if m.role == 'assistant' %}{{ " + expression + " }}{% else %}{{ c }}{% endif %}"
        "<|im_end|>\n{% endfor %}"
    )


def test_a_chat_trace_is_the_rendered_conversation(renderer, make_trace):
    rendered = renderer().render(make_trace(MARKED, prompt="2+2?"))
    assert rendered.text == "<|im_start|>user\n2+2?<|im_end|>\n" + ASSISTANT.format(
        "Step 1: Add 2.\nStep 2: It is 4.\n#### 4"
    )
    # 32 characters of prompt, 22 of "<|im_start|>assistant\n" and 8 of "Step 1: " come first.
    assert rendered.spans == ((62, 68), (77, 85), (91, 92))
    assert rendered.end_token_end == 92


def test_a_plain_trace_is_prompt_line_break_text_and_eos(renderer, make_trace):
    rendered = renderer(None, "gpt2", "plain").render(make_trace(MARKED, prompt="2+2?"))
    assert rendered.text == "2+2?\nStep 1: Add 2.\nStep 2: It is 4.\n#### 4<|endoftext|>"
    assert rendered.spans == ((13, 19), (28, 36), (42, 43))


def test_a_plain_trace_that_ends_with_eos_gets_no_second_one(renderer, make_trace):
    rendered = renderer(None, "gpt2", "plain").render(make_trace("⟦Add.⟧ ⟪4⟫<|endoftext|>"))
    assert rendered.text == "What is it?\nAdd. 4<|endoftext|>"


def test_an_appended_answer_is_part_of_what_is_rendered(renderer, make_trace):
    trace = make_trace("⟦Add 2.⟧\n⟪The answer is ¦4⟫", appended="\nThe answer is 4")
    assert trace.text == "Add 2."
    assert read(renderer().render(trace)) == ["Add 2.", "4"]


def test_the_same_text_in_the_prompt_and_in_other_steps_does_not_confuse(renderer, make_trace):
    text = "It is 4. It is 4. It is 4."
    trace = make_trace("⟦It is 4.⟧ ⟦It is 4.⟧ It is ⟪4⟫.", prompt=ASSISTANT.format(text) + text)
    rendered = renderer().render(trace)
    start = rendered.text.rindex(text)
    assert [(a - start, b - start) for a, b in rendered.spans] == [(0, 8), (9, 17), (24, 25)]


def test_placeholders_that_stand_in_the_trace_itself_are_not_used(renderer, make_trace):
    trace = make_trace("⟦\U000f0001 is it.⟧ ⟪\U000f0002⟫", prompt="\U000f0000")
    assert read(renderer().render(trace)) == ["\U000f0001 is it.", "\U000f0002"]


def test_marks_belong_to_their_segments_on_request(renderer, make_trace):
    rendered = renderer(with_marks=True).render(make_trace(MARKED))
    assert read(rendered) == ["Step 1: Add 2.", "Step 2: It is 4.", "#### 4"]


def test_the_reference_takes_the_place_of_the_answer_and_nothing_else(renderer, make_trace):
    trace = make_trace("⟦It is 4.⟧ So \\boxed{⟪4⟫}. Bye.", reference="5/2", prompt="?")
    rendered = renderer(target="reference").render(trace)
    assert rendered.text.endswith(ASSISTANT.format("It is 4. So \\boxed{5/2}. Bye."))
    assert read(rendered) == ["It is 4.", "5/2"]
    assert messages_of(trace, target="reference")[1]["content"].endswith("{5/2}. Bye.")
    assert prompt_completion_of(trace, target="reference") == {
        "prompt": "?\n",
        "completion": "It is 4. So \\boxed{5/2}. Bye.",
    }


@pytest.mark.parametrize("reference", [None, "", " \n"])
def test_without_a_reference_there_is_no_such_target(renderer, make_trace, reference):
    with pytest.raises(TraceRejected, match="no-reference"):
        renderer(target="reference").render(make_trace(MARKED, reference=reference))


@pytest.mark.parametrize(
    ("marked", "end"),
    [
        ("⟦Add.⟧ ⟪4⟫", "<|im_end|>"),
        ("⟦Add.⟧ ⟪4⟫ \n", " \n<|im_end|>"),
        ("⟦Add.⟧ ⟪4⟫.", ""),
        ("⟦Add.⟧ \\boxed{⟪4⟫}", ""),
    ],
)
def test_an_end_token_counts_when_only_white_space_comes_before_it(
    renderer, make_trace, marked, end
):
    rendered = renderer(with_end_token=True).render(make_trace(marked))
    assert rendered.text[rendered.spans[-1][1] : rendered.end_token_end] == end


def test_a_think_tag_is_no_end_token_even_where_a_tokenizer_calls_it_special(
    make_tokenizer, make_trace
):
    tokenizer = make_tokenizer("qwen", chat_template=CHATML)
    tokenizer.add_special_tokens({"extra_special_tokens": ["</think>"]})
    renderer = Renderer(tokenizer, template_name="chat", with_end_token=True)
    rendered = renderer.render(make_trace("<think>⟦Add.⟧ ⟪4⟫</think>"))
    assert rendered.end_token_end == rendered.spans[-1][1]


def test_a_span_that_begins_or_ends_with_think_tags_is_cut_to_its_words(renderer, make_trace):
    trace = make_trace("⟦<think>\nAdd 2.⟧ ⟦Yes.\n</think>\n\n⟧So: ⟪4⟫")
    assert read(renderer().render(trace)) == ["Add 2.", "Yes.", "4"]


def test_a_step_of_nothing_but_a_think_tag_has_no_span(renderer, make_trace):
    rendered = renderer().render(make_trace("⟦<think>⟧\n⟦Add 2.⟧\n⟦</think>⟧ ⟪4⟫"))
    assert rendered.spans[0] == rendered.spans[2] == (0, 0)


@pytest.mark.parametrize(
    "expression",
    [
        "c | replace('Add', 'add')",
        "c[:-3]",
        "c.split('2.')[-1]",
        "c ~ c",
        "c | upper",
        "c | tojson",
        "c | replace('  ', ' ')",
        "c | length",
    ],
)
def test_a_template_that_changes_the_text_is_named_and_rejects_the_trace(
    renderer, make_trace, expression
):
    with pytest.raises(TraceRejected, match=r"template-changes-text: .* template of tiny-qwen "):
        renderer(of_assistant(expression)).render(make_trace("⟦Add  2.⟧\n⟦\tIt is 4.⟧\n⟪4⟫ ok"))


def test_the_rejection_shows_what_was_written_instead(renderer, make_trace):
    with pytest.raises(TraceRejected, match=r"writes 'add 2. 4<.im_end.>.n' where the text has 'A"):
        renderer(of_assistant("c | replace('A', 'a')")).render(make_trace("⟦Add 2.⟧ ⟪4⟫"))


@pytest.mark.parametrize("expression", ["c | trim", "'<think>\n\n</think>\n\n' ~ c", "'\n' ~ c"])
def test_a_template_may_trim_the_text_or_open_with_empty_think_tags(
    renderer, make_trace, expression
):
    rendered = renderer(of_assistant(expression)).render(make_trace("\n ⟦Add 2.⟧\n⟪4⟫\n"))
    assert read(rendered) == ["Add 2.", "4"]


def test_a_template_that_loses_the_prompt_rejects_the_trace(renderer, make_trace):
    template = CHATML.replace("{{ m.content }}", "{{ m.content if m.role == 'assistant' }}")
    with pytest.raises(TraceRejected, match=r"template-changes-text: .* loses the prompt 'What"):
        renderer(template).render(make_trace(MARKED))


def test_a_template_that_fails_rejects_the_trace_with_its_words(renderer, make_trace):
    with pytest.raises(TraceRejected, match=r"template-error: .* failed: No thanks"):
        renderer("{{ raise_exception('No thanks') }}").render(make_trace(MARKED))


def test_a_trace_with_images_is_not_rendered_without_them(renderer, make_trace):
    with pytest.raises(TraceRejected, match="has-images"):
        renderer().render(make_trace(MARKED, images=("1.png",)))
