"""What does the shipped policy answer to problems, and which gradients do its answers have?"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from grace_engine.config import PolicyKind
from grace_engine.digests import text_digest
from grace_engine.ingest import answer_in
from grace_engine.models.load import LoadedModel, load_model, load_tokenizer
from grace_engine.models.locate import locate_model
from grace_engine.policy.advantages import without_gradient
from grace_engine.policy.encoding import Encoder
from grace_engine.policy.gradients import Gradient, policy_gradient
from grace_engine.policy.measuring import measured
from grace_engine.policy.sampling import Sampler
from grace_engine.policy.sketch import SIZE, Sketch
from grace_engine.policy.target import MeanGradient
from grace_engine.records import ProblemGradient, Rollout, RolloutGroup
from grace_engine.selection import ProblemTable

MAX_NEW_TOKENS = 240
_ROWS = 128
_TOKENS = 16384
_TILE = 1 << 21


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Policy:
    """A loaded policy that answers and is asked for gradients.

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

    @contextmanager
    def gradient(self, kind: PolicyKind) -> Iterator[Gradient]:
        """From a group to the blocks of its gradient."""
        with policy_gradient(
            self.loaded, kind, tokens_per_batch=_TOKENS, tile_elements=_TILE
        ) as found:
            yield found

    def mean(self, gradient: Gradient, groups: Sequence[RolloutGroup]) -> MeanGradient:
        """Of the groups that have a gradient."""
        mean = MeanGradient("reproduction")
        for group in groups:
            if not without_gradient(group)[0]:
                mean.add(gradient(self.encoder.encode(group, normalise=True)))
        return mean

    def table(
        self,
        gradient: Gradient,
        groups: Sequence[RolloutGroup],
        mean: MeanGradient,
        *,
        projection: int = SIZE,
    ) -> ProblemTable:
        """What strategies rank by; 0 numbers are kept of a gradient where none are needed."""
        sketch = Sketch(projection, 0) if projection else None
        rows: list[ProblemGradient] = []
        for group in groups:
            reason, detail = without_gradient(group)
            if reason:
                rows.append(
                    ProblemGradient(problem_id=group.problem_id, reason=reason, detail=detail)
                )
                continue
            encoded = self.encoder.encode(group, normalise=True)
            rows.append(measured(group.problem_id, gradient(encoded), mean, sketch))
        return _table(groups, rows, mean.norm(), projection)


def first(groups: Sequence[RolloutGroup], n: int) -> list[RolloutGroup]:
    """The same problems with their first n rollouts."""
    return [replace(group, rollouts=group.rollouts[:n]) for group in groups]


def _table(
    groups: Sequence[RolloutGroup],
    rows: Sequence[ProblemGradient],
    target_norm: float,
    projection: int,
) -> ProblemTable:
    nan = float("nan")
    sketches = np.zeros((len(rows), projection), dtype=np.float32)
    for place, row in enumerate(rows):
        if row.sketch:
            sketches[place] = row.sketch
    return ProblemTable(
        problem_ids=np.array([row.problem_id for row in rows], dtype=object),
        pass_rates=np.array([nan if (p := g.pass_rate) is None else p for g in groups]),
        dots=np.array([nan if row.dot is None else row.dot for row in rows]),
        norms=np.array([nan if row.reason else row.norm for row in rows]),
        sketches=sketches,
        target_norm=target_norm,
        reasons=np.array([row.detail for row in rows], dtype=object),
    )
