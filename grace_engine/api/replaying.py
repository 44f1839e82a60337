"""How is an exported file made again, byte for byte, from the workspace or from its sources?"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from grace_engine import export as writing
from grace_engine import ingest as reading
from grace_engine import store
from grace_engine.api.annotating import annotations
from grace_engine.api.exporting import (
    ExportReport,
    annotator,
    traces_in_order,
    with_annotations,
)
from grace_engine.api.exporting_problems import replay_problems
from grace_engine.digests import file_digest
from grace_engine.errors import InputError, NotFoundError
from grace_engine.records import Trace
from grace_engine.store import Workspace


def replay(
    manifest_path: Path | str,
    *,
    workspace: Workspace | None = None,
    to: Path | str | None = None,
    overwrite: bool = False,
) -> ExportReport:
    """Write an exported file again, and hold its bytes against the manifest's digest.

    Traces come from the workspace where it holds them all, else from the sources that the manifest
    names. Annotations need the workspace, since a source knows no scores; verdicts and overrides
    are those of then, whatever was said since.

    Raises:
        InputError: No manifest, a source that is gone or changed, or bytes that differ.
        NotFoundError: Annotations without the workspace that holds the run.
    """
    manifest_path = Path(manifest_path)
    manifest = writing.read_manifest(manifest_path)
    path = Path(to) if to is not None else manifest_path.parent / Path(manifest.file).name
    ids = [str(entry["trace_id"]) for entry in manifest.traces]
    if manifest.as_format in writing.PROBLEM_FORMATS:
        published = replay_problems(workspace, manifest, path, overwrite=overwrite)
        return ExportReport(
            path=path,
            manifest=manifest_path,
            n_lines=manifest.n_lines,
            n_traces=len(ids),
            n_riding=0,
            n_bytes=published.n_bytes,
            sha256=published.sha256,
            unchanged=published.unchanged,
            what="problems",
        )
    origin = "workspace" if workspace is not None and _holds(workspace, ids) else "sources"
    notes = None
    if manifest.annotate:
        if workspace is None or origin == "sources":
            raise NotFoundError(
                "This export carries scores, which only the workspace that it came from holds: "
                "name it with --workspace."
            )
        chosen = store.get_selection(workspace, str(manifest.selection["selection"]))
        said = annotations(workspace, until=manifest.annotations, run=chosen.run_id)
        if said.version < manifest.annotations:
            raise NotFoundError(
                f"This export carries verdicts and overrides up to entry {manifest.annotations:,} "
                f"of a log that has {said.version:,} in {workspace.root}: name the workspace that "
                "it came from with --workspace."
            )
        notes = annotator(workspace, chosen, store.get_run(workspace, chosen.run_id), said)
    if origin == "workspace" and workspace is not None:
        run_id = str(manifest.run["id"]) if manifest.annotate else None
        batches = traces_in_order(workspace, ids, run_id)
    else:
        batches = iter([_from_sources(manifest, manifest_path.parent, ids)])
    traces = _checked(with_annotations(batches, notes), manifest)
    lines = writing.exported_lines(
        traces,
        manifest.as_format,  # type: ignore[arg-type]
        reasoning_key=manifest.reasoning_key,
    )
    published = writing.publish(
        path, _same_bytes(lines, manifest, manifest_path), overwrite=overwrite
    )
    return ExportReport(
        path=path,
        manifest=manifest_path,
        n_lines=published.n_lines,
        n_traces=len(ids),
        n_riding=0,
        n_bytes=published.n_bytes,
        sha256=published.sha256,
        unchanged=published.unchanged,
        source=origin,
    )


def _same_file(source: writing.ManifestSource, folder: Path) -> Path:
    """The source as it was named, or beside the manifest; its bytes must be those of then."""
    named = Path(source.path)
    there = [p for p in (named, folder / named, folder / named.name) if p.is_file()]
    if not there:
        raise InputError(f"{named} is gone: put it back, or name the workspace (--workspace).")
    for path in there:
        if file_digest(path) == source.digest:
            return path
    raise InputError(f"{there[0]} has changed since it was ingested: it is not the same file.")


def _from_sources(manifest: writing.Manifest, folder: Path, ids: Sequence[str]) -> list[Trace]:
    wanted = set(ids)
    found: dict[str, Trace] = {}
    for source in manifest.sources:
        path = _same_file(source, folder)
        mapping = reading.parse_mapping(source.mapping) if source.mapping else None
        for item in reading.traces_of(
            path,
            dataset=source.dataset,
            segmenter=reading.parse_segmenter(source.segmenter),
            schema=source.schema_name,
            mapping=mapping,
        ):
            if isinstance(item, Trace) and item.id in wanted:
                found.setdefault(item.id, item)
    missing = [name for name in ids if name not in found]
    if missing:
        raise InputError(f"The sources no longer hold {len(missing)} traces, such as {missing[0]}.")
    return [found[name] for name in ids]


def _checked(
    traces: Iterator[tuple[Trace, writing.Annotation | None]], manifest: writing.Manifest
) -> Iterator[tuple[Trace, writing.Annotation | None]]:
    for (trace, annotation), entry in zip(traces, manifest.traces, strict=True):
        if trace.record.digest != entry["record_digest"]:
            raise InputError(f"Trace {trace.id} has another source record than when exported.")
        yield trace, annotation


def _same_bytes(
    lines: Iterator[bytes], manifest: writing.Manifest, manifest_path: Path
) -> Iterator[bytes]:
    """Pass lines on; fail after the last, before anything is published, where bytes differ."""
    digest = sha256()
    for line in lines:
        digest.update(line + b"\n")
        yield line
    if digest.hexdigest() != manifest.sha256:
        raise InputError(
            f"The bytes made from {manifest_path} differ from those exported then: the scores in "
            "the workspace, or the studio's version, have changed. Nothing was written."
        )


def _holds(workspace: Workspace, ids: Sequence[str]) -> bool:
    return len(store.labels_of(workspace, ids=ids)) == len(ids)
