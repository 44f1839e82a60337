"""What would a scoring run do: which traces are cached, which remain, and what will it cost?"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from grace_engine import store
from grace_engine.config import ScoreConfig
from grace_engine.digests import file_digest, text_digest
from grace_engine.errors import NotFoundError
from grace_engine.models.fingerprint import files_digest, scorer_fingerprint
from grace_engine.models.load import (
    length_limit,
    load_config,
    load_tokenizer,
    resolve_device,
    resolve_dtype,
)
from grace_engine.models.locate import ModelFiles, locate_adapter, locate_model
from grace_engine.models.render import reasoning_key_of, template_name_of
from grace_engine.models.tokens import render_traces
from grace_engine.progress import Progress
from grace_engine.records import RejectedTrace, RenderedTrace, ScoringRun
from grace_engine.signals import packed_size
from grace_engine.store import Workspace

_BATCH = 1000
# Some 5 kB each.
_KEPT_TRACES = 20_000
# Memory may suffice the next time; every other reason would most likely come again.
_WORTH_ANOTHER_TRY = "out-of-memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingTrace:
    """A trace whose Gram is not stored yet.

    Attributes:
        trace_id: The trace.
        n_tokens: Tokens of the whole rendered trace.
        n_segments: K + 1.
        n_bytes: What it will take in the workspace before compression: its Gram (4 bytes a
            number), 24 bytes a segment for counts, loss and spans, and its rendered text.
    """

    trace_id: str
    n_tokens: int
    n_segments: int
    n_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoringPlan:
    """What a run would do, found without loading weights.

    Attributes:
        run: The run as it would be stored.
        config: What was asked for.
        files: The model.
        adapter: The adapter, if any.
        model_config: The model's configuration.
        tokenizer: The model's tokenizer.
        device: Where it would run.
        n_traces: Traces that the run covers, or the sample of them.
        n_done: Traces that it has reached before and leaves as they are.
        n_left: Those among them that could not be scored.
        n_known: Traces not reached before that were not rendered, for another run of this scorer
            has their Gram; 0 where every trace was looked at.
        linkable: Traces not reached before whose Gram is stored all the same.
        pending: Traces that need the model.
        rejected: Traces that it cannot score, with the reason.
        kept: Rendered traces by id, as many as memory is spared for; the rest is rendered again.
    """

    run: ScoringRun
    config: ScoreConfig
    files: ModelFiles
    adapter: ModelFiles | None
    model_config: Any
    tokenizer: Any
    device: torch.device
    n_traces: int
    n_done: int
    n_left: int
    n_known: int
    linkable: tuple[str, ...]
    pending: tuple[PendingTrace, ...] = field(repr=False)
    rejected: tuple[RejectedTrace, ...] = field(repr=False)
    kept: dict[str, RenderedTrace] = field(repr=False)

    @property
    def n_cached(self) -> int:
        """Traces whose Gram is stored already."""
        return self.n_done - self.n_left + len(self.linkable)

    @property
    def n_tokens(self) -> int:
        """Tokens that remain to be read by the model."""
        return sum(trace.n_tokens for trace in self.pending)

    @property
    def disk_bytes(self) -> int:
        """Bytes to come, before the database compresses them."""
        return sum(trace.n_bytes for trace in self.pending)

    @property
    def most_segments(self) -> int:
        """K + 1 of the longest trace that remains."""
        return max((trace.n_segments for trace in self.pending), default=1)


def plan_scoring(
    workspace: Workspace, config: ScoreConfig, progress: Progress, *, most: int = 0
) -> ScoringPlan:
    """Find what a run would do. Nothing is stored but remembered digests of the model's files.

    With ``most`` only so many of the traces are rendered that no run of this scorer has a Gram of:
    enough for a forecast, not to score by.

    Raises:
        NotFoundError: The workspace holds no traces, or not the named datasets.
        ModelError: The model, its tokenizer or adapter cannot be used.
    """
    files = locate_model(
        config.model, revision=config.revision, trust_remote_code=config.trust_remote_code
    )
    adapter = locate_adapter(config.adapter) if config.adapter else None
    model_config = load_config(files, trust_remote_code=config.trust_remote_code)
    tokenizer = load_tokenizer(files, trust_remote_code=config.trust_remote_code)
    device = resolve_device(config.device)
    run = _run_of(workspace, config, files, adapter, tokenizer, device)
    ids = store.trace_ids(workspace, run.datasets)
    run = replace(run, data_digest=_data_digest(workspace, run, ids))
    # Ids are digests, so the lowest of them are a fair draw, and a larger sample holds a smaller.
    wanted = set(ids[: config.sample] if config.sample else ids)
    reached = store.reached_traces(workspace, run.id)
    left = {
        name
        for name in wanted
        if reached.get(name) not in (None, _WORTH_ANOTHER_TRY) and not config.retry_failed
    }
    todo = {name for name in wanted - left if name not in reached or reached[name] is not None}
    n_todo, known = len(todo), set[str]()
    if most:
        known = todo & _scored_elsewhere(workspace, run)
        todo = set(sorted(todo - known)[:most])
    limit = config.max_length or length_limit(model_config)
    pending: list[PendingTrace] = []
    linkable: list[str] = []
    rejected: list[RejectedTrace] = []
    kept: dict[str, RenderedTrace] = {}
    if todo:
        progress.begin("Rendering", len(todo), "traces")
    for batch in _render(workspace, run, todo, tokenizer, limit):
        rendered = [item for item in batch if isinstance(item, RenderedTrace)]
        for item in batch:
            if isinstance(item, RejectedTrace):
                rejected.append(item)
                progress.fail(item.reason)
        keys = store.known_gram_keys(workspace, run.fingerprint, [item.digest for item in rendered])
        linkable += [item.trace_id for item in rendered if item.digest in keys]
        pending += [_pending(item) for item in rendered if item.digest not in keys]
        room = _KEPT_TRACES - len(kept)
        kept |= {item.trace_id: item for item in rendered[:room]} if room > 0 else {}
        progress.advance(len(batch))
    return ScoringPlan(
        run=run,
        config=config,
        files=files,
        adapter=adapter,
        model_config=model_config,
        tokenizer=tokenizer,
        device=device,
        n_traces=len(wanted),
        n_done=len(wanted) - n_todo,
        n_left=len(left),
        n_known=len(known),
        linkable=tuple(linkable),
        pending=tuple(pending),
        rejected=tuple(rejected),
        kept=kept,
    )


def _scored_elsewhere(workspace: Workspace, run: ScoringRun) -> set[str]:
    """Traces that other runs have scored with this scorer and rendering, as they are cut now."""
    flags = ("fingerprint", "target", "template", "with_marks", "with_end_token")
    cuts = dict(zip(run.datasets, run.segmenters, strict=True))
    found: set[str] = set()
    for other in store.list_runs(workspace):
        if any(getattr(other, flag) != getattr(run, flag) for flag in flags):
            continue
        then = dict(zip(other.datasets, other.segmenters, strict=False))
        if uncut := [name for name, cut in then.items() if cuts.get(name) == cut]:
            reached = store.reached_traces(workspace, other.id)
            scored = {name for name, reason in reached.items() if reason is None}
            found |= scored.intersection(store.trace_ids(workspace, uncut))
    return found


def _pending(rendered: RenderedTrace) -> PendingTrace:
    n_segments = len(rendered.segments)
    return PendingTrace(
        trace_id=rendered.trace_id,
        n_tokens=len(rendered.token_ids),
        n_segments=n_segments,
        n_bytes=4 * packed_size(n_segments) + 24 * n_segments + len(rendered.text.encode()),
    )


def rendered_again(
    workspace: Workspace, plan: ScoringPlan, ids: Sequence[str]
) -> Iterator[list[RenderedTrace]]:
    """Traces that a plan found to be in order, from memory where it kept them."""
    found = [plan.kept[name] for name in ids if name in plan.kept]
    if found:
        yield found
    limit = plan.config.max_length or length_limit(plan.model_config)
    missing = {name for name in ids if name not in plan.kept}
    for batch in _render(workspace, plan.run, missing, plan.tokenizer, limit):
        yield [item for item in batch if isinstance(item, RenderedTrace)]


def _render(
    workspace: Workspace, run: ScoringRun, ids: set[str], tokenizer: Any, max_length: int
) -> Iterator[list[RenderedTrace | RejectedTrace]]:
    """Render traces by id, a batch at a time, as the run's flags say."""
    if not ids:
        return
    for traces in store.iter_traces(workspace, run.datasets, ids, batch=_BATCH):
        yield list(
            render_traces(
                traces,
                tokenizer,
                target=run.target,  # type: ignore[arg-type]
                with_marks=run.with_marks,
                with_end_token=run.with_end_token,
                max_length=max_length,
                template_name=run.template,
            )
        )


