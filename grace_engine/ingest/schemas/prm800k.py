"""How does a PRM800K row become a trace?

``question{problem, ground_truth_answer, pre_generated_steps}, label{steps[]}``, where each step has
``completions[]{text, rating}``, ``chosen_completion`` and ``human_completion``. The trace is the
path that was followed: the chosen completion, else the human's, which has no rating, else the only
one there is. Where labelling stopped on the model's own solution, the rest of that follows
unlabelled. Completions that were passed over break off without an answer and are no traces. Ratings
-1, 0 and 1 label the steps, which are joined by line breaks.
"""

import re
from collections.abc import Iterator, Mapping

from grace_engine.ingest.drafts import (
    Draft,
    Fields,
    GivenStep,
    Schema,
    kind_of,
    labels_in,
    mismatch,
    optional_answer,
    text_field,
)
from grace_engine.ingest.spans import trimmed
from grace_engine.records import Answer

_RATINGS = (-1, 0, 1)
_ANSWER = re.compile(r"^# Answer[ \t]*\n", re.MULTILINE)


def _matches(fields: Fields) -> bool:
    question, label = fields.get("question"), fields.get("label")
    return isinstance(question, dict) and isinstance(label, dict) and "steps" in label


def _drafts(fields: Fields) -> Iterator[Draft]:
    question, label = _object(fields, "question"), _object(fields, "label")
    path = list(_path(label.get("steps")))
    path += [GivenStep(text=text) for text in _rest(question.get("pre_generated_steps"), path)]
    text = "\n".join(step.text for step in path)
    ratings = [step.label for step in path]
    wrong = {"first_wrong_step": ratings.index(-1)} if -1 in ratings else {}
    yield Draft(
        prompt=text_field(question, "problem"),
        text=text,
        given_steps=tuple(path),
        apart=_answer(text),
        reference=optional_answer(question, "ground_truth_answer"),
        labels={**wrong, **labels_in(label, finish_reason="finish_reason")},
    )


def _object(fields: Fields, name: str) -> Mapping[str, object]:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise mismatch(f"field {name!r} is {kind_of(value)}, not an object")
    return value


def _path(steps: object) -> Iterator[GivenStep]:
    """The steps that were followed, as far as they were labelled."""
    if not isinstance(steps, list) or not steps:
        raise mismatch("field 'label.steps' is not a list with steps")
    for number, step in enumerate(steps):
        if not isinstance(step, dict):
            raise mismatch(f"label.steps.{number} is {kind_of(step)}, not an object")
        completion = _followed(step, f"label.steps.{number}")
        if completion is None:
            return  # nothing was good enough to go on from: labelling ends here
        text, rating = completion.get("text"), completion.get("rating")
        if not isinstance(text, str):
            raise mismatch(f"the text of label.steps.{number} is {kind_of(text)}, not text")
        if rating is not None and (isinstance(rating, bool) or rating not in _RATINGS):
            raise mismatch(f"the rating of label.steps.{number} is {rating!r}, not -1, 0 or 1")
        yield GivenStep(text=text, label=None if rating is None else int(rating))


def _followed(step: Mapping[str, object], where: str) -> Mapping[str, object] | None:
    completions, chosen = step.get("completions") or [], step.get("chosen_completion")
    if not isinstance(completions, list) or not all(isinstance(c, dict) for c in completions):
        raise mismatch(f"{where}.completions is not a list of objects")
    if type(chosen) is int:
        if not 0 <= chosen < len(completions):
            detail = f"{where}.chosen_completion is {chosen} of {len(completions)} completions"
            raise mismatch(detail)
        return completions[chosen]  # type: ignore[no-any-return]
    human = step.get("human_completion")
    if isinstance(human, str):
        return {"text": human}
    if isinstance(human, dict):
        return human
    return completions[0] if len(completions) == 1 else None


def _rest(generated: object, path: list[GivenStep]) -> list[str]:
    """What the model's own solution holds beyond the path; nothing where the path has left it."""
    if not isinstance(generated, list) or not all(isinstance(text, str) for text in generated):
        return []
    followed = [step.text for step in path]
    return generated[len(path) :] if generated[: len(path)] == followed else []


def _answer(text: str) -> Answer | None:
    """What stands below the heading ``# Answer``, with which these solutions end."""
    headings = list(_ANSWER.finditer(text))
    if not headings:
        return None
    start, end = trimmed(text, headings[-1].end(), len(text))
    if start == end:
        return None
    return Answer(text=text[start:end], start=start, end=end, mark_start=headings[-1].start())


SCHEMA = Schema(name="prm800k", matches=_matches, drafts=_drafts)
