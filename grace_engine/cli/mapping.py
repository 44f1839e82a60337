"""Which field is which, where no schema fits? The shell asks, with the guess filled in."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import typer

from grace_engine import api
from grace_engine.cli import console
from grace_engine.config import IngestConfig
from grace_engine.errors import InputError

_SAMPLE = 100
_NEEDED = ("prompt",)
_ASKED = {
    "prompt": "Field of the prompt",
    "trace": "Field of the reasoning (- where records only pose problems)",
    "answer": "Field of the answer (- for none)",
    "reference": "Field of the right answer, if another (- for none)",
}
_NONE = "-"

Ingest = Callable[[Path, IngestConfig], api.FileIngest]


def ask_where_no_schema_fits(
    results: Sequence[api.FileIngest], config: IngestConfig, again: Ingest
) -> list[api.FileIngest]:
    """The results, with those of files in which no schema fits read by a mapping that is asked for.

    Files with the same fields are asked for once. Without a terminal nothing is asked: the faults
    name the guess.

    Args:
        results: What became of the files.
        config: How they were read.
        again: Reads a file under another configuration.
    """
    if config.mapping or config.schema != "auto" or not sys.stdin.isatty():
        return list(results)
    answered: dict[tuple[str, ...], str] = {}
    mended = []
    for result in results:
        fields = _unknown(result, config)
        if fields is None:
            mended.append(result)
            continue
        names = tuple(field.path for field in fields.fields)
        if names not in answered:
            answered[names] = _ask(fields)
        mapped = replace(config, dataset=result.dataset, mapping=answered[names])
        mended.append(again(Path(result.path), mapped))
    return mended


def fields_table(found: api.Preview) -> None:
    """The fields of a file's records, with samples."""
    console.table(
        "No known format fits. The fields",
        ["field", "is", "in", "such as"],
        [
            (f.path, f.kind, f"{f.share:.0%}", shortened(f.samples[0]) if f.samples else "")
            for f in found.fields
        ],
    )


def shortened(text: str) -> str:
    """The beginning of a text on one line."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _SAMPLE else flat[: _SAMPLE - 1] + "…"


def _unknown(result: api.FileIngest, config: IngestConfig) -> api.Preview | None:
    """What a file holds that was read, and in which no schema fits; None for any other."""
    if result.count is not None:
        return None
    try:
        found = api.preview(result.path, config, 0)
    except InputError:
        return None  # it cannot be read at all, which its result says
    return found if found.fields and not found.schema else None


def _ask(found: api.Preview) -> str:
    """A mapping; Enter accepts what is guessed."""
    console.note(f"{found.path}:")
    fields_table(found)
    guess = dict(part.split("=", 1) for part in found.guess.split(",") if part)
    # A mapping is written with commas and equals signs, so fields cannot be named by them.
    names = {field.path for field in found.fields if not set(field.path) & set(",=")}
    chosen = {}
    for role, question in _ASKED.items():
        default = guess.get(role, None if role in _NEEDED else _NONE)
        name = ""
        while not name:
            said = typer.prompt(question, default=default, err=True).strip()
            if said in names or (said == _NONE and role not in _NEEDED):
                name = said
            else:
                console.note(f"There is no field {said!r}: type one of those above.")
        if name != _NONE:
            chosen[role] = name
    return ",".join(f"{role}={name}" for role, name in chosen.items())
