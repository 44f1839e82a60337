"""What are the metrics of a dataset's traces, none measured twice?"""

from collections.abc import Sequence
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
from grace_engine.supervision import MeasureConfig, Measured, Measurer, TextPair

# Traces that are measured, and stored, together: a run that is killed loses no more.
_BATCH = 64
_LANGUAGE = "language"


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
    if unnamed := _of_no_language(known, ids, missing):
        _name_languages(workspace, unnamed, measurer)
        known = store.trace_metrics(workspace, ids, measurer.recipes)
    if missing:
        what = f"metrics in the foreground of {workspace.root}"
        with having_device(measurer.device, what, told.say):
            _measure(workspace, missing, measurer, told)
        known = store.trace_metrics(workspace, ids, measurer.recipes)
    return Measurement(
        table=_table(known, ids),
        says=dict(measurer.says),
        n_measured=len(missing),
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
    return _missing(store.trace_metrics(workspace, ids, measurer.recipes), ids, measurer)


def _measurer(workspace: Workspace, config: MeasureConfig | None, progress: Progress) -> Measurer:
    def digest_of(path: Path) -> str:
        return store.remembered_digest(workspace, path, file_digest)

    config = config or MeasureConfig(model=str(default_model()))
    return Measurer(config, digest_of=digest_of, say=progress.say)


def _missing(known: pd.DataFrame, ids: Sequence[str], measurer: Measurer) -> list[str]:
    """Traces of which a model has something to read: they lack more than their language."""
    counts = known.loc[known["metric"] != _LANGUAGE, "trace_id"].value_counts()
    return [name for name in ids if counts.get(name, 0) < len(measurer.recipes) - 1]


def _of_no_language(known: pd.DataFrame, ids: Sequence[str], missing: Sequence[str]) -> list[str]:
    there = {*known.loc[known["metric"] == _LANGUAGE, "trace_id"], *missing}
    return [name for name in ids if name not in there]


def _name_languages(workspace: Workspace, ids: Sequence[str], measurer: Measurer) -> None:
    """Languages by another recipe than before, which take no model: nothing else is read anew."""
    for batch in store.iter_traces(workspace, ids=ids, batch=_BATCH):
        rows = [
            _measured(trace, _LANGUAGE, one)
            for trace, one in zip(
                batch, measurer.languages([trace.text for trace in batch]), strict=True
            )
        ]
        store.add_trace_metrics(workspace, rows, measurer.recipes)


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
    workspace: Workspace, ids: Sequence[str], measurer: Measurer, progress: Progress
) -> None:
    progress.begin("Measuring", len(ids), "traces")
    for batch in store.iter_traces(workspace, ids=ids, batch=_BATCH):
        found = measurer.measure(
            [TextPair(prompt=t.prompt, text=t.text, appended=t.answer.appended) for t in batch]
        )
        rows = [
            _measured(trace, name, one)
            for trace, metrics in zip(batch, found, strict=True)
            for name, one in metrics.items()
        ]
        store.add_trace_metrics(workspace, rows, measurer.recipes)
        progress.advance(len(batch))


def _table(known: pd.DataFrame, ids: Sequence[str]) -> pd.DataFrame:
    index = pd.Index(list(ids), name="trace_id", dtype=object)
    values = known.pivot_table(
        index="trace_id", columns="metric", values="value", aggfunc="first", dropna=False
    )
    words = known.pivot(index="trace_id", columns="metric", values="word")
    columns: dict[str, Any] = {}
    for metric in words.columns:
        if metric == "language":
            columns["language"] = words[metric].reindex(index)
            continue
        columns[metric] = values[metric].reindex(index).astype("float64")
        columns[f"why.{metric}"] = words[metric].reindex(index)
    return pd.DataFrame(columns, index=index)
