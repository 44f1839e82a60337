"""What does the shipped model make of texts: the same as a slow reading, and nothing of none?"""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from grace_engine.digests import file_digest
from grace_engine.models.load import load_model, load_tokenizer
from grace_engine.models.locate import locate_model
from grace_engine.supervision import METRICS, MeasureConfig, Measurer, TextPair
from grace_engine.supervision.reader import CausalReader

MODEL = Path(__file__).parents[2] / "sample_data" / "tiny-reasoner"
TOLERANCE = 1e-4
TEXT = "Start with 7. Add 5 to get 12. Multiply by 2 to get 24. The answer is 24."


@pytest.fixture(scope="module")
def reader_of():
    files = locate_model(str(MODEL))
    loaded, tokenizer = load_model(files), load_tokenizer(files)

    def make(window: int = 2048, tokens_per_batch: int = 8192) -> CausalReader:
        return CausalReader(loaded, tokenizer, window=window, tokens_per_batch=tokens_per_batch)

    return make


@pytest.fixture(scope="module")
def measurer() -> Measurer:
    return Measurer(MeasureConfig(model=str(MODEL)), digest_of=file_digest)


def slow_loss(text: str) -> float:
    """The model's own loss, by the library."""
    from transformers import AutoModelForCausalLM

    tokenizer = load_tokenizer(locate_model(str(MODEL)))
    ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
    model = AutoModelForCausalLM.from_pretrained(MODEL).eval()
    with torch.inference_mode():
        return float(model(input_ids=ids, labels=ids).loss)


def test_loss_is_the_librarys_whatever_shares_the_batch(reader_of) -> None:
    found = reader_of().losses([TEXT, "Add 5.", "", TEXT * 3])
    assert found[0] == pytest.approx(slow_loss(TEXT), abs=TOLERANCE)
    assert found[1] == pytest.approx(slow_loss("Add 5."), abs=TOLERANCE)
    assert found[2] is None
    alone = reader_of(tokens_per_batch=1).losses([TEXT, "Add 5.", "", TEXT * 3])
    assert found[3] == pytest.approx(alone[3], abs=TOLERANCE)


def test_one_pass_for_both_gives_what_two_passes_give(reader_of) -> None:
    texts = [TEXT, "Add 5.", "", TEXT * 3, "7"]
    for reader in (reader_of(), reader_of(window=8), reader_of(tokens_per_batch=1)):
        both = reader.read(texts)
        apart = reader.losses(texts)
        assert [loss is None for loss in both.losses] == [loss is None for loss in apart]
        known = [(a, b) for a, b in zip(both.losses, apart, strict=True) if a is not None]
        assert [a for a, _ in known] == pytest.approx([b for _, b in known], abs=TOLERANCE)
        np.testing.assert_allclose(both.vectors, reader.embed(texts), atol=TOLERANCE)


@pytest.mark.parametrize(("begins", "passes"), [(False, 2), (True, 4)])
def test_a_text_is_read_once_where_loss_and_embedding_need_the_same_tokens(
    reader_of, monkeypatch: pytest.MonkeyPatch, begins: bool, passes: int
) -> None:
    reader, read = reader_of(tokens_per_batch=1), []
    if begins:  # a token that begins texts is part of what has a loss, and of no embedding
        tokenizer = load_tokenizer(locate_model(str(MODEL)))
        tokenizer.bos_token = tokenizer.eos_token
        monkeypatch.setattr(reader, "_tokenizer", tokenizer)
    taken = reader._pass
    monkeypatch.setattr(reader, "_pass", lambda *given: read.append(given) or taken(*given))
    reader.read([TEXT, "Add 5."])
    assert len(read) == passes


def test_windows_count_each_token_once(reader_of) -> None:
    reader = reader_of(window=8)
    (ids,) = reader.token_ids([TEXT])
    windows = list(reader._overlapping(0, 0, len(ids)))
    scored = [at for w in windows for at in range(w.scored_from, w.end)]
    assert scored == list(range(1, len(ids)))
    assert all(w.end - w.start <= 8 for w in windows)
    assert all(w.scored_from - w.start >= 4 for w in windows[1:])
    whole, cut = reader_of().losses([TEXT])[0], reader.losses([TEXT])[0]
    assert cut != whole
    assert cut == pytest.approx(whole, rel=0.5)


