"""How are the codes of what has no rollouts or no policy gradient told to a person?"""

from collections.abc import Mapping

_WORDS = {
    "no-reference": "without a reference to check against",
    "too-long": "longer than the model takes",
    "tokenizer-error": "of which the tokenizer makes no token",
    "group-of-one": "with one rollout alone",
    "no-variance": "whose rewards are all equal",
    "no-rewards": "none of whose rollouts has a reward",
    "no-reward": "without a reward",
    "empty-rollout": "with a rollout of no token",
    "no-rollouts": "without rollouts",
    "endpoint-refused": "that the endpoint refuses",
    "no-prompt": "without a prompt",
    "not-a-number": "whose reward is no number",
}


def told_reasons(by_reason: Mapping[str, int]) -> str:
    """``3 longer than the model takes, 1 without a reward``; a code without words is its own."""
    return ", ".join(
        f"{count:,} {_WORDS.get(code, code.replace('-', ' '))}" for code, count in by_reason.items()
    )
