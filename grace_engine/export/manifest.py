"""What must be known to make an exported file again, byte for byte?"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from grace_engine.errors import InputError

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestSource:
    """A file that exported traces came from.

    Attributes:
        path: As it was named at ingest.
        digest: Hex BLAKE2b digest of its bytes.
        dataset: The dataset that it went to.
        schema_name: The schema that read it.
        mapping: Field names where a mapping read it, as ``parse_mapping`` reads them.
        segmenter: What cut its steps.
    """

    path: str
    digest: str
    dataset: str
    schema_name: str
    mapping: str
    segmenter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The recipe of one exported file.

    Attributes:
        version: Of this document's form.
        studio: Version of the studio that wrote it.
        created_at: ISO 8601, UTC.
        file: Name of the exported file, beside the manifest.
        sha256: Hex digest of its bytes.
        n_lines: Its lines.
        as_format: Its format.
        annotate: Whether it carries scores.
        reasoning_key: Message key of reasoning.
        selection: Strategy, weights, budget, seed, counts.
        run: The scoring run.
        sources: Files that the traces came from.
        annotations: Last entry of the log of verdicts and overrides that the file carries; 0 where
            it carries none, as all files from before there was a log.
        traces: The chosen traces in order: trace_id, record_digest, rank, value, n_tokens.
    """

    version: int = VERSION
    studio: str
    created_at: str
    file: str
    sha256: str
    n_lines: int
    as_format: str
    annotate: bool
    reasoning_key: str
    selection: dict[str, Any]
    run: dict[str, Any]
    sources: tuple[ManifestSource, ...]
    annotations: int = 0
    traces: tuple[dict[str, Any], ...] = field(repr=False)


def manifest_bytes(manifest: Manifest) -> bytes:
    """The manifest as a JSON document."""
    return orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest; ``InputError`` where the file is missing or is none."""
    try:
        document = orjson.loads(path.read_bytes())
        sources = tuple(ManifestSource(**source) for source in document.pop("sources"))
        manifest = Manifest(sources=sources, traces=tuple(document.pop("traces")), **document)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} is no manifest of an export. It is the manifest.json, or NAME.manifest.json, "
            "that lies beside an exported file."
        ) from error
    if manifest.version > VERSION:
        raise InputError(
            f"{path} was written by a newer studio ({manifest.studio}): install that version."
        )
    return manifest
