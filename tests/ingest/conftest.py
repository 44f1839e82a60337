"""Which helpers do the tests of ingest share?"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grace_engine.ingest import Draft, build_trace, parse_segmenter, traces_of
from grace_engine.records import Reject, SourceRecord, Trace

RECORD = SourceRecord(digest="0" * 64, path="rows.jsonl", line=1, raw=b"{}")

FILES = Path(__file__).parent / "files"

# Written apart from the engine's own patterns: what may stand outside steps and answer.
SEPARATORS = re.compile(r"(?:\s|</?think>)*")
STEP_MARKS = re.compile(
    r"(?:\s|</?think>"
    r"|(?:\#{1,6}\s*)?(?:\*\*)?(?:step[ \t]+\d+|\d{1,3}[.)]|\(\d{1,3}\))[\s:.)*–—-]*)*",
    re.IGNORECASE,
)
ANSWER_MARKS = re.compile(
    r"(?:####|A:|†\s*Answer\s*:|\\boxed\s*\{|(?:(?:so|thus|therefore|hence),?\s+)?"
    r"the\s+(?:(?:final|correct)\s+)?answer\s+is|\#{1,6}|"
    r"(?:final[ \t]+)?answer[ \t]*\**:|\$|\\\(|\\\[|\*\*|[\s:])+",
    re.IGNORECASE,
)


@pytest.fixture(scope="session")
def build() -> Callable[..., Trace]:
    """Builds a trace of a text, with prompt "Q" and without a file."""

    def make(text: str, segmenter: str = "auto", **parts: object) -> Trace:
        draft = Draft(**{"prompt": "Q", "text": text, **parts})  # type: ignore[arg-type]
        return build_trace(
            draft, dataset="tests", record=RECORD, segmenter=parse_segmenter(segmenter)
        )

    return make


@pytest.fixture(scope="session")
def steps_of(build: Callable[..., Trace]) -> Callable[..., list[str]]:
    """The texts of the steps into which a text is cut; its answer is given apart."""

    def cut(text: str, segmenter: str = "auto", **parts: object) -> list[str]:
        trace = build(text, segmenter, **{"answer": "0", **parts})
        return [trace.full_text[step.start : step.end] for step in trace.steps]

    return cut


@pytest.fixture(scope="session")
def check_spans() -> Callable[..., None]:
    """Asserts that spans are ordered, disjoint, inside and trimmed, and that they lose nothing."""

    def check(trace: Trace, separators: re.Pattern[str] = STEP_MARKS) -> None:
        text, position = trace.full_text, 0
        for step in trace.steps:
            assert 0 <= position <= step.mark_start <= step.start < step.end <= len(trace.text)
            assert text[step.start : step.end] == text[step.start : step.end].strip()
            assert separators.fullmatch(text, position, step.mark_start)
            assert separators.fullmatch(text, step.mark_start, step.start)
            position = step.end
        answer = trace.answer
        assert position <= answer.mark_start <= answer.start < answer.end <= len(text)
        assert separators.fullmatch(text, position, answer.mark_start)
        assert ANSWER_MARKS.fullmatch(text, answer.mark_start, answer.start)
        assert answer.text == text[answer.start : answer.end] == answer.text.strip()
        if answer.appended:
            assert text == trace.text + answer.appended
            assert text.endswith(answer.text)
            assert answer.mark_start >= len(trace.text)

    return check


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[..., Path]:
    """Writes records as JSON lines and returns the file."""

    def write(*rows: object, name: str = "rows.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def row() -> Callable[..., dict[str, Any]]:
    """A record of a schema's file with some fields changed; those set to ``...`` are left out."""

    def changed(name: str, number: int = 0, **changes: object) -> dict[str, Any]:
        lines = (FILES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        fields = {**json.loads(lines[number]), **changes}
        return {field: value for field, value in fields.items() if value is not ...}

    return changed


@pytest.fixture(scope="session")
def gsm8k() -> Path:
    """The folder of the whole GSM8K files, where a checkout has it beside it."""
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "gsm8k"
    if not folder.is_dir():
        pytest.skip(f"the whole GSM8K files are not beside the checkout ({folder})")
    return folder


@pytest.fixture(scope="session")
def ingest() -> Callable[..., tuple[list[Trace], list[Reject]]]:
    """The traces and the rejections of a file."""

    def read(path: Path, **options: object) -> tuple[list[Trace], list[Reject]]:
        defaults = {"dataset": "d", "segmenter": parse_segmenter("auto")}
        found = list(traces_of(path, **{**defaults, **options}))  # type: ignore[arg-type]
        traces = [item for item in found if isinstance(item, Trace)]
        return traces, [item for item in found if isinstance(item, Reject)]

    return read
