"""How does a DAPO row become a problem?

``prompt[{role, content}], reward_model{ground_truth}, data_source, ability``: there is no trace.
Each problem stands there about a hundred times; repeats get the same id.
"""

from collections.abc import Iterator

from grace_engine.ingest.chats import is_chat, prompt_of, turns_of
from grace_engine.ingest.drafts import (
    Fields,
    ProblemDraft,
    Schema,
    kind_of,
    labels_in,
    mismatch,
    optional_answer,
)
from grace_engine.ingest.schemas import reasoned_reply


def _matches(fields: Fields) -> bool:
    chat = is_chat(fields.get("prompt"), "role", "content")
    unsolved = not reasoned_reply.SCHEMA.matches(fields)
    return chat and isinstance(fields.get("reward_model"), dict) and unsolved


def _drafts(fields: Fields) -> Iterator[ProblemDraft]:
    reward = fields.get("reward_model")
    if not isinstance(reward, dict):
        detail = f"field 'reward_model' is {kind_of(reward)}, not an object"
        raise mismatch(detail)
    turns = turns_of(fields.get("prompt"), "prompt")
    yield ProblemDraft(
        prompt=prompt_of(turns),
        reference=optional_answer(reward, "ground_truth"),
        labels=labels_in(fields, source="data_source", subject="ability"),
        images=tuple(image for turn in turns for image in turn.images),
    )


SCHEMA = Schema(name="dapo", matches=_matches, drafts=_drafts)
