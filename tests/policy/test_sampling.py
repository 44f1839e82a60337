"""Are answers drawn from the policy itself, and are their log-probabilities its own?"""

import torch
from transformers import GenerationConfig

from grace_engine.models.load import LoadedModel
from grace_engine.policy.sampling import Sampler

PROMPTS = [(5, 9, 11, 30), (7, 8)]


class Tokenizer:
    """What the sampler asks of one."""

    eos_token_id, pad_token_id = 2, 0

    def decode(self, ids, skip_special_tokens: bool) -> str:
        assert skip_special_tokens
        return " ".join(str(one) for one in ids if one not in (0, 2))


def sampler(loaded: LoadedModel, **changes: object) -> Sampler:
    settings = {"n": 3, "temperature": 0.7, "top_p": 1.0, "max_new_tokens": 12, **changes}
    return Sampler(loaded, Tokenizer(), **settings)


def test_logprobs_are_the_models_own_at_temperature_one(loaded) -> None:
    # What a model's own file asks for must not bend the policy.
    loaded.model.generation_config = GenerationConfig(
        top_k=2, repetition_penalty=3.0, eos_token_id=2, pad_token_id=0
    )
    for prompt, samples in zip(PROMPTS, sampler(loaded).sample(PROMPTS, 0), strict=True):
        assert len(samples) == 3
        for one in samples:
            ids = torch.tensor([prompt + one.token_ids])
            logits = loaded.model(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1]
            own = logits.float().log_softmax(-1)
            chosen = own[torch.arange(len(one.token_ids)), torch.tensor(one.token_ids)]
            assert (chosen - torch.tensor(one.logprobs)).abs().max() < 1e-4


def test_the_seed_decides_and_answers_end_at_their_end_token(qwen) -> None:
    drawn = sampler(qwen, temperature=3.0, max_new_tokens=60)
    first = drawn.sample(PROMPTS, 1)
    assert first == drawn.sample(PROMPTS, 1) != drawn.sample(PROMPTS, 2)
    every = [one for seed in range(6) for group in drawn.sample(PROMPTS, seed) for one in group]
    ended = [one for one in every if one.finished]
    assert 0 < len(ended) < len(every)
    for one in every:
        assert (one.token_ids[-1] == 2) == one.finished
        assert 2 not in one.token_ids[:-1]
        assert len(one.logprobs) == len(one.token_ids) <= 60
        assert one.finished or len(one.token_ids) == 60
    assert drawn.text(ended[0]) == " ".join(str(i) for i in ended[0].token_ids[:-1] if i)


def test_frequencies_follow_the_tempered_policy(qwen) -> None:
    """1,200 first tokens against softmax(z / T): a wrong temperature, top-k or top-p is far off."""
    drawn = sampler(qwen, n=1200, max_new_tokens=1).sample([PROMPTS[0]], 0)[0]
    logits = qwen.model(input_ids=torch.tensor([PROMPTS[0]])).logits[0, -1]
    wanted = (logits / 0.7).softmax(-1)
    found = torch.bincount(torch.tensor([one.token_ids[0] for one in drawn]), minlength=97) / 1200
    # Total variation of 1,200 draws: about Σ √(2 p (1 − p) / π n) / 2.
    expected = 0.5 * (2 * wanted * (1 - wanted) / (torch.pi * 1200)).sqrt().sum()
    assert 0.5 * (found - wanted).abs().sum() < 2 * expected
