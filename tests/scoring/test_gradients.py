"""Do the fast proxies equal autograd of each segment's loss, its tokens alike or by entropy?"""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from grace_engine.config import ScoreConfig
from grace_engine.errors import InputError, ModelError, ResourceError
from grace_engine.models.heads import AutogradHead, Head, captured_hidden, find_head
from grace_engine.models.load import LoadedModel
from grace_engine.records import RenderedTrace, StepGram
from grace_engine.scoring.exact import exact_gram, parameter_blocks
from grace_engine.scoring.gradients import (
    _Entropies,
    discounted_shares,
    lm_head_gram,
    row_products,
    token_entropies,
    upstream_gradients,
)
from grace_engine.scoring.scorer import Scorer
from grace_engine.signals import cosine_matrix, unpack

# Largest deviation of a Gram, relative to its largest entry, in float32.
TOLERANCE = 1e-5
# Of c = 50, which is far more than anyone needs: c times the entropies' rounding is in the weights.
LARGE_DISCOUNT_TOLERANCE = 3e-5


def matrix(gram: object) -> np.ndarray:
    assert isinstance(gram, StepGram), gram
    return unpack(np.array(gram.packed), len(gram.n_tokens))


def assert_close(found: np.ndarray, expected: np.ndarray, discount: float = 0.0) -> None:
    tolerance = TOLERANCE if discount <= 10 else LARGE_DISCOUNT_TOLERANCE
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def token_weights(logits: Tensor, discount: float) -> Tensor:
    """Slow reference: the softmax of −c·H over a segment's tokens, in float64 from full logits."""
    logs = torch.log_softmax(logits.detach().double(), dim=1)
    entropies = -(logs.exp() * logs).sum(dim=1)
    return torch.softmax(-discount * entropies, dim=0).float()


def weighted_loss(logits: Tensor, targets: Tensor, discount: float) -> Tensor:
    losses = nn.functional.cross_entropy(logits, targets, reduction="none")
    return (token_weights(logits, discount) * losses).sum()


def autograd_gram(
    loaded: LoadedModel, trace: RenderedTrace, proxy: str, discount: float = 0.0
) -> np.ndarray:
    """Slow reference: the model's own forward, the loss of each segment, torch.autograd."""
    model, ids = loaded.model, torch.tensor(trace.token_ids)
    module = model.get_output_embeddings()
    clone = module.weight.detach().clone().requires_grad_()
    kept: list[Tensor] = []

    def hook(head: nn.Module, arguments: tuple[Tensor, ...], _output: Tensor) -> Tensor:
        kept.append(arguments[0].detach().clone().requires_grad_())
        return nn.functional.linear(kept[0], clone, head.bias)

    handle = module.register_forward_hook(hook)
    try:
        logits = model(input_ids=ids[None], use_cache=False).logits[0]
    finally:
        handle.remove()
    rows = []
    for segment in trace.segments:
        i, j = segment.token_start, segment.token_end
        loss = weighted_loss(logits[i - 1 : j - 1], ids[i:j], discount)
        leaf = kept[0] if proxy == "upstream" else clone
        (gradient,) = torch.autograd.grad(loss, leaf, retain_graph=True)
        # g(T) is the weighted sum of u_t over the segment: so is the loss, hence the rows' sum.
        rows.append(gradient[0].sum(dim=0) if proxy == "upstream" else gradient.flatten())
    stacked = torch.stack(rows)
    return (stacked @ stacked.T).double().numpy()


@pytest.mark.parametrize("discount", [0.0, 10.0, 50.0])
@pytest.mark.parametrize("proxy", ["upstream", "lm_head"])
def test_grams_equal_autograd_alone_and_in_padded_batches(
    loaded: LoadedModel, traces: list[RenderedTrace], proxy: str, discount: float
) -> None:
    scorer = Scorer(loaded, ScoreConfig(proxy=proxy, entropy_discount=discount))
    expected = [autograd_gram(loaded, trace, proxy, discount) for trace in traces]
    for gram, reference in zip(scorer.score(traces), expected, strict=True):
        assert_close(matrix(gram), reference, discount)
    for trace, reference in zip(traces, expected, strict=True):
        assert_close(matrix(scorer.score([trace])[0]), reference, discount)


