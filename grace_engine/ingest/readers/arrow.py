"""Which records does an Arrow file hold, such as those of a saved ``datasets`` folder?"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from grace_engine.errors import ReadError
from grace_engine.ingest.columns import first_line, refuse_duplicates, rows_of_batches
from grace_engine.ingest.rows import Reader, Row
from grace_engine.records import Reject

if TYPE_CHECKING:
    import pyarrow as pa

# What Arrow's *file* format begins with; `datasets` writes its *stream* format.
_MAGIC = b"ARROW1"


def _rows(path: Path) -> Iterator[Row | Reject]:
    import pyarrow as pa

    try:
        # Mapped: a batch may be as long as the file, and its columns need not be copied.
        with pa.memory_map(str(path)) as file:
            yield from rows_of_batches(path, _batches(path, file))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as fault:
        raise ReadError(
            f"{path} cannot be read as Arrow: {first_line(fault)}. Save or download it again."
        ) from fault


def _batches(path: Path, file: "pa.MemoryMappedFile") -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa

    is_file = file.read(len(_MAGIC)) == _MAGIC
    file.seek(0)
    source = pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)
    with source:
        refuse_duplicates(path, source.schema.names)
        if is_file:
            yield from map(source.get_batch, range(source.num_record_batches))
        else:
            yield from source


READER = Reader(endings=(".arrow",), rows=_rows)
