"""Which traces does a file hold?"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path

import orjson

from grace_engine.config import require_one_of
from grace_engine.errors import InputError, TraceRejected
from grace_engine.ingest.answer_marks import answer_span, bare
from grace_engine.ingest.drafts import Draft, ProblemDraft, RejectedDraft, Schema
from grace_engine.ingest.mapping import FieldMap, mapped_schema
from grace_engine.ingest.problems import build_problem
from grace_engine.ingest.readers import read_rows
from grace_engine.ingest.rows import Row, excerpt_of
from grace_engine.ingest.schemas import detect_among, no_schema_fits, schema_named
from grace_engine.ingest.segmenters import Segmenter
from grace_engine.records import Drawn, Item, Parts, Reject, SourceRecord, Trace, trace_of

APPENDED_ANSWER = "\nThe answer is {answer}"
"""What is appended to a text whose answer stands only in a field of its record.

Scoring, training and exports all see the text with it, by ``Trace.full_text``.
"""

_MARK_OFFSET = APPENDED_ANSWER.index("The answer")
_ANSWER_OFFSET = APPENDED_ANSWER.index("{answer}")

# Records that are looked at before a file is given up as of no known schema.
_DETECTION_ROWS = 32
_ID_DIGITS = 16


def traces_of(
    path: Path,
    *,
    dataset: str,
    segmenter: Segmenter,
    schema: str = "auto",
    mapping: FieldMap | None = None,
) -> Iterator[Item]:
    """Stream the traces of a file, in the order of its records.

    Args:
        path: A file that ``read_rows`` reads.
        dataset: Name of the dataset; part of every trace's id.
        segmenter: Cuts the texts into steps.
        schema: Name of a schema, ``mapped``, or ``auto``: the schema of the first record that one
            fits, kept for the whole file.
        mapping: Which field is which; instead of a schema.

    Yields:
        Traces, problems of rows that hold no trace, and a ``Reject`` for every row, or trace of a
        row, that could not become either.

    Raises:
        InputError: ``schema`` is not known, or goes with no ``mapping``.
        ReadError: The file cannot be read.
        SchemaError: ``schema`` is ``auto`` and none fits.
    """
    return traces_of_rows(
        read_rows(path), dataset=dataset, segmenter=segmenter, schema=schema, mapping=mapping
    )


def traces_of_rows(
    rows: Iterable[Row | Reject],
    *,
    dataset: str,
    segmenter: Segmenter,
    schema: str = "auto",
    mapping: FieldMap | None = None,
) -> Iterator[Item]:
    """The traces of some rows of a file, as ``traces_of`` finds them."""
    record: SourceRecord | None = None
    for item in parts_of_rows(
        rows, dataset=dataset, segmenter=segmenter, schema=schema, mapping=mapping
    ):
        if not isinstance(item, Parts):
            yield item
            continue
        if record is None or (item.line, item.digest) != (record.line, record.digest):
            record = SourceRecord(digest=item.digest, path=item.path, line=item.line, raw=item.raw)
        yield trace_of(item, record, dataset=dataset, segmenter=segmenter.name)


def parts_of_rows(
    rows: Iterable[Row | Reject],
    *,
    dataset: str,
    segmenter: Segmenter,
    schema: str = "auto",
    mapping: FieldMap | None = None,
) -> Iterator[Drawn]:
    """The same with traces in parts, for those who make no use of objects."""
    chosen, rows = _chosen(schema, mapping), iter(rows)
    if chosen is None:
        for row in rows:
            if isinstance(row, Row):
                chosen, rows = _detected(chain([row], rows))
                break
            yield row  # before the first record no schema is needed
    for row in rows:
        if isinstance(row, Reject):
            yield row
        elif chosen:
            yield from _drawn_from(row, chosen, dataset, segmenter)


def build_trace(draft: Draft, *, dataset: str, record: SourceRecord, segmenter: Segmenter) -> Trace:
    """Find the answer of a draft, cut its steps and give it its id.

    The id is the first 16 hex digits of the SHA-256 of ``[dataset, record digest, variant]`` as
    JSON.

    Raises:
        TraceRejected: ``null-character``, ``no-prompt``, ``no-answer``, ``empty-answer``,
            ``no-steps``, ``no-given-steps`` or ``given-step-not-found``.
    """
    row = Row(path=record.path, line=record.line, raw=record.raw, fields={})
    parts = _parts_of(draft, row, record.digest, dataset, segmenter)
    return trace_of(parts, record, dataset=dataset, segmenter=segmenter.name)


def _parts_of(draft: Draft, row: Row, digest: str, dataset: str, segmenter: Segmenter) -> Parts:
    """The trace of a draft, in parts; what ``build_trace`` promises."""
    text = draft.text
    _refuse_nulls(draft)
    if not draft.prompt or draft.prompt.isspace():
        raise TraceRejected("no-prompt", "the prompt is empty")
    answer, start, end, mark_start, appended = _answer_of(draft)
    steps = segmenter.steps(text, min(mark_start, len(text)), draft.given_steps)
    if not steps:
        raise TraceRejected("no-steps", "there is no text before the answer")
    key = orjson.dumps([dataset, digest, draft.variant])
    return Parts(
        sha256(key).hexdigest()[:_ID_DIGITS],
        row.path,
        row.line,
        draft.variant,
        draft.prompt,
        text,
        appended,
        answer,
        start,
        end,
        mark_start,
        _reference_of(draft, answer, appended),
        draft.labels,
        draft.images,
        steps,
        digest,
        row.raw,
    )


def _answer_of(draft: Draft) -> tuple[str, int, int, int, str]:
    """The answer that the text marks, or the record sets apart in it; else the given, appended.

    Its ``text``, ``start``, ``end``, ``mark_start`` and ``appended``.
    """
    text, given, apart = draft.text, draft.answer, draft.apart
    found = answer_span(text)
    if apart and (found is None or found[1] < apart.mark_start):
        return apart.text, apart.start, apart.end, apart.mark_start, apart.appended
    if found:
        mark_start, start, end = found
        answer = text[start:end]
        if not answer:
            mark = text[mark_start:start].strip()
            raise TraceRejected("empty-answer", f"nothing follows the answer mark {mark!r}")
        return answer, start, end, mark_start, ""
    if given is None:
        raise TraceRejected("no-answer", f"no answer mark in the text, which ends {text[-60:]!r}")
    low, high = bare(given, 0, len(given))
    given = given[low:high]
    if not given:
        raise TraceRejected(
            "empty-answer", "the text has no answer mark, and the given answer is empty"
        )
    start, appended = len(text) + _ANSWER_OFFSET, APPENDED_ANSWER.format(answer=given)
    return given, start, start + len(given), len(text) + _MARK_OFFSET, appended


def _reference_of(draft: Draft, answer: str, appended: str) -> str | None:
    """What the data holds to be right: its reference, else the answer that it gives as a field.

    An answer that was appended is that field: held against itself it would always be right, so it
    is a reference only where the data calls it correct.
    """
    if draft.is_reference:
        return answer
    said = draft.labels.get("is_correct")
    if draft.reference is not None or said is False or (appended and said is not True):
        return draft.reference
    return draft.answer


def _refuse_nulls(draft: Draft) -> None:
    """Refuse text with U+0000, which databases and tokenizers treat each in their own way."""
    answer, reference = draft.answer, draft.reference
    values = [draft.prompt, draft.text, draft.variant, answer, reference, *draft.images]
    for value in (*values, *draft.labels.values()) if draft.labels else values:
        if value.__class__ is str and "\0" in value:
            raise TraceRejected("null-character", f"U+0000 in {value[:60]!r}")


def _chosen(name: str, mapping: FieldMap | None) -> Schema | None:
    """The schema that the user asked for; None to detect it."""
    if mapping is not None:
        require_one_of("With a mapping, format", name, ("auto", "mapped"))
        return mapped_schema(mapping)
    if name == "mapped":
        raise InputError("Format 'mapped' needs a mapping: give --map prompt=FIELD,trace=FIELD.")
    return None if name == "auto" else schema_named(name)


def _detected(rows: Iterator[Row | Reject]) -> tuple[Schema, Iterator[Row | Reject]]:
    """The schema that the first records are of, and all rows again."""
    window = list(islice(rows, _DETECTION_ROWS))
    records = [row for row in window if isinstance(row, Row)]
    schema = detect_among([record.fields for record in records])
    if schema:
        return schema, chain(window, rows)
    raise no_schema_fits(records[0].path, [record.fields for record in records])


def _drawn_from(row: Row, schema: Schema, dataset: str, segmenter: Segmenter) -> Iterator[Drawn]:
    """The traces of one record, which they share."""
    digest = sha256(row.raw).hexdigest()
    count = 0
    try:
        for draft in schema.drafts(row.fields):
            count += 1
            if isinstance(draft, RejectedDraft):
                yield _rejected(row, draft.reason, draft.detail, draft.variant)
                continue
            if isinstance(draft, ProblemDraft):
                record = SourceRecord(digest=digest, path=row.path, line=row.line, raw=row.raw)
                yield build_problem(draft, dataset=dataset, record=record)
                continue
            try:
                yield _parts_of(draft, row, digest, dataset, segmenter)
            except TraceRejected as fault:
                yield _rejected(row, fault.reason, fault.detail, draft.variant)
    except TraceRejected as fault:
        yield _rejected(row, fault.reason, fault.detail)
        return
    if count == 0:
        yield _rejected(row, "no-traces", "the record holds no trace")


def _rejected(row: Row, reason: str, detail: str, variant: str = "") -> Reject:
    return Reject(
        path=row.path,
        line=row.line,
        variant=variant,
        reason=reason,
        detail=detail,
        excerpt=excerpt_of(row.raw),
    )
