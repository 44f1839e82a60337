"""What did the policy answer to one problem, with which advantage, and how sure was it where?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from grace_engine import ingest as reading, store
from grace_engine.errors import GraceError, NotFoundError
from grace_engine.models.load import load_tokenizer
from grace_engine.models.locate import locate_model
from grace_engine.policy.advantages import advantages
from grace_engine.records import Rollout, RolloutGroup, RolloutSet
from grace_engine.store import Workspace

# Where single tokens do not spell the text, prefixes do, at a cost of length squared.
_MOST_PREFIXES = 4096


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProblemRollouts:
    """All rollouts of one problem.

    Attributes:
        group: The problem, as it was asked.
        rollouts: A row a rollout, right ones first: ``number`` (from 1), ``text``, ``reward``,
            ``advantage`` (NaN without a reward), ``outcome``, ``detail``, ``finished``,
            ``n_tokens`` (NaN where only the text is known) and ``logprob``: mean log π of its
            tokens, nats; NaN where not known.
        steps: A row a step of those that could be cut: ``number`` of the rollout, ``step`` (from
            1), ``text``, ``n_tokens`` and ``nll``: mean −log π of the step's tokens, nats.
        uncut: Why no step stands there; "" where some do.
    """

    group: RolloutGroup
    rollouts: pd.DataFrame = field(repr=False)
    steps: pd.DataFrame = field(repr=False)
    uncut: str = ""


def problem_rollouts(
    workspace: Workspace, rollouts: str, problem_id: str, *, normalise: bool = True
) -> ProblemRollouts:
    """What a set of rollouts holds of one problem.

    Args:
        workspace: Where they are.
        rollouts: The set.
        problem_id: The problem.
        normalise: Divide advantages by the standard deviation of the group.

    Raises:
        NotFoundError: The set holds no such problem.
    """
    found = store.get_rollout_set(workspace, rollouts)
    groups = [g for batch in store.iter_groups(workspace, found.id, [problem_id]) for g in batch]
    if not groups:
        raise NotFoundError(f"The set of rollouts {found.id} holds no problem {problem_id}.")
    (group,) = groups
    steps, uncut = _steps(found, group)
    frame = pd.DataFrame(_rows(group, normalise=normalise), columns=_COLUMNS)
    return ProblemRollouts(
        group=group,
        rollouts=frame.sort_values("reward", ascending=False, kind="stable", ignore_index=True),
        steps=pd.DataFrame(steps, columns=["number", "step", "text", "n_tokens", "nll"]),
        uncut=uncut,
    )


_COLUMNS = ["number", "text", "reward", "advantage", "outcome", "detail", "finished", "n_tokens",
            "logprob"]  # fmt: skip


def _rows(group: RolloutGroup, *, normalise: bool) -> list[dict[str, Any]]:
    rewards = np.array([np.nan if o.reward is None else o.reward for o in group.rollouts])
    known = ~np.isnan(rewards)
    own = np.full(len(rewards), np.nan)
    if known.sum() > 1:
        own[known] = advantages(rewards[known], normalise=normalise)
    return [
        {
            "number": number,
            "text": one.text,
            "reward": reward,
            "advantage": advantage,
            "outcome": one.outcome,
            "detail": one.detail,
            "finished": one.finished,
            "n_tokens": len(one.token_ids) or np.nan,
            "logprob": float(np.mean(one.logprobs)) if one.logprobs else np.nan,
        }
        for number, (one, reward, advantage) in enumerate(
            zip(group.rollouts, rewards, own, strict=True), 1
        )
    ]


def _steps(rollouts: RolloutSet, group: RolloutGroup) -> tuple[list[dict[str, Any]], str]:
    if not any(one.logprobs for one in group.rollouts):
        return [], "The log-probabilities of these rollouts' tokens are not known."
    try:
        tokenizer = load_tokenizer(locate_model(rollouts.model, revision=rollouts.revision))
    except GraceError as fault:
        return [], f"The tokens of {rollouts.model} cannot be read: {fault}"
    segmenter = reading.parse_segmenter("auto")
    rows: list[dict[str, Any]] = []
    for number, one in enumerate(group.rollouts, 1):
        ends = token_ends(tokenizer, one)
        if ends is None:
            continue
        losses = -np.array(one.logprobs)
        begins = np.concatenate([[0], ends[:-1]])
        for step, (start, end) in enumerate(_spans(segmenter, one.text), 1):
            # A token belongs to the step that holds its last character.
            own = (ends > start) & (ends <= end) & (ends > begins)
            if own.any():
                rows.append(
                    {
                        "number": number,
                        "step": step,
                        "text": one.text[start:end],
                        "n_tokens": int(own.sum()),
                        "nll": float(losses[own].mean()),
                    }
                )
    return rows, "" if rows else "The tokens of these rollouts do not spell their texts."


def _spans(segmenter: reading.Segmenter, text: str) -> list[tuple[int, int]]:
    """Half-open spans of a rollout's steps; what it cannot be cut into is one step."""
    try:
        return [(part[0], part[1]) for part in segmenter.steps(text, len(text))]
    except GraceError:
        return [(0, len(text))]


def token_ends(tokenizer: Any, rollout: Rollout) -> np.ndarray | None:
    """``[T]`` where each token of a rollout ends in its text; None where they do not spell it."""
    ids = rollout.token_ids
    if not ids or len(rollout.logprobs) != len(ids):
        return None
    pieces = [tokenizer.decode([one], skip_special_tokens=True) for one in ids]
    if "".join(pieces) == rollout.text:
        return np.cumsum([len(piece) for piece in pieces])
    if len(ids) > _MOST_PREFIXES:
        return None
    return _by_prefixes(tokenizer, ids, rollout.text)


def _by_prefixes(tokenizer: Any, ids: Sequence[int], text: str) -> np.ndarray | None:
    if tokenizer.decode(list(ids), skip_special_tokens=True) != text:
        return None
    ends = [
        len(tokenizer.decode(list(ids[:n]), skip_special_tokens=True))
        for n in range(1, len(ids) + 1)
    ]
    return np.maximum.accumulate(np.minimum(ends, len(text)))
