"""How does a Math-Shepherd row become a trace?

``input, label, task``: ``input`` is the problem and its steps ("Step 1: … ки"), ``label`` the same
text with ``+`` or ``-`` where ``input`` has ``ки``. The prompt is what stands before the first
step. The places of the labels, ``ки``, are no part of the trace; its steps are joined by line
breaks, and their marks ("Step 1:") stand between them. ``first_wrong_step`` counts from 0 to the
first step with ``-``; -1 where none has it, as in ProcessBench.
"""

import re
from collections.abc import Iterator

from grace_engine.ingest.drafts import (
    Draft,
    Fields,
    GivenStep,
    Schema,
    labels_in,
    mismatch,
    text_field,
)

_PLACE = "ки"
_MARK = re.compile(r"\AStep \d+:\s*")
_FIRST_STEP = re.compile(r"(?:^|\s)(Step 1:)")


def _matches(fields: Fields) -> bool:
    text = fields.get("input")
    return isinstance(text, str) and _PLACE in text and isinstance(fields.get("label"), str)


def _drafts(fields: Fields) -> Iterator[Draft]:
    text, marked = text_field(fields, "input"), text_field(fields, "label")
    first = _FIRST_STEP.search(text)
    if first is None:
        raise mismatch("no step of field 'input' begins with 'Step 1:'")
    prompt = text[: first.start(1)]
    pieces = text.split(_PLACE)
    labels = list(_labels(pieces, marked))
    pieces[0] = pieces[0][len(prompt) :]
    pairs = zip(pieces, [*labels, None], strict=True)  # nothing labels what follows the last place
    steps = [(piece.strip(), label) for piece, label in pairs if piece.strip()]
    yield Draft(
        prompt=prompt.strip(),
        text="\n".join(step for step, _ in steps),
        given_steps=tuple(
            GivenStep(text=_MARK.sub("", step, count=1), label=label) for step, label in steps
        ),
        labels={
            "first_wrong_step": next((i for i, (_, label) in enumerate(steps) if label == "-"), -1),
            **labels_in(fields, task="task"),
        },
    )


def _labels(pieces: list[str], marked: str) -> Iterator[str]:
    """The label after each piece but the last; the two fields have to agree in all else."""
    position = 0
    for number, piece in enumerate(pieces[:-1], start=1):
        position += len(piece)
        label = marked[position : position + 1]
        if marked[position - len(piece) : position] != piece or label not in ("+", "-"):
            detail = f"field 'label' has no + or - where 'input' has its {_PLACE!r} number {number}"
            raise mismatch(detail)
        yield label
        position += 1


SCHEMA = Schema(name="math-shepherd", matches=_matches, drafts=_drafts)
