"""Of which plain values is a trace made, before it is an object or after it is one?

What cuts and stores traces by the million handles these: a ``Trace`` with its steps costs several
times what is done with it there.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from grace_engine.records.problems import Problem
from grace_engine.records.traces import Answer, Label, Reject, SourceRecord, Step, Trace

StepParts: TypeAlias = tuple[int, int, int, Label]
"""``start``, ``end``, ``mark_start`` and ``label`` of a step."""


class Parts(NamedTuple):
    """The values of one trace; all it has but the names of its dataset and of its segmenter.

    Attributes:
        id: As in ``Trace``, and so the others.
        path: Of its record.
        line: Of its record.
        variant: "" when its record holds one trace.
        prompt: What the model is asked.
        text: The reasoning.
        appended: Of its answer.
        answer: The answer's own characters.
        answer_start: First character of the answer.
        answer_end: One past its last.
        answer_mark: First character of what announces it.
        reference: What the data holds to be right, if it says so.
        labels: What the data says of the trace.
        images: Of the prompt.
        steps: In order.
        digest: Of its record.
        raw: Bytes of its record.
    """

    id: str
    path: str
    line: int
    variant: str
    prompt: str
    text: str
    appended: str
    answer: str
    answer_start: int
    answer_end: int
    answer_mark: int
    reference: str | None
    labels: Mapping[str, Label]
    images: tuple[str, ...]
    steps: Sequence[StepParts]
    digest: str
    raw: bytes


Drawn: TypeAlias = Parts | Problem | Reject
"""What a record can become, its traces in parts."""


def parts_of(trace: Trace) -> Parts:
    """The parts of a trace."""
    answer, record = trace.answer, trace.record
    return Parts(
        id=trace.id,
        path=record.path,
        line=record.line,
        variant=trace.variant,
        prompt=trace.prompt,
        text=trace.text,
        appended=answer.appended,
        answer=answer.text,
        answer_start=answer.start,
        answer_end=answer.end,
        answer_mark=answer.mark_start,
        reference=trace.reference,
        labels=trace.labels,
        images=trace.images,
        steps=[(step.start, step.end, step.mark_start, step.label) for step in trace.steps],
        digest=record.digest,
        raw=record.raw,
    )


def trace_of(parts: Parts, record: SourceRecord, *, dataset: str, segmenter: str) -> Trace:
    """The trace of these parts, which shares its record with others."""
    return Trace(
        id=parts.id,
        dataset=dataset,
        variant=parts.variant,
        prompt=parts.prompt,
        text=parts.text,
        steps=tuple(
            Step(start=start, end=end, mark_start=mark, label=label)
            for start, end, mark, label in parts.steps
        ),
        answer=Answer(
            text=parts.answer,
            start=parts.answer_start,
            end=parts.answer_end,
            mark_start=parts.answer_mark,
            appended=parts.appended,
        ),
        reference=parts.reference,
        labels=parts.labels,
        images=parts.images,
        segmenter=segmenter,
        record=record,
    )