@pytest.mark.parametrize("tile", [50, 3 * 97])
@pytest.mark.parametrize("proxy", ["upstream", "lm_head"])
def test_discounts_hold_where_segments_lie_across_tiles(
    loaded: LoadedModel, traces: list[RenderedTrace], proxy: str, tile: int
) -> None:
    config = ScoreConfig(proxy=proxy, entropy_discount=10.0, workspace_elements=tile)
    for trace, gram in zip(traces, Scorer(loaded, config).score(traces), strict=True):
        assert_close(matrix(gram), autograd_gram(loaded, trace, proxy, 10.0), 10.0)


@pytest.mark.parametrize("proxy", ["upstream", "lm_head", "exact"])
def test_a_segment_of_uncertain_tokens_alone_still_has_weights_that_sum_to_one(
    build_model, traces: list[RenderedTrace], proxy: str
) -> None:
    """Nearly uniform predictions: exp(−50 · log 97) = exp(−229) is 0 in float32."""
    model = build_model("qwen3")
    model.get_output_embeddings().weight.mul_(0.01)
    loaded = LoadedModel(model=model, head=find_head(model), device=torch.device("cpu"))
    entropies = token_entropies(loaded.head, torch.randn(20, 32), 200)
    assert torch.exp(-50.0 * entropies).max() == 0.0
    weights = discounted_shares(entropies, [13, 7], 50.0)
    assert [own.sum().item() for own in weights.split([13, 7])] == pytest.approx([1.0, 1.0])
    blocks = parameter_blocks(model, ("lm_head.weight",), n_segments=8, memory=1 << 30)
    config = ScoreConfig(proxy=proxy, entropy_discount=50.0)
    reference = "upstream" if proxy == "upstream" else "lm_head"
    found = Scorer(loaded, config, parameters=blocks).score(traces)
    for trace, gram in zip(traces, found, strict=True):
        assert_close(matrix(gram), autograd_gram(loaded, trace, reference, 50.0), 50.0)


@pytest.mark.parametrize("columns", [1, 7, 97])
def test_entropies_from_slices_of_the_vocabulary_equal_those_of_whole_rows(columns: int) -> None:
    """Sure, spread and uniform predictions, some with words that the head rules out."""
    generator = torch.Generator().manual_seed(7)
    scales = torch.tensor([0.0, 1e-3, 1.0, 10.0, 100.0])[:, None]
    logits = scales * torch.randn((5, 97), generator=generator) + 30.0
    logits[1:, 20:40] = -torch.inf
    logits[2:, :5] = -torch.inf
    entropies = _Entropies(logits)
    for part in logits.split(columns, dim=1):
        entropies.add(part)
    expected = torch.distributions.Categorical(logits=logits.double().clamp(min=-1e4)).entropy()
    np.testing.assert_allclose(entropies.found(), expected, rtol=1e-6, atol=1e-6)


def test_without_a_discount_no_entropy_is_computed(
    qwen: LoadedModel, traces: list[RenderedTrace], monkeypatch: pytest.MonkeyPatch
) -> None:
    from grace_engine.scoring import gradients

    blocks = parameter_blocks(qwen.model, ("lm_head.weight",), n_segments=8, memory=1 << 30)
    monkeypatch.setattr(gradients, "_Entropies", lambda _states: pytest.fail("not needed"))
    for proxy in ("upstream", "lm_head", "exact"):
        Scorer(qwen, ScoreConfig(proxy=proxy), parameters=blocks).score(traces)


@pytest.mark.parametrize("discount", [-1.0, float("nan"), float("inf")])
def test_a_discount_out_of_range_is_refused(discount: float) -> None:
    with pytest.raises(InputError, match=r"Entropy discount .* is out of range: use 0"):
        ScoreConfig(entropy_discount=discount)


