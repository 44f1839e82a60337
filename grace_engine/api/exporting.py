"""How does a saved selection become a file, and that file again?"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import cast

from grace_engine import export as writing, store
from grace_engine.api.annotating import Annotations, annotations
from grace_engine.api.choosing import summary, weights_of
from grace_engine.api.views import run_view
from grace_engine.config import require_one_of
from grace_engine.errors import InputError, NotFoundError
from grace_engine.export.formats import Format
from grace_engine.records import Annotation, ScoringRun, Selection, Trace, is_of_problems
from grace_engine.store import Workspace

MANIFEST = "manifest.json"
_BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was written.

    Attributes:
        path: The file.
        manifest: Its recipe.
        n_lines: Lines of the file.
        n_traces: Chosen traces; more than lines where a record holds several.
        n_other_answers: Chosen traces that were scored against a reference answer other than the
            one that they were exported with, their own.
        n_riding: Traces that were not chosen but stand in the written records (``original`` only).
        n_bytes: Size of the file.
        sha256: Hex digest of its bytes.
        unchanged: Whether the very same bytes stood there before.
        source: ``workspace``, or ``sources`` where the workspace no longer held the traces.
        what: What was chosen, for a person to read: ``traces`` or ``problems``.
    """

    path: Path
    manifest: Path
    n_lines: int
    n_traces: int
    n_other_answers: int = 0
    n_riding: int
    n_bytes: int
    sha256: str
    unchanged: bool
    source: str = "workspace"
    what: str = "traces"


def export(
    workspace: Workspace,
    wanted: str,
    to: Path | str,
    *,
    as_format: Format | writing.ProblemFormat = "original",
    annotate: bool = False,
    overwrite: bool = False,
) -> ExportReport:
    """Write the chosen traces or problems in rank order, with ``manifest.json`` beside them.

    Args:
        workspace: Where selection and traces are.
        wanted: Selection id, name or ``latest``.
        to: The file to write.
        as_format: One of ``FORMATS``; of problems one of ``PROBLEM_FORMATS``.
        annotate: Add scores, rank, reason, verdicts and overrides under the key ``grace``.
        overwrite: Replace another file that stands there.

    Raises:
        NotFoundError: The selection, its run or some of its traces are gone.
        InputError: Another file stands there.
        ResourceError: The disk is full.
    """
    require_one_of("Format", as_format, (*writing.FORMATS, *writing.PROBLEM_FORMATS))
    chosen = store.get_selection(workspace, wanted)
    if is_of_problems(chosen.run_id):
        return _export_problems(
            workspace, chosen, Path(to), as_format, annotate=annotate, overwrite=overwrite
        )
    require_one_of("Format for traces", as_format, writing.FORMATS)
    run = store.get_run(workspace, chosen.run_id)
    ids = [choice.trace_id for choice in chosen.choices if choice.selected]
    if not ids:
        raise NotFoundError(f"Selection {chosen.id} holds no trace: its budget took none.")
    path = Path(to)
    said = annotations(workspace, run=run.id) if annotate else None
    notes = annotator(workspace, chosen, run, said) if said else None
    batches = traces_in_order(workspace, ids, run.id)
    traces = with_annotations(batches, notes)
    published = writing.publish(
        path,
        writing.exported_lines(traces, cast(Format, as_format), reasoning_key=run.reasoning_key),
        overwrite=overwrite,
    )
    manifest = writing.Manifest(
        studio=version("grace-studio"),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        file=path.name,
        sha256=published.sha256,
        n_lines=published.n_lines,
        as_format=as_format,
        annotate=annotate,
        reasoning_key=run.reasoning_key,
        selection=summary(chosen),
        run=asdict(run),
        sources=_sources(workspace, run),
        annotations=said.version if said else 0,
        traces=tuple(
            {
                "trace_id": choice.trace_id,
                "record_digest": choice.record_digest,
                "rank": choice.rank,
                "value": choice.value,
                "n_tokens": choice.n_tokens,
            }
            for choice in chosen.choices
            if choice.selected
        ),
    )
    where = _manifest_path(path)
    writing.publish(where, [writing.manifest_bytes(manifest)], overwrite=True)
    riding = _riding(workspace, run, ids) if as_format == "original" else 0
    return ExportReport(
        path=path,
        manifest=where,
        n_lines=published.n_lines,
        n_traces=len(ids),
        n_other_answers=_other_answers(workspace, ids) if run.target == "reference" else 0,
        n_riding=riding,
        n_bytes=published.n_bytes,
        sha256=published.sha256,
        unchanged=published.unchanged,
    )


def _export_problems(
    workspace: Workspace,
    chosen: Selection,
    path: Path,
    as_format: str,
    *,
    annotate: bool,
    overwrite: bool,
) -> ExportReport:
    from grace_engine.api.exporting_problems import export_problems

    if not any(choice.selected for choice in chosen.choices):
        raise NotFoundError(f"Selection {chosen.id} holds no problem: its budget took none.")
    published, manifest = export_problems(
        workspace, chosen, path, as_format=as_format, annotate=annotate, overwrite=overwrite
    )
    where = _manifest_path(path)
    writing.publish(where, [writing.manifest_bytes(manifest)], overwrite=True)
    return ExportReport(
        path=path,
        manifest=where,
        n_lines=manifest.n_lines,
        n_traces=manifest.n_lines,
        n_riding=0,
        n_bytes=published.n_bytes,
        sha256=published.sha256,
        unchanged=published.unchanged,
        what="problems",
    )


