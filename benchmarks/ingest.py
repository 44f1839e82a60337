"""How fast do traces enter a workspace beside a loop that only parses, and in how much memory?

``python -m benchmarks.ingest [--rows 1000000] [--rounds 3] [--json]``. GSM8K's training rows are
repeated, each question numbered so that no two are equal. In each round a bare ``json.loads`` loop
over the file and ``grace ingest`` of the same file take turns: read, segmented, hashed and stored,
the start of its processes included. On cores that others use, too, processor time says more than
the clock: the loop takes one core, an ingest all of them. Memory is the highest sum of the resident
memory of all its processes, looked at five times a second: what they share is counted in each. It
is measured on the first tenth of the rows, too, to see whether it grows with the file.
"""

import argparse
import gzip
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

import psutil

ROWS = 1_000_000
_SAMPLE = Path(__file__).parents[1] / "sample_data" / "gsm8k" / "train.jsonl.gz"
_PAUSE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one ``grace ingest`` took.

    Attributes:
        seconds: Wall time.
        processor: Seconds of processor time of all its processes.
        peak: Highest bytes of resident memory of its processes together.
        n_processes: Most processes at once.
    """

    seconds: float
    processor: float
    peak: int
    n_processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestBenchmark:
    """All measurements of one run.

    Attributes:
        rows: Rows of the file.
        file_bytes: Its size.
        bare: Seconds of the bare loop, one a round.
        ingest: Seconds of the ingest, one a round.
        ratios: Rows a second of the ingest over those of the bare loop, one a round.
        work: Processor time of the ingest over that of the bare loop, one a round.
        peak: Highest bytes of memory in any round.
        peak_of_tenth: The same with a tenth of the rows.
        n_processes: Processes of the ingest.
        database_bytes: Of the workspace's database afterwards.
    """

    rows: int
    file_bytes: int
    bare: list[float]
    ingest: list[float]
    ratios: list[float]
    work: list[float]
    peak: int
    peak_of_tenth: int
    n_processes: int
    database_bytes: int


def run(rows: int, rounds: int) -> IngestBenchmark:
    """Make the files and measure, in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        whole, tenth = Path(folder) / "whole.jsonl", Path(folder) / "tenth.jsonl"
        _write(whole, rows)
        _write(tenth, rows // 10)
        small = _ingest(tenth, Path(folder) / "small")
        bare, bare_processor, taken = [], [], []
        for number in range(rounds):
            processor = time.process_time()
            bare.append(_bare_loop(whole))
            bare_processor.append(time.process_time() - processor)
            taken.append(_ingest(whole, Path(folder) / f"workspace-{number}"))
        database = Path(folder) / "workspace-0" / "grace.duckdb"
        return IngestBenchmark(
            rows=rows,
            file_bytes=whole.stat().st_size,
            bare=bare,
            ingest=[each.seconds for each in taken],
            ratios=[b / each.seconds for b, each in zip(bare, taken, strict=True)],
            work=[t.processor / b for b, t in zip(bare_processor, taken, strict=True)],
            peak=max(each.peak for each in taken),
            peak_of_tenth=small.peak,
            n_processes=max(each.n_processes for each in taken),
            database_bytes=database.stat().st_size,
        )


def markdown(found: IngestBenchmark) -> str:
    """The table."""
    ratio, low, high = statistics.median(found.ratios), min(found.ratios), max(found.ratios)
    speed = found.rows / statistics.median(found.ingest)
    return "\n".join(
        [
            f"| {found.rows:,} rows of {found.file_bytes / found.rows:.0f} bytes | |",
            "|---|---:|",
            f"| rows a second over those of a bare `json.loads` loop | {ratio:.3f} "
            f"({low:.3f}–{high:.3f}) |",
            f"| rows a second | {speed:,.0f} |",
            f"| processor time over that of the loop | {statistics.median(found.work):.1f} |",
            f"| peak memory of its {found.n_processes} processes | {found.peak / 1e6:,.0f} MB |",
            f"| peak memory with a tenth of the rows | {found.peak_of_tenth / 1e6:,.0f} MB |",
            f"| database, bytes a row | {found.database_bytes / found.rows:,.0f} |",
        ]
    )


def _write(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for number, record in enumerate(islice(cycle(_records()), rows)):
            numbered = record | {"question": f"{number}. {record['question']}"}
            file.write(json.dumps(numbered) + "\n")


def _records() -> list[dict[str, str]]:
    with gzip.open(_SAMPLE, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _bare_loop(path: Path) -> float:
    began = time.perf_counter()
    with path.open("rb") as lines:
        for line in lines:
            json.loads(line)
    return time.perf_counter() - began


def _ingest(path: Path, workspace: Path) -> Taken:
    command = [sys.executable, "-m", "grace_engine", "ingest", str(path), "-w", str(workspace)]
    began, before, peak, most = time.perf_counter(), _processor_of_children(), 0, 0
    process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=sys.stderr)
    while process.poll() is None:
        resident = list(_resident(process.pid))
        peak, most = max(peak, sum(resident)), max(most, len(resident))
        time.sleep(_PAUSE)
    seconds = time.perf_counter() - began
    answer, _ = process.communicate()
    (file,) = json.loads(answer)["files"]
    if process.returncode or file["count"]["rejected"]:
        raise SystemExit(f"The ingest went wrong: {file}")
    processor = _processor_of_children() - before
    return Taken(seconds=seconds, processor=processor, peak=peak, n_processes=most)


def _processor_of_children() -> float:
    """Seconds of processor time of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _resident(pid: int) -> Iterator[int]:
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                yield process.memory_info().rss


def main() -> None:
    """Read the flags, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    flags = parser.parse_args()
    found = run(flags.rows, flags.rounds)
    print(json.dumps(asdict(found), indent=2) if flags.json else markdown(found))


if __name__ == "__main__":
    main()
