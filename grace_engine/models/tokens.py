"""Which tokens of a rendered trace belong to which of its segments?

A token belongs to the segment that holds its first character that is not white space; by its first
character, sentence steps would lose their first word on every BPE tokenizer, whose tokens begin
with the space before a word. White space is looked up in the text itself, because tokenizers
disagree on whether their offsets include it (``trim_offsets``).
"""

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from grace_engine.config import Target
from grace_engine.errors import ModelError, TraceRejected
from grace_engine.models.render import RenderedText, Renderer, Span, template_name_of
from grace_engine.records import RejectedTrace, RenderedTrace, Segment, Trace

if TYPE_CHECKING:
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerFast

P = ParamSpec("P")
T = TypeVar("T")

VISIBLE = re.compile(r"\S")
TRACES_PER_CALL = 64


def render_trace(
    trace: Trace,
    tokenizer: "PreTrainedTokenizerFast",
    *,
    target: Target = "own",
    with_marks: bool = False,
    with_end_token: bool = False,
    max_length: int = 0,
    template_name: str = "",
) -> RenderedTrace:
    """Render one trace as the trainer will see it and find the tokens of its segments.

    Args:
        trace: The trace.
        tokenizer: A fast tokenizer: one that reports character offsets.
        target: Whose answer is the last segment.
        with_marks: Step and answer marks ("Step 3:") belong to their segments.
        with_end_token: The end token that directly follows the answer belongs to it.
        max_length: Most tokens that a rendered trace may have; 0 for any number.
        template_name: ``chat`` or ``plain``; "" takes what the trainer would.

    Raises:
        ModelError: The tokenizer reports no offsets or lacks the template.
        TraceRejected: With a reason of ``Renderer.render``, ``own_tokens``, or ``too-long`` or
            ``tokenizer-error``.
    """
    results = render_traces(
        [trace],
        tokenizer,
        target=target,
        with_marks=with_marks,
        with_end_token=with_end_token,
        max_length=max_length,
        template_name=template_name,
    )
    result = next(iter(results))
    if isinstance(result, RejectedTrace):
        raise TraceRejected(result.reason, result.detail)
    return result


