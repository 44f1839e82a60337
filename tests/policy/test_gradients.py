"""Does each kind of policy gradient equal autograd of the stated objective?"""

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from grace_engine.config import POLICY_KINDS
from grace_engine.errors import ModelError
from grace_engine.models.heads import AutogradHead, output_module
from grace_engine.models.load import LoadedModel
from grace_engine.policy.advantages import EPSILON, advantages, without_gradient
from grace_engine.policy.encoding import EncodedGroup
from grace_engine.policy.gradients import inner, policy_gradient, policy_gradients
from grace_engine.policy.lora import adapted
from grace_engine.policy.sketch import Sketch
from grace_engine.policy.target import MeanGradient
from grace_engine.records import Rollout, RolloutGroup

TOLERANCE = 1e-5  # of the largest number of a gradient
CUTS = {"one batch": 4096, "a rollout a batch": 1}


def blocks_of(loaded: LoadedModel, kind: str, group: EncodedGroup, tokens: int = 4096, **more):
    # Small tiles, so that the vocabulary is walked in several slices.
    with policy_gradient(
        loaded, kind, tokens_per_batch=tokens, tile_elements=40 * 1024, rank=3, **more
    ) as gradient:
        return dict(gradient(group))


def stated_objective(model: nn.Module, group: EncodedGroup) -> torch.Tensor:
    """J by the model's own logits, a rollout at a time: Σ_i w_i Σ_t log π(y_it)."""
    total = torch.zeros(())
    for answer, weight in zip(group.answers, group.weights, strict=True):
        ids = torch.tensor([group.prompt + answer])
        logits = model(input_ids=ids, use_cache=False).logits[0, len(group.prompt) - 1 : -1]
        total = (
            total
            + weight
            * logits.float().log_softmax(-1)[torch.arange(len(answer)), torch.tensor(answer)].sum()
        )
    return total


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert float((found - expected).abs().max()) <= TOLERANCE * float(expected.abs().max())


@pytest.mark.parametrize("tokens", CUTS.values(), ids=CUTS)
def test_full_equals_autograd_of_the_objective(loaded, make_group, tokens: int) -> None:
    group = make_group(1)
    found = blocks_of(loaded, "full", group, tokens)
    names, parameters = zip(*loaded.model.named_parameters(), strict=True)
    for parameter in parameters:
        parameter.requires_grad_()
    expected = torch.autograd.grad(stated_objective(loaded.model, group), parameters)
    loaded.model.requires_grad_(False)
    assert tuple(found) == names
    whole = torch.cat([one.flatten() for one in expected])
    assert_close(torch.cat([one.flatten() for one in found.values()]), whole)


@pytest.mark.parametrize("tokens", CUTS.values(), ids=CUTS)
def test_representation_is_the_gradient_of_a_shift_of_all_states(
    loaded, make_group, tokens
) -> None:
    group = make_group(2)
    shift = torch.zeros(32, requires_grad=True)
    handle = output_module(loaded.model).register_forward_pre_hook(lambda _m, a: (a[0] + shift,))
    (expected,) = torch.autograd.grad(stated_objective(loaded.model, group), shift)
    handle.remove()
    assert_close(blocks_of(loaded, "representation", group, tokens)["state"], expected)


@pytest.mark.parametrize("tokens", CUTS.values(), ids=CUTS)
def test_lm_head_is_the_gradient_of_the_output_layer_alone(loaded, make_group, tokens) -> None:
    group = make_group(3)
    weight = output_module(loaded.model).weight
    own = weight.detach().clone().requires_grad_()
    module, kept = output_module(loaded.model), weight
    del module._parameters["weight"]
    module.weight = own  # a copy, so that tied embeddings are not asked
    try:
        (expected,) = torch.autograd.grad(stated_objective(loaded.model, group), own)
    finally:
        del module.weight
        module._parameters["weight"] = kept
    found = blocks_of(loaded, "lm_head", group, tokens)
    assert list(found) == ["head.0", "head.40", "head.80"]
    assert_close(torch.cat(list(found.values())), expected)


def test_lora_is_the_gradient_of_adapters_that_have_not_learned(loaded, make_group) -> None:
    group = make_group(4)
    if loaded.model.config.model_type == "gpt2":  # its layers are Conv1D
        with pytest.raises(ModelError, match="no plain linear layer"):
            blocks_of(loaded, "lora", group)
        return
    found = blocks_of(loaded, "lora", group, seed=5)
    before = stated_objective(loaded.model, group)
    with adapted(loaded.model, rank=3, seed=5) as adapters:
        assert torch.equal(stated_objective(loaded.model, group), before)
        expected = torch.autograd.grad(
            stated_objective(loaded.model, group), [one.b for one in adapters]
        )
    assert len(found) >= 6 * 2  # Phi's layers have six, the others' seven
    assert not any("lm_head" in name for name in found)
    for block, one in zip(found.values(), expected, strict=True):
        assert_close(block, one)


