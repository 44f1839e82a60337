"""How does a ProcessBench row become a trace?

``id, generator, problem, steps[], final_answer_correct, label``: ``label`` counts from 0 to the
first wrong step, -1 where none is. Steps before it are clean, it is bad, later ones carry no label.
Steps are joined by a blank line, the paragraphs that they were cut from.
"""

from collections.abc import Iterator

from grace_engine.ingest.drafts import (
    Draft,
    Fields,
    GivenStep,
    Schema,
    kind_of,
    mismatch,
    text_field,
)
from grace_engine.ingest.usual_names import usual_labels
from grace_engine.records import CLEAN, Label

_NAMES = ("problem", "steps", "label", "final_answer_correct")
_BAD = "bad"


def _matches(fields: Fields) -> bool:
    return all(name in fields for name in _NAMES) and isinstance(fields["steps"], list)


def _drafts(fields: Fields) -> Iterator[Draft]:
    steps, first_wrong = fields.get("steps"), fields.get("label")
    if not isinstance(steps, list) or not all(isinstance(text, str) for text in steps):
        raise mismatch("field 'steps' is not a list of texts")
    if type(first_wrong) is not int or not -1 <= first_wrong < len(steps):
        seen = first_wrong if type(first_wrong) is int else kind_of(first_wrong)
        raise mismatch(f"field 'label' is {seen}, not -1 or the number of one of the steps")
    correct = fields.get("final_answer_correct")
    if correct is not None and not isinstance(correct, bool):
        detail = f"field 'final_answer_correct' is {kind_of(correct)}, not true or false"
        raise mismatch(detail)
    yield Draft(
        prompt=text_field(fields, "problem"),
        text="\n\n".join(steps),
        given_steps=tuple(
            GivenStep(text=text, label=_label(index, first_wrong))
            for index, text in enumerate(steps)
        ),
        labels={**usual_labels(fields), "first_wrong_step": first_wrong},
    )


def _label(index: int, first_wrong: int) -> Label:
    if first_wrong < 0 or index < first_wrong:
        return CLEAN
    return _BAD if index == first_wrong else None


SCHEMA = Schema(name="processbench", matches=_matches, drafts=_drafts)
