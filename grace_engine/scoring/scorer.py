"""What are the step Grams of a batch of rendered traces?"""

import logging
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from grace_engine.config import ScoreConfig
from grace_engine.errors import GraceError, ModelError, TraceRejected
from grace_engine.models.heads import Head, captured_hidden
from grace_engine.models.load import LoadedModel
from grace_engine.records import RenderedTrace, StepGram
from grace_engine.scoring.exact import ParameterBlocks, exact_gram
from grace_engine.scoring.gradients import lm_head_gram, upstream_gradients
from grace_engine.signals import pack

Outcome: TypeAlias = StepGram | TraceRejected

# Traces on which a model may fail, one by one, before any is scored; then it is the model.
_FAILED_FIRST = 16
_LOG = logging.getLogger(__name__)


class Scorer:
    """A loaded model and a proxy: rendered traces in, step Grams out.

    Attributes:
        tokens_per_batch: Lowered by half each time memory did not suffice.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        config: ScoreConfig,
        *,
        parameters: ParameterBlocks | None = None,
        say: Callable[[str], None] = lambda _message: None,
    ) -> None:
        """Raise ``ModelError`` where the proxy needs a closed-form head and the model has none.

        Args:
            loaded: The model.
            config: Proxy and sizes.
            parameters: Of ``exact``.
            say: Told when a batch is halved.
        """
        if config.proxy == "lm_head" and not isinstance(loaded.head, Head):
            raise ModelError(
                f"The output layer of {type(loaded.model).__name__} is no plain linear map, so "
                "its weight's gradient has no closed form: use --proxy upstream or exact."
            )
        self._loaded = loaded
        self._config = config
        self._parameters = parameters
        self._say = say
        on_cpu = loaded.device.type == "cpu"
        self._tile = config.workspace_elements or (1 << 21 if on_cpu else 1 << 25)
        self.tokens_per_batch = config.tokens_per_batch
        self._n_scored = self._n_failed = 0

    def score(self, traces: Sequence[RenderedTrace]) -> list[Outcome]:
        """Grams of one batch in its order; a trace that fails alone comes back rejected.

        A batch that fails is halved, down to single traces; for memory, later batches are as small.

        Raises:
            ModelError: The model fails on every trace, or its device does not work any more.
        """
        try:
            outcomes = self._each_alone_if_not_finite(traces, self._score(traces))
        except GraceError:
            raise
        except Exception as error:  # noqa: BLE001 - a model may raise anything
            _LOG.debug("A batch of %d traces failed.", len(traces), exc_info=True)
            memory, said = _is_out_of_memory(error), f"{type(error).__name__}: {error}"[:300]
        else:
            self._n_scored += sum(isinstance(outcome, StepGram) for outcome in outcomes)
            return outcomes
        # Outside the handler, so that the failed batch's tensors are no longer referenced.
        self._require_device(said)
        if len(traces) == 1:
            return [self._failed_alone(traces[0], said, memory=memory)]
        half = len(traces) // 2
        if memory:
            self.tokens_per_batch = max(1, half * max(len(t.token_ids) for t in traces))
            self._say(
                f"Out of memory with {len(traces)} traces at once: going on with batches of "
                f"{self.tokens_per_batch} tokens."
            )
        return self.score(traces[:half]) + self.score(traces[half:])

    def _failed_alone(self, trace: RenderedTrace, said: str, *, memory: bool) -> TraceRejected:
        """Why one trace could not be scored; raises where it is the model that cannot."""
        if memory:
            tokens = len(trace.token_ids)
            return TraceRejected("out-of-memory", f"{tokens} tokens do not fit in memory alone")
        self._n_failed += 1
        if not self._n_scored and self._n_failed >= _FAILED_FIRST:
            raise ModelError(
                f"The model fails on every trace that was tried, {self._n_failed} so far: {said}. "
                "Check that it, its tokenizer and the installed transformers go together."
            )
        return TraceRejected("model-error", f"the model failed with {said}")

    def _require_device(self, said: str) -> None:
        """Free what a failed batch held; raise where the device does nothing any more."""
        device = self._loaded.device
        if device.type == "cpu":
            return
        try:
            if device.type == "cuda":
                torch.cuda.empty_cache()
            torch.ones(1, device=device).sum().item()
        except RuntimeError as error:
            raise ModelError(
                f"The device {device} does not work any more after {said}. What was finished is "
                "kept; run this again and it goes on from there."
            ) from error

    def _each_alone_if_not_finite(
        self, traces: Sequence[RenderedTrace], outcomes: list[Outcome]
    ) -> list[Outcome]:
        """Score again alone what came out NaN: one trace's NaN spreads through shared sums."""
        if len(traces) == 1:
            return outcomes
        return [
            self._score([trace])[0] if isinstance(outcome, TraceRejected) else outcome
            for trace, outcome in zip(traces, outcomes, strict=True)
        ]

    def _score(self, traces: Sequence[RenderedTrace]) -> list[Outcome]:
        if self._config.proxy == "exact":
            return [self._exact(trace) for trace in traces]
        with torch.inference_mode():
            hidden = self._hidden_states(traces)
            states, targets, lengths = self._at_segments(hidden, traces)
            if self._config.proxy == "upstream":
                return self._upstream(states, targets, lengths, traces)
            return self._lm_head(states, targets, lengths, traces)

    def _hidden_states(self, traces: Sequence[RenderedTrace]) -> Tensor:
        """``[B, n, d]`` states that enter the head, right-padded."""
        longest = max(len(trace.token_ids) for trace in traces)
        ids = torch.zeros((len(traces), longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, trace in enumerate(traces):
            ids[row, : len(trace.token_ids)] = torch.tensor(trace.token_ids)
            mask[row, : len(trace.token_ids)] = 1
        device = self._loaded.device
        with captured_hidden(self._loaded.model) as seen:
            self._loaded.model(
                input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False
            )
        return seen[0]

    def _at_segments(
        self, hidden: Tensor, traces: Sequence[RenderedTrace]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """States ``[n, d]`` that predict the segments' tokens, those tokens ``[n]``, lengths."""
        rows, columns, lengths = [], [], []
        targets: list[int] = []
        for row, trace in enumerate(traces):
            for segment in trace.segments:
                positions = np.arange(segment.token_start, segment.token_end)
                rows.append(np.full(len(positions), row))
                # The gradient of token t comes from position t − 1.
                columns.append(positions - 1)
                targets.extend(trace.token_ids[segment.token_start : segment.token_end])
                lengths.append(len(positions))
        device = hidden.device
        row_index = torch.from_numpy(np.concatenate(rows)).to(device)
        column_index = torch.from_numpy(np.concatenate(columns)).to(device)
        states = hidden[row_index, column_index]
        return states, torch.tensor(targets, device=device), torch.tensor(lengths)

    def _upstream(
        self, states: Tensor, targets: Tensor, lengths: Tensor, traces: Sequence[RenderedTrace]
    ) -> list[Outcome]:
        found = upstream_gradients(
            self._loaded.head,
            states,
            targets,
            lengths,
            self._tile,
            entropy_discount=self._config.entropy_discount,
        )
        outcomes, first = [], 0
        for trace in traces:
            part = slice(first, first + len(trace.segments))
            g = found.gradients[part]
            outcomes.append(_outcome(g @ g.T, found.nll[part], trace))
            first = part.stop
        return outcomes

    def _lm_head(
        self, states: Tensor, targets: Tensor, lengths: Tensor, traces: Sequence[RenderedTrace]
    ) -> list[Outcome]:
        head = self._loaded.head
        assert isinstance(head, Head)  # noqa: S101 - held at construction
        outcomes, token, segment = [], 0, 0
        for trace in traces:
            own = lengths[segment : segment + len(trace.segments)]
            part = slice(token, token + int(own.sum()))
            found = lm_head_gram(
                head,
                states[part],
                targets[part],
                own,
                self._tile,
                entropy_discount=self._config.entropy_discount,
            )
            outcomes.append(_outcome(found.gram, found.nll, trace))
            token, segment = part.stop, segment + len(trace.segments)
        return outcomes

    def _exact(self, trace: RenderedTrace) -> Outcome:
        assert self._parameters is not None  # noqa: S101 - the run packs them for exact
        found = exact_gram(
            self._loaded.model,
            self._loaded.head,
            torch.tensor(trace.token_ids, device=self._loaded.device),
            [(segment.token_start, segment.token_end) for segment in trace.segments],
            self._parameters,
            self._tile,
            entropy_discount=self._config.entropy_discount,
        )
        return _outcome(found.gram, found.nll, trace)


def _outcome(gram: Tensor, nll: Tensor, trace: RenderedTrace) -> Outcome:
    packed = pack(gram.float().cpu().numpy())
    losses = nll.float().cpu().numpy()
    if not (np.isfinite(packed).all() and np.isfinite(losses).all()):
        return TraceRejected("not-finite", "the model's output holds NaN or infinite numbers")
    return StepGram(
        packed=tuple(packed.tolist()),
        n_tokens=tuple(segment.n_tokens for segment in trace.segments),
        nll=tuple(losses.tolist()),
    )


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    # The CPU allocator raises a plain RuntimeError.
    return "can't allocate memory" in str(error) or "out of memory" in str(error)