def test_lora_sees_the_full_gradient_through_its_random_matrix(qwen, make_group) -> None:
    full = blocks_of(qwen, "full", make_group(4))
    found = blocks_of(qwen, "lora", make_group(4), seed=5)
    with adapted(qwen.model, rank=3, seed=5) as adapters:
        for one in adapters:
            assert one.a.abs().max() <= one.a.shape[1] ** -0.5
            assert_close(found[one.name], full[f"{one.name}.weight"] @ one.a.T)
    assert not torch.equal(
        blocks_of(qwen, "lora", make_group(4), seed=6)[one.name], found[one.name]
    )


def test_lm_head_of_a_head_without_a_closed_form_is_refused(qwen) -> None:
    odd = LoadedModel(
        model=qwen.model,
        head=AutogradHead(module=qwen.head.logits, vocabulary=qwen.head.vocabulary),
        device=qwen.device,
    )
    with (
        pytest.raises(ModelError, match="use --kind representation, lora or full"),
        policy_gradient(odd, "lm_head", tokens_per_batch=1, tile_elements=1),
    ):
        pass


@pytest.mark.parametrize("kind", POLICY_KINDS)
def test_equal_rewards_move_nothing(qwen, make_group, kind: str) -> None:
    blocks = blocks_of(qwen, kind, make_group(5, (1.0, 1.0, 1.0)))
    assert sum(inner(one, one) for one in blocks.values()) == 0.0


def test_the_head_is_left_as_it_was(qwen, make_group) -> None:
    before = {name: one.clone() for name, one in qwen.model.named_parameters()}
    for kind in POLICY_KINDS:
        blocks_of(qwen, kind, make_group(6))
    assert all(torch.equal(one, before[name]) for name, one in qwen.model.named_parameters())
    assert not any(one.requires_grad for one in qwen.model.parameters())


def test_advantages_by_hand() -> None:
    rewards = np.array([1.0, 0.0, 0.0, 0.0])
    assert advantages(rewards, normalise=False).tolist() == [0.75, -0.25, -0.25, -0.25]
    # Deviations 0.75 and three times −0.25: variance (0.5625 + 0.1875) / 3 = 0.25.
    expected = np.array([0.75, -0.25, -0.25, -0.25]) / (0.5 + EPSILON)
    assert advantages(rewards, normalise=True) == pytest.approx(expected, abs=1e-15)


def test_a_group_that_has_no_gradient_says_why() -> None:
    def group(*rewards: float | None) -> RolloutGroup:
        rollouts = tuple(Rollout(text="x", reward=reward) for reward in rewards)
        return RolloutGroup(problem_id="p", dataset="d", prompt="?", rollouts=rollouts)

    assert without_gradient(group(1.0, 0.0)) == ("", "")
    assert without_gradient(group(0.0, 0.0))[0] == "no-variance"
    assert without_gradient(group(0.0, None))[0] == "group-of-one"
    assert without_gradient(group(None, None)) == (
        "no-rewards",
        "none of its 2 rollouts has a reward",
    )
    failed = RolloutGroup(problem_id="p", dataset="d", prompt="?", reason="too-long", detail="9")
    assert without_gradient(failed) == ("too-long", "9")


def test_unnormalised_gradients_average_to_the_gradient_of_expected_accuracy() -> None:
    """All 4³ groups of 3 answers of 2 tokens, each token one of two, weighed by their probability.

    The mean reward that is subtracted holds the rollout's own: (G − 1)/G of the gradient is left.
    Answers of one length |y| have 1/|y| of it, too.
    """
    first, second = torch.tensor([0.3, -0.4]), torch.tensor([[0.5, 0.1], [-0.7, 0.2]])
    parameters = [first.requires_grad_(), second.requires_grad_()]
    answers = list(product((0, 1), repeat=2))
    rewards = {(0, 0): 1.0, (0, 1): 0.0, (1, 0): 0.0, (1, 1): 1.0}

    def log_probability(answer: tuple[int, int]) -> torch.Tensor:
        return first.log_softmax(0)[answer[0]] + second[answer[0]].log_softmax(0)[answer[1]]

    def flat(value: torch.Tensor) -> torch.Tensor:
        found = torch.autograd.grad(value, parameters, allow_unused=True)
        return torch.cat([one.flatten() for one in found if one is not None])

    accuracy = sum(log_probability(one).exp() * rewards[one] for one in answers)
    mean = torch.zeros(6)
    n = 3
    for drawn in product(answers, repeat=n):
        likely = torch.stack([log_probability(one) for one in drawn]).sum().exp().detach()
        gains = advantages(np.array([rewards[one] for one in drawn]), normalise=False)
        weights = [gain / (n * 2) for gain in gains]
        mean += likely * flat(
            torch.stack(
                [w * log_probability(one) for w, one in zip(weights, drawn, strict=True)]
            ).sum()
        )
    assert mean == pytest.approx((n - 1) / n / 2 * flat(accuracy), abs=1e-6)