def _run_of(
    workspace: Workspace,
    config: ScoreConfig,
    files: ModelFiles,
    adapter: ModelFiles | None,
    tokenizer: Any,
    device: torch.device,
) -> ScoringRun:
    known = {info.name: info for info in store.datasets(workspace)}
    names = sorted(set(config.datasets)) or sorted(known)
    if not names:
        raise NotFoundError("The workspace holds no traces yet. Run grace ingest FILE first.")
    for name in names:
        if name not in known:
            raise NotFoundError(f"There is no dataset {name!r}. There are: {', '.join(known)}.")

    def digest_of(path: Path) -> str:
        return store.remembered_digest(workspace, path, file_digest)

    dtype = resolve_dtype(config.dtype, device)
    discount = float(config.entropy_discount)
    fingerprint = scorer_fingerprint(
        model_digest=files_digest(files, digest_of),
        adapter_digest=files_digest(adapter, digest_of),
        dtype=dtype,
        proxy=config.proxy,
        parameters=config.parameters,
        **({"entropy_discount": discount} if discount else {}),
    )
    template = template_name_of(tokenizer)
    segmenters = [known[name].segmenter for name in names]
    flags = [config.target, template, config.with_marks, config.with_end_token, config.max_length]
    parts = json.dumps([fingerprint, flags, names, segmenters])
    return ScoringRun(
        id="r-" + text_digest(parts, size=4),
        fingerprint=fingerprint,
        model=config.model,
        revision=files.revision,
        adapter=config.adapter,
        dtype=dtype,
        proxy=config.proxy,
        parameters=config.parameters,
        entropy_discount=discount,
        target=config.target,
        template=template,
        reasoning_key=reasoning_key_of(tokenizer) if template == "chat" else "",
        with_marks=config.with_marks,
        with_end_token=config.with_end_token,
        datasets=tuple(names),
        segmenters=tuple(segmenters),
        data_digest="",
    )


def _data_digest(workspace: Workspace, run: ScoringRun, ids: list[str]) -> str:
    """Digest of which traces there are and how they are cut."""
    segmenters = [i.segmenter for i in store.datasets(workspace) if i.name in run.datasets]
    return text_digest(json.dumps([segmenters, ids]))
