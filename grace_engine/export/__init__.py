"""How does a selection leave the studio, and how is the same file made again?"""

from grace_engine.export.files import publish
from grace_engine.export.formats import FORMATS, Annotation, exported_lines
from grace_engine.export.manifest import Manifest, ManifestSource, manifest_bytes, read_manifest

__all__ = [
    "FORMATS",
    "Annotation",
    "Manifest",
    "ManifestSource",
    "exported_lines",
    "manifest_bytes",
    "publish",
    "read_manifest",
]
