"""Does the trainer see exactly the token ids that are scored? TRL itself tokenises each record."""

from pathlib import Path

import pytest
import trl
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM
from trl import SFTConfig, SFTTrainer

from grace_engine.models.render import messages_of, prompt_completion_of, reasoning_key_of
from grace_engine.models.tokens import render_trace

# TRL 1.16 sets a training argument under the name that transformers 5.23 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.gradient_checkpointing. is deprecated")

TEMPLATES = Path(trl.__file__).parent / "chat_templates"
CHAT = [("qwen", "qwen3"), ("qwen", "qwen2_5"), ("llama3", "llama3"), ("gemma", "gemma3")]
PROMPT = "Ann has 3 apples.  She buys 12.\n\nHow many? 😀"
MARKED = {
    "a plain trace": "⟦Start with 3.⟧\n\n⟦Add 12: 3+12=15.⟧ The answer is ⟪15⟫.\n",
    "a thinking trace": "<think>\n⟦3+12=15, é\u00a0ok 😀.⟧\n</think>\n\nThe answer is ⟪15⟫",
}


def ids_of_trl(tokenizer, record, folder):
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
    )
    settings = SFTConfig(
        output_dir=str(folder), max_length=None, use_cpu=True, bf16=False, report_to="none"
    )
    trainer = SFTTrainer(
        model=LlamaForCausalLM(config),
        args=settings,
        train_dataset=Dataset.from_list([record]),
        processing_class=tokenizer,
    )
    return tuple(trainer.train_dataset[0]["input_ids"])


@pytest.mark.parametrize("marked", MARKED.values(), ids=MARKED)
@pytest.mark.parametrize(("kind", "template"), CHAT)
@pytest.mark.parametrize("form", ["messages", "prompt-completion"])
def test_chat_token_ids_are_those_of_trl(
    form, kind, template, marked, make_trace, make_tokenizer, tmp_path
):
    source = (TEMPLATES / f"{template}.jinja").read_text(encoding="utf-8")
    tokenizer = make_tokenizer(kind, chat_template=source)
    trace = make_trace(marked, prompt=PROMPT)
    user, assistant = messages_of(trace, reasoning_key=reasoning_key_of(tokenizer))
    record = {"messages": [user, assistant]}
    if form == "prompt-completion":
        record = {"prompt": [user], "completion": [assistant]}

    assert render_trace(trace, tokenizer).token_ids == ids_of_trl(tokenizer, record, tmp_path)


@pytest.mark.parametrize("marked", MARKED.values(), ids=MARKED)
@pytest.mark.parametrize("kind", ["qwen", "llama3", "gpt2", "gemma"])
def test_plain_token_ids_are_those_of_trl(kind, marked, make_trace, make_tokenizer, tmp_path):
    tokenizer = make_tokenizer(kind)
    trace = make_trace(marked, prompt=PROMPT)
    rendered = render_trace(trace, tokenizer)

    assert rendered.token_ids == ids_of_trl(tokenizer, prompt_completion_of(trace), tmp_path)
    assert rendered.token_ids[-1] == tokenizer.eos_token_id
