"""What does a trace hold, as it was ingested?

Spans are half-open ``[start, end)`` and count characters (Unicode code points). A trace's *full
text* is its source text plus, where the answer was known only as a field, the appended answer; all
spans of steps and answers index the full text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Label: TypeAlias = str | int | float | bool | None

CLEAN = "clean"
"""Label of what is good, in the studio's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One reasoning step of a trace.

    Attributes:
        start: First character of the step in the full text.
        end: One past its last character.
        mark_start: First character of the step's own mark ("Step 3:"), or ``start`` without one.
        label: What the data says of the step (a rating, a planted error), if anything.
    """

    start: int
    end: int
    mark_start: int
    label: Label = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The final answer of a trace.

    Attributes:
        text: The answer's own characters, ``full_text[start:end]``.
        start: First character in the full text.
        end: One past its last character.
        mark_start: First character of what announces it ("####", "The answer is").
        appended: What was appended to the source text because the answer stood only in a field of
            the record; ends with ``text``. Empty when the answer stands in the source text.
    """

    text: str
    start: int
    end: int
    mark_start: int
    appended: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """One record as it stood in its file.

    Attributes:
        digest: Hex digest of ``raw``.
        path: The file, as it was named at ingest.
        line: 1-based line (JSONL) or row (Parquet) number.
        raw: The record's bytes, untouched: the line without its line break, or the row as JSON.
    """

    digest: str
    path: str
    line: int
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One chain of thought: a prompt, steps and an answer, over unchanged source text.

    Attributes:
        id: Digest of dataset name, source record and variant.
        dataset: Name of the dataset that it belongs to.
        variant: Which trace of its record it is ("" when the record holds one).
        prompt: What the model is asked.
        text: The reasoning as it stood in the source.
        steps: Ordered, disjoint spans; none is empty.
        answer: The trace's own answer.
        reference: The answer that the data holds to be right, if it says so.
        labels: What the data says of the trace (correctness, source, subject, ...).
        images: References to images of the prompt.
        segmenter: Name of the segmenter that cut the steps, as given by the user ("auto", ...).
        record: The source record.
    """

    id: str
    dataset: str
    variant: str
    prompt: str
    text: str
    steps: tuple[Step, ...]
    answer: Answer
    reference: str | None
    labels: Mapping[str, Label]
    images: tuple[str, ...] = ()
    segmenter: str
    record: SourceRecord

    @property
    def full_text(self) -> str:
        """The text that is scored, trained on and exported: source text and appended answer."""
        return self.text + self.answer.appended


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A record, or one trace of it, that could not become a Trace.

    Attributes:
        path: The file.
        line: 1-based line or row number; 0 when the whole file is meant.
        variant: Which trace of the record ("" when the record as a whole).
        reason: Stable kebab-case code.
        detail: What was seen, for a person to read.
        excerpt: The first characters of the record.
    """

    path: str
    line: int
    variant: str = ""
    reason: str
    detail: str
    excerpt: str = ""