def test_a_projection_keeps_inner_products_within_its_stated_error() -> None:
    generator = torch.Generator().manual_seed(0)
    # Not around zero: sums without signs would add up.
    a = 1 + torch.randn(3000, generator=generator)
    b = 0.6 * a + 0.8 * torch.randn(3000, generator=generator)
    size, true = 256, inner(a, b)
    found = []
    for seed in range(200):
        sketch = Sketch(size, seed)
        left, right = (sketch([("x", v[:1000]), ("y", v[1000:])]) for v in (a, b))
        found.append(inner(left, right) - true)
    stated = ((inner(a, a) * inner(b, b) + true**2) / size) ** 0.5
    assert abs(np.mean(found)) <= 3 * stated / 200**0.5  # unbiased
    assert 0.8 * stated <= np.std(found) <= 1.15 * stated
    again = Sketch(size, 7)
    assert torch.equal(again([("x", a)]), again([("x", a)]))
    assert not torch.equal(again([("x", a)]), again([("y", a)]))


def test_the_mean_is_taken_up_again_to_the_bit_and_never_for_another(qwen, make_group, tmp_path):
    groups = [make_group(seed) for seed in range(3)]
    whole = MeanGradient("d")
    for group in groups:
        whole.add(blocks_of(qwen, "lora", group).items())
    killed = MeanGradient("d")
    killed.add(blocks_of(qwen, "lora", groups[0]).items())
    killed.save(tmp_path / "mean.safetensors")
    resumed = MeanGradient("d")
    assert resumed.load(tmp_path / "mean.safetensors", qwen.device)
    for group in groups[resumed.count :]:
        resumed.add(blocks_of(qwen, "lora", group).items())
    assert resumed.count == 3
    assert resumed.norm() == whole.norm() > 0
    name = next(iter(blocks_of(qwen, "lora", groups[0])))
    assert torch.equal(resumed.of(name), whole.of(name))
    assert not MeanGradient("other").load(tmp_path / "mean.safetensors", qwen.device)
    assert not MeanGradient("d").load(tmp_path / "none.safetensors", qwen.device)


def test_a_prompt_is_read_once_for_all_rollouts_of_its_group(qwen, make_group) -> None:
    group = make_group(6)
    read: list[int] = []
    embedding = qwen.model.get_input_embeddings()
    handle = embedding.register_forward_hook(lambda _m, a, _o: read.append(a[0].numel()))
    blocks_of(qwen, "representation", group)
    handle.remove()
    longest = max(map(len, group.answers))
    assert read == [len(group.prompt) - 1, len(group.answers) * longest]


def test_a_model_without_keys_and_values_reads_it_with_each(
    qwen, make_group, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = make_group(6)
    expected = blocks_of(qwen, "full", group)
    monkeypatch.setattr(type(qwen.model), "_is_stateful", True)
    read: list[int] = []
    embedding = qwen.model.get_input_embeddings()
    handle = embedding.register_forward_hook(lambda _m, a, _o: read.append(a[0].numel()))
    found = blocks_of(qwen, "full", group)
    handle.remove()
    longest = max(map(len, group.answers))
    assert read == [len(group.answers) * (len(group.prompt) + longest - 1)]
    for name, block in found.items():
        assert_close(block, expected[name])


def test_several_kinds_come_from_one_pass(qwen, make_group) -> None:
    group = make_group(7)
    passes: list[int] = []
    handle = qwen.model.register_forward_hook(lambda *_a: passes.append(1))
    with policy_gradients(
        qwen, POLICY_KINDS, tokens_per_batch=4096, tile_elements=40 * 1024, rank=3
    ) as gradients:
        found = {kind: dict(blocks) for kind, blocks in gradients(group).items()}
    handle.remove()
    assert len(passes) == 2  # the prompt, and all rollouts
    for kind in POLICY_KINDS:
        alone = blocks_of(qwen, kind, group)
        assert list(found[kind]) == list(alone)
        assert_close(
            torch.cat([one.flatten() for one in found[kind].values()]),
            torch.cat([one.flatten() for one in alone.values()]),
        )


def test_a_projection_of_a_large_gradient_is_the_same_drawn_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    block = torch.randn(50, generator=torch.Generator().manual_seed(0))
    kept = Sketch(8, 0)
    first = kept.of_block("a", block)
    assert list(kept._drawn) == ["a"]
    monkeypatch.setattr("grace_engine.policy.sketch._REMEMBERED", 10)
    drawn = Sketch(8, 0)
    assert torch.equal(drawn.of_block("a", block), first)
    assert drawn._drawn == {}
