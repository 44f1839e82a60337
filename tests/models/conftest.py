"""Traces written by hand, and tiny tokenizers that cut text as Qwen, Llama 3, GPT-2, Gemma do."""

import functools
import json
from collections.abc import Callable

import pytest
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from grace_engine.records import Answer, SourceRecord, Step, Trace

CORPUS = [
    "Ann has 3 apples. She buys 12 more apples.\n\nSo she has 3+12=15 apples.\n\nThe answer is B.",
    "Step 1: Add 1234 and 5678.\n\nStep 2: The sum is 6912.\nThe answer is \\boxed{x} so {x is it.",
    "What is 7+5? Start with 7. Add 5. 7+5=12\n#### 12\n\nThe answer is C.\n\nThe answer is 42.",
    "user\nassistant\nmodel\nsystem\nthink\nWhat is it? It is \\boxed{y}. Then {y and {x are it.\n",
] * 8

# The pre-tokenizers of the published tokenizer.json files: Qwen2 splits single digits, Llama 3
# groups of up to three.
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
DIGITS = {"qwen": r"\p{N}", "llama3": r"\p{N}{1,3}"}

SPECIAL = {
    "qwen": {"eos_token": "<|im_end|>", "extra": ["<|im_start|>", "<|endoftext|>"]},
    "llama3": {
        "bos_token": "<|begin_of_text|>",
        "eos_token": "<|eot_id|>",
        "extra": ["<|start_header_id|>", "<|end_header_id|>"],
    },
    "gpt2": {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "extra": []},
    "gemma": {
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "extra": ["<start_of_turn>", "<end_of_turn>"],
    },
}
KINDS = [
    pytest.param((kind, trim), id=f"{kind}-trim" if trim else kind)
    for kind in SPECIAL
    for trim in ((False,) if kind == "gemma" else (False, True))
]


@functools.cache
def _byte_level(kind: str, trim_offsets: bool) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.decoder = decoders.ByteLevel()
    if kind == "gpt2":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        pattern = Regex(WORDS + DIGITS[kind] + REST)
        split = pre_tokenizers.Split(pattern, "isolated")
        as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, as_bytes])
    if kind == "qwen":
        tokenizer.normalizer = normalizers.NFC()
    trainer = trainers.BpeTrainer(
        vocab_size=480,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    offsets = processors.ByteLevel(trim_offsets=trim_offsets)
    if "bos_token" in SPECIAL[kind] and kind != "gpt2":
        tokenizer.post_processor = processors.Sequence([offsets, _adds_bos(tokenizer, kind)])
    else:
        tokenizer.post_processor = offsets
    return tokenizer


@functools.cache
def _sentencepiece_like() -> Tokenizer:
    """As Gemma's tokenizer.json: spaces become "▁", unknown characters become byte tokens."""
    draft = Tokenizer(models.BPE())
    draft.normalizer = normalizers.Replace(" ", "▁")
    words = Regex(r"▁?\p{L}+|\p{N}|\n+|▁?[^\s\p{L}\p{N}▁]+|▁+")
    draft.pre_tokenizer = pre_tokenizers.Split(words, "isolated")
    draft.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=260, show_progress=False))
    model = json.loads(draft.to_str())["model"]
    vocab = model["vocab"] | {}
    unknown = "<unk>"
    for token in [unknown, *(f"<0x{byte:02X}>" for byte in range(256))]:
        vocab.setdefault(token, len(vocab))
    merges = [tuple(pair) for pair in model["merges"]]
    bpe = models.BPE(vocab=vocab, merges=merges, byte_fallback=True, unk_token=unknown)
    tokenizer = Tokenizer(bpe)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    back = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence(back)
    tokenizer.post_processor = _adds_bos(tokenizer, "gemma")
    return tokenizer


def _adds_bos(tokenizer: Tokenizer, kind: str) -> processors.TemplateProcessing:
    bos = SPECIAL[kind]["bos_token"]
    tokenizer.add_special_tokens([bos])
    return processors.TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
    )


def build_tokenizer(
    kind: str, *, trim_offsets: bool = False, chat_template: str | None = None
) -> PreTrainedTokenizerFast:
    """A fresh tokenizer, so that a test may change it."""
    base = _sentencepiece_like() if kind == "gemma" else _byte_level(kind, trim_offsets)
    special = dict(SPECIAL[kind])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=base, extra_special_tokens=special.pop("extra"), **special
    )
    tokenizer.name_or_path = f"tiny-{kind}"
    tokenizer.chat_template = chat_template
    return tokenizer


def parse_trace(
    marked: str,
    *,
    prompt: str = "What is it?",
    trace_id: str = "t1",
    reference: str | None = None,
    appended: str = "",
    images: tuple[str, ...] = (),
) -> Trace:
    """Read a trace in which ``⟦mark¦step⟧`` and ``⟪mark¦answer⟫`` show what is what.

    ``appended`` is the end of the marked text that does not stand in the source text.
    """
    text, steps, answer = "", [], None
    start = mark_start = 0
    for char in marked:
        if char in "⟦⟪":
            start = mark_start = len(text)
        elif char == "¦":
            start = len(text)
        elif char == "⟧":
            steps.append(Step(start=start, end=len(text), mark_start=mark_start))
        elif char == "⟫":
            answer = (start, len(text), mark_start)
        else:
            text += char
    assert answer is not None
    assert text.endswith(appended)
    return Trace(
        id=trace_id,
        dataset="by hand",
        variant="",
        prompt=prompt,
        text=text[: len(text) - len(appended)],
        steps=tuple(steps),
        answer=Answer(
            text=text[answer[0] : answer[1]],
            start=answer[0],
            end=answer[1],
            mark_start=answer[2],
            appended=appended,
        ),
        reference=reference,
        labels={},
        images=images,
        segmenter="given",
        record=SourceRecord(digest="0" * 32, path="by-hand.jsonl", line=1, raw=b"{}"),
    )


@pytest.fixture(scope="session")
def make_tokenizer() -> Callable[..., PreTrainedTokenizerFast]:
    return build_tokenizer


@pytest.fixture(scope="session")
def make_trace() -> Callable[..., Trace]:
    return parse_trace


@pytest.fixture(scope="session", params=KINDS)
def any_tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    """Each of the four kinds, with offsets that include the space before a word or leave it out."""
    kind, trim_offsets = request.param
    return build_tokenizer(kind, trim_offsets=trim_offsets)
