"""What does one line of an exported file hold, in each format that trainers read?"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import orjson

from grace_engine.models.render import messages_of, prompt_completion_of
from grace_engine.records import Trace

Format: TypeAlias = Literal["original", "messages", "prompt-completion", "sharegpt", "alpaca"]
FORMATS: tuple[Format, ...] = ("original", "messages", "prompt-completion", "sharegpt", "alpaca")

# The key that annotations stand under; a record that has it already keeps its own in "_grace".
KEY = "grace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What the studio knows of an exported trace, as plain JSON values.

    Attributes:
        document: Selection, rank, value, reason, the numbers of every step, and what curators
            said of it, where they did.
    """

    document: Mapping[str, Any]


def exported_lines(
    traces: Iterable[tuple[Trace, Annotation | None]], as_format: Format, *, reasoning_key: str = ""
) -> Iterator[bytes]:
    """Lines without their line breaks, in the order of the traces.

    ``original`` is the source record, byte for byte (annotated: the record as JSON with the
    annotations of its chosen traces by variant). A record that holds several chosen traces is
    written once, where the first of them stands.

    Args:
        traces: Chosen traces, each with its annotation where they are wanted.
        as_format: One of ``FORMATS``.
        reasoning_key: Message key of the text before ``</think>``; "" keeps it inline.
    """
    if as_format == "original":
        yield from _original(traces)
        return
    for trace, annotation in traces:
        line = _converted(trace, as_format, reasoning_key)
        if annotation is not None:
            line[KEY] = annotation.document
        yield orjson.dumps(line)


def _converted(trace: Trace, as_format: Format, reasoning_key: str) -> dict[str, Any]:
    if as_format == "messages":
        return {"messages": messages_of(trace, reasoning_key=reasoning_key)}
    if as_format == "prompt-completion":
        return dict(prompt_completion_of(trace))
    if as_format == "sharegpt":
        turns = (("human", trace.prompt), ("gpt", trace.full_text))
        return {"conversations": [{"from": who, "value": value} for who, value in turns]}
    return {"instruction": trace.prompt, "input": "", "output": trace.full_text}


def _original(traces: Iterable[tuple[Trace, Annotation | None]]) -> Iterator[bytes]:
    records: dict[str, list[tuple[Trace, Annotation | None]]] = {}
    for trace, annotation in traces:
        records.setdefault(trace.record.digest, []).append((trace, annotation))
    for members in records.values():
        raw = members[0][0].record.raw
        notes = {t.variant: a.document for t, a in members if a is not None}
        if not notes:
            yield raw
            continue
        fields = orjson.loads(raw)
        if KEY in fields:
            fields[f"_{KEY}"] = fields.pop(KEY)
        yield orjson.dumps(fields | {KEY: notes})
