"""How does an OpenR1-Math row become traces?

``problem, solution, answer, generations[], correctness_math_verify[], is_reasoning_complete[]``:
every generation is a trace, its variant the place in the list, from 0. The reference is the answer,
or the one that the solution marks.
"""

from collections.abc import Iterator

from grace_engine.errors import TraceRejected
from grace_engine.ingest.drafts import (
    Draft,
    Fields,
    RejectedDraft,
    Schema,
    kind_of,
    labels_in,
    mismatch,
    optional_answer,
    text_field,
)
from grace_engine.ingest.thinking import reply_of
from grace_engine.ingest.usual_names import answer_of_text
from grace_engine.records import Label

_VERDICTS = {
    "is_correct": "correctness_math_verify",
    "is_correct_llama": "correctness_llama",
    "is_reasoning_complete": "is_reasoning_complete",
}


def _matches(fields: Fields) -> bool:
    return isinstance(fields.get("problem"), str) and isinstance(fields.get("generations"), list)


def _drafts(fields: Fields) -> Iterator[Draft | RejectedDraft]:
    prompt, generations = text_field(fields, "problem"), fields.get("generations")
    if not isinstance(generations, list):
        detail = f"field 'generations' is {kind_of(generations)}, not a list"
        raise mismatch(detail)
    reference = optional_answer(fields, "answer")
    if reference is None and isinstance(solution := fields.get("solution"), str):
        reference = answer_of_text(solution)
    shared = labels_in(fields, source="source", subject="problem_type")
    for index, text in enumerate(generations):
        try:
            verdicts = _verdicts(fields, index)
            if not isinstance(text, str):
                raise mismatch(f"the text is {kind_of(text)}")
        except TraceRejected as fault:
            detail = f"generation {index}: {fault.detail}"
            yield RejectedDraft(variant=str(index), reason=fault.reason, detail=detail)
            continue
        yield Draft(
            variant=str(index),
            prompt=prompt,
            text=text,
            apart=reply_of(text),
            reference=reference,
            labels={**shared, **verdicts},
        )


def _verdicts(fields: Fields, index: int) -> dict[str, Label]:
    """What the lists say of one generation; nothing where one is missing, or holds null."""
    found: dict[str, Label] = {}
    for label, name in _VERDICTS.items():
        listed = fields.get(name)
        value = listed[index] if isinstance(listed, list) and index < len(listed) else None
        if isinstance(value, bool):
            found[label] = value
        elif value is not None or not isinstance(listed, list | None):
            seen = kind_of(listed if value is None else value)
            raise mismatch(f"{name} is {seen}, not true or false")
    return found


SCHEMA = Schema(name="openr1-math", matches=_matches, drafts=_drafts)
