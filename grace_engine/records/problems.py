"""What does a problem hold that a record poses without solving it?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from grace_engine.records.traces import Label, Reject, SourceRecord, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A prompt with the answer that is held to be right, for models to solve.

    Attributes:
        id: Digest of dataset name, prompt and reference: repeats of a problem share it.
        dataset: Name of the dataset that it belongs to.
        prompt: What a model is asked.
        reference: The answer that the data holds to be right; None when it does not say.
        labels: What the data says of the problem (source, subject, ...).
        images: References to images of the prompt.
        record: The source record.
    """

    id: str
    dataset: str
    prompt: str
    reference: str | None
    labels: Mapping[str, Label] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    record: SourceRecord


Item: TypeAlias = Trace | Problem | Reject
"""What a record can become."""
