"""Which samples does an Inspect log (``.eval``) hold?"""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from grace_engine.errors import ReadError
from grace_engine.ingest.parsing import MOST_BYTES, row_of_json, too_large
from grace_engine.ingest.rows import Reader, Row
from grace_engine.ingest.unpacking import check_unpacked
from grace_engine.records import Reject

_SAMPLES, _JSON = "samples/", ".json"

# How Inspect packs. Newer versions may use zstd, which zipfile knows since Python 3.14.
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, getattr(zipfile, "ZIP_ZSTANDARD", 0)}

# What zipfile raises for damaged content: a wrong sum, a header that is none, an encrypted or
# patched member, a place that no file has.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    OverflowError,
)


def _rows(path: Path) -> Iterator[Row | Reject]:
    name, unpacked, size = str(path), 0, path.stat().st_size
    try:
        with zipfile.ZipFile(path) as log:
            samples = {each.filename: each for each in log.infolist() if _is_sample(each)}
            for number, member in enumerate(sorted(samples), start=1):
                if samples[member].compress_type not in _METHODS:
                    raise ReadError(
                        f"{path} is packed by a method (number {samples[member].compress_type}) "
                        "that this Python cannot unpack: write it again with inspect log convert "
                        "--to json, and read that."
                    )
                with log.open(samples[member]) as file:
                    raw = file.read(MOST_BYTES + 1)
                unpacked += len(raw)
                check_unpacked(path, size, unpacked)
                if len(raw) > MOST_BYTES:
                    yield too_large(name, number, raw)
                else:
                    yield row_of_json(name, number, raw)
    except _DAMAGED as fault:
        raise ReadError(
            f"{path} cannot be read as an Inspect log: {fault}. Copy or download it again."
        ) from fault


def _is_sample(entry: zipfile.ZipInfo) -> bool:
    return entry.filename.startswith(_SAMPLES) and entry.filename.endswith(_JSON)


READER = Reader(endings=(".eval",), rows=_rows)
