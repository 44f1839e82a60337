"""How do any number of parsed traces wait, in little memory, to enter in one transaction?

In chunks, each a Parquet file of its own, so that processes can write them side by side.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from grace_engine.disk import disk_fault
from grace_engine.records import (
    Drawn,
    Item,
    Label,
    Parts,
    Problem,
    Reject,
    StepParts,
    Trace,
    parts_of,
)

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
        "record_ordinal": pa.int64(),  # of the first trace in the chunk that has the same record
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
        "raw": pa.binary(),  # null where that is another trace
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


def stage_chunk(items: Sequence[Drawn], folder: Path, number: int) -> Counter[str]:
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
            _not_unicode(item) if isinstance(item, Parts) and not _is_unicode(item) else item
            for item in items
        ]
        traces = _trace_table(items, first)
    problems = [(i, item) for i, item in enumerate(items, first) if isinstance(item, Problem)]
    rejects = [(i, item) for i, item in enumerate(items, first) if isinstance(item, Reject)]
    _write(traces, folder / f"{TRACES}-{number:08}.parquet")
    if problems or not number:  # one file of each at least
        _write(_problem_table(problems), folder / f"{PROBLEMS}-{number:08}.parquet")
    if rejects or not number:
        _write(_reject_table(rejects), folder / f"{REJECTS}-{number:08}.parquet")
    return Counter(item.reason for _, item in rejects)


def staged_files(folder: Path, kind: str) -> list[str]:
    """The files of the chunks below ``folder``, in order; of TRACES, PROBLEMS or REJECTS."""
    return sorted(str(file) for file in folder.rglob(f"{kind}-*.parquet"))


def _chunks(items: Iterable[Item]) -> Iterator[list[Drawn]]:
    """Lists that are short in rows and in characters; one empty list where there are no items."""
    chunk: list[Drawn] = []
    characters, full = 0, False
    for item in items:
        if full:
            yield chunk
            chunk, characters = [], 0
        chunk.append(parts_of(item) if isinstance(item, Trace) else item)
        if isinstance(item, Trace):
            characters += len(item.prompt) + len(item.text) + len(item.record.raw)
        full = len(chunk) >= _ROWS_PER_CHUNK or characters >= _CHARACTERS_PER_CHUNK
    yield chunk


def _trace_table(items: Sequence[Drawn], first: int) -> pa.Table:
    """A row a trace; ``ordinal`` counts from ``first`` over all items.

    Raises:
        UnicodeEncodeError: A text of some trace is not Unicode.
    """
    traces, ordinals = [], []
    for ordinal, item in enumerate(items, first):
        if isinstance(item, Parts):
            traces.append(item)
            ordinals.append(ordinal)
    if not traces:
        return _TRACES.empty_table()
    (
        ids,
        _paths,
        lines,
        variants,
        prompts,
        texts,
        appended,
        answers,
        answer_starts,
        answer_ends,
        answer_marks,
        references,
        labels,
        images,
        steps,
        digests,
        raws,
    ) = zip(*traces, strict=True)
    firsts = {digest: n for n, digest in zip(reversed(ordinals), reversed(digests), strict=True)}
    record_ordinals = [firsts[digest] for digest in digests]
    columns: dict[str, Any] = {
        "ordinal": ordinals,
        "record_ordinal": record_ordinals,
        "trace_id": ids,
        "line": lines,
        "variant": variants,
        "prompt": prompts,
        "text": texts,
        "appended": appended,
        "answer": answers,
        "answer_start": answer_starts,
        "answer_end": answer_ends,
        "answer_mark": answer_marks,
        "reference": references,
        "labels": [_json(dict(each), each.values()) for each in labels],
        "images": [_images(each) for each in images],
        **_step_columns(steps),
        "digest": digests,
        "raw": [
            raw if ordinal == first else None
            for raw, ordinal, first in zip(raws, ordinals, record_ordinals, strict=True)
        ],
    }
    return pa.table(columns, schema=_TRACES)


def _step_columns(steps: Sequence[Sequence[StepParts]]) -> dict[str, Any]:
    """The columns of the steps of some traces."""
    counts = [len(each) for each in steps]
    flat = list(chain.from_iterable(steps))
    starts, ends, marks, labels = zip(*flat, strict=True) if flat else ((), (), (), ())
    offsets = pa.array([0, *accumulate(counts)], pa.int32())
    columns: dict[str, Any] = {
        name: pa.ListArray.from_arrays(offsets, pa.array(positions, pa.int32()))
        for name, positions in (("step_starts", starts), ("step_ends", ends), ("step_marks", marks))
    }
    some = labels.count(None) < len(labels)
    columns["step_labels"] = (
        [_labels([step[3] for step in each]) for each in steps]
        if some
        else [_no_labels(n) for n in counts]
    )
    return columns


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
    """A new Parquet file, read once and soon: nothing that makes it small, no statistics."""
    try:
        pq.write_table(
            table, file, compression="none", use_dictionary=False, write_statistics=False
        )
    except OSError as error:
        raise disk_fault(error, file) or error from error


def _json(whole: object, labels: Collection[Label]) -> bytes | str:
    """``whole`` as JSON, in which orjson has no word for infinity nor for numbers over 64 bits."""
    if float not in map(type, labels):
        try:
            return orjson.dumps(whole)
        except orjson.JSONEncodeError:
            pass
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


def _is_unicode(trace: Parts) -> bool:
    """Whether all text of a trace can be stored: Python strings may hold lone surrogates."""
    labels = [*trace.labels, *trace.labels.values(), *(label for *_, label in trace.steps)]
    texts = (trace.prompt, trace.text, trace.answer, trace.appended, trace.variant)
    try:
        for text in (*texts, trace.reference, *trace.images, *labels):
            if isinstance(text, str) and not text.isascii():
                text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _not_unicode(trace: Parts) -> Reject:
    return Reject(
        path=trace.path,
        line=trace.line,
        variant=trace.variant,
        reason="not-unicode",
        detail="A string of the record holds a lone surrogate, which is no character.",
        excerpt=_excerpt(trace.raw),
    )


def _excerpt(raw: bytes) -> str:
    return raw[:EXCERPT_LENGTH].decode("utf-8", errors="replace")


def _storable(text: str) -> str:
    """``text`` with lone surrogates written out as escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
