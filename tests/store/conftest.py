"""Real workspaces and traces for the tests of the store."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grace_engine.records import (
    Answer,
    RenderedTrace,
    ScoringRun,
    Segment,
    SourceRecord,
    Step,
    StepGram,
    Trace,
)
from grace_engine.store import ScoredTrace, Source, Workspace

ROOT = Path(__file__).parents[2]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def source() -> Source:
    return Source(path="a.jsonl", digest="file-a", size=9, schema_name="gsm8k", segmenter="lines")


@pytest.fixture(scope="session")
def make_trace() -> Callable[..., Trace]:
    def make(number: int, dataset: str = "sums", variant: str = "", line: int = 0) -> Trace:
        raw = f'{{"question": "What is {number} + 1?"}}'.encode()
        digest = hashlib.blake2b(raw, digest_size=16).hexdigest()
        identity = f"{dataset}\0{digest}\0{variant}".encode()
        text = f"Take {number}.\nAdd 1.\n#### {number + 1}"
        first, second = text.index("\n"), text.index("\n####")
        return Trace(
            id=hashlib.blake2b(identity, digest_size=16).hexdigest(),
            dataset=dataset,
            variant=variant,
            prompt=f"What is {number} + 1?",
            text=text,
            steps=(
                Step(start=0, end=first, mark_start=0, label=1),
                Step(start=first + 1, end=second, mark_start=first + 1),
            ),
            answer=Answer(
                text=str(number + 1), start=second + 6, end=len(text), mark_start=second + 1
            ),
            reference=str(number + 1),
            labels={"is_correct": True, "number": number},
            segmenter="lines",
            record=SourceRecord(digest=digest, path="a.jsonl", line=line or number + 1, raw=raw),
        )

    return make


@pytest.fixture
def run() -> ScoringRun:
    return ScoringRun(
        id="r-00000001",
        fingerprint="scorer-1",
        model="models/tiny",
        revision="",
        adapter="",
        dtype="float32",
        proxy="exact",
        parameters=("*.mlp.*", "lm_head.weight"),
        target="own",
        template="plain",
        with_marks=False,
        with_end_token=True,
        datasets=("sums",),
        data_digest="data",
    )


@pytest.fixture(scope="session")
def make_scored() -> Callable[[Trace, int], ScoredTrace]:
    def make(trace: Trace, seed: int) -> ScoredTrace:
        """A Gram of 1 + seed % 3 steps whose entries say which trace it belongs to."""
        n = 2 + seed % 3
        key = hashlib.blake2b(trace.id.encode(), digest_size=16).hexdigest()
        return ScoredTrace(
            rendered=RenderedTrace(
                trace_id=trace.id,
                text=f"Q: {trace.full_text}",
                token_ids=tuple(range(3 * n)),
                segments=tuple(
                    Segment(
                        rendered_start=4 * i,
                        rendered_end=4 * i + 3,
                        token_start=2 * i,
                        token_end=2 * i + 2,
                    )
                    for i in range(n)
                ),
                digest=key,
            ),
            gram_key=key,
            gram=StepGram(
                packed=tuple(seed + i / 64 for i in range(n * (n + 1) // 2)),
                n_tokens=tuple(seed + i for i in range(n)),
                nll=tuple(seed / 4 + i for i in range(n)),
            ),
        )

    return make


@pytest.fixture
def start_python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python code in a process of its own, with pipes; it is gone after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
