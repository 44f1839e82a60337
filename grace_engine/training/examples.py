"""Which tokens does the trainer see of a trace, and from which of them does the model learn?

The text is the one that scoring renders, and its tokens are the same. What stands before the
assistant's turn, the header of the turn included, is given; from everything after it the model
learns, the end token too.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from grace_engine.config import Target
from grace_engine.errors import TraceRejected
from grace_engine.models.render import Renderer, template_name_of
from grace_engine.records import RejectedTrace, Trace

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MASKED = -100
"""The label of a token from which nothing is learned, as PyTorch's cross-entropy takes it."""

_TRACES_PER_CALL = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One trace as the trainer sees it.

    Attributes:
        trace_id: Of the trace.
        token_ids: All tokens of the rendered text.
        n_given: How many of them, from the first on, are given; the others are learned.
    """

    trace_id: str
    token_ids: tuple[int, ...]
    n_given: int

    @property
    def n_learned(self) -> int:
        """Tokens that the loss is taken of."""
        return max(0, len(self.token_ids) - self.n_given)

    def cut(self, max_length: int) -> "Example":
        """Its first ``max_length`` tokens: what a trainer leaves of one that is longer."""
        if len(self.token_ids) <= max_length:
            return self
        return replace(self, token_ids=self.token_ids[:max_length])

    def columns(self) -> dict[str, list[int]]:
        """``input_ids`` and ``labels`` as TRL's SFTTrainer takes them ready-made."""
        learned = list(self.token_ids[self.n_given :])
        n_masked = len(self.token_ids) - len(learned)
        return {"input_ids": list(self.token_ids), "labels": [MASKED] * n_masked + learned}


def examples_of(
    traces: Iterable[Trace],
    tokenizer: "PreTrainedTokenizerFast",
    *,
    target: Target = "own",
    template_name: str = "",
) -> Iterator[Example | RejectedTrace]:
    """Render traces as the trainer sees them, in order.

    A trace that the template changes, or whose prompt does not begin it, comes back rejected with
    its reason, and the others go on.

    Raises:
        ModelError: The tokenizer lacks the template.
    """
    renderer = Renderer(
        tokenizer, template_name=template_name or template_name_of(tokenizer), target=target
    )
    stream = iter(traces)
    while chunk := list(islice(stream, _TRACES_PER_CALL)):
        for trace in chunk:
            try:
                yield _example(trace, renderer)
            except TraceRejected as fault:
                yield RejectedTrace(trace_id=trace.id, reason=fault.reason, detail=fault.detail)


def _example(trace: Trace, renderer: Renderer) -> Example:
    text = renderer.render(trace).text
    given = prompt_text(trace.prompt, renderer)
    if not text.startswith(given):
        raise TraceRejected(
            "prompt-not-first", "the template writes a prompt otherwise once an answer follows it."
        )
    encoded = renderer.tokenizer(
        text,
        add_special_tokens=renderer.add_special_tokens,
        return_offsets_mapping=True,
        verbose=False,
    )
    ends = [end for _, end in encoded["offset_mapping"]]
    n_given = next((i for i, end in enumerate(ends) if end > len(given)), len(ends))
    return Example(trace_id=trace.id, token_ids=tuple(encoded["input_ids"]), n_given=n_given)


def prompt_text(prompt: str, renderer: Renderer) -> str:
    """What stands before the first token that is learned, or generated."""
    if renderer.add_special_tokens:
        return prompt + "\n"
    return str(
        renderer.tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
        )
    )