def test_an_embedding_is_the_mean_of_its_chunks_by_tokens(reader_of) -> None:
    reader = reader_of(window=10)
    (ids,) = reader.token_ids([TEXT])
    parts = [ids[k : k + 10] for k in range(0, len(ids), 10)]
    texts = [reader._tokenizer.decode(part) for part in parts]
    assert [reader.token_ids([text])[0] for text in texts] == parts
    apart = reader_of().embed(texts)
    weights = np.array([len(part) for part in parts])
    expected = (apart * weights[:, None]).sum(axis=0) / weights.sum()
    np.testing.assert_allclose(reader.embed([TEXT])[0], expected, atol=1e-4)
    assert not reader.embed([""]).any()


def test_flow_of_a_repeated_sentence_is_one(measurer: Measurer) -> None:
    (found,) = measurer.measure([TextPair(prompt="Add.", text="Add 5 to get 12. " * 4)])
    assert found["semantic_flow"].value == pytest.approx(1.0, abs=1e-6)
    (other,) = measurer.measure([TextPair(prompt="Add.", text=TEXT)])
    assert other["semantic_flow"].value < 0.99


def test_a_trace_that_says_its_prompt_again_is_aligned_with_it(measurer: Measurer) -> None:
    (found,) = measurer.measure([TextPair(prompt=TEXT, text=TEXT)])
    assert found["semantic_alignment"].value == pytest.approx(1.0, abs=1e-6)


def test_odd_traces_have_what_they_can_have_and_say_why_not(measurer: Measurer) -> None:
    empty, one, code, chinese, no_prompt = measurer.measure(
        [
            TextPair(prompt="Add.", text=" \n"),
            TextPair(prompt="Add.", text="It is 7."),
            TextPair(prompt="Add.", text="```python\nprint(3 + 4)\n```"),
            TextPair(prompt="三加四？", text="三加四等于七。答案是七。"),
            TextPair(prompt=" ", text="It is 7. So it is."),
        ]
    )
    assert {m.value for m in empty.values()} == {None}
    assert {m.word for name, m in empty.items() if name != "language"} == {"the trace is empty"}
    assert empty["language"].word == "und"
    assert (one["semantic_flow"].value, one["semantic_flow"].word) == (None, "it has one sentence")
    assert one["perplexity"].value > 1
    assert (code["semantic_flow"].value, code["language"].word) == (None, "und")
    assert chinese["language"].word == "zh"
    assert chinese["semantic_flow"].value is not None
    assert no_prompt["semantic_alignment"].word == "the prompt is empty"
    assert no_prompt["semantic_flow"].value is not None


@pytest.mark.slow
def test_a_trace_of_a_hundred_thousand_words_goes_through_the_model_in_windows(reader_of) -> None:
    text = "So it is 7. " * 25_000
    reader = reader_of(window=256)  # attention over short windows takes little time
    (ids,) = reader.token_ids([text])
    assert len(text.split()) == 100_000
    assert len(ids) > 100_000
    assert np.isfinite(reader.embed([text])).all()
    assert math.isfinite(reader.losses([text[: len(text) // 10]])[0])


def test_recipes_change_with_what_decides_a_metric_and_with_nothing_else() -> None:
    def recipes(**changes: object) -> dict[str, str]:
        config = MeasureConfig(model=str(MODEL), **changes)
        return dict(Measurer(config, digest_of=file_digest).recipes)

    plain, other = recipes(), recipes(dtype="bfloat16")
    moved = {name for name in plain if plain[name] != other[name]}
    assert moved == {"tokens", "perplexity", "semantic_alignment", "semantic_flow"}
    assert set(plain) == set(METRICS) - {"syntactic_depth"}
    assert recipes(tokens_per_batch=1) == plain
