"""How do any number of parsed traces wait, in little memory, to enter in one transaction?

In chunks, each a Parquet file of its own, so that processes can write them side by side.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from grace_engine.records import Item, Label, Problem, Reject, Trace
from grace_engine.store.faults import in_sentences

EXCERPT_LENGTH = 200
TRACES, PROBLEMS, REJECTS = "traces", "problems", "rejects"

# Ordinals of a chunk, from 1, begin at its number times this, which no chunk comes near to.
_ORDINALS_PER_CHUNK = 1 << 24
_ROWS_PER_CHUNK = 4096
_CHARACTERS_PER_CHUNK = 16_000_000

_POSITIONS = pa.list_(pa.int32())
_TRACES = pa.schema(
    {
        "ordinal": pa.int64(),
        "trace_id": pa.string(),
        "line": pa.int64(),
        "variant": pa.string(),
        "prompt": pa.string(),
        "text": pa.string(),
        "appended": pa.string(),
        "answer": pa.string(),
        "answer_start": pa.int32(),
        "answer_end": pa.int32(),
        "answer_mark": pa.int32(),
        "reference": pa.string(),
        "labels": pa.string(),
        "images": pa.string(),
        "step_starts": _POSITIONS,
        "step_ends": _POSITIONS,
        "step_marks": _POSITIONS,
        "step_labels": pa.string(),
        "digest": pa.string(),
        "raw": pa.binary(),  # null where the trace before it has the same record
        "excerpt": pa.string(),
    }
)
_PROBLEMS = pa.schema(
    {
        "ordinal": pa.int64(),
        "problem_id": pa.string(),
        "line": pa.int64(),
        "prompt": pa.string(),
        "reference": pa.string(),
        "labels": pa.string(),
        "images": pa.string(),
        "digest": pa.string(),
        "raw": pa.binary(),
    }
)
_REJECTS = pa.schema(
    {
        "ordinal": pa.int64(),
        "path": pa.string(),
        "line": pa.int64(),
        "variant": pa.string(),
        "reason": pa.string(),
        "detail": pa.string(),
        "excerpt": pa.string(),
    }
)


def stage(items: Iterable[Item], folder: Path) -> Counter[str]:
    """Write traces, problems and rejects into ``folder``, a chunk at a time.

    Returns:
        How many rejects there are by reason.
    """
    reasons: Counter[str] = Counter()
    for number, chunk in enumerate(_chunks(items)):
        reasons += stage_chunk(chunk, folder, number)
    return reasons


def stage_chunk(items: Sequence[Item], folder: Path, number: int) -> Counter[str]:
    """Write one chunk: ``traces-NUMBER.parquet``, and the same of problems and of rejects.

    Chunks enter in the order of their numbers. A trace whose text is not Unicode (a lone surrogate)
    becomes a reject.

    Returns:
        How many rejects there are by reason.

    Raises:
        StoreError: The disk is full, or the folder cannot be written.
    """
    first = number * _ORDINALS_PER_CHUNK + 1
    try:
        traces = _trace_table(items, first)
    except UnicodeEncodeError:
        items = [
            _not_unicode(item) if isinstance(item, Trace) and not _is_unicode(item) else item
            for item in items
        ]
        traces = _trace_table(items, first)
    problems = [(i, item) for i, item in enumerate(items, first) if isinstance(item, Problem)]
    rejects = [(i, item) for i, item in enumerate(items, first) if isinstance(item, Reject)]
    _write(traces, folder / f"{TRACES}-{number:08}.parquet")
    _write(_problem_table(problems), folder / f"{PROBLEMS}-{number:08}.parquet")
    _write(_reject_table(rejects), folder / f"{REJECTS}-{number:08}.parquet")
    return Counter(item.reason for _, item in rejects)


def staged_files(folder: Path, kind: str) -> list[str]:
    """The files of the chunks below ``folder``, in order; of TRACES, PROBLEMS or REJECTS."""
    return sorted(str(file) for file in folder.rglob(f"{kind}-*.parquet"))


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Lists that are short in rows and in characters; one empty list where there are no items."""
    chunk: list[Item] = []
    characters, full = 0, False
    for item in items:
        if full:
            yield chunk
            chunk, characters = [], 0
        chunk.append(item)
        if isinstance(item, Trace):
            characters += len(item.prompt) + len(item.text) + len(item.record.raw)
        full = len(chunk) >= _ROWS_PER_CHUNK or characters >= _CHARACTERS_PER_CHUNK
    yield chunk


