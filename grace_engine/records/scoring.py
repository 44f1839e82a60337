"""What does a scoring run hold of a trace, and what decides its numbers?

Spans are half-open ``[start, end)``; a name says whether they count characters or tokens.
"""

from dataclasses import dataclass
from pathlib import PurePath


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
        segmenters: How each of them was cut, in the same order; empty for as they are cut now.
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
    segmenters: tuple[str, ...] = ()
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
