"""How does a DAPO row become a problem?

``prompt[{role, content}], reward_model{ground_truth}, data_source, ability``, or with the prompt as
a text (DAPO-Math-17k-Processed, whose ``solution`` is the bare answer): there is no trace. Each
problem stands in the first about a hundred times; repeats get the same id.
"""

from collections.abc import Iterator

from grace_engine.ingest.chats import Turn, is_chat, prompt_of, turns_of
from grace_engine.ingest.drafts import (
    Fields,
    ProblemDraft,
    Schema,
    kind_of,
    labels_in,
    mismatch,
    optional_answer,
)
from grace_engine.ingest.schemas import reasoned_reply, rendered_chat, steps_list
from grace_engine.ingest.usual_names import RESPONSES, first_text, single_labels

# They find a trace in such a record.
_RICHER = (reasoned_reply.SCHEMA, rendered_chat.SCHEMA, steps_list.SCHEMA)
# The answer stands beside the reward model's once more.
_NO_LABELS = ("prompt", "solution", "answer")


def _matches(fields: Fields) -> bool:
    prompt = fields.get("prompt")
    asked = is_chat(prompt, "role", "content")
    if isinstance(prompt, str):
        asked = first_text(fields, RESPONSES) is None
    posed = asked and isinstance(fields.get("reward_model"), dict)
    return posed and not any(schema.matches(fields) for schema in _RICHER)


def _drafts(fields: Fields) -> Iterator[ProblemDraft]:
    reward = fields.get("reward_model")
    if not isinstance(reward, dict):
        detail = f"field 'reward_model' is {kind_of(reward)}, not an object"
        raise mismatch(detail)
    prompt = fields.get("prompt")
    turns = (
        [Turn(role="user", text=prompt)] if isinstance(prompt, str) else turns_of(prompt, "prompt")
    )
    yield ProblemDraft(
        prompt=prompt_of(turns),
        reference=optional_answer(reward, "ground_truth"),
        labels=single_labels(fields, but=_NO_LABELS)
        | labels_in(fields, source="data_source", subject="ability"),
        images=tuple(image for turn in turns for image in turn.images),
    )


SCHEMA = Schema(name="dapo", matches=_matches, drafts=_drafts)
