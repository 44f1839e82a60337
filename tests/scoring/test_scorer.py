"""Do batching, threads and memory leave the Grams as they are?"""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from grace_engine.config import ScoreConfig
from grace_engine.errors import ModelError, TraceRejected
from grace_engine.models.load import LoadedModel
from grace_engine.records import RenderedTrace, StepGram
from grace_engine.scoring.batches import batches_by_tokens
from grace_engine.scoring.scorer import Scorer

TOLERANCE = 1e-5  # of a Gram's largest entry


def packed(outcomes: list) -> list[np.ndarray]:
    assert all(isinstance(outcome, StepGram) for outcome in outcomes), outcomes
    return [np.array(outcome.packed) for outcome in outcomes]


def assert_same(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE * np.abs(b).max())


@given(
    st.lists(st.integers(min_value=1, max_value=50), max_size=40),
    st.integers(min_value=1, max_value=120),
)
def test_every_trace_is_in_one_batch_and_padded_batches_keep_the_budget(
    lengths: list[int], budget: int
) -> None:
    batches = batches_by_tokens(lengths, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[index] for index in batch)
        assert len(batch) == 1 or padded <= budget


@pytest.mark.parametrize("proxy", ["upstream", "lm_head"])
def test_composition_of_batches_moves_no_gram(
    loaded: LoadedModel, traces: list[RenderedTrace], proxy: str
) -> None:
    scorer = Scorer(loaded, ScoreConfig(proxy=proxy))
    whole = packed(scorer.score(traces))
    halves = packed(scorer.score(traces[3:])) + packed(scorer.score(traces[:3]))
    assert_same(halves[3:] + halves[:3], whole)


def test_thread_count_moves_no_gram(qwen: LoadedModel, traces: list[RenderedTrace]) -> None:
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(packed(Scorer(qwen, ScoreConfig()).score(traces)))
    finally:
        torch.set_num_threads(threads)
    assert_same(found[0], found[1])


def test_tokens_after_a_segment_do_not_move_it(qwen: LoadedModel, make_trace) -> None:
    from dataclasses import replace

    trace = make_trace(2, (5, 6, 3))
    longer = replace(trace, token_ids=(*trace.token_ids, 7, 8, 9))
    scorer = Scorer(qwen, ScoreConfig())
    assert_same(packed(scorer.score([longer])), packed(scorer.score([trace])))


def test_out_of_memory_halves_the_batch_and_says_so(
    qwen: LoadedModel, traces: list[RenderedTrace], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    scorer = Scorer(qwen, ScoreConfig(), say=said.append)
    whole = packed(scorer.score(traces))
    enough = Scorer._hidden_states

    def scarce(self: Scorer, batch: list[RenderedTrace]) -> torch.Tensor:
        if len(batch) > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ...")
        return enough(self, batch)

    monkeypatch.setattr(Scorer, "_hidden_states", scarce)
    before = scorer.tokens_per_batch
    assert_same(packed(scorer.score(traces)), whole)
    assert said
    assert all("Out of memory with" in message for message in said)
    assert scorer.tokens_per_batch < before


def test_a_trace_too_large_for_memory_alone_is_rejected_and_others_are_scored(
    qwen: LoadedModel, traces: list[RenderedTrace], monkeypatch: pytest.MonkeyPatch
) -> None:
    enough = Scorer._hidden_states

    def scarce(self: Scorer, batch: list[RenderedTrace]) -> torch.Tensor:
        if any(trace.trace_id == "t5" for trace in batch):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return enough(self, batch)

    monkeypatch.setattr(Scorer, "_hidden_states", scarce)
    outcomes = Scorer(qwen, ScoreConfig()).score(traces)
    assert [isinstance(outcome, StepGram) for outcome in outcomes] == [True] * 5 + [False]
    assert isinstance(outcomes[5], TraceRejected)
    assert outcomes[5].reason == "out-of-memory"


def test_a_trace_on_which_the_model_fails_alone_is_rejected_and_others_are_scored(
    qwen: LoadedModel, traces: list[RenderedTrace]
) -> None:
    from dataclasses import replace

    said: list[str] = []
    scorer = Scorer(qwen, ScoreConfig(), say=said.append)
    whole = packed(scorer.score(traces))
    # A token that the model has no embedding for, as of a tokenizer with tokens added.
    broken = replace(traces[2], token_ids=(*traces[2].token_ids[:-1], 10_000))

    outcomes = scorer.score([*traces[:2], broken, *traces[3:]])

    failed = outcomes.pop(2)
    assert isinstance(failed, TraceRejected)
    assert (failed.reason, "IndexError: index out of range" in failed.detail) == (
        "model-error",
        True,
    )
    assert_same(packed(outcomes), whole[:2] + whole[3:])
    assert scorer.tokens_per_batch == ScoreConfig().tokens_per_batch, "memory was not scarce"
    assert not said


def test_a_model_that_fails_on_every_trace_ends_the_run(
    qwen: LoadedModel, make_trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Scorer, batch: list[RenderedTrace]) -> torch.Tensor:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Scorer, "_hidden_states", broken)
    few, many = ([make_trace(seed, (3, 3)) for seed in range(n)] for n in (15, 16))

    assert all(isinstance(each, TraceRejected) for each in Scorer(qwen, ScoreConfig()).score(few))
    with pytest.raises(ModelError, match=r"every trace .* 16 so far: RuntimeError: shapes"):
        Scorer(qwen, ScoreConfig()).score(many)


def test_a_device_that_does_nothing_any_more_ends_the_run(
    qwen: LoadedModel, traces: list[RenderedTrace], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    def broken(self: Scorer, batch: list[RenderedTrace]) -> torch.Tensor:
        raise RuntimeError("device-side assert triggered")

    monkeypatch.setattr(Scorer, "_hidden_states", broken)
    gone = replace(qwen, device=torch.device("mps"))
    with pytest.raises(ModelError, match="mps does not work any more after RuntimeError: device"):
        Scorer(gone, ScoreConfig()).score(traces)


def test_a_model_that_gives_nan_rejects_the_trace_with_the_reason(
    build_model, traces: list[RenderedTrace]
) -> None:
    from grace_engine.models.heads import find_head

    model = build_model("qwen3")
    loaded = LoadedModel(model=model, head=find_head(model), device=torch.device("cpu"))
    with torch.no_grad():
        # Only traces that read this token are harmed.
        model.get_input_embeddings().weight[traces[0].token_ids[6]] = float("nan")
    outcomes = Scorer(loaded, ScoreConfig()).score(traces)
    harmed = [traces[0].token_ids[6] in trace.token_ids for trace in traces]
    assert [isinstance(outcome, TraceRejected) for outcome in outcomes] == harmed
    assert outcomes[0].reason == "not-finite"
