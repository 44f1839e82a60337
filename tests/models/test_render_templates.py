"""What does every chat template that TRL ships do to a plain and to a thinking trace?"""

import re
from pathlib import Path

import pytest
import trl

from grace_engine.errors import TraceRejected
from grace_engine.models.render import Renderer, reasoning_key_of

FOLDER = Path(trl.__file__).parent / "chat_templates"
TEMPLATES = {path.stem: path for path in FOLDER.glob("*.jinja")}

# Each trace says "add 2 and 2" in the prompt too, repeats a step, and has white space at its edges.
PROMPT = "Say: <think>Add 2 and 2.</think> Then the answer is 4."
PLAIN = "\n⟦Add 2 and 2.⟧\n⟦Add 2 and 2.⟧\n\n⟦It is\t4.⟧  The answer is ⟪4⟫.\n"
THINK = "<think>\n⟦Add 2 and 2.⟧\n\n⟦Add 2 and 2.⟧\n</think>\n\n⟦It is 4.⟧ The answer is ⟪4⟫."
NO_OPENING_TAG = THINK.removeprefix("<think>\n")
EMPTY_THINK = "<think>\n\n</think>\n\n⟦Add 2 and 2.⟧ The answer is ⟪4⟫"

# Written for a processor: content must be a list of parts, and a plain string loses its text.
NEED_A_PROCESSOR = {"idefics3", "idefics3_training", "smolvlm", "smolvlm_training"}
# Also for a processor, and fails outright: it reads content[0]["text"].
FAIL_ON_STRINGS = {"llava_next", "llava_next_training"}
# Keep only what follows </think>; deepseek_r1_distill_training was patched not to.
DELETE_REASONING = {"deepseek_r1_distill", "deepseekv3", "deepseekv3_training"}

REASONING_KEY = {
    "thinking": {"gptoss", "gptoss_training", "lfm2_2_5"},
    "reasoning_content": {
        *("diffusion_gemma", "diffusion_gemma_training", "gemma4_v5"),
        *("glm4moe", "glm4moe_training", "lfm2_2_5_v2", "lfm2_2_5_vl"),
        *("muse_glimmer", "muse_glimmer_training"),
        *("nemotron_3_5_lightning", "nemotron_3_5_lightning_training"),
        *("nemotron_3_nano", "nemotron_3_nano_training"),
        *("nemotron_3_super", "nemotron_3_super_training"),
        *("nemotron_3_ultra", "nemotron_3_ultra_training"),
        *("qwen3", "qwen3_training", "qwen3_5_nothink", "qwen3_5_nothink_training"),
        *("qwen3_5_think", "qwen3_5_think_training", "qwen3_6", "qwen3_6_training"),
        *("qwen3_8", "qwen3_8_training"),
    },
}


@pytest.fixture(params=sorted(TEMPLATES))
def template(request):
    return request.param


@pytest.fixture
def renderer(template, make_tokenizer):
    source = TEMPLATES[template].read_text(encoding="utf-8")
    tokenizer = make_tokenizer("llama3", chat_template=source)
    return Renderer(tokenizer, template_name="chat")


def outcome(renderer, trace):
    """The reason of a rejection, or "" after checking that every span reads back exactly."""
    try:
        rendered = renderer.render(trace)
    except TraceRejected as rejected:
        return rejected.reason
    spans = [*((step.start, step.end) for step in trace.steps)]
    spans.append((trace.answer.start, trace.answer.end))
    read = [rendered.text[start:end] for start, end in rendered.spans]
    assert read == [trace.full_text[start:end] for start, end in spans]
    flat = [at for span in rendered.spans for at in span]
    assert flat == sorted(flat)
    # Nothing of the trace comes after these spans but what the source has after them.
    after = trace.full_text[trace.answer.end :].strip()
    assert rendered.text[flat[-1] :].startswith(after)
    assert trace.prompt in rendered.text[: flat[0]]
    return ""


def expected(template, *, deletes_reasoning):
    if template in NEED_A_PROCESSOR:
        return "template-changes-text"
    if template in FAIL_ON_STRINGS:
        return "template-error"
    return "template-changes-text" if deletes_reasoning and template in DELETE_REASONING else ""


def test_the_templates_named_here_are_shipped():
    named = NEED_A_PROCESSOR | FAIL_ON_STRINGS | DELETE_REASONING
    assert named | set.union(*REASONING_KEY.values()) <= TEMPLATES.keys()
    assert len(TEMPLATES) == 72


def test_a_plain_trace_reads_back_exactly_or_is_rejected(template, renderer, make_trace):
    assert outcome(renderer, make_trace(PLAIN, prompt=PROMPT)) == expected(
        template, deletes_reasoning=False
    )


@pytest.mark.parametrize("marked", [THINK, NO_OPENING_TAG], ids=["both tags", "no opening tag"])
def test_a_thinking_trace_reads_back_exactly_or_is_rejected(template, renderer, make_trace, marked):
    assert outcome(renderer, make_trace(marked, prompt=PROMPT)) == expected(
        template, deletes_reasoning=True
    )


def test_an_empty_pair_of_think_tags_costs_nothing(template, renderer, make_trace):
    assert outcome(renderer, make_trace(EMPTY_THINK, prompt=PROMPT)) == expected(
        template, deletes_reasoning=False
    )


def test_reasoning_goes_where_the_template_renders_it(template, renderer):
    keys = {name: key for key, names in REASONING_KEY.items() for name in names}
    assert reasoning_key_of(renderer.tokenizer) == keys.get(template, "")


@pytest.mark.parametrize(
    "template", sorted(TEMPLATES.keys() - NEED_A_PROCESSOR - FAIL_ON_STRINGS - DELETE_REASONING)
)
def test_a_think_tag_is_written_once_where_the_template_writes_it(renderer, make_trace):
    rendered = renderer.render(make_trace(THINK, prompt="Why?"))
    tags = re.findall(r"</?think>", rendered.text)
    assert tags in (["<think>", "</think>"], [])
    if not tags:  # a channel of the template's own stands for them
        assert reasoning_key_of(renderer.tokenizer)
