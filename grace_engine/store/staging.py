"""How do any number of parsed traces wait, in little memory, to enter in one transaction?"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from grace_engine.records import Reject, Trace
from grace_engine.store.faults import in_sentences

EXCERPT_LENGTH = 200
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


def stage(items: Iterable[Trace | Reject], traces_file: Path, rejects_file: Path) -> Counter[str]:
    """Write traces and rejects to two Parquet files, a chunk at a time.

    A trace whose text is not Unicode (a lone surrogate) becomes a reject.

    Returns:
        How many rejects there are by reason.
    """
    reasons: Counter[str] = Counter()
    with (
        _writer(traces_file, _TRACES) as write_traces,
        _writer(rejects_file, _REJECTS) as write_rejects,
    ):
        ordinal, last_digest = 0, ""
        for chunk in _chunks(items):
            rows: list[dict[str, Any]] = []
            refused: list[dict[str, Any]] = []
            for item in chunk:
                ordinal += 1
                if isinstance(item, Trace) and not _is_unicode(item):
                    item = _not_unicode(item)
                if isinstance(item, Trace):
                    rows.append(_trace_row(ordinal, item, item.record.digest != last_digest))
                    last_digest = item.record.digest
                else:
                    refused.append(_reject_row(ordinal, item))
                    reasons[item.reason] += 1
            write_traces(rows)
            write_rejects(refused)
    return reasons


@contextmanager
def _writer(file: Path, schema: pa.Schema) -> Iterator[Callable[[list[dict[str, Any]]], None]]:
    """What appends rows to a new Parquet file; a full disk becomes a sentence."""
    with in_sentences(file):
        writer = pq.ParquetWriter(file, schema)

    def write(rows: list[dict[str, Any]]) -> None:
        with in_sentences(file):
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))

    try:
        yield write
    finally:
        with in_sentences(file):
            writer.close()


def _chunks(items: Iterable[Trace | Reject]) -> Iterator[list[Trace | Reject]]:
    """Lists that are short in rows and in characters."""
    chunk: list[Trace | Reject] = []
    characters = 0
    for item in items:
        chunk.append(item)
        if isinstance(item, Trace):
            characters += len(item.prompt) + len(item.text) + len(item.record.raw)
        if len(chunk) >= _ROWS_PER_CHUNK or characters >= _CHARACTERS_PER_CHUNK:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _trace_row(ordinal: int, trace: Trace, with_raw: bool) -> dict[str, Any]:
    return {
        "ordinal": ordinal,
        "trace_id": trace.id,
        "line": trace.record.line,
        "variant": trace.variant,
        "prompt": trace.prompt,
        "text": trace.text,
        "appended": trace.answer.appended,
        "answer": trace.answer.text,
        "answer_start": trace.answer.start,
        "answer_end": trace.answer.end,
        "answer_mark": trace.answer.mark_start,
        "reference": trace.reference,
        "labels": json.dumps(dict(trace.labels), ensure_ascii=False),
        "images": json.dumps(trace.images, ensure_ascii=False),
        "step_starts": [step.start for step in trace.steps],
        "step_ends": [step.end for step in trace.steps],
        "step_marks": [step.mark_start for step in trace.steps],
        "step_labels": json.dumps([step.label for step in trace.steps], ensure_ascii=False),
        "digest": trace.record.digest,
        "raw": trace.record.raw if with_raw else None,
        "excerpt": _excerpt(trace),
    }


def _reject_row(ordinal: int, reject: Reject) -> dict[str, Any]:
    return {
        "ordinal": ordinal,
        "path": _storable(reject.path),
        "line": reject.line,
        "variant": _storable(reject.variant),
        "reason": reject.reason,
        "detail": _storable(reject.detail),
        "excerpt": _storable(reject.excerpt),
    }


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
        excerpt=_excerpt(trace),
    )


def _excerpt(trace: Trace) -> str:
    return trace.record.raw[:EXCERPT_LENGTH].decode("utf-8", errors="replace")


def _storable(text: str) -> str:
    """``text`` with lone surrogates written out as escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
