"""How does a selection leave the studio, and how is the same file made again?"""

from grace_engine.export.files import Published, digest_of, publish
from grace_engine.export.formats import FORMATS, Annotation, exported_lines
from grace_engine.export.manifest import Manifest, ManifestSource, manifest_bytes, read_manifest
from grace_engine.export.problem_formats import (
    PROBLEM_FORMATS,
    ProblemFormat,
    file_parts,
    problem_rows,
)
from grace_engine.export.tables import safe_cell, table_ending, table_writer

__all__ = [
    "FORMATS",
    "PROBLEM_FORMATS",
    "Annotation",
    "Manifest",
    "ManifestSource",
    "ProblemFormat",
    "Published",
    "digest_of",
    "exported_lines",
    "file_parts",
    "manifest_bytes",
    "problem_rows",
    "publish",
    "read_manifest",
    "safe_cell",
    "table_ending",
    "table_writer",
]
