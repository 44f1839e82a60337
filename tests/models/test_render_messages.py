"""Which messages stand for a trace, and which template is used?"""

import subprocess
import sys

import pytest

from grace_engine.errors import InputError, ModelError, TraceRejected
from grace_engine.models.render import (
    Renderer,
    messages_of,
    prompt_completion_of,
    reasoning_key_of,
    template_name_of,
)

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
KEYED = CHATML.replace("{{ m.content", "<think>{{ m.reasoning_content }}</think>{{ m.content")
FAILS_WITH_THE_KEY = "{% if messages[1].thinking %}{{ raise_exception('no') }}{% endif %}" + CHATML


def messages(make_trace, marked, key):
    user, assistant = messages_of(make_trace(marked, prompt="2+2?"), reasoning_key=key)
    assert user == {"role": "user", "content": "2+2?"}
    assert assistant.pop("role") == "assistant"
    return assistant


@pytest.mark.parametrize(
    "marked",
    [
        "<think>\n⟦Add.⟧\n</think>\n\nIt is ⟪4⟫.\n",
        " <think>⟦Add.⟧</think>It is ⟪4⟫.\n",
        "⟦Add.⟧\n</think>\nIt is ⟪4⟫.\n",
    ],
)
def test_reasoning_has_a_key_of_its_own_where_the_template_has_one(make_trace, marked):
    assert messages(make_trace, marked, "reasoning_content") == {
        "reasoning_content": "Add.",
        "content": "It is 4.\n",
    }


@pytest.mark.parametrize(
    "marked",
    [
        "⟦Add.⟧ It is ⟪4⟫. ",
        "<think>⟦Add.⟧ It is ⟪4⟫.",
        "Well. <think>⟦Add.⟧</think> It is ⟪4⟫.",
    ],
    ids=["no tags", "never closed", "words before the tag"],
)
def test_text_of_any_other_shape_stays_as_it_is(make_trace, marked):
    text = make_trace(marked).full_text
    assert messages(make_trace, marked, "reasoning_content") == {"content": text}


def test_reasoning_stays_inline_without_a_key(make_trace):
    marked = "<think>⟦Add.⟧</think>\nIt is ⟪4⟫."
    assert messages(make_trace, marked, "") == {"content": "<think>Add.</think>\nIt is 4."}


def test_only_the_first_thought_is_the_reasoning(make_trace):
    marked = "<think>⟦Add.⟧</think> So <think>⟦Again.⟧</think> ⟪4⟫"
    assert messages(make_trace, marked, "thinking") == {
        "thinking": "Add.",
        "content": "So <think>Again.</think> 4",
    }


def test_the_strings_of_the_plain_template_join_to_prompt_line_break_text(make_trace):
    trace = make_trace("⟦Add.⟧\n⟪4⟫\n", prompt="2+2?")
    assert prompt_completion_of(trace) == {"prompt": "2+2?\n", "completion": "Add.\n4\n"}


@pytest.mark.parametrize(
    ("template", "key"),
    [
        (KEYED, "reasoning_content"),
        (KEYED.replace("reasoning_content", "thinking"), "thinking"),
        (CHATML, ""),
        ("{# says nothing of reasoning_content #}" + CHATML, ""),
        (FAILS_WITH_THE_KEY, ""),
        ({"default": KEYED, "tool_use": CHATML}, "reasoning_content"),
    ],
    ids=["reasoning_content", "thinking", "none", "only named", "refused", "named templates"],
)
def test_the_reasoning_key_is_one_that_the_template_renders(make_tokenizer, template, key):
    assert reasoning_key_of(make_tokenizer("qwen", chat_template=template)) == key


def test_of_named_templates_the_default_one_is_rendered(make_tokenizer, make_trace):
    named = {"default": CHATML, "tool_use": "{{ raise_exception('not this one') }}"}
    tokenizer = make_tokenizer("qwen", chat_template=named)
    rendered = Renderer(tokenizer, template_name="chat").render(make_trace("⟦Add.⟧ ⟪4⟫"))
    assert rendered.text.endswith("<|im_start|>assistant\nAdd. 4<|im_end|>\n")


@pytest.mark.parametrize("template", [None, {"tool_use": CHATML}])
def test_a_chat_without_a_default_template_is_refused_in_a_sentence(make_tokenizer, template):
    tokenizer = make_tokenizer("gpt2", chat_template=template)
    with pytest.raises(ModelError, match="tiny-gpt2 has no default chat template: use plain"):
        Renderer(tokenizer, template_name="chat")


def test_a_template_of_another_name_is_refused_in_a_sentence(make_tokenizer):
    with pytest.raises(InputError, match="Template 'alpaca' is not known: use one of chat, plain"):
        Renderer(make_tokenizer("gpt2"), template_name="alpaca")


def test_the_template_is_chat_where_the_tokenizer_has_one(make_tokenizer):
    assert template_name_of(make_tokenizer("qwen", chat_template=CHATML)) == "chat"
    assert template_name_of(make_tokenizer("qwen")) == "plain"


def test_messages_need_neither_torch_nor_transformers():
    code = (
        "import sys, grace_engine.models.render, grace_engine.models.tokens;"
        "print({'torch', 'transformers', 'tokenizers', 'jinja2'} & sys.modules.keys())"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "set()\n"


def test_messages_for_a_missing_reference_are_refused(make_trace):
    with pytest.raises(TraceRejected, match="no-reference"):
        messages_of(make_trace("⟦Add.⟧ ⟪4⟫"), target="reference")
