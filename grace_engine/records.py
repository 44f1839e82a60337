"""What do the studio's nouns hold?

Spans are half-open ``[start, end)`` and count characters (Unicode code points) unless a name says
tokens. A trace's *full text* is its source text plus, where the answer was known only as a field,
the appended answer; all character spans of steps and answers index the full text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal, TypeAlias

Label: TypeAlias = str | int | float | bool | None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A step or the answer, as the model sees it.

    Attributes:
        rendered_start: First character in the rendered text.
        rendered_end: One past its last character there.
        token_start: First token in the full rendered sequence.
        token_end: One past its last token.
    """

    rendered_start: int
    rendered_end: int
    token_start: int
    token_end: int

    @property
    def n_tokens(self) -> int:
        """Number of tokens of the segment."""
        return self.token_end - self.token_start


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedTrace:
    """A trace exactly as the trainer will see it.

    Attributes:
        trace_id: The trace.
        text: The rendered text: template, prompt and assistant turn.
        token_ids: ``[n]`` ids of the whole rendered text.
        segments: The steps in order, then the answer: K + 1 entries.
        digest: Hex digest of token ids and segment token ranges: the part of a Gram's cache key
            that does not depend on the scorer.
    """

    trace_id: str
    text: str
    token_ids: tuple[int, ...]
    segments: tuple[Segment, ...]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedTrace:
    """A trace that a model and template cannot score, or that a run could not.

    Attributes:
        trace_id: The trace.
        reason: Stable kebab-case code.
        detail: What was seen, for a person to read.
    """

    trace_id: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepGram:
    """Inner products between the segment gradients of one trace.

    Attributes:
        packed: ``[(K+1)(K+2)/2]`` float32, lower triangle row by row; the answer is the last row.
        n_tokens: ``[K+1]`` tokens per segment.
        nll: ``[K+1]`` mean negative log-likelihood per token of each segment, in nats.
    """

    packed: tuple[float, ...]
    n_tokens: tuple[int, ...]
    nll: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringRun:
    """One scorer applied to some datasets of a workspace.

    Attributes:
        id: ``r-`` and eight hex digits: digest of scorer fingerprint, datasets and segmenters.
        fingerprint: Digest of everything that moves a Gram apart from the trace itself.
        model: As the user named it: a folder or a hub id.
        revision: Commit of a hub model; "" for a folder.
        adapter: As the user named it; "" without one.
        dtype: Such as ``float32``.
        proxy: ``upstream``, ``lm_head`` or ``exact``.
        parameters: Parameter name patterns of ``exact``; empty for the others.
        entropy_discount: c of the tokens' weights exp(−c·H), nats⁻¹; 0 for the plain mean.
        target: ``own`` or ``reference``: whose answer is the last segment.
        template: Name of the template: ``chat`` or ``plain``.
        reasoning_key: Message key in which the chat template expects reasoning; "" when inline.
        with_marks: Whether step and answer marks belong to their segments.
        with_end_token: Whether the end token belongs to the answer.
        datasets: Names, sorted.
        data_digest: Digest of the ids and segmentations that the run covers.
        n_scored: Traces with a Gram.
        n_rejected: Traces that could not be scored, each stored with its reason.
        n_pending: Traces of its datasets that it has not reached yet.
        created_at: ISO 8601, UTC.
        updated_at: ISO 8601, UTC.
    """

    id: str
    fingerprint: str
    model: str
    revision: str
    adapter: str
    dtype: str
    proxy: str
    parameters: tuple[str, ...]
    entropy_discount: float = 0.0
    target: str
    template: str
    reasoning_key: str = ""
    with_marks: bool
    with_end_token: bool
    datasets: tuple[str, ...]
    data_digest: str
    n_scored: int = 0
    n_rejected: int = 0
    n_pending: int = 0
    created_at: str = ""
    updated_at: str = ""

    @property
    def gradient(self) -> str:
        """The proxy and, where there is one, the entropy discount: ``upstream, c=10``."""
        return self.proxy + (f", c={self.entropy_discount:g}" if self.entropy_discount else "")

    @property
    def setting(self) -> str:
        """What beside model and gradient is unusual: ``target reference, with marks``; or ""."""
        said = {
            f"target {self.target}": self.target != "own",
            f"adapter {PurePath(self.adapter).name}": bool(self.adapter),
            f"revision {self.revision[:8]}": bool(self.revision),
            self.dtype: self.dtype != "float32",
            "with marks": self.with_marks,
            "with end token": self.with_end_token,
        }
        return ", ".join(what for what, unusual in said.items() if unusual)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One entry of the log of what curators said and did; the log only grows.

    Attributes:
        seq: Place in the log, from 1.
        action: Entries with one number were made together and are undone together.
        kind: ``verdict`` on a step or trace, ``override`` of a trace, ``look`` at a trace, or
            ``undo`` and ``redo`` of an action.
        trace_id: The trace; "" for ``undo`` and ``redo``.
        step: The step, from 1, that a verdict is on; None for the trace.
        start: First character of the step in the full text, so that a verdict stays with its text
            when steps are cut anew; None for the trace.
        end: One past the step's last character; None for the trace.
        word: The verdict's word; ``keep`` or ``drop`` of an override; "" withdraws either.
        note: Reason or remark.
        author: Who.
        created_at: ISO 8601, UTC.
        target: Action that ``undo`` or ``redo`` is about; 0 otherwise.
    """

    seq: int
    action: int
    kind: Literal["verdict", "override", "look", "undo", "redo"]
    trace_id: str
    step: int | None = None
    start: int | None = None
    end: int | None = None
    word: str = ""
    note: str = ""
    author: str = ""
    created_at: str = ""
    target: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a selection decided on one trace.

    Attributes:
        trace_id: The trace.
        record_digest: Digest of its source record.
        value: What it was ranked by; None when it has none.
        rank: 1-based place in the ranking.
        selected: Whether it is in.
        reason: Why it is in or out, for a person to read.
        n_tokens: The scoring model's tokens of its steps and answer.
    """

    trace_id: str
    record_digest: str
    value: float | None
    rank: int
    selected: bool
    reason: str
    n_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A subset, with the reason of every trace that is in or out.

    Attributes:
        id: ``s-`` and eight hex digits: digest of everything that decided it.
        name: The user's name for it; "" without one.
        run_id: The scoring run whose signals decided.
        strategy: ``grace`` or a baseline.
        alpha: Weight of alignment against consistency.
        history: Such as ``uniform``, ``window:3``, ``ema:0.8``.
        aggregate: Such as ``mean``.
        history_only: Whether step 1 is left out and steps count by consistency alone.
        budget: As the user gave it: ``20%``, ``500``, ``1.2Mtok``.
        seed: Seed of ``random``.
        per: Column within whose values the budget held, such as ``dataset``; "" without one.
        cap_per_prompt: Most traces of one prompt; 0 for any number.
        overrides: Whether what curators keep and drop was respected.
        n_kept: Traces that were in because a curator keeps them.
        n_dropped: Traces that were out because a curator drops them.
        annotation_version: Last entry of the log of annotations that it was made with.
        parent: Id of the selection that it was branched from; "" without one.
        choices: In rank order.
        created_at: ISO 8601, UTC.
    """

    id: str
    name: str
    run_id: str
    strategy: str
    alpha: float
    history: str
    aggregate: str
    history_only: bool
    budget: str
    seed: int
    per: str = ""
    cap_per_prompt: int = 0
    overrides: bool = False
    n_kept: int = 0
    n_dropped: int = 0
    annotation_version: int = 0
    parent: str = ""
    choices: tuple[Choice, ...] = field(repr=False)
    created_at: str = ""
