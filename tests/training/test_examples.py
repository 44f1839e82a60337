"""Does the preview show what TRL trains on, token by token?"""

from dataclasses import replace
from pathlib import Path

import pytest
import trl
from datasets import Dataset
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from grace_engine.errors import InputError
from grace_engine.models.render import messages_of
from grace_engine.models.tokens import render_trace
from grace_engine.records import RejectedTrace, Trace
from grace_engine.training import Example, TrainSettings, examples_of, preview
from tests.training.conftest import EARLY


@pytest.fixture(scope="module")
def prepared_by_trl(
    traces: list[Trace],
    tokenizer: PreTrainedTokenizerFast,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[dict[str, list[int]]]:
    """The same traces as prompt and completion, tokenised and masked by TRL itself."""
    turns = [messages_of(trace) for trace in traces]
    trainer = trl.SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(EARLY),
        args=trl.SFTConfig(
            output_dir=str(tmp_path_factory.mktemp("trl")),
            use_cpu=True,
            bf16=False,
            activation_checkpointing=False,
            max_length=None,
            report_to="none",
        ),
        train_dataset=Dataset.from_dict(
            {"prompt": [turn[:1] for turn in turns], "completion": [turn[1:] for turn in turns]}
        ),
        processing_class=tokenizer,
    )
    return list(trainer.train_dataset)


def test_examples_are_what_trl_makes_of_the_same_messages(
    examples: list[Example], prepared_by_trl: list[dict[str, list[int]]]
) -> None:
    assert len(examples) == len(prepared_by_trl) == 12
    for ours, theirs in zip(examples, prepared_by_trl, strict=True):
        assert ours.columns() == {name: theirs[name] for name in ("input_ids", "labels")}


def test_examples_are_what_was_scored(
    traces: list[Trace], examples: list[Example], tokenizer: PreTrainedTokenizerFast
) -> None:
    for trace, example in zip(traces, examples, strict=True):
        rendered = render_trace(trace, tokenizer)
        assert example.token_ids == rendered.token_ids
        assert example.n_given <= rendered.segments[0].token_start


def test_the_plain_template_learns_from_what_follows_the_prompt(
    traces: list[Trace], tokenizer: PreTrainedTokenizerFast
) -> None:
    (example,) = examples_of(traces[:1], tokenizer, template_name="plain")
    assert isinstance(example, Example)
    given = tokenizer.decode(example.token_ids[: example.n_given])
    learned = tokenizer.decode(example.token_ids[example.n_given :])
    assert given == traces[0].prompt + "\n"
    assert learned == traces[0].full_text + tokenizer.eos_token


def test_a_template_that_rewrites_the_prompt_rejects_the_trace(
    traces: list[Trace], tokenizer: PreTrainedTokenizerFast
) -> None:
    with_date = "{% if messages|length > 1 %}today {% endif %}" + tokenizer.chat_template
    odd = AutoTokenizerCopy(tokenizer, with_date)
    (found,) = examples_of(traces[:1], odd)
    assert isinstance(found, RejectedTrace)
    assert found.reason == "prompt-not-first"


def AutoTokenizerCopy(  # noqa: N802 - made like a class
    tokenizer: PreTrainedTokenizerFast, template: str
) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer,
        eos_token=tokenizer.eos_token,
        pad_token=tokenizer.pad_token,
        chat_template=template,
    )


def test_cut_and_fully_masked_examples_are_counted_and_refused(
    examples: list[Example], settings: TrainSettings
) -> None:
    config = AutoConfig.from_pretrained(EARLY)
    limit = sorted(one.n_given for one in examples)[len(examples) // 2]
    found = preview(examples, replace(settings, max_length=limit), config, 1000)
    masked = sum(one.n_given >= limit for one in examples)
    cut = sum(len(one.token_ids) > limit for one in examples)
    assert 0 < masked < len(examples)
    assert (found.n_cut, found.n_masked) == (cut, masked)
    assert len(found.examples) == 12 - masked
    assert all(len(one.token_ids) <= limit for one in found.examples)
    with pytest.raises(InputError, match=rf"of {masked} nothing would be learned"):
        found.require_whole(replace(settings, max_length=limit))
    found.require_whole(replace(settings, max_length=limit, accept_cut=True))


def test_nothing_to_train_on_is_said(examples: list[Example], settings: TrainSettings) -> None:
    with pytest.raises(InputError, match="Nothing is left to train on"):
        preview(examples, replace(settings, max_length=2), AutoConfig.from_pretrained(EARLY), 1)
    assert Path(settings.model) == EARLY
