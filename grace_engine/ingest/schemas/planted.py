"""How does a trace with planted errors become a trace?

``prompt, steps[], answer, reference, kind, bad_steps[], is_correct``: the studio's own traces whose
bad steps are known. ``bad_steps`` counts from 0; a bad step is labelled with the trace's kind.
"""

from collections.abc import Iterator
from typing import TypeVar

from grace_engine.ingest.drafts import (
    Draft,
    Fields,
    GivenStep,
    Schema,
    kind_of,
    mismatch,
    text_field,
)
from grace_engine.records import CLEAN

T = TypeVar("T")
_WORDS: dict[type, str] = {str: "texts", int: "whole numbers"}

_NAMES = ("prompt", "steps", "answer", "reference", "kind", "bad_steps", "is_correct")


def _matches(fields: Fields) -> bool:
    return all(name in fields for name in _NAMES) and isinstance(fields["steps"], list)


def _drafts(fields: Fields) -> Iterator[Draft]:
    steps = _list_of(fields, "steps", str)
    bad = set(_list_of(fields, "bad_steps", int))
    kind, is_correct = text_field(fields, "kind"), fields.get("is_correct")
    if not isinstance(is_correct, bool):
        raise mismatch(f"field 'is_correct' is {kind_of(is_correct)}, not true or false")
    yield Draft(
        prompt=text_field(fields, "prompt"),
        text="\n".join([*steps, f"#### {text_field(fields, 'answer')}"]),
        given_steps=tuple(
            GivenStep(text=text, label=kind if index in bad else CLEAN)
            for index, text in enumerate(steps)
        ),
        reference=text_field(fields, "reference"),
        labels={"kind": kind, "is_correct": is_correct},
    )


def _list_of(fields: Fields, name: str, kind: type[T]) -> list[T]:
    values = fields.get(name)
    if isinstance(values, list) and all(type(value) is kind for value in values):
        return values
    raise mismatch(f"field {name!r} is not a list of {_WORDS[kind]}")


SCHEMA = Schema(name="planted", matches=_matches, drafts=_drafts)
