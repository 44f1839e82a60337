"""How does a selection leave the studio, and how is the same file made again?"""

from grace_engine.export.files import publish
from grace_engine.export.formats import FORMATS, Annotation, exported_lines
from grace_engine.export.manifest import Manifest, ManifestSource, manifest_bytes, read_manifest
from grace_engine.export.tables import safe_cell, table_ending, table_writer

__all__ = [
    "FORMATS",
    "Annotation",
    "Manifest",
    "ManifestSource",
    "exported_lines",
    "manifest_bytes",
    "publish",
    "read_manifest",
    "safe_cell",
    "table_ending",
    "table_writer",
]
