"""What does the shipped policy answer to problems?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from grace_engine.digests import text_digest
from grace_engine.ingest import answer_in
from grace_engine.models.load import LoadedModel, load_model, load_tokenizer
from grace_engine.models.locate import locate_model
from grace_engine.policy.encoding import Encoder
from grace_engine.policy.sampling import Sampler
from grace_engine.records import Rollout, RolloutGroup

MAX_NEW_TOKENS = 240
_ROWS = 128


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Policy:
    """A loaded policy that answers.

    Attributes:
        loaded: The model.
        sampler: Draws n answers to a prompt at temperature 1.
        encoder: Makes tokens of groups.
        n: Answers to each problem.
    """

    loaded: LoadedModel
    sampler: Sampler
    encoder: Encoder
    n: int

    @classmethod
    def load(cls, folder: Path, n: int) -> "Policy":
        """The model in ``folder``, on the CPU in float32."""
        files = locate_model(str(folder))
        tokenizer, loaded = load_tokenizer(files), load_model(files, device=torch.device("cpu"))
        sampler = Sampler(
            loaded, tokenizer, n=n, temperature=1.0, top_p=1.0, max_new_tokens=MAX_NEW_TOKENS
        )
        return cls(loaded=loaded, sampler=sampler, encoder=Encoder(tokenizer), n=n)

    def roll_out(self, problems: Sequence[RolloutGroup], seed: int) -> list[RolloutGroup]:
        """The problems with n answers each, in their order; a reward of 1 is a right answer."""
        prompts = [self.encoder.prompt(problem.prompt) for problem in problems]
        order = sorted(range(len(problems)), key=lambda place: (-len(prompts[place]), place))
        size = max(1, _ROWS // self.n)
        found: dict[int, RolloutGroup] = {}
        for first in range(0, len(order), size):
            batch = order[first : first + size]
            key = ",".join([str(seed), *(problems[place].problem_id for place in batch)])
            drawn = self.sampler.sample(
                [prompts[place] for place in batch], int(text_digest(key, size=7), 16)
            )
            for place, samples in zip(batch, drawn, strict=True):
                answers = [(sample, self.sampler.text(sample)) for sample in samples]
                found[place] = replace(
                    problems[place],
                    rollouts=tuple(
                        Rollout(
                            text=text,
                            token_ids=sample.token_ids,
                            finished=sample.finished,
                            # References are bare integers, and so are right answers.
                            reward=float(answer_in(text) == problems[place].reference),
                        )
                        for sample, text in answers
                    ),
                )
        return [found[place] for place in range(len(problems))]
