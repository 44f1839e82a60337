"""What does one process do with some rows of a file?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import orjson

from grace_engine import ingest
from grace_engine.ingest import Block, FieldMap, Row, Segmenter
from grace_engine.records import Reject
from grace_engine.staging import stage_chunk

# So many rows that starting on them costs nothing, so few that a handful of chunks is no memory.
_ROWS, _BYTES = 4096, 8 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How rows become traces, by names, so that it can be told to another process.

    Attributes:
        dataset: Name of the dataset.
        schema: Name of the schema; ``mapped`` under a mapping.
        mapping: As ``--map`` takes it; "" without one.
        segmenter: As ``--segment`` takes it.
        folder: Where chunks are staged.
    """

    dataset: str
    schema: str
    mapping: str
    segmenter: str
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some consecutive rows of a file.

    Attributes:
        number: 0, 1, 2, … in the order of the file.
        path: The file.
        rows: Line and bytes of each record, with a ``Reject`` in place of one that cannot be read;
            or where in the file they stand.
    """

    number: int
    path: str
    rows: tuple[tuple[int, bytes] | Reject, ...] | Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What became of a chunk.

    Attributes:
        n_items: Traces, problems and rejects.
        reasons: Rejects by reason.
    """

    n_items: int
    reasons: dict[str, int]


def chunks_of_file(path: Path) -> Iterator[Chunk]:
    """A file in chunks, unread where its reader can split it.

    Raises:
        ReadError: The file cannot be read; that one without any row is none is for the caller.
    """
    blocks = ingest.split(path)
    if blocks is None:
        yield from chunks_of(path, ingest.read_rows(path))
        return
    for number, block in enumerate(blocks):
        yield Chunk(number=number, path=str(path), rows=block)


def chunks_of(path: Path | str, rows: Iterable[Row | Reject]) -> Iterator[Chunk]:
    """The rows of a file in chunks."""
    number, size = 0, 0
    held: list[tuple[int, bytes] | Reject] = []
    for row in rows:
        if isinstance(row, Row):
            held.append((row.line, row.raw))
            size += len(row.raw)
        else:
            held.append(row)
        if len(held) >= _ROWS or size >= _BYTES:
            yield Chunk(number=number, path=str(path), rows=tuple(held))
            number, held, size = number + 1, [], 0
    if held or not number:
        yield Chunk(number=number, path=str(path), rows=tuple(held))


def stage_rows(recipe: Recipe, chunk: Chunk) -> Staged:
    """Cut the rows of a chunk into traces, and stage these.

    Raises:
        StoreError: The disk is full.
    """
    segmenter, mapping = _parsed(recipe.segmenter, recipe.mapping)
    items = list(
        ingest.parts_of_rows(
            _rows(chunk),
            dataset=recipe.dataset,
            segmenter=segmenter,
            schema=recipe.schema,
            mapping=mapping,
        )
    )
    reasons = stage_chunk(items, recipe.folder, chunk.number)
    return Staged(n_items=len(items), reasons=dict(reasons))


def _rows(chunk: Chunk) -> Iterator[Row | Reject]:
    if isinstance(chunk.rows, Block):
        return ingest.read_block(chunk.rows)
    return (
        row
        if isinstance(row, Reject)
        # The fields of a row are what its bytes say: they need not travel.
        else Row(path=chunk.path, line=row[0], raw=row[1], fields=orjson.loads(row[1]))
        for row in chunk.rows
    )


@lru_cache(maxsize=8)
def _parsed(segmenter: str, mapping: str) -> tuple[Segmenter, FieldMap | None]:
    return (
        ingest.parse_segmenter(segmenter),
        ingest.parse_mapping(mapping) if mapping else None,
    )
