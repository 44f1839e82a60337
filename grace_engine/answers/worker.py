"""What does the process do that may hang? ``python -m grace_engine.answers.worker SECONDS BYTES``.

It reads a batch of pairs a line and writes a verdict a line. It ends by itself whatever a pair does
to it: a timer of the kernel kills it when a pair takes too long, in C code too and where nobody is
left to kill it; it leaves when a pair took too much memory; and the end of its input, which comes
with the end of whoever started it, is its own end. ``SECONDS`` are of processor time, ``BYTES``
what a pair may add to the memory of the idle process.
"""

import json
import logging
import os
import resource
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from grace_engine.records import AnswerCheck, AnswerPair

TOO_LARGE = 3
"""Exit status: the pair at work needed more memory than it may."""

# A failed allocation is a MemoryError, which math-verify takes for "not equal". Memory grows by
# doubling: who fails at four times the limit has passed the limit before, and that is seen.
_ADDRESS_SPACE = 4
_STATUS = Path("/proc/self/status")
_WARM_UP = AnswerPair(answer=r"\frac{1}{2} \text{ m}", reference="0.5")


def main(seconds: float, n_bytes: int) -> None:
    """Check batches until the input ends."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # it ends the process
    _say({"ready": _load()})
    _limit_address_space(_ADDRESS_SPACE * n_bytes)
    _, idle = memory()
    for line in sys.stdin:
        for answer, reference in json.loads(line):
            check = _judged(AnswerPair(answer=answer, reference=reference), seconds)
            peak, now = memory()
            if check is None or peak - idle > n_bytes:
                os._exit(TOO_LARGE)
            _say(asdict(check))
            if now - idle > n_bytes / 2:
                return  # caches have grown: a fresh process goes on


def memory() -> tuple[int, int]:
    """Bytes that this process held at most, and holds now."""
    if not _STATUS.exists():
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
        return peak, peak
    found = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    peak, now = (int(found[name].split()[0]) * 1024 for name in ("VmHWM", "VmRSS"))
    return peak, now


def _load() -> str:
    """Import math-verify and use it once; why that is not possible, or ""."""
    try:
        from grace_engine.answers.verdict import judge
    except ImportError as fault:
        return str(fault)
    logging.disable(logging.CRITICAL)
    judge(_WARM_UP)
    return ""


def _judged(pair: AnswerPair, seconds: float) -> AnswerCheck | None:
    """The verdict on a pair; None where memory did not suffice. It has so many seconds."""
    from grace_engine.answers.verdict import judge

    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return judge(pair)
    except MemoryError:
        return None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _limit_address_space(more: int) -> None:
    """Let allocations fail that go ``more`` bytes beyond what is mapped now."""
    statm = Path("/proc/self/statm")
    mapped = int(statm.read_text().split()[0]) * resource.getpagesize() if statm.exists() else 0
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = mapped + more
    resource.setrlimit(resource.RLIMIT_AS, (limit if most < 0 else min(limit, most), most))


def _say(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
