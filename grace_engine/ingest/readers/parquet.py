"""Which records does a Parquet file hold?"""

from collections.abc import Iterator
from pathlib import Path

from grace_engine.errors import ReadError
from grace_engine.ingest.columns import MOST_ROWS, first_line, refuse_duplicates, rows_of_batches
from grace_engine.ingest.rows import Reader, Row
from grace_engine.records import Reject


def _rows(path: Path) -> Iterator[Row | Reject]:
    # Takes a third of a second, which `grace --help` need not wait for.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Buffered ahead, the bytes of every row group would be held to the end.
        with pq.ParquetFile(path, pre_buffer=False) as file:
            refuse_duplicates(path, file.schema_arrow.names)
            yield from rows_of_batches(path, file.iter_batches(batch_size=MOST_ROWS))
    # A column's name that is not UTF-8 is found when the names are asked for.
    except (pa.ArrowException, OSError, UnicodeDecodeError) as fault:
        raise ReadError(
            f"{path} cannot be read as Parquet: {first_line(fault)}. Write or download it again."
        ) from fault


READER = Reader(endings=(".parquet",), rows=_rows)
