"""Which rollouts does a file hold that were made and rewarded elsewhere?

A row is one rollout (a prompt, a response, a reward) or a group (a prompt, a list of responses, a
list of rewards as long, or responses that are objects with a reward each). Rows of one prompt are
one problem's.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from grace_engine.errors import TraceRejected
from grace_engine.ingest.chats import is_chat, prompt_of, turns_of
from grace_engine.ingest.drafts import Fields, ProblemDraft, kind_of, names_of
from grace_engine.ingest.problems import build_problem
from grace_engine.ingest.rows import Row, excerpt_of
from grace_engine.ingest.usual_names import PROMPTS, REFERENCES
from grace_engine.records import Label, Reject, Rollout, RolloutGroup, SourceRecord

GROUPS = ("responses", "completions", "rollouts", "generations", "outputs", "samples")
TEXTS = ("response", "completion", "rollout", "generation", "output", "text", "content")
REWARDS = ("rewards", "scores")
REWARD = ("reward", "score", "is_correct", "correct")
TOKENS = ("token_ids", "response_ids", "completion_ids")
LOGPROBS = ("logprobs", "log_probs", "response_logprobs")
_LABELS = ("labels", "metadata", "extra_info")


@dataclass(kw_only=True)
class FileRollouts:
    """What a file holds.

    Attributes:
        groups: A problem each, in the order in which they come first.
        rejects: Rows that cannot be used, with the reason.
        n_joined: Problems whose rollouts stand in more than one row that holds a group.
    """

    groups: list[RolloutGroup] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    n_joined: int = 0


def rollouts_of(rows: Iterable[Row | Reject], *, dataset: str) -> FileRollouts:
    """All rollouts of a file's rows, gathered by problem.

    A row is used whole or rejected whole: ``no-prompt``, ``no-rollouts``, ``lengths-differ``,
    ``no-reward``, ``reward-not-a-number``, ``reward-not-finite``, ``reward-out-of-range``,
    ``wrong-type`` or ``schema-mismatch``.
    """
    found = FileRollouts()
    gathered: dict[str, tuple[RolloutGroup, list[Rollout]]] = {}
    grouped: Counter[str] = Counter()
    for row in rows:
        if isinstance(row, Reject):
            found.rejects.append(row)
            continue
        try:
            group, is_group = _group_of(row, dataset)
        except TraceRejected as fault:
            found.rejects.append(
                Reject(
                    path=row.path,
                    line=row.line,
                    reason=fault.reason,
                    detail=fault.detail,
                    excerpt=excerpt_of(row.raw),
                )
            )
            continue
        grouped[group.problem_id] += is_group
        gathered.setdefault(group.problem_id, (group, []))[1].extend(group.rollouts)
    found.groups = [
        replace(group, rollouts=tuple(rollouts)) for group, rollouts in gathered.values()
    ]
    found.n_joined = sum(n > 1 for n in grouped.values())
    return found


def _group_of(row: Row, dataset: str) -> tuple[RolloutGroup, bool]:
    fields = row.fields
    record = SourceRecord(
        digest=sha256(row.raw).hexdigest(), path=row.path, line=row.line, raw=row.raw
    )
    draft = ProblemDraft(
        prompt=_prompt(fields), reference=_reference(fields), labels=_labels(fields)
    )
    problem = build_problem(draft, dataset=dataset, record=record)
    name = next((name for name in GROUPS if isinstance(fields.get(name), list)), "")
    answers = _grouped(fields, name) if name else [_one(fields)]
    return (
        RolloutGroup(
            problem_id=problem.id,
            dataset=dataset,
            prompt=problem.prompt,
            reference=problem.reference,
            labels=problem.labels,
            record_digest=record.digest,
            rollouts=tuple(answers),
        ),
        bool(name),
    )


def _prompt(fields: Fields) -> str:
    for name in PROMPTS:
        value = fields.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if is_chat(value, "role", "content"):
            return prompt_of(turns_of(value, name))
    raise TraceRejected("no-prompt", f"none of the fields {names_of(fields)} holds a prompt")


def _reference(fields: Fields) -> str | None:
    nested = fields.get("reward_model")
    if isinstance(nested, dict) and isinstance(nested.get("ground_truth"), str):
        return str(nested["ground_truth"])
    value = next(
        (fields[n] for n in REFERENCES if isinstance(fields.get(n), (str, int, float))), None
    )
    return None if value is None else str(value)


def _labels(fields: Fields) -> dict[str, Label]:
    found: dict[str, Label] = {}
    for name in _LABELS:
        value = fields.get(name)
        if isinstance(value, dict):
            found |= {
                str(key): one
                for key, one in value.items()
                if one is None or isinstance(one, (str, int, float, bool))
            }
    return found


def _grouped(fields: Fields, name: str) -> list[Rollout]:
    answers = fields[name]
    if not isinstance(answers, list) or not answers:
        raise TraceRejected("no-rollouts", f"field {name!r} is an empty list")
    rewards = next(
        (fields[n] for n in (*REWARDS, *REWARD) if isinstance(fields.get(n), list)), None
    )
    columns: dict[str, list[object]] = {}
    for where, values in (
        ("reward", rewards),
        ("token_ids", _listed(fields, TOKENS)),
        ("logprobs", _listed(fields, LOGPROBS)),
        ("finished", fields.get("finished")),
    ):
        if values is None or not isinstance(values, list):
            continue
        if len(values) != len(answers):
            raise TraceRejected(
                "lengths-differ",
                f"field {name!r} holds {len(answers)} rollouts, and there are {len(values)} of "
                f"{where}",
            )
        columns[where] = values
    found = []
    for place, answer in enumerate(answers):
        own: dict[str, object] = {key: values[place] for key, values in columns.items()}
        if isinstance(answer, dict):
            own |= answer
        elif is_chat(answer, "role", "content"):
            own["text"] = "\n\n".join(turn.text for turn in turns_of(answer, name))
        else:
            own["text"] = answer
        found.append(_one(own))
    return found


def _listed(fields: Fields, names: Sequence[str]) -> list[object] | None:
    return next((value for n in names if isinstance(value := fields.get(n), list)), None)


def _one(fields: Fields) -> Rollout:
    text = next((fields[name] for name in TEXTS if name in fields), None)
    if text is None:
        raise TraceRejected(
            "no-rollouts", f"none of the fields {names_of(fields)} holds a rollout's text"
        )
    if is_chat(text, "role", "content"):
        text = "\n\n".join(turn.text for turn in turns_of(text, "completion"))
    if not isinstance(text, str):
        raise TraceRejected("wrong-type", f"a rollout is {kind_of(text)}, not text")
    if "\0" in text:
        raise TraceRejected("null-character", f"U+0000 in {text[:60]!r}")
    tokens = tuple(_numbers(fields, TOKENS, whole=True))
    logprobs = tuple(float(one) for one in _numbers(fields, LOGPROBS, whole=False))
    if logprobs and len(logprobs) != len(tokens):
        raise TraceRejected(
            "lengths-differ",
            f"a rollout has {len(tokens)} token ids and {len(logprobs)} log-probabilities",
        )
    finished = fields.get("finished", not fields.get("truncated", False))
    return Rollout(
        text=text,
        token_ids=tuple(int(one) for one in tokens),
        logprobs=logprobs,
        finished=bool(finished),
        reward=_reward(fields),
        outcome="given",
    )


def _reward(fields: Fields) -> float:
    name = next((name for name in REWARD if fields.get(name) is not None), "")
    if not name:
        raise TraceRejected(
            "no-reward", f"a rollout has no reward: name a field {' or '.join(REWARD[:2])}"
        )
    value = fields[name]
    if not isinstance(value, (int, float)):
        raise TraceRejected("reward-not-a-number", f"field {name!r} is {kind_of(value)}")
    if not math.isfinite(value):
        raise TraceRejected("reward-not-finite", f"field {name!r} is {value}")
    if not 0 <= value <= 1:
        raise TraceRejected(
            "reward-out-of-range",
            f"field {name!r} is {value:g}, and rewards are from 0 to 1: scale them first, such as "
            "(r + 1) / 2 where they are from -1 to 1",
        )
    return float(value)


def _numbers(fields: Fields, names: Sequence[str], *, whole: bool) -> Iterator[int | float]:
    name = next((name for name in names if fields.get(name) is not None), "")
    if not name:
        return
    values = fields[name]
    kinds = int if whole else (int, float)
    if not isinstance(values, list) or not all(
        isinstance(one, kinds) and not isinstance(one, bool) for one in values
    ):
        what = "whole numbers" if whole else "numbers"
        raise TraceRejected("wrong-type", f"field {name!r} is not a list of {what}")
    yield from values