@pytest.mark.parametrize("discount", [0.0, 10.0])
@pytest.mark.parametrize("proxy", ["upstream", "lm_head", "exact"])
def test_losses_are_mean_cross_entropy_per_token_whatever_the_weights(
    qwen: LoadedModel, traces: list[RenderedTrace], proxy: str, discount: float
) -> None:
    blocks = parameter_blocks(qwen.model, ("lm_head.weight",), n_segments=8, memory=1 << 30)
    config = ScoreConfig(proxy=proxy, entropy_discount=discount)
    scorer = Scorer(qwen, config, parameters=blocks)
    for trace, gram in zip(traces, scorer.score(traces), strict=True):
        ids = torch.tensor(trace.token_ids)
        losses = nn.functional.cross_entropy(
            qwen.model(input_ids=ids[None]).logits[0, :-1], ids[1:], reduction="none"
        )
        expected = [losses[s.token_start - 1 : s.token_end - 1].mean() for s in trace.segments]
        assert isinstance(gram, StepGram)
        np.testing.assert_allclose(gram.nll, expected, rtol=1e-5)


@pytest.mark.parametrize("discount", [0.0, 10.0])
def test_lm_head_equals_exact_of_an_untied_output_weight(
    qwen: LoadedModel, traces: list[RenderedTrace], discount: float
) -> None:
    blocks = parameter_blocks(qwen.model, ("lm_head.weight",), n_segments=8, memory=1 << 30)
    config = ScoreConfig(proxy="exact", entropy_discount=discount)
    exact = Scorer(qwen, config, parameters=blocks).score(traces)
    fast = Scorer(qwen, replace(config, proxy="lm_head")).score(traces)
    for reference, found in zip(exact, fast, strict=True):
        assert_close(matrix(found), matrix(reference), discount)


@pytest.mark.parametrize("discount", [0.0, 10.0])
def test_exact_equals_autograd_of_all_parameters_whole_and_in_blocks(
    loaded: LoadedModel, traces: list[RenderedTrace], discount: float
) -> None:
    trace, model = traces[2], loaded.model
    ids = torch.tensor(trace.token_ids)
    segments = [(s.token_start, s.token_end) for s in trace.segments]
    parameters = list(model.parameters())
    model.requires_grad_(requires_grad=True)
    logits = model(input_ids=ids[None]).logits[0]
    rows = []
    for i, j in segments:
        loss = weighted_loss(logits[i - 1 : j - 1], ids[i:j], discount)
        gradient = torch.autograd.grad(loss, parameters, retain_graph=True, materialize_grads=True)
        rows.append(torch.cat([g.flatten() for g in gradient]))
    model.requires_grad_(requires_grad=False)
    reference = (torch.stack(rows) @ torch.stack(rows).T).double().numpy()
    largest = max(p.numel() for p in parameters) * len(segments) * 4
    for memory, tile in ((1 << 30, 1 << 20), (largest, 3 * loaded.head.vocabulary)):
        blocks = parameter_blocks(model, (), n_segments=len(segments), memory=memory)
        assert (len(blocks.blocks) == 1) == (memory == 1 << 30)
        assert blocks.needed_bytes <= memory
        found = exact_gram(
            model, loaded.head, ids, segments, blocks, tile, entropy_discount=discount
        )
        assert_close(found.gram.double().numpy(), reference, discount)
    assert not any(p.requires_grad for p in parameters)


def test_exact_refuses_what_does_not_fit_and_says_how_much_it_takes(qwen: LoadedModel) -> None:
    with pytest.raises(ResourceError, match=r"embed_tokens.* 4 segments take 0\.00 GB"):
        parameter_blocks(qwen.model, ("*",), n_segments=4, memory=1000)
    with pytest.raises(InputError, match="No parameter is named 'nothing"):
        parameter_blocks(qwen.model, ("nothing*",), n_segments=4, memory=1000)


@pytest.mark.parametrize("discount", [0.0, 10.0])
@pytest.mark.parametrize("tile", [50, 97, 200, 5000])
def test_tiles_of_any_size_give_the_same_gradients(
    qwen: LoadedModel, tile: int, discount: float
) -> None:
    generator = torch.Generator().manual_seed(3)
    hidden = torch.randn((21, 32), generator=generator)
    targets = torch.randint(0, 97, (21,), generator=generator)
    lengths = torch.tensor([4, 1, 9, 7])
    assert isinstance(qwen.head, Head)
    u = partial(upstream_gradients, qwen.head, hidden, targets, lengths, entropy_discount=discount)
    whole, tiled = u(tile_elements=1 << 20), u(tile_elements=tile)
    assert_close(tiled.gradients.numpy(), whole.gradients.numpy(), discount)
    np.testing.assert_allclose(tiled.nll, whole.nll, rtol=1e-5)
    w = partial(lm_head_gram, qwen.head, hidden, targets, lengths, entropy_discount=discount)
    pairs, sliced = w(tile_elements=1 << 20), w(tile_elements=tile)
    assert_close(sliced.gram.numpy(), pairs.gram.numpy(), discount)
    np.testing.assert_allclose(sliced.nll, whole.nll, rtol=1e-5)


