"""How does a stream of pairs become a stream of verdicts, in order and without an idle process?"""

import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future
from itertools import islice
from typing import Self

from grace_engine.answers.process import Closed, Limits, WorkerProcess
from grace_engine.answers.quick import check_quickly
from grace_engine.progress import Progress, Silent
from grace_engine.records import AnswerCheck, AnswerPair

_BATCH = 32
# Batches that wait for each process: it never waits for whoever makes the pairs.
_AHEAD = 3

_Work = tuple[list[AnswerPair], list["Future[AnswerCheck]"]]


class Checker:
    """Processes that check answers; they start when they are needed and end with the block.

    ```
    with Checker(limits, processes=2) as checker:
        for check in checker.check(AnswerPair(answer=…, reference=…) for … in …):
            check.outcome, check.detail
    ```

    A ``Checker`` that is kept checks the next pairs at once, where a new one loads for seconds.
    """

    def __init__(self, limits: Limits | None = None, *, processes: int = 1) -> None:
        self._work: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._processes = [WorkerProcess(limits or Limits()) for _ in range(processes)]
        self._threads = [
            threading.Thread(target=self._serve, args=(each,), daemon=True, name="answers")
            for each in self._processes
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_fault: object) -> None:
        self.close()

    def check(
        self, pairs: Iterable[AnswerPair], progress: Progress | None = None
    ) -> Iterator[AnswerCheck]:
        """The verdict on each pair, in the order of the pairs, each as soon as it is known.

        Pairs are drawn a few batches ahead. Who stops iterating leaves at most those to be done.

        Args:
            pairs: Any number of them.
            progress: Told of each verdict (``advance``); its phase is begun by the caller.

        Raises:
            ResourceError: The process cannot be started.
        """
        told, stream = progress or Silent(), iter(pairs)
        ahead = _AHEAD * _BATCH * len(self._processes)
        waiting: deque[Future[AnswerCheck]] = deque()
        try:
            while True:
                while len(waiting) <= ahead and (batch := list(islice(stream, _BATCH))):
                    waiting.extend(self._submit(batch))
                if not waiting:
                    return
                check = waiting.popleft().result()
                told.advance(1)
                yield check
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        for process in self._processes:
            self._work.put(None)
            process.kill()
        for thread in self._threads:
            thread.join()

    def _submit(self, batch: list[AnswerPair]) -> list["Future[AnswerCheck]"]:
        futures: list[Future[AnswerCheck]] = [Future() for _ in batch]
        slow: list[int] = []
        for place, pair in enumerate(batch):
            if (check := check_quickly(pair)) is None:
                slow.append(place)
            else:
                futures[place].set_result(check)
        if slow:
            self._work.put(([batch[i] for i in slow], [futures[i] for i in slow]))
        return futures

    def _serve(self, process: WorkerProcess) -> None:
        """The work of a thread: batches go to its process, verdicts to those who wait."""
        while (work := self._work.get()) is not None:
            _fulfil(process, *work)
        process.end()


def _fulfil(
    process: WorkerProcess, pairs: list[AnswerPair], futures: list["Future[AnswerCheck]"]
) -> None:
    wanted = [
        (pair, future)
        for pair, future in zip(pairs, futures, strict=True)
        if future.set_running_or_notify_cancel()
    ]
    left = deque(future for _, future in wanted)
    try:
        process.check([pair for pair, _ in wanted], lambda check: left.popleft().set_result(check))
    except Exception as fault:  # noqa: BLE001 - whoever waits has to hear of it
        reason = CancelledError() if isinstance(fault, Closed) else fault
        for future in left:
            future.set_exception(reason)


def check_pairs(
    pairs: Iterable[AnswerPair],
    limits: Limits | None = None,
    progress: Progress | None = None,
    *,
    processes: int = 1,
) -> list[AnswerCheck]:
    """The verdicts on pairs, in order; the processes end with the call, however it ends."""
    with Checker(limits, processes=processes) as checker:
        return list(checker.check(pairs, progress))
