"""What are the metrics of a dataset's traces, none measured twice?"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from grace_engine import store
from grace_engine.api.scoring import default_model
from grace_engine.digests import file_digest
from grace_engine.jobs import having_device
from grace_engine.progress import Progress, Silent
from grace_engine.records import Trace
from grace_engine.store import MeasuredTrace, Workspace
from grace_engine.supervision import (
    LANGUAGE,
    WITHOUT_MODEL,
    MeasureConfig,
    Measured,
    Measurer,
    TextPair,
)

# Traces that are measured, and stored, together: a run that is killed loses no more.
_BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The metrics of some traces.

    Attributes:
        table: A row a trace, in the order asked for, indexed by id: a column a metric (NaN where
            there is none), ``language``, and ``why.METRIC`` (why there is none).
        says: By metric: what made it.
        n_measured: Traces that were measured now; the others were before.
        seconds: By metric: time spent now.
    """

    table: pd.DataFrame
    says: dict[str, str]
    n_measured: int
    seconds: dict[str, float] = field(default_factory=dict)


def measure(
    workspace: Workspace,
    ids: Sequence[str],
    config: MeasureConfig | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Measure those traces that were not, by this recipe and as they are now, and store it.

    Who interrupts it keeps what is done, and the same call goes on from there.

    Args:
        workspace: Where the traces are.
        ids: Their ids.
        config: Which models; the shipped one where None.
        progress: Told how far it is.

    Raises:
        ModelError: A model cannot be used.
        MissingExtraError: A library for what is asked is not installed.
    """
    told = progress or Silent()
    measurer = _measurer(workspace, config, told)
    known = store.trace_metrics(workspace, ids, measurer.recipes)
    missing = _missing(known, ids, measurer)
    if missing:
        what = f"metrics in the foreground of {workspace.root}"
        with _device(measurer, missing, what, told):
            _measure(workspace, missing, measurer, told)
        known = store.trace_metrics(workspace, ids, measurer.recipes)
    return Measurement(
        table=_table(known, ids),
        says=dict(measurer.says),
        n_measured=len(_of_more_than_language(missing)),
        seconds=dict(measurer.seconds),
    )


def unmeasured(
    workspace: Workspace, ids: Sequence[str], config: MeasureConfig | None = None
) -> list[str]:
    """Those of the traces that ``measure`` would have to read; no weights are loaded.

    Raises:
        ModelError: A model cannot be used.
        MissingExtraError: A library for what is asked is not installed.
    """
    measurer = _measurer(workspace, config, Silent())
    known = store.trace_metrics(workspace, ids, measurer.recipes)
    return _of_more_than_language(_missing(known, ids, measurer))


def _measurer(workspace: Workspace, config: MeasureConfig | None, progress: Progress) -> Measurer:
    def digest_of(path: Path) -> str:
        return store.remembered_digest(workspace, path, file_digest)

    config = config or MeasureConfig(model=str(default_model()))
    return Measurer(config, digest_of=digest_of, say=progress.say)


def _missing(
    known: pd.DataFrame, ids: Sequence[str], measurer: Measurer
) -> dict[str, frozenset[str]]:
    """The metrics that each trace lacks; traces that lack none are not there.

    A stored reason why there is no value is as good as one: what could not be made is not missing.
    """
    every = frozenset(measurer.recipes)
    have = known.groupby("trace_id")["metric"].agg(frozenset).to_dict()
    lacks = {name: every - have.get(name, frozenset()) for name in ids}
    return {name: metrics for name, metrics in lacks.items() if metrics}


def _of_more_than_language(missing: Mapping[str, frozenset[str]]) -> list[str]:
    """Traces of which more than the language is missing, which is found in no time."""
    return [name for name, metrics in missing.items() if metrics != {LANGUAGE}]


@contextmanager
def _device(
    measurer: Measurer, missing: Mapping[str, frozenset[str]], what: str, progress: Progress
) -> Iterator[None]:
    """Hold the device where a language model is to read something."""
    if all(metrics <= WITHOUT_MODEL for metrics in missing.values()):
        yield
        return
    with having_device(measurer.device, what, progress.say):
        yield


def _measured(trace: Trace, metric: str, found: Measured) -> MeasuredTrace:
    return MeasuredTrace(
        trace_id=trace.id,
        prompt=trace.prompt,
        text=trace.full_text,
        metric=metric,
        value=found.value,
        word=found.word,
    )


def _measure(
    workspace: Workspace,
    missing: Mapping[str, frozenset[str]],
    measurer: Measurer,
    progress: Progress,
) -> None:
    """Measure of each trace what it lacks, those that lack the same together."""
    if left := _of_more_than_language(missing):
        progress.begin("Measuring", len(left), "traces")
    for metrics in dict.fromkeys(missing.values()):
        ids = [name for name, lacks in missing.items() if lacks == metrics]
        for batch in store.iter_traces(workspace, ids=ids, batch=_BATCH):
            pairs = [
                TextPair(prompt=t.prompt, text=t.text, appended=t.answer.appended) for t in batch
            ]
            rows = [
                _measured(trace, name, one)
                for trace, found in zip(batch, measurer.measure(pairs, metrics), strict=True)
                for name, one in found.items()
            ]
            store.add_trace_metrics(workspace, rows, measurer.recipes)
            if metrics != {LANGUAGE}:
                progress.advance(len(batch))


def _table(known: pd.DataFrame, ids: Sequence[str]) -> pd.DataFrame:
    index = pd.Index(list(ids), name="trace_id", dtype=object)
    values = known.pivot_table(
        index="trace_id", columns="metric", values="value", aggfunc="first", dropna=False
    )
    words = known.pivot(index="trace_id", columns="metric", values="word")
    columns: dict[str, Any] = {}
    for metric in words.columns:
        if metric == LANGUAGE:
            columns[LANGUAGE] = words[metric].reindex(index)
            continue
        columns[metric] = values[metric].reindex(index).astype("float64")
        columns[f"why.{metric}"] = words[metric].reindex(index)
    return pd.DataFrame(columns, index=index)