@pytest.mark.parametrize("discount", [0.0, 10.0])
def test_long_traces_go_by_segments_and_agree_with_pairs_of_tokens(
    qwen: LoadedModel, discount: float
) -> None:
    generator = torch.Generator().manual_seed(4)
    hidden = torch.randn((300, 32), generator=generator)
    targets = torch.randint(0, 97, (300,), generator=generator)
    lengths = torch.tensor([100, 150, 50])  # 300² > 32 · (300 + 9): by segments
    assert isinstance(qwen.head, Head)
    found = lm_head_gram(qwen.head, hidden, targets, lengths, 1 << 22, entropy_discount=discount)
    logits = qwen.head.logits(hidden)
    delta = torch.softmax(logits, dim=1) - nn.functional.one_hot(targets, 97)
    weight = torch.cat([token_weights(own, discount) for own in logits.split(lengths.tolist())])
    full = ((delta @ delta.T) * (hidden @ hidden.T)) * weight[:, None] * weight[None]
    edges = [0, 100, 250, 300]
    expected = torch.stack(
        [
            torch.stack(
                [full[edges[i] : edges[i + 1], edges[j] : edges[j + 1]].sum() for j in range(3)]
            )
            for i in range(3)
        ]
    )
    assert_close(found.gram.numpy(), expected.numpy(), discount)


@pytest.mark.parametrize("proxy", ["upstream", "lm_head", "autograd"])
@pytest.mark.parametrize("confidence", [5.0, 12.0, 20.0, 40.0])
def test_cosines_hold_however_sure_the_model_is_of_an_answer(proxy: str, confidence: float) -> None:
    """Segment 2 is predicted with a loss of about exp(−confidence): p − 1 would cancel there."""
    generator = torch.Generator().manual_seed(5)
    weight = torch.randn((50, 16), generator=generator, dtype=torch.float64)
    hidden = torch.randn((9, 16), generator=generator, dtype=torch.float64)
    targets = torch.randint(0, 50, (9,), generator=generator)
    lengths = torch.tensor([4, 3, 2])
    for row in range(7, 9):  # the likeliest token is the target, ahead of the next by this much
        ahead = weight @ hidden[row]
        targets[row] = ahead.argmax()
        best = ahead.topk(2).values
        hidden[row] *= confidence / (best[0] - best[1])
    logits = hidden @ weight.T
    delta = torch.softmax(logits, dim=1)
    delta[torch.arange(9), targets] = 0.0
    delta[torch.arange(9), targets] = -delta.sum(dim=1)
    losses = torch.log1p(-delta[torch.arange(9), targets] / (1 + delta[torch.arange(9), targets]))
    assert losses[7:].max() < 50 * np.exp(-confidence)
    ranges = [(0, 4), (4, 7), (7, 9)]
    if proxy == "lm_head":
        g = torch.stack([(delta[i:j].T @ hidden[i:j] / (j - i)).flatten() for i, j in ranges])
    else:
        g = torch.stack([(delta[i:j] @ weight).mean(dim=0) for i, j in ranges])
    expected = cosine_matrix((g @ g.T).numpy())
    single = Head(weight=weight.float())
    if proxy == "lm_head":
        for tile in (1 << 20, 100):
            found = lm_head_gram(single, hidden.float(), targets, lengths, tile)
            np.testing.assert_allclose(
                cosine_matrix(found.gram.double().numpy()), expected, rtol=0, atol=1e-4
            )
            np.testing.assert_allclose(found.nll[2], losses[7:].mean(), rtol=1e-3)
        return
    head = single if proxy == "upstream" else AutogradHead(module=single.logits, vocabulary=50)
    found = upstream_gradients(head, hidden.float(), targets, lengths, 1 << 20)
    gram = (found.gradients @ found.gradients.T).double().numpy()
    np.testing.assert_allclose(cosine_matrix(gram), expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.nll[2], losses[7:].mean(), rtol=1e-3)


