"""Which fields of a record does a user call prompt, trace, answer and reference?"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeGuard

from grace_engine.errors import InputError, TraceRejected
from grace_engine.ingest.drafts import (
    Draft,
    Fields,
    GivenStep,
    ProblemDraft,
    Schema,
    answer_text,
    kind_of,
    names_of,
    typed,
)
from grace_engine.records import Label

_NEEDED = "prompt and trace, or prompt and answer or reference where there is no trace"
_ROLES = ("prompt", "trace", "answer", "reference")
_LABEL = "label."
_EXAMPLE = "prompt=question,trace=solution,answer=final,reference=gold,label.level=meta.level"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMap:
    """Where the parts of a trace, or of a problem without one, stand in a record.

    A path is a field's name, or names joined by dots into nested objects; a number counts, from 0,
    into a list (``messages.0.content``).

    Attributes:
        prompt: Path of the prompt, a text.
        trace: Path of the reasoning: a text, or a list of texts, which are then the given steps;
            "" where records only pose problems.
        answer: Path of the answer; "" when it stands in the trace only.
        reference: Path of the answer that is held to be right; "" without one.
        labels: Name and path of every label.
    """

    prompt: str
    trace: str = ""
    answer: str = ""
    reference: str = ""
    labels: tuple[tuple[str, str], ...] = ()


def parse_mapping(text: str) -> FieldMap:
    """Read ``prompt=…,trace=…[,answer=…][,reference=…][,label.NAME=…]``.

    Without ``trace`` records pose problems, and ``answer`` or ``reference`` is what is right.

    Raises:
        InputError: A part is not ``role=path``, a role is unknown or repeated, or the prompt or all
            of the others are not named.
    """
    paths: dict[str, str] = {}
    for part in text.split(","):
        role, _, path = (piece.strip() for piece in part.partition("="))
        known = role in _ROLES or (role.startswith(_LABEL) and role != _LABEL)
        if not known or not path or role in paths:
            what = "given twice" if role in paths else "not known"
            raise InputError(f"Mapping {part.strip()!r} is {what}: write --map like {_EXAMPLE}.")
        paths[role] = path
    if "prompt" not in paths or not paths.keys() & {"trace", "answer", "reference"}:
        raise InputError(f"Mapping {text!r} must name {_NEEDED}: write --map like {_EXAMPLE}.")
    labels = tuple(
        (role.removeprefix(_LABEL), path) for role, path in paths.items() if role not in _ROLES
    )
    return FieldMap(
        prompt=paths["prompt"],
        trace=paths.get("trace", ""),
        answer=paths.get("answer", ""),
        reference=paths.get("reference", ""),
        labels=labels,
    )


def mapped_schema(mapping: FieldMap) -> Schema:
    """The schema ``mapped``: every record is read as ``mapping`` says."""

    def posed(fields: Fields) -> Iterator[ProblemDraft]:
        yield ProblemDraft(
            prompt=_prompt_at(fields, mapping.prompt),
            reference=_reference_at(fields, mapping.reference)
            or _reference_at(fields, mapping.answer),
            labels={name: _label_at(fields, path) for name, path in mapping.labels},
        )

    def drafts(fields: Fields) -> Iterator[Draft]:
        prompt, trace = _prompt_at(fields, mapping.prompt), _at(fields, mapping.trace)
        steps = trace if _is_texts(trace) else None
        if steps is None and not isinstance(trace, str):
            seen = "a list of other things" if isinstance(trace, list) else kind_of(trace)
            raise TraceRejected(
                "wrong-type", f"field {mapping.trace!r} is {seen}, not text or a list of texts"
            )
        yield Draft(
            prompt=prompt,
            text=str(trace) if steps is None else "\n".join(steps),
            given_steps=None if steps is None else tuple(GivenStep(text=text) for text in steps),
            answer=_answer_at(fields, mapping.answer),
            reference=_reference_at(fields, mapping.reference),
            labels={name: _label_at(fields, path) for name, path in mapping.labels},
        )

    found = drafts if mapping.trace else posed
    return Schema(name="mapped", matches=lambda _fields: True, drafts=found)


def _prompt_at(fields: Fields, path: str) -> str:
    """The prompt at a path, which is a text."""
    prompt = _at(fields, path)
    if isinstance(prompt, str):
        return prompt
    raise TraceRejected("wrong-type", f"field {path!r} is {kind_of(prompt)}, not text")


def _at(fields: Fields, path: str) -> object:
    """The value at a path; a field whose own name holds the dots comes first."""
    if path in fields:
        return fields[path]
    value: object = fields
    for name in path.split("."):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            detail = f"field {path!r} is missing; the record has {names_of(fields)}"
            raise TraceRejected("missing-field", detail)
    return value


def _at_or_none(fields: Fields, path: str) -> object:
    """The value at a path; None where the record lacks it."""
    with suppress(TraceRejected):
        return _at(fields, path)
    return None


def _answer_at(fields: Fields, path: str) -> str | None:
    """The answer at a path as text; None where there is none, for the trace may hold its own."""
    value = _at_or_none(fields, path) if path else None
    return None if value is None else answer_text(path, value)


def _reference_at(fields: Fields, path: str) -> str | None:
    """The right answer at a path as text; None where there is none, or a blank one."""
    found = _answer_at(fields, path)
    return found if found and found.strip() else None


def _label_at(fields: Fields, path: str) -> Label:
    """A label's value; None where the record lacks it, for that is no reason to lose the trace."""
    value = _at_or_none(fields, path)
    if isinstance(value, str):
        return typed(value)
    if value is None or isinstance(value, int | float):
        return value
    raise TraceRejected("wrong-type", f"field {path!r} is {kind_of(value)}: a label is one value")


def _is_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