def _trace_table(items: Sequence[Item], first: int) -> pa.Table:
    """A row a trace; ``ordinal`` counts from ``first`` over all items.

    Raises:
        UnicodeEncodeError: A text of some trace is not Unicode.
    """
    ordinals, traces = [], []
    for ordinal, item in enumerate(items, first):
        if isinstance(item, Trace):
            ordinals.append(ordinal)
            traces.append(item)
    answers = [trace.answer for trace in traces]
    records = [trace.record for trace in traces]
    step_labels = [[step.label for step in trace.steps] for trace in traces]
    before = ["", *(record.digest for record in records)]
    columns: dict[str, list[Any]] = {
        "ordinal": ordinals,
        "trace_id": [trace.id for trace in traces],
        "line": [record.line for record in records],
        "variant": [trace.variant for trace in traces],
        "prompt": [trace.prompt for trace in traces],
        "text": [trace.text for trace in traces],
        "appended": [answer.appended for answer in answers],
        "answer": [answer.text for answer in answers],
        "answer_start": [answer.start for answer in answers],
        "answer_end": [answer.end for answer in answers],
        "answer_mark": [answer.mark_start for answer in answers],
        "reference": [trace.reference for trace in traces],
        "labels": [_json(dict(trace.labels), trace.labels.values()) for trace in traces],
        "images": [_images(trace.images) for trace in traces],
        "step_starts": [[step.start for step in trace.steps] for trace in traces],
        "step_ends": [[step.end for step in trace.steps] for trace in traces],
        "step_marks": [[step.mark_start for step in trace.steps] for trace in traces],
        "step_labels": [_labels(labels) for labels in step_labels],
        "digest": before[1:],
        "raw": [
            None if record.digest == last else record.raw
            for record, last in zip(records, before, strict=False)
        ],
        "excerpt": [_excerpt(record.raw) for record in records],
    }
    return pa.table(columns, schema=_TRACES)


def _problem_table(problems: Sequence[tuple[int, Problem]]) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "ordinal": [ordinal for ordinal, _ in problems],
        "problem_id": [problem.id for _, problem in problems],
        "line": [problem.record.line for _, problem in problems],
        "prompt": [problem.prompt for _, problem in problems],
        "reference": [problem.reference for _, problem in problems],
        "labels": [_json(dict(p.labels), p.labels.values()) for _, p in problems],
        "images": [_images(problem.images) for _, problem in problems],
        "digest": [problem.record.digest for _, problem in problems],
        "raw": [problem.record.raw for _, problem in problems],
    }
    return pa.table(columns, schema=_PROBLEMS)


def _reject_table(rejects: Sequence[tuple[int, Reject]]) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "ordinal": [ordinal for ordinal, _ in rejects],
        "path": [_storable(reject.path) for _, reject in rejects],
        "line": [reject.line for _, reject in rejects],
        "variant": [_storable(reject.variant) for _, reject in rejects],
        "reason": [reject.reason for _, reject in rejects],
        "detail": [_storable(reject.detail) for _, reject in rejects],
        "excerpt": [_storable(reject.excerpt) for _, reject in rejects],
    }
    return pa.table(columns, schema=_REJECTS)


def _write(table: pa.Table, file: Path) -> None:
    """A new Parquet file, read once and soon: no dictionaries, no statistics."""
    with in_sentences(file):
        pq.write_table(table, file, compression="lz4", use_dictionary=False, write_statistics=False)


def _json(whole: object, labels: Collection[Label]) -> bytes | str:
    """``whole`` as JSON, in which orjson has no word for infinity nor for numbers over 64 bits."""
    if float not in map(type, labels):
        with suppress(orjson.JSONEncodeError):
            return orjson.dumps(whole)
    return json.dumps(whole, ensure_ascii=False)


def _images(images: tuple[str, ...]) -> bytes | str:
    return _json(images, ()) if images else b"[]"


def _labels(labels: list[Label]) -> bytes | str:
    """The labels of a trace's steps, most of which have none."""
    n = len(labels)
    return _json(labels, labels) if labels.count(None) < n else _no_labels(n)


@lru_cache(maxsize=1024)
def _no_labels(n: int) -> bytes:
    return orjson.dumps([None] * n)


def _is_unicode(trace: Trace) -> bool:
    """Whether all text of a trace can be stored: Python strings may hold lone surrogates."""
    labels = [*trace.labels, *trace.labels.values(), *(step.label for step in trace.steps)]
    texts = (trace.prompt, trace.text, trace.answer.text, trace.answer.appended, trace.variant)
    try:
        for text in (*texts, trace.reference, *trace.images, *labels):
            if isinstance(text, str) and not text.isascii():
                text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _not_unicode(trace: Trace) -> Reject:
    return Reject(
        path=trace.record.path,
        line=trace.record.line,
        variant=trace.variant,
        reason="not-unicode",
        detail="A string of the record holds a lone surrogate, which is no character.",
        excerpt=_excerpt(trace.record.raw),
    )


def _excerpt(raw: bytes) -> str:
    return raw[:EXCERPT_LENGTH].decode("utf-8", errors="replace")


def _storable(text: str) -> str:
    """``text`` with lone surrogates written out as escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
