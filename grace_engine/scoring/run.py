"""How does a scoring run go through its traces so that nothing is lost and nothing done twice?"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil
import torch

from grace_engine import store
from grace_engine.config import ScoreConfig
from grace_engine.errors import TraceRejected
from grace_engine.models.load import LoadedModel, load_model
from grace_engine.progress import Progress
from grace_engine.records import RejectedTrace, RenderedTrace, ScoringRun
from grace_engine.scoring.batches import batches_by_tokens
from grace_engine.scoring.exact import ParameterBlocks, parameter_blocks
from grace_engine.scoring.plan import ScoringPlan, rendered_again
from grace_engine.scoring.scorer import Scorer
from grace_engine.store import ScoredTrace, Workspace

# Grams are committed at least that often, so that a killed run loses seconds.
_COMMIT_SECONDS = 5.0
# Traces that are rendered ahead of the model.
_WINDOW = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreReport:
    """What a scoring run did.

    Attributes:
        run: The run with its counts.
        n_cached: Traces whose Grams were stored before.
        n_scored: Traces that the model scored now.
        n_rejected: Traces that could not be scored now.
        n_left: Traces that could not be scored before and were not tried again.
        by_reason: ``n_rejected`` by reason code.
        n_tokens: Tokens that the model read now.
        seconds: Time of the model's part.
    """

    run: ScoringRun
    n_cached: int
    n_scored: int
    n_rejected: int
    n_left: int = 0
    by_reason: Mapping[str, int] = field(default_factory=dict)
    n_tokens: int = 0
    seconds: float = 0.0


def run_scoring(workspace: Workspace, plan: ScoringPlan, progress: Progress) -> ScoreReport:
    """Score what a plan found pending, committing as it goes.

    Killed or interrupted at any moment, the same call goes on where it stopped. Where nothing is
    pending no weights are loaded.

    Raises:
        ModelError: The model cannot be loaded.
        ResourceError: ``exact`` gradients that do not fit.
    """
    # A model that cannot be loaded leaves no run behind.
    scorer = _scorer_of(plan, progress) if plan.pending else None
    store.upsert_run(workspace, plan.run)
    for batch in rendered_again(workspace, plan, plan.linkable):
        store.link_cached(workspace, plan.run.id, [(item, item.digest) for item in batch])
    if plan.rejected:
        store.add_scored(workspace, plan.run.id, [], plan.rejected)
    failures = Counter(item.reason for item in plan.rejected)
    n_scored = n_tokens = 0
    started = time.monotonic()
    if scorer is not None:
        started = time.monotonic()
        before = plan.n_done + len(plan.linkable)
        progress.begin("Scoring", before + len(plan.pending), "traces", done=before)
        pending = sorted(plan.pending, key=lambda trace: (-trace.n_tokens, trace.trace_id))
        writer = _Writer(workspace, plan.run.id)
        try:
            for first in range(0, len(pending), _WINDOW):
                ids = [trace.trace_id for trace in pending[first : first + _WINDOW]]
                for traces in rendered_again(workspace, plan, ids):
                    _score_window(traces, scorer, writer, progress)
        finally:
            try:
                writer.flush()
            finally:
                # What could not be stored is not done, and is so counted by whoever was told.
                if writer.n_waiting:
                    progress.advance(-writer.n_waiting)
            n_scored, n_tokens = writer.n_scored, writer.n_tokens
            failures += writer.failures
    return ScoreReport(
        run=store.get_run(workspace, plan.run.id),
        n_cached=plan.n_cached,
        n_scored=n_scored,
        n_rejected=sum(failures.values()),
        n_left=plan.n_left,
        by_reason=dict(failures.most_common()),
        n_tokens=n_tokens,
        seconds=time.monotonic() - started,
    )


class _Writer:
    """Commits outcomes every few seconds."""

    def __init__(self, workspace: Workspace, run_id: str) -> None:
        self._workspace = workspace
        self._run_id = run_id
        self._scored: list[ScoredTrace] = []
        self._failed: list[RejectedTrace] = []
        self._last = time.monotonic()
        self.n_scored = self.n_tokens = 0
        self.failures: Counter[str] = Counter()

    def add(self, trace: RenderedTrace, outcome: object) -> None:
        """Take one outcome; it is committed by the next ``flush``."""
        self.n_tokens += len(trace.token_ids)
        if isinstance(outcome, TraceRejected):
            self.failures[outcome.reason] += 1
            self._failed.append(
                RejectedTrace(trace_id=trace.trace_id, reason=outcome.reason, detail=outcome.detail)
            )
        else:
            self.n_scored += 1
            self._scored.append(
                ScoredTrace(rendered=trace, gram_key=trace.digest, gram=outcome)  # type: ignore[arg-type]
            )

    @property
    def n_waiting(self) -> int:
        """Outcomes that are not committed yet."""
        return len(self._scored) + len(self._failed)

    def flush_when_due(self) -> None:
        """Commit if the last commit is some seconds past."""
        if time.monotonic() - self._last >= _COMMIT_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Commit what was taken."""
        if self._scored or self._failed:
            store.add_scored(self._workspace, self._run_id, self._scored, self._failed)
            self._scored, self._failed = [], []
        self._last = time.monotonic()


def _score_window(
    traces: list[RenderedTrace], scorer: Scorer, writer: _Writer, progress: Progress
) -> None:
    remaining = traces
    while remaining:
        lengths = [len(trace.token_ids) for trace in remaining]
        budget = scorer.tokens_per_batch
        taken: set[int] = set()
        for indices in batches_by_tokens(lengths, budget):
            batch = [remaining[index] for index in indices]
            for trace, outcome in zip(batch, scorer.score(batch), strict=True):
                writer.add(trace, outcome)
                if isinstance(outcome, TraceRejected):
                    progress.fail(outcome.reason)
            progress.advance(len(batch), tokens=sum(len(trace.token_ids) for trace in batch))
            writer.flush_when_due()
            taken.update(indices)
            if scorer.tokens_per_batch != budget:
                break  # memory was scarce: batch the rest anew by the smaller budget
        remaining = [trace for index, trace in enumerate(remaining) if index not in taken]


def _scorer_of(plan: ScoringPlan, progress: Progress) -> Scorer:
    progress.say(f"Loading {plan.config.model} as {plan.run.dtype} on {plan.device}.")
    loaded = load_model(
        plan.files,
        adapter=plan.adapter,
        dtype=plan.run.dtype,
        device=plan.device,
        trust_remote_code=plan.config.trust_remote_code,
    )
    parameters = None
    if plan.config.proxy == "exact":
        parameters = _blocks(loaded, plan.config, plan.most_segments, progress)
    return Scorer(loaded, plan.config, parameters=parameters, say=progress.say)


def _blocks(
    loaded: LoadedModel, config: ScoreConfig, n_segments: int, progress: Progress
) -> ParameterBlocks:
    memory = config.gradient_memory or _free_bytes(loaded.device) // 2
    blocks = parameter_blocks(loaded.model, config.parameters, n_segments=n_segments, memory=memory)
    progress.say(
        f"Exact gradients of {len(blocks.names)} parameters for up to {n_segments} segments take "
        f"{blocks.needed_bytes / 1e9:.2f} GB of {memory / 1e9:.2f} GB, in {len(blocks.blocks)} "
        f"block(s): {n_segments * len(blocks.blocks)} backward passes for the longest trace."
    )
    return blocks


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)
