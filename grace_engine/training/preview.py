"""What will a fine-tuning run read, cut, learn from and take, before it starts?"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from grace_engine.errors import InputError
from grace_engine.quantities import counted
from grace_engine.records import RejectedTrace
from grace_engine.training.examples import Example
from grace_engine.training.settings import TrainSettings

# Bytes of activations that a decoder layer keeps for its backward pass, in units of one hidden
# vector of a token (Korthikanti et al., arXiv 2205.05198, equation 2, without attention maps).
_KEPT_PER_LAYER = 34


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPreview:
    """What the trainer will do with these examples.

    Attributes:
        examples: Those that are trained on, cut where they are too long.
        rejected: Traces that the template cannot show, with reasons.
        n_cut: Examples that lose their end at the maximum length.
        n_masked: Examples of which nothing would be learned; the trainer leaves them out.
        n_tokens: Tokens read in one pass over the examples.
        n_learned: Those of them that the loss is taken of.
        n_steps: Optimizer steps of all passes.
        memory: Bytes of weights, gradients, optimizer and activations: an estimate.
        memory_basis: How the memory was estimated.
    """

    examples: tuple[Example, ...]
    rejected: tuple[RejectedTrace, ...]
    n_cut: int
    n_masked: int
    n_tokens: int
    n_learned: int
    n_steps: int
    memory: int
    memory_basis: str

    @property
    def rejected_by_reason(self) -> dict[str, int]:
        """How many traces the template cannot show, by reason, most frequent first."""
        return dict(Counter(one.reason for one in self.rejected).most_common())

    @property
    def cut(self) -> str:
        """What the maximum length does, for people."""
        said = [
            f"{counted(self.n_cut, 'example loses', 'examples lose')} the end"
            if self.n_cut
            else "",
            f"of {counted(self.n_masked, 'example')} nothing would be learned"
            if self.n_masked
            else "",
        ]
        return "; ".join(filter(None, said)) or "no example is cut"

    def require_whole(self, settings: TrainSettings) -> None:
        """Refuse to train on cut or fully masked examples that nobody accepted.

        Raises:
            InputError: With how many there are and what to do.
        """
        if settings.accept_cut or not (self.n_cut or self.n_masked):
            return
        raise InputError(
            f"At a maximum length of {settings.max_length:,} tokens "
            f"{counted(self.n_cut, 'example loses its', 'examples lose their')} end, the answer "
            f"with it, and of {self.n_masked:,} nothing would be learned. "
            "Raise the maximum length (--max-length), choose shorter traces, or accept that "
            "examples lose their end (--accept-cut)."
        )


def preview(
    found: Iterable[Example | RejectedTrace],
    settings: TrainSettings,
    config: Any,
    n_parameters: int,
) -> TrainPreview:
    """What training on ``found`` will do.

    Args:
        found: As ``examples_of`` gives them.
        settings: Of the run.
        config: The model's configuration.
        n_parameters: Its weights.

    Raises:
        InputError: Nothing is left to train on.
    """
    examples, rejected, n_cut, n_masked = [], [], 0, 0
    for one in found:
        if isinstance(one, RejectedTrace):
            rejected.append(one)
            continue
        cut = one.cut(settings.max_length)
        n_cut += cut is not one
        if cut.n_learned:
            examples.append(cut)
        else:
            n_masked += 1
    if not examples:
        raise InputError(
            f"Nothing is left to train on: of {len(rejected) + n_masked:,} traces "
            f"{len(rejected):,} cannot be shown by the template and {n_masked:,} would be cut "
            "before anything is learned."
        )
    memory, basis = _memory(examples, settings, config, n_parameters)
    return TrainPreview(
        examples=tuple(examples),
        rejected=tuple(rejected),
        n_cut=n_cut,
        n_masked=n_masked,
        n_tokens=sum(len(one.token_ids) for one in examples),
        n_learned=sum(one.n_learned for one in examples),
        n_steps=n_steps(len(examples), settings),
        memory=memory,
        memory_basis=basis,
    )


def n_steps(n_examples: int, settings: TrainSettings) -> int:
    """Optimizer steps of all passes, the last of a pass on what is left."""
    batches = math.ceil(n_examples / settings.batch_size)
    batches = math.ceil(batches / max(1, settings.n_processes))  # each process has its own
    return math.ceil(settings.epochs * math.ceil(batches / settings.accumulation))


def _memory(
    examples: Sequence[Example], settings: TrainSettings, config: Any, n_parameters: int
) -> tuple[int, str]:
    text = config.get_text_config()
    width = 2 if settings.dtype in ("bfloat16", "float16") else 4
    trained = n_parameters
    if settings.lora is not None:
        linear = 4 * text.hidden_size + 3 * (text.intermediate_size + text.hidden_size)
        trained = text.num_hidden_layers * settings.lora.rank * 2 * linear
    longest = max(len(one.token_ids) for one in examples)
    tokens = settings.batch_size * longest
    layers = 1 if settings.gradient_checkpointing else text.num_hidden_layers
    kept = tokens * text.hidden_size * (layers * _KEPT_PER_LAYER + text.num_hidden_layers * width)
    logits = tokens * text.vocab_size * 4 * 3
    memory = n_parameters * width + trained * (width + 8) + kept + logits
    basis = (
        f"estimate: {n_parameters:,} weights of {width} bytes, {trained:,} trained ones with "
        f"gradient and two moments, activations and logits of {settings.batch_size:,} × "
        f"{longest:,} tokens"
    )
    return memory, basis
