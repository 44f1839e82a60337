"""Which steps of which traces are to be judged, and about what will that take?"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from grace_engine import store
from grace_engine.digests import text_digest
from grace_engine.errors import InputError
from grace_engine.judging import prompts
from grace_engine.judging.asking import UNFINISHED, Task, about_prompt, about_tokens
from grace_engine.judging.prompts import StepText
from grace_engine.judging.settings import JudgeSettings
from grace_engine.records import ATOMS, Judge, JudgedPlace, Judgement, Trace
from grace_engine.store import Workspace

# About how many tokens a verdict has, and a list of claims beside the step that it repeats.
_VERDICT_TOKENS, _LIST_TOKENS = 50, 60
_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgePlan:
    """What judging would do, found without asking anybody.

    Attributes:
        judge: Who judges, as it would be stored.
        settings: How.
        what: The dataset or selection, for people.
        trace_ids: The drawn traces, in the order in which they are judged.
        n_whole: Traces that the draw is from.
        n_steps: Steps of the drawn traces.
        n_without: Drawn traces that have no step.
        n_pictured: Drawn traces whose prompt has images, which a judge does not see.
        pending: By trace: numbers of its steps, from 0, that are not done, with their parts.
        n_done: Steps that the judge has read before.
        n_failed: Those of them that came to nothing then; asked again only by ``retry_failed``.
        n_requests: Requests that are expected, each of use at once.
        tokens_in: Tokens that they read, an estimate.
        tokens_out: Tokens of the replies, an estimate.
        tokens_before: Tokens that judging these steps took before.
        cost_before: Their cost.
    """

    judge: Judge
    settings: JudgeSettings
    what: str
    trace_ids: tuple[str, ...] = field(repr=False)
    n_whole: int
    n_steps: int = 0
    n_without: int = 0
    n_pictured: int = 0
    pending: Mapping[str, Mapping[int, tuple[str, ...]]] = field(default_factory=dict, repr=False)
    n_done: int = 0
    n_failed: int = 0
    n_requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_before: int = 0
    cost_before: float = 0.0

    @property
    def n_pending(self) -> int:
        """Steps that something is to be asked of."""
        return sum(map(len, self.pending.values()))

    @property
    def cost(self) -> float | None:
        """What the expected requests cost, an estimate; None without prices."""
        return self.settings.cost(self.tokens_in, self.tokens_out)


def draw(listed: pd.DataFrame, sample: int, per: str, seed: int) -> list[str]:
    """Ids of a fair draw of traces, from each stratum in proportion to its size.

    Each trace's place among those of its stratum, in an order by digest, is a share from 0 to 1,
    and the lowest shares are drawn. So a draw is the beginning of every larger one, and strata
    stand in it as they stand in the whole, to one trace.

    Args:
        listed: As ``store.labels_of`` gives it.
        sample: How many; 0 for all.
        per: ``dataset``, ``variant``, ``label.NAME``; "" for one stratum.
        seed: Of the order.

    Raises:
        InputError: There is no such column.
    """
    strata = _strata(listed, per)
    keys = [text_digest(f"{seed} {name}", size=8) for name in listed["id"]]
    order = pd.DataFrame({"id": listed["id"].to_numpy(), "stratum": strata, "key": keys})
    ranks = order.groupby("stratum")["key"].rank(method="first")
    sizes = order.groupby("stratum")["key"].transform("size")
    drawn = order.assign(share=(ranks - 0.5) / sizes).sort_values(["share", "key"])["id"].tolist()
    return drawn[:sample] if sample else drawn


def plan_judging(
    workspace: Workspace, what: str, ids: Sequence[str], settings: JudgeSettings
) -> JudgePlan:
    """Find what is to be asked of which steps.

    Args:
        workspace: Where traces are and judgements go.
        what: Dataset or selection, for people.
        ids: Its traces.
        settings: How they are judged.

    Raises:
        InputError: There is no such stratum.
    """
    judge = settings.judge
    listed = store.labels_of(workspace, ids=ids)
    drawn = draw(listed, settings.sample, settings.per, settings.seed)
    known = store.judgements(workspace, judge.id)
    found = _Found(judge, settings, known)
    for batch in store.iter_traces(workspace, ids=drawn, batch=_BATCH):
        for trace in batch:
            found.add(trace)
    return JudgePlan(
        judge=judge,
        settings=settings,
        what=what,
        trace_ids=tuple(drawn),
        n_whole=len(listed),
        n_steps=found.counts["steps"],
        n_without=found.counts["without"],
        n_pictured=found.counts["pictured"],
        pending=found.pending,
        n_done=found.counts["done"],
        n_failed=found.counts["failed"],
        n_requests=found.counts["requests"],
        tokens_in=found.counts["tokens_in"],
        tokens_out=found.counts["tokens_out"],
        tokens_before=found.counts["tokens_before"],
        cost_before=found.cost_before,
    )


class _Found:
    """What the traces of a plan come to."""

    def __init__(
        self, judge: Judge, settings: JudgeSettings, known: Mapping[tuple[str, str], Judgement]
    ) -> None:
        self._judge, self._settings, self._known = judge, settings, known
        self._seen: set[str] = set()
        self.pending: dict[str, dict[int, tuple[str, ...]]] = {}
        self.counts: Counter[str] = Counter()
        self.cost_before = 0.0

    def add(self, trace: Trace) -> None:
        counts, settings = self.counts, self._settings
        counts["steps"] += len(trace.steps)
        counts["without"] += not trace.steps
        counts["pictured"] += bool(trace.images)
        for place, text in enumerate(texts_of(trace, settings)):
            key = key_of(self._judge, text)
            parts, failed = missing_parts(key, settings, self._known)
            if key not in self._seen:
                self._count_before(key)
            if not parts:
                counts["done"] += 1
                counts["failed"] += failed
            else:
                self.pending.setdefault(trace.id, {})[place] = parts
                if key not in self._seen:
                    self._expect(text, parts)
            self._seen.add(key)

    def _count_before(self, key: str) -> None:
        for part in (ATOMS, *self._settings.metrics):
            row = self._known.get((key, part))
            if row is not None:
                self.counts["tokens_before"] += row.tokens_in + row.tokens_out
                self.cost_before += row.cost or 0.0

    def _expect(self, text: StepText, parts: Sequence[str]) -> None:
        for part in parts:
            messages = (
                prompts.atomise(text)
                if part == ATOMS
                else prompts.judge(part, text, [text.step], [text.question])
            )
            self.counts["requests"] += 1
            self.counts["tokens_in"] += about_prompt(messages)
            self.counts["tokens_out"] += (
                about_tokens(text.step) + _LIST_TOKENS if part == ATOMS else _VERDICT_TOKENS
            )


def texts_of(trace: Trace, settings: JudgeSettings) -> list[StepText]:
    """The steps of a trace as a judge reads them."""
    full = trace.full_text
    steps = [full[step.start : step.end] for step in trace.steps]
    return prompts.steps_of(trace.prompt, steps, settings.context)


def key_of(judge: Judge, text: StepText) -> str:
    """Digest of the judge and of all that it reads of a step."""
    read = [judge.id, text.question, text.n_left_out, text.earlier, text.step]
    return text_digest(json.dumps(read))


def missing_parts(
    key: str, settings: JudgeSettings, known: Mapping[tuple[str, str], Judgement]
) -> tuple[tuple[str, ...], bool]:
    """What of a step is to be asked, and whether something of it came to nothing before."""

    def is_left(part: str) -> bool:
        row = known.get((key, part))
        if row is None or row.failure == UNFINISHED:
            return True
        return bool(row.failure and settings.retry_failed)

    atoms = known.get((key, ATOMS))
    if atoms is not None and atoms.failure and not is_left(ATOMS):
        return (), True  # without claims there is nothing to judge
    wanted = [metric for metric in settings.metrics if is_left(metric)]
    rows = [known.get((key, part)) for part in settings.metrics]
    failed = any(row is not None and row.failure for row in rows)
    if not wanted:
        return (), failed
    return ((ATOMS, *wanted) if is_left(ATOMS) else tuple(wanted)), failed


def places_of(judge: Judge, trace: Trace, settings: JudgeSettings) -> list[JudgedPlace]:
    """Where the steps of a trace stand, with their keys."""
    return [
        JudgedPlace(trace_id=trace.id, start=step.start, end=step.end, step_key=key_of(judge, text))
        for step, text in zip(trace.steps, texts_of(trace, settings), strict=True)
    ]


def tasks_of(
    plan: JudgePlan, traces: Iterable[Trace], known: Mapping[tuple[str, str], Judgement]
) -> Iterator[Task]:
    """The steps of these traces that are to be asked; steps that read alike come once."""
    for trace in traces:
        parts = plan.pending.get(trace.id, {})
        texts = texts_of(trace, plan.settings)
        for place in sorted(parts):
            key = key_of(plan.judge, texts[place])
            atoms = known.get((key, ATOMS))
            yield Task(
                step_key=key,
                text=texts[place],
                parts=parts[place],
                claims=tuple(text for text, _ in atoms.claims) if atoms else (),
                premises=atoms.premises if atoms else (),
            )


def _strata(listed: pd.DataFrame, per: str) -> list[str]:
    if not per:
        return [""] * len(listed)
    if per in ("dataset", "variant"):
        return [str(value) for value in listed[per]]
    name = per.removeprefix("label.")
    found = [labels.get(name) for labels in listed["labels"]]
    if per == name or all(value is None for value in found):
        labels = sorted({f"label.{each}" for own in listed["labels"] for each in own})
        raise InputError(
            f"There is no column {per!r} to draw traces per: there are "
            f"{', '.join(['dataset', 'variant', *labels])}."
        )
    return ["" if value is None else str(value) for value in found]
