"""How do the rows of a file, however many, become staged traces: here, or in several processes?"""

from grace_engine.cutting.chunks import Chunk, Recipe, Staged, chunks_of, chunks_of_file, stage_rows
from grace_engine.cutting.pool import Pool, usual_processes

__all__ = [
    "Chunk",
    "Pool",
    "Recipe",
    "Staged",
    "chunks_of",
    "chunks_of_file",
    "stage_rows",
    "usual_processes",
]
