"""What does a schema find in a record, before the text is cut?"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from grace_engine.errors import TraceRejected
from grace_engine.records import Answer, Label

# Without leading zeros, which numbers of things have; short enough to be exact.
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?")

# Whole numbers above this are no longer exact once JSON has been read into a float.
_LARGEST_EXACT = 2**53

Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenStep:
    """A step that the record itself sets apart.

    Attributes:
        text: The step's text, as it stands in the draft's ``text``.
        label: What the data says of the step, if anything.
    """

    text: str
    label: Label = None


@dataclass(slots=True, kw_only=True)  # not frozen, which makes a new one take some times longer
class Draft:
    """One trace of a record: its parts, not yet segmented or checked.

    Attributes:
        variant: Which trace of the record it is; "" when the record holds one.
        prompt: What the model is asked.
        text: The reasoning, unchanged.
        given_steps: The steps in order, each found in ``text``; None when the record lists none.
        answer: The answer as a field of its own; None when there is no such field.
        apart: The answer where the record's shape sets it apart in ``text`` (what follows
            ``</think>``); used where nothing from its mark on announces another.
        reference: The answer that the data holds to be right; None when it does not say.
        is_reference: Whether the trace is itself the right solution, its own answer the reference.
        labels: What the data says of the trace.
        images: References to images of the prompt.
    """

    variant: str = ""
    prompt: str
    text: str
    given_steps: tuple[GivenStep, ...] | None = None
    answer: str | None = None
    apart: Answer | None = None
    reference: str | None = None
    is_reference: bool = False
    labels: Mapping[str, Label] = field(default_factory=dict)
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemDraft:
    """A problem that a record poses and does not solve, not yet checked.

    Attributes:
        prompt: What a model is asked.
        reference: The answer that the data holds to be right; None when it does not say.
        labels: What the data says of the problem.
        images: References to images of the prompt.
    """

    prompt: str
    reference: str | None = None
    labels: Mapping[str, Label] = field(default_factory=dict)
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedDraft:
    """One of several traces of a record that cannot be used, while the others can.

    Attributes:
        variant: Which trace of the record.
        reason: Stable kebab-case code.
        detail: What was seen.
    """

    variant: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """How records of one shape are understood.

    Attributes:
        name: As ``--format`` takes it.
        matches: Whether a record is of this shape, by its content; no other schema's records are.
        drafts: The traces of a record, or the problem that it poses. Raises ``TraceRejected`` when
            the whole record is unusable.
        share: Share of a file's first records that have to be of this shape before it is taken,
            0 to 1: more than 0 where one of them may look so by chance.
    """

    name: str
    matches: Callable[[Fields], bool]
    drafts: Callable[[Fields], Iterable[Draft | ProblemDraft | RejectedDraft]]
    share: float = 0.0


def mismatch(detail: str) -> TraceRejected:
    """The verdict on a record, or a trace of it, that has not the shape that its schema reads."""
    return TraceRejected("schema-mismatch", detail)


def text_field(fields: Fields, name: str) -> str:
    """A field that a schema needs as text.

    Raises:
        TraceRejected: ``schema-mismatch`` when it is missing or something else.
    """
    value = fields.get(name)
    if isinstance(value, str):
        return value
    if name in fields:
        detail = f"field {name!r} is {kind_of(value)}, not text"
    else:
        detail = f"field {name!r} is missing; the record has {names_of(fields)}"
    raise mismatch(detail)


def answer_text(name: str, value: object) -> str:
    """An answer field as text: text as it is, numbers and truth values as Python prints them.

    Raises:
        TraceRejected: ``wrong-type`` when it is anything else, or a number too large to be exact.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float) and abs(value) > _LARGEST_EXACT:
        detail = f"field {name!r} is a number too large to be read exactly: give it as text"
        raise TraceRejected("wrong-type", detail)
    if isinstance(value, bool | int | float):
        return str(value)
    raise TraceRejected("wrong-type", f"field {name!r} is {kind_of(value)}, not text or a number")


def optional_answer(fields: Fields, name: str) -> str | None:
    """An answer field as text, as ``answer_text``; None where it is missing, null or blank."""
    value = fields.get(name)
    text = "" if value is None else answer_text(name, value)
    return text if text.strip() else None


def labels_in(fields: Fields, **names: str) -> dict[str, Label]:
    """Labels by name, each from the field that is given for it; none for one missing or null.

    Raises:
        TraceRejected: ``wrong-type`` when a field holds anything but one value.
    """
    found: dict[str, Label] = {}
    for label, name in names.items():
        value = fields.get(name)
        if isinstance(value, str | int | float):
            found[label] = value
        elif value is not None:
            detail = f"field {name!r} is {kind_of(value)}: a label is one value"
            raise TraceRejected("wrong-type", detail)
    return found


def typed(text: str) -> Label:
    """A label from a cell of a table, which knows no types: ``True``, ``3``, ``0.5``, else text."""
    word = text.strip()
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    if _NUMBER.fullmatch(word):
        return float(word) if "." in word else int(word)
    return text


def kind_of(value: object) -> str:
    """What a JSON value is, in words; the words true and false of a table are no text."""
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return "true or false"
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return "text"


def names_of(fields: Fields, most: int = 20) -> str:
    """The names of a record's fields, for a person to read; beyond ``most`` only counted."""
    names = ", ".join(list(fields)[:most]) or "no fields"
    return names if len(fields) <= most else f"{names} and {len(fields) - most} more"
