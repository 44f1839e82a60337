"""What would become of a file if it were ingested? Its beginning is read, nothing is stored."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from grace_engine import ingest as reading
from grace_engine.config import IngestConfig
from grace_engine.errors import SchemaError
from grace_engine.ingest import FieldSample, PassedOver
from grace_engine.records import Item, Problem, Reject, Trace

# Records that are looked at: enough to meet a common fault, few enough for a moment.
LOOKED_AT = 200
_DETECTION_ROWS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectGroup:
    """Records, or traces of them, that would be refused for one reason.

    Attributes:
        reason: Stable kebab-case code.
        count: How many.
        example: The first.
    """

    reason: str
    count: int
    example: Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The beginning of a file, as it would be ingested.

    Attributes:
        path: The file: the first where a folder or pattern was named.
        n_files: Files that would be read with it, itself included.
        passed_over: What stands among them and would not be read, with the reason.
        dataset: The dataset that it would go to.
        size: Its bytes.
        segmenter: What cuts the steps.
        schema: The schema that reads it; ``mapped`` under a mapping, "" where none fits.
        n_records: Records that were looked at, the refused ones included.
        is_whole: Whether these are all of the file.
        n_traces: Traces that they hold.
        n_problems: Different problems that they pose without a trace.
        traces: The first of these.
        rejects: What would be refused, most frequent first.
        fields: The fields of the records, with samples.
        guess: ``prompt=…,trace=…[,answer=…]``: the mapping that the fields suggest; "" without one.
    """

    path: str
    n_files: int
    passed_over: tuple[PassedOver, ...]
    dataset: str
    size: int
    segmenter: str
    schema: str
    n_records: int
    is_whole: bool
    n_traces: int
    n_problems: int
    traces: tuple[Trace, ...]
    rejects: tuple[RejectGroup, ...]
    fields: tuple[FieldSample, ...]
    guess: str

    @property
    def n_rejected(self) -> int:
        """Records or traces that would be refused."""
        return sum(group.count for group in self.rejects)

    def as_json(self) -> dict[str, Any]:
        """The document of ``grace preview --json``."""
        return {
            "path": self.path,
            "n_files": self.n_files,
            "passed_over": [
                {"path": str(each.path), "reason": each.reason} for each in self.passed_over
            ],
            "dataset": self.dataset,
            "size": self.size,
            "segmenter": self.segmenter,
            "schema": self.schema or None,
            "n_records": self.n_records,
            "is_whole": self.is_whole,
            "n_traces": self.n_traces,
            "n_problems": self.n_problems,
            "n_rejected": self.n_rejected,
            "traces": [trace_json(trace) for trace in self.traces],
            "rejects": [asdict(group) for group in self.rejects],
            "fields": [asdict(field) for field in self.fields],
            "guess": None if self.schema else self.guess or None,
        }


def preview(path: Path | str, config: IngestConfig | None = None, n: int = 10) -> Preview:
    """Read the first 200 records of a file as ``ingest`` would.

    Args:
        path: The file; the first is read of a folder or pattern.
        config: How it would be ingested.
        n: Traces to keep.

    Raises:
        ReadError: The file cannot be read.
        InputError: A setting that no file could be read with.
    """
    config = config or IngestConfig()
    found = reading.discover(path, config.dataset)
    path, dataset = found.files[0].path, found.files[0].dataset
    segmenter = reading.parse_segmenter(config.segmenter)
    mapping = reading.parse_mapping(config.mapping) if config.mapping else None
    rows = list(islice(reading.read_rows(path), LOOKED_AT + 1))
    looked_at, is_whole = rows[:LOOKED_AT], len(rows) <= LOOKED_AT
    records = [row.fields for row in looked_at if isinstance(row, reading.Row)]
    items: list[Item]
    try:
        items = list(
            _of_records(
                reading.traces_of(
                    path,
                    dataset=dataset,
                    segmenter=segmenter,
                    schema=config.schema,
                    mapping=mapping,
                ),
                last=looked_at[-1].line,
            )
        )
        schema = _schema_of(records, config)
    except SchemaError:
        # No schema fits, which is for the caller to mend: the fields say how.
        items, schema = [row for row in looked_at if isinstance(row, Reject)], ""
    traces = [item for item in items if isinstance(item, Trace)]
    guess = reading.guess_mapping(records) if records else {}
    return Preview(
        path=str(path),
        n_files=len(found.files),
        passed_over=found.passed_over,
        dataset=dataset,
        size=path.stat().st_size,
        segmenter=segmenter.name,
        schema=schema,
        n_records=len(looked_at),
        is_whole=is_whole,
        n_traces=len(traces),
        n_problems=len({item.id for item in items if isinstance(item, Problem)}),
        traces=tuple(traces[:n]),
        rejects=_grouped([item for item in items if isinstance(item, Reject)]),
        fields=tuple(reading.field_samples(records)) if records else (),
        guess=",".join(f"{role}={name}" for role, name in guess.items()),
    )


def cut_beside(
    found: Preview, path: Path | str, config: IngestConfig, segmenter: str
) -> tuple[Trace | None, ...]:
    """The traces of a preview as another segmenter cuts them.

    Args:
        found: The preview of the file under ``config``.
        path: The file.
        config: How it would be ingested.
        segmenter: The other segmenter.

    Returns:
        One for each of ``found.traces``; None where the other segmenter rejects it.

    Raises:
        GraceError: As ``preview``.
    """
    # A trace that one segmenter rejects may stand before the first that the other one keeps.
    most = found.n_traces + found.n_rejected
    other = preview(path, replace(config, segmenter=segmenter), most)
    pairs = {trace.id: trace for trace in other.traces}
    return tuple(pairs.get(trace.id) for trace in found.traces)


def trace_json(trace: Trace) -> dict[str, Any]:
    """A trace in the document of ``grace preview --json``."""
    text, answer = trace.full_text, trace.answer
    return {
        "variant": trace.variant,
        "line": trace.record.line,
        "prompt": trace.prompt,
        "steps": [
            {"mark": text[s.mark_start : s.start], "text": text[s.start : s.end], "label": s.label}
            for s in trace.steps
        ],
        "answer": answer.text,
        "answer_mark": text[answer.mark_start : answer.start],
        "answer_appended": bool(answer.appended),
        "reference": trace.reference,
        "labels": dict(trace.labels),
    }


def _dataset_of(path: Path, config: IngestConfig) -> str:
    return config.dataset or path.name.split(".")[0] or "dataset"


def _schema_of(records: list[dict[str, object]], config: IngestConfig) -> str:
    if config.mapping:
        return "mapped"
    if config.schema != "auto":
        return config.schema
    found = reading.detect_among(records[:_DETECTION_ROWS])
    return found.name if found else ""


def _of_records(items: Iterable[Item], last: int) -> Iterator[Item]:
    """What the records up to the line ``last`` become; the rest of the file is not read."""
    for item in items:
        if (item.line if isinstance(item, Reject) else item.record.line) > last:
            return
        yield item


def _grouped(rejects: list[Reject]) -> tuple[RejectGroup, ...]:
    first: dict[str, Reject] = {}
    counts: dict[str, int] = {}
    for reject in rejects:
        first.setdefault(reject.reason, reject)
        counts[reject.reason] = counts.get(reject.reason, 0) + 1
    return tuple(
        RejectGroup(reason=reason, count=counts[reason], example=first[reason])
        for reason in sorted(counts, key=lambda reason: -counts[reason])
    )
