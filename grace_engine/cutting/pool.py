"""How do several processes cut chunks at once, and end with the one that asked them to?"""

import gc
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from typing import Self

from grace_engine.cutting.chunks import Chunk, Recipe, Staged, stage_rows
from grace_engine.errors import GraceError, ResourceError

_CHILD = ("-m", "grace_engine.cutting.child")
# Chunks that wait for each process, so that none is ever idle.
_AHEAD = 2
# Memory of a chunk is kept for the next: the system would clear it again each time.
_KEEP_MEMORY = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": str(128 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
}
# Beyond that the one process that reads the file is what they wait for.
_MOST = 8


def usual_processes() -> int:
    """As many processes as this one may use cores, up to eight."""
    usable = getattr(os, "sched_getaffinity", None)
    return min(_MOST, len(usable(0)) if usable else os.cpu_count() or 1)


class Pool:
    """Processes that cut chunks; killed at the end of the block.

    They are started for the second chunk, or by ``start``.

    Not ``multiprocessing``'s: that imports the caller's main module again in each process, which a
    script without a guard does not survive, and leaves processes behind where the caller is killed.
    These end by themselves as soon as nobody is at the other end of their pipe.

    Args:
        processes: How many; with 1, chunks are cut in this process.
    """

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._threads = ThreadPoolExecutor(max(1, processes), thread_name_prefix="cutting")
        self._own = threading.local()
        self._children: list[tuple[subprocess.Popen[bytes], Connection]] = []
        self._idle: list[Connection] = []
        self._closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_fault: object) -> None:
        with self._lock:
            self._closed = True
            for child, _ in self._children:
                child.kill()
        self._threads.shutdown(cancel_futures=True)
        for child, pipe in self._children:
            child.wait()
            pipe.close()

    def start(self) -> None:
        """Start the processes before there is work for them: each needs a while to be ready."""
        if self._processes > 1:
            with suppress(OSError):  # whoever needs one tries again, and says so
                self._idle += [self._start() for _ in range(self._processes)]

    def stage(self, recipe: Recipe, chunks: Iterable[Chunk]) -> Iterator[Staged]:
        """Cut and stage chunks, drawn a few ahead; what became of each, in their order.

        Raises:
            GraceError: Of a process: a full disk.
            ResourceError: A process could not be started, or was killed.
        """
        stream = iter(chunks)
        first = next(stream, None)
        if first is None:
            return
        second = next(stream, None) if self._processes > 1 else None
        if second is None:
            yield stage_rows(recipe, first)
            for chunk in stream:
                yield stage_rows(recipe, chunk)
            return
        waiting: deque[Future[Staged]] = deque()
        for chunk in (first, second):
            waiting.append(self._threads.submit(self._ask, recipe, chunk))
        for chunk in stream:
            waiting.append(self._threads.submit(self._ask, recipe, chunk))
            if len(waiting) > _AHEAD * self._processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _ask(self, recipe: Recipe, chunk: Chunk) -> Staged:
        """Have the process of this thread cut a chunk."""
        try:
            pipe = getattr(self._own, "pipe", None)
            if pipe is None:
                pipe = self._own.pipe = self._idle.pop() if self._idle else self._start()
            pipe.send((recipe, chunk))
            answer = pipe.recv()
        except (EOFError, OSError) as fault:
            raise ResourceError(
                "A process that cut traces was ended from outside, perhaps because memory ran "
                "out. Nothing of the file was stored: try again, with fewer processes "
                "(grace ingest --processes 1)."
            ) from fault
        if isinstance(answer, GraceError):
            raise answer
        found: Staged = answer
        return found

    def _start(self) -> Connection:
        ours, theirs = Pipe()
        with self._lock, theirs:
            if self._closed:
                raise EOFError
            child = subprocess.Popen(
                [sys.executable, *_CHILD, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=os.environ | _KEEP_MEMORY,
                start_new_session=True,  # Ctrl-C is for the one that asks
            )
            self._children.append((child, ours))
        return ours


def serve(descriptor: int) -> None:
    """The work of a process of the pool: chunks come through the pipe until nobody sends any."""
    gc.disable()  # traces hold no cycles, and looking for some costs a fifth of the time
    with suppress(EOFError, OSError), Connection(descriptor) as pipe:
        while True:
            recipe, chunk = pipe.recv()
            try:
                answer: Staged | GraceError = stage_rows(recipe, chunk)
            except GraceError as fault:
                answer = fault
            pipe.send(answer)
