"""What does the log of a job say, now and as it grows?"""

import codecs
import time
from collections.abc import Iterator
from pathlib import Path

from grace_engine.errors import NotFoundError
from grace_engine.jobs.folder import LOG
from grace_engine.jobs.job import Job, read_job

_NAP = 0.2
_BLOCK = 1 << 16


def last_lines(job: Job, n_lines: int) -> str:
    """The last lines of the log, each with its end; "" where there is no log.

    Args:
        job: Whose log.
        n_lines: How many lines; 0 for all.
    """
    text, _ = _tail(job.folder / LOG, n_lines)
    return text


def follow(job: Job, n_lines: int) -> Iterator[str]:
    """The last lines of the log, then what is added, until the job has ended.

    Args:
        job: Whose log.
        n_lines: How many lines to begin with; 0 for all.

    Raises:
        NotFoundError: The run folder was removed meanwhile.
    """
    text, at = _tail(job.folder / LOG, n_lines)
    yield text
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while True:
        now = read_job(job.folder)
        for block in _blocks(job.folder / LOG, at):
            at += len(block)
            yield decoder.decode(block)
        if now is None:
            raise NotFoundError(
                f"The folder of run {job.id} was removed while its log was followed. A process of "
                "it that still runs goes on to its end; what it stores is kept."
            )
        if not now.is_active:
            return
        time.sleep(_NAP)


def _tail(path: Path, n_lines: int) -> tuple[str, int]:
    """The last lines of a file, and where it ended when they were read."""
    blocks = list(_blocks(path, 0))
    data = b"".join(blocks)
    lines = data.decode("utf-8", errors="replace").splitlines(keepends=True)
    return "".join(lines[-n_lines:] if n_lines else lines), len(data)


def _blocks(path: Path, at: int) -> Iterator[bytes]:
    """What stands in a file from an offset on; nothing where there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(at)
            while block := file.read(_BLOCK):
                yield block
    except OSError:
        return