def test_products_over_millions_of_numbers_keep_their_digits() -> None:
    generator = torch.Generator().manual_seed(6)
    rows = torch.randn((3, 2_000_003), generator=generator) + 0.5
    exact = (rows.double() @ rows.double().T).numpy()
    np.testing.assert_allclose(row_products(rows).double().numpy(), exact, rtol=1e-6)


class LargestTensor(TorchDispatchMode):
    """Remembers the most elements that any operation under it produced."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.elements = max(self.elements, result.numel())
        return result


@pytest.mark.parametrize("discount", [0.0, 10.0])
@pytest.mark.parametrize("proxy", ["upstream", "lm_head"])
def test_no_tensor_of_tokens_by_vocabulary_is_made(
    build_model, make_trace, proxy: str, discount: float
) -> None:
    model = build_model("qwen3", vocabulary=5000)
    loaded = LoadedModel(model=model, head=find_head(model), device=torch.device("cpu"))
    trace = make_trace(1, (40, 60, 50, 20))
    tile = 8 * 5000
    config = ScoreConfig(proxy=proxy, entropy_discount=discount, workspace_elements=tile)
    scorer = Scorer(loaded, config)
    with LargestTensor() as largest:
        scorer.score([trace, trace])
    # 340 segment tokens × 5,000 would be 1.7 million; the weight itself is 160,000.
    assert largest.elements <= max(tile, 5000 * 32)


@pytest.mark.parametrize("discount", [0.0, 10.0])
@pytest.mark.parametrize("tile", [0, 3 * 97])
def test_a_head_without_closed_form_goes_through_autograd(
    build_model, traces: list[RenderedTrace], discount: float, tile: int
) -> None:
    model = build_model("llama")
    plain = model.get_output_embeddings()

    class Deep(nn.Module):
        """Two layers with a bend between them."""

        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(32, 32)
            self.weight, self.bias = plain.weight, None

        def forward(self, hidden: Tensor) -> Tensor:
            return nn.functional.linear(torch.tanh(self.first(hidden)), self.weight)

    model.set_output_embeddings(Deep().requires_grad_(requires_grad=False))
    loaded = LoadedModel(model=model, head=find_head(model), device=torch.device("cpu"))
    assert isinstance(loaded.head, AutogradHead)
    config = ScoreConfig(entropy_discount=discount, workspace_elements=tile)
    found = Scorer(loaded, config).score(traces)
    for trace, gram in zip(traces, found, strict=True):
        ids = torch.tensor(trace.token_ids)
        with captured_hidden(model) as seen:
            model(input_ids=ids[None])
        hidden = seen[0][0].clone().requires_grad_()
        logits = model.get_output_embeddings()(hidden)
        rows = []
        for s in trace.segments:
            part = slice(s.token_start - 1, s.token_end - 1)
            loss = weighted_loss(logits[part], ids[s.token_start : s.token_end], discount)
            rows.append(torch.autograd.grad(loss, hidden, retain_graph=True)[0].sum(dim=0))
        assert_close(matrix(gram), (torch.stack(rows) @ torch.stack(rows).T).numpy(), discount)
    with pytest.raises(ModelError, match="--proxy upstream or exact"):
        Scorer(loaded, ScoreConfig(proxy="lm_head"))


def test_an_undescribed_change_of_the_logits_is_refused(build_model) -> None:
    model = build_model("granite")
    model.forward = _with_logits(model.forward, lambda logits: logits + logits.roll(1, -1))
    with pytest.raises(ModelError, match="no known function of its output layer"):
        find_head(model)


def _with_logits(forward, change):
    def changed(*args: object, **kwargs: object) -> object:
        result = forward(*args, **kwargs)
        result.logits = change(result.logits)
        return result

    return changed


def test_a_model_that_sees_later_tokens_is_refused() -> None:
    from transformers import BertConfig, BertLMHeadModel

    config = BertConfig(
        vocab_size=97,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    with pytest.raises(ModelError, match="not causal"):
        find_head(BertLMHeadModel(config).eval())