def render_traces(
    traces: Iterable[Trace],
    tokenizer: "PreTrainedTokenizerFast",
    *,
    target: Target = "own",
    with_marks: bool = False,
    with_end_token: bool = False,
    max_length: int = 0,
    template_name: str = "",
) -> Iterator[RenderedTrace | RejectedTrace]:
    """Render many traces, in order, with one call of the tokenizer for many texts.

    Takes the arguments of ``render_trace`` and raises its ``ModelError`` at once; a trace that
    cannot be scored comes back as a ``RejectedTrace`` and the others go on.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            f"The tokenizer of {getattr(tokenizer, 'name_or_path', '') or 'this model'} "
            f"({type(tokenizer).__name__}) does not report which characters its tokens stand for: "
            "use a model with a fast tokenizer (a tokenizer.json)."
        )
    renderer = Renderer(
        tokenizer,
        template_name=template_name or template_name_of(tokenizer),
        target=target,
        with_marks=with_marks,
        with_end_token=with_end_token,
    )
    return _render_all(iter(traces), renderer, max_length)


def own_tokens(rendered: RenderedText, offsets: Sequence[Span]) -> tuple[Segment, ...]:
    """Find the token range ``[start, end)`` of every segment.

    Args:
        rendered: The rendered text with its K + 1 character spans.
        offsets: ``[n]`` character spans of the tokens, in order; several tokens may share one (the
            bytes of an emoji), and an empty span belongs to nobody.

    Returns:
        K + 1 segments with disjoint token ranges in order.

    Raises:
        TraceRejected: ``empty-segment`` when a segment owns no token; ``no-context`` when one
            begins at token 0, before which nothing can predict it.
    """
    visible, firsts = [], []  # tokens that hold a visible character, and where its first one is
    for token, (start, end) in enumerate(offsets):
        found = VISIBLE.search(rendered.text, start, end)
        if found:
            visible.append(token)
            firsts.append(found.start())

    def owned(start: int, end: int) -> Span:
        first, last = bisect_left(firsts, start), bisect_left(firsts, end)
        return (visible[first], visible[last - 1] + 1) if first < last else (0, 0)

    ranges = [owned(start, end) for start, end in rendered.spans]
    start, end = rendered.spans[-1]
    if ranges[-1] == (0, 0):  # such as the x of \boxed{x}, in one token "{x"
        shared = [t for t in visible if offsets[t][0] < end and start < offsets[t][1]]
        if shared:
            ranges = [(first, min(last, shared[0])) for first, last in ranges[:-1]]
            ranges.append((shared[0], shared[-1] + 1))
    for index, (token_start, token_end) in enumerate(ranges):
        if token_start >= token_end:
            name = f"step {index + 1}" if index + 1 < len(ranges) else "the answer"
            raise TraceRejected("empty-segment", f"{name} holds no token of its own.")
        if token_start == 0:
            raise TraceRejected("no-context", "a segment begins with the first token of the text.")
    _, with_end_token = owned(end, rendered.end_token_end)
    ranges[-1] = ranges[-1][0], max(ranges[-1][1], with_end_token)
    ends = [*(stop for _, stop in rendered.spans[:-1]), rendered.end_token_end]
    return tuple(
        Segment(
            rendered_start=rendered_start,
            rendered_end=rendered_end,
            token_start=token_start,
            token_end=token_end,
        )
        for (rendered_start, _), rendered_end, (token_start, token_end) in zip(
            rendered.spans, ends, ranges, strict=True
        )
    )


def _render_all(
    traces: Iterator[Trace], renderer: Renderer, max_length: int
) -> Iterator[RenderedTrace | RejectedTrace]:
    while chunk := list(islice(traces, TRACES_PER_CALL)):
        texts = [_attempt(renderer.render, trace) for trace in chunk]
        encoded = iter(_encode(renderer, [t.text for t in texts if isinstance(t, RenderedText)]))
        for trace, text in zip(chunk, texts, strict=True):
            result: RenderedTrace | TraceRejected
            if isinstance(text, TraceRejected):
                result = text
            else:
                result = _attempt(_finish, trace.id, text, next(encoded), max_length)
            if isinstance(result, TraceRejected):
                yield RejectedTrace(trace_id=trace.id, reason=result.reason, detail=result.detail)
            else:
                yield result


def _attempt(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | TraceRejected:
    try:
        return function(*args, **kwargs)
    except TraceRejected as rejected:
        return rejected


def _encode(renderer: Renderer, texts: list[str]) -> "list[Encoding | TraceRejected]":
    """Tokenise together; where that fails, one by one, so that only the culprits are rejected."""
    if not texts:
        return []
    try:
        special = renderer.add_special_tokens
        batch = renderer.tokenizer(texts, add_special_tokens=special, verbose=False)
    except Exception as error:  # noqa: BLE001 - tokenizers raises anything, some of it bare
        if len(texts) > 1:
            return [one for text in texts for one in _encode(renderer, [text])]
        detail = f"the tokenizer failed with {type(error).__name__}: {error}"
        return [TraceRejected("tokenizer-error", detail)]
    return list(batch.encodings)


def _finish(
    trace_id: str, text: RenderedText, encoded: "Encoding | TraceRejected", max_length: int
) -> RenderedTrace:
    if isinstance(encoded, TraceRejected):
        raise encoded
    token_ids = encoded.ids
    if 0 < max_length < len(token_ids):
        raise TraceRejected("too-long", f"{len(token_ids)} tokens, limit {max_length}.")
    segments = own_tokens(text, encoded.offsets)
    ranges = [(segment.token_start, segment.token_end) for segment in segments]
    content = json.dumps([token_ids, ranges], separators=(",", ":")).encode()
    return RenderedTrace(
        trace_id=trace_id,
        text=text.text,
        token_ids=tuple(token_ids),
        segments=segments,
        digest=blake2b(content, digest_size=16).hexdigest(),
    )