def traces_in_order(
    workspace: Workspace, ids: Sequence[str], run: str | None = None
) -> Iterator[list[Trace]]:
    """Traces by id in the order of ``ids``, cut as ``run`` saw them, a batch at a time."""
    for first in range(0, len(ids), _BATCH):
        part = ids[first : first + _BATCH]
        batches = store.iter_traces(workspace, (), part, run=run)
        found = {trace.id: trace for batch in batches for trace in batch}
        missing = [name for name in part if name not in found]
        if missing:
            raise NotFoundError(
                f"{len(missing)} chosen traces are no longer in the workspace (first: "
                f"{missing[0]}): their dataset was deleted. Ingest it again under the same name."
            )
        yield [found[name] for name in part]


def with_annotations(
    batches: Iterator[list[Trace]], annotate: Callable[[Trace], writing.Annotation] | None
) -> Iterator[tuple[Trace, writing.Annotation | None]]:
    """Each trace with its annotation, where there are any."""
    for batch in batches:
        for trace in batch:
            yield trace, annotate(trace) if annotate else None


def annotator(
    workspace: Workspace, chosen: Selection, run: ScoringRun, said: Annotations
) -> Callable[[Trace], writing.Annotation]:
    """How to annotate a trace of a selection, from stored Grams and what curators said."""
    scored = run_view(workspace, run.id, weights_of(chosen))
    choices = {choice.trace_id: choice for choice in chosen.choices}

    def annotate(trace: Trace) -> writing.Annotation:
        choice, steps = choices[trace.id], scored.numbers_of(trace.id)
        return writing.Annotation(
            document={
                "trace_id": trace.id,
                "selection": chosen.id,
                "run": run.id,
                "model": run.model,
                "proxy": run.proxy,
                **({"entropy_discount": run.entropy_discount} if run.entropy_discount else {}),
                "value": choice.value,
                "rank": choice.rank,
                "reason": choice.reason,
                "steps": [
                    {"start": s.start, "end": s.end, "label": s.label, **numbers}
                    for s, numbers in zip(trace.steps, steps, strict=True)
                ],
                **_said_of(trace.id, said),
            }
        )

    return annotate


def _said_of(trace_id: str, said: Annotations) -> dict[str, object]:
    """Verdicts on a trace, itself first and then by step, and its override, where there are any."""
    verdicts, override = said.verdicts.get(trace_id, {}), said.overrides.get(trace_id)
    found: dict[str, object] = {}
    if verdicts:
        in_order = sorted(verdicts.items(), key=lambda item: item[0] or 0)
        found["verdicts"] = [{"step": step, **_signed(entry)} for step, entry in in_order]
    if override is not None:
        found["override"] = _signed(override)
    return found


def _signed(entry: Annotation) -> dict[str, str]:
    return {
        "word": entry.word,
        "note": entry.note,
        "author": entry.author,
        "created_at": entry.created_at,
    }


def _sources(workspace: Workspace, run: ScoringRun) -> tuple[writing.ManifestSource, ...]:
    return tuple(
        writing.ManifestSource(
            path=source.path,
            digest=source.digest,
            dataset=dataset,
            schema_name=source.schema_name,
            mapping=",".join(f"{role}={field}" for role, field in source.mapping.items()),
            segmenter=source.segmenter,
        )
        for dataset, source in store.list_sources(workspace, run.datasets)
    )


def _other_answers(workspace: Workspace, ids: Sequence[str]) -> int:
    """Traces whose own answer is not their reference."""
    return sum(
        trace.reference is not None and trace.answer.text != trace.reference.strip()
        for batch in store.iter_traces(workspace, (), ids)
        for trace in batch
    )


def riding(workspace: Workspace, wanted: str) -> int:
    """Traces that are not chosen but stand in records of chosen ones: ``original`` writes both.

    Raises:
        NotFoundError: The selection or its run is gone.
    """
    chosen = store.get_selection(workspace, wanted)
    ids = [choice.trace_id for choice in chosen.choices if choice.selected]
    return _riding(workspace, store.get_run(workspace, chosen.run_id), ids)


def _riding(workspace: Workspace, run: ScoringRun, ids: Sequence[str]) -> int:
    """Traces of the written records that were not chosen."""
    listing = store.labels_of(workspace, run.datasets)
    chosen = listing["id"].isin(set(ids))
    records = listing.loc[chosen, "record_digest"]
    return int((listing["record_digest"].isin(set(records)) & ~chosen).sum())


def _manifest_path(path: Path) -> Path:
    """``manifest.json`` beside the file; where that is another's, one that its name is part of.

    No two files share a manifest: after ``NAME.manifest.json`` comes the one of the whole name,
    ``NAME.parquet.manifest.json``.
    """
    last = path.with_name(f"{path.name}.{MANIFEST}")
    for where in (path.parent / MANIFEST, path.with_name(f"{path.stem}.{MANIFEST}")):
        if where != path and _is_free(where, path.name):
            return where
    return last


def _is_free(where: Path, name: str) -> bool:
    """Whether no manifest stands there, or that of a file of this name."""
    if not where.exists():
        return True
    try:
        return writing.read_manifest(where).file == name
    except InputError:
        return False
